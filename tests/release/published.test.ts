import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import { readImage, readRelease } from '../../src/release/published.ts';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { unprivileged } from '../unprivileged.ts';

test.each(['release.json', 'images/vm/image.json'])('a truncated %s is an error that names the file', async (name) => {
  const out = await mkdtemp(join(tmpdir(), 'weir-published-'));
  onTestFinished(() => rm(out, { recursive: true, force: true }));
  const file = join(out, name);
  await mkdir(dirname(file), { recursive: true });
  const read = () => (name === 'release.json' ? readRelease({ out }) : readImage({ out }, 'vm'));
  expect(await read()).toBeUndefined();
  await writeFile(file, '{"version":');
  await expect(read()).rejects.toMatchObject({ code: 'bad-record', where: { file } });
});

const files = [{ path: 'vm.raw', size: 8, sha256: 'ab' }];
const image = { name: 'vm', kind: 'disk', inputs: 'ab', installedSize: 7, files, details: {} } as const;
const release: ReleaseRecord = {
  schema: 'https://weir.invalid/schema/release-1.json',
  name: 'Weir Linux',
  version: '4.0',
  snapshot: '20260101-01234567',
  clock: 1,
  arch: 'x86_64',
  signingKey: { fingerprint: 'AB', publicKey: '', development: true },
  imageKey: { id: 'ab', publicKey: '', development: true },
  inputs: { toolbox: 'ab', seed: { packages: 1, demotions: 0 } },
  components: [],
  channels: [{ name: 'base', packages: [{ nevra: 'bash-1:5.3-4.x86_64', sha256: 'ab', origin: 'seed' }] }],
  images: [{ ...image, packages: ['bash-1:5.3-4.x86_64'] }],
};
const said = { ...image, snapshot: '20260101-01234567', packages: [], osRelease: {}, log: [] };
const { imageKey, signingKey, ...keyless } = release;
const away = [{ ...image, packages: [], files: [{ path: '../../x', size: 1, sha256: 'ab' }] }];

describe('a record', () => {
  let out: string;
  beforeEach(async () => {
    out = await mkdtemp(join(tmpdir(), 'weir-published-'));
    await mkdir(join(out, 'images/vm'), { recursive: true });
  });
  afterEach(() => rm(out, { recursive: true, force: true }));

  test('of a build is read unchanged', async () => {
    await writeFile(join(out, 'release.json'), JSON.stringify({ ...release, more: 1 }));
    expect(await readRelease({ out })).toEqual({ ...release, more: 1 });
    await writeFile(join(out, 'images/vm/image.json'), JSON.stringify(said));
    expect(await readImage({ out }, 'vm')).toEqual(said);
  });

  test.each([
    ['null', null],
    ['an empty one', {}],
    ['a list', []],
    ['a number', 3],
    ['one without images', { ...release, images: null }],
    ['one without an image key', { ...keyless, signingKey }],
    ['one without a signing key', { ...keyless, imageKey }],
    [
      'one with a package that has no version',
      { ...release, channels: [{ name: 'base', packages: [{ nevra: 'x' }] }] },
    ],
    ['one whose files lie elsewhere', { ...release, images: away }],
    ['one whose snapshot lies elsewhere', { ...release, snapshot: '..' }],
  ])('of a release that is invalid is an error: %s', async (_what, value) => {
    const file = join(out, 'release.json');
    await writeFile(file, JSON.stringify(value));
    const error = { code: 'bad-record', exit: 1, where: { file }, hint: expect.stringContaining('weir build') };
    await expect(readRelease({ out })).rejects.toMatchObject(error);
  });

  test.each([null, { inputs: 'ab' }, { ...said, files: [] }, { ...said, packages: [{}] }])(
    'of an image that is invalid is an error: %j',
    async (value) => {
      const file = join(out, 'images/vm/image.json');
      await writeFile(file, JSON.stringify(value));
      await expect(readImage({ out }, 'vm')).rejects.toMatchObject({ code: 'bad-record', where: { file } });
    },
  );

  test('that is a folder or a pipe is an error', async () => {
    const file = join(out, 'release.json');
    await mkdir(file);
    await expect(readRelease({ out })).rejects.toMatchObject({ code: 'bad-record', where: { file } });
    await rm(file, { recursive: true });
    await runOk(['mkfifo', file]);
    await expect(readRelease({ out })).rejects.toMatchObject({ code: 'bad-record', where: { file } });
  });

  test('that cannot be read is an error', async () => {
    const file = join(out, 'release.json');
    await writeFile(file, JSON.stringify(release));
    await chmod(out, 0o755);
    await chmod(file, 0);
    await unprivileged(async () => {
      await expect(readRelease({ out })).rejects.toMatchObject({ code: 'bad-record', where: { file } });
    });
  });
});
