import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../../src/base/digest.ts';
import { WeirError } from '../../../src/base/errors.ts';
import { runOk } from '../../../src/base/process.ts';
import { openEngine } from '../../../src/engine/engine.ts';
import { rememberFiles } from '../../../src/release/image/file-stamps.ts';
import { knownImage } from '../../../src/release/image/known-image.ts';
import { ofImage } from '../../../src/release/image/stage.ts';
import type { Toolbox } from '../../../src/toolbox/tool.ts';

// Files this small are read without a tool.
const toolbox = {} as Toolbox;
const files = [{ path: 'vm.raw', size: 8, sha256: sha256('the disk') }];
const image = { name: 'vm', kind: 'disk', inputs: 'ab', installedSize: 7, files, details: {} };
const record = { ...image, snapshot: '20260101-01234567', packages: [], osRelease: {}, log: [] };

let root: string;
let dir: string;
let file: string;
let notes: string[];
let place: Parameters<typeof knownImage>[0];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-known-'));
  dir = join(root, 'vm');
  file = join(dir, 'image.json');
  notes = [];
  const cache = join(root, 'cache');
  place = { cache, engine: await openEngine(cache), out: root };
  await mkdir(dir);
  await writeFile(join(dir, 'vm.raw'), 'the disk');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const known = () =>
  knownImage(
    place,
    toolbox,
    { dir, name: 'vm', inputs: 'ab', key: { id: '', publicKey: '' } },
    {
      update: () => {},
      note: (text) => notes.push(text),
    },
  );

/** The state after a build that wrote this. */
async function built(text: string): Promise<void> {
  await writeFile(file, text);
  await rememberFiles(place, dir, { text, files });
}

test('an unchanged image is reused', async () => {
  await built(JSON.stringify(record));
  expect(await known()).toEqual(record);
  expect(notes).toEqual([]);
});

test('an image with an extra file or another mode is rebuilt', async () => {
  await built(JSON.stringify(record));
  await writeFile(join(dir, 'vm.efi'), '');
  expect(await known()).toBeUndefined();
  await rm(join(dir, 'vm.efi'));
  expect(await known()).toEqual(record);
  await chmod(join(dir, 'vm.raw'), 0o4755);
  expect(await known()).toBeUndefined();
  expect(notes).toEqual([expect.stringContaining('vm.efi'), expect.stringContaining('vm.raw')]);
});

test.each([null, { inputs: 'ab' }, { ...record, files: [] }, [], 3])(
  'an image with the invalid record %j is rebuilt',
  async (value) => {
    await built(JSON.stringify(value));
    expect(await known()).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining(file)]);
  },
);

test.each([
  ['a folder', () => mkdir(file)],
  ['a pipe', () => runOk(['mkfifo', file])],
  ['a link', () => symlink('/dev/zero', file)],
])('an image whose record is %s is rebuilt', async (_what, make) => {
  await make();
  expect(await known()).toBeUndefined();
  expect(notes).toEqual([expect.stringContaining(file)]);
});

test('an image that another cache made is rebuilt', async () => {
  await writeFile(file, JSON.stringify(record));
  expect(await known()).toBeUndefined();
  expect(notes).toEqual([`${file} is not known to this cache: rebuilding the image`]);
});

test('an error of an image has the line that defines it, unless it has a place already', () => {
  const origin = { file: 'images/vm.toml', line: 3 };
  const found = (error: unknown) => ofImage(error, { origin });
  const missing = new WeirError('not-found', 'no repository has bsh', { where: { package: 'bsh' } });
  expect(found(missing)).toMatchObject({ code: 'not-found', where: { ...origin, package: 'bsh' } });
  for (const other of [
    new WeirError('no-space', 'full', { where: { file: '/tmp' } }),
    new WeirError('interrupted', 'stopped'),
    new TypeError('a bug'),
  ])
    expect(found(other)).toBe(other);
});
