import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { openSeal } from '../../src/engine/seal.ts';
import { checkToolbox, writeManifest } from '../../src/toolbox/integrity.ts';

let dir: string;
let root: string;
let manifest: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-integrity-'));
  root = join(dir, 'root');
  manifest = join(dir, 'root.manifest');
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  await writeFile(join(root, 'usr/bin/rpm'), 'a program', { mode: 0o755 });
  await writeFile(join(root, 'usr/bin/odd name %'), 'another');
  await symlink('rpm', join(root, 'usr/bin/rpm2'));
  await writeManifest(root, manifest, seal());
});
afterEach(() => rm(dir, { recursive: true }));

const seal = (): ReturnType<typeof openSeal> => openSeal(join(dir, 'key'));
const changed = async (): Promise<readonly string[] | undefined> =>
  (await checkToolbox(root, manifest, seal()))?.changed;

test('an untouched toolbox passes', async () => {
  expect(await changed()).toEqual([]);
  const names = ['usr/bin/rpm', 'usr/bin/odd name %', 'usr/bin/rpm2'];
  const digests = { 'usr/bin/rpm': sha256('a program'), 'usr/bin/odd name %': sha256('another') };
  expect((await checkToolbox(root, manifest, seal(), names))?.digests).toEqual(new Map(Object.entries(digests)));
});

test.each<[string, () => Promise<unknown>, readonly string[]]>([
  ['content', () => writeFile(join(root, 'usr/bin/rpm'), 'b program'), ['usr/bin/rpm']],
  [
    'content, with size and mtime put back',
    async () => {
      await writeFile(join(root, 'usr/bin/rpm'), 'b program');
      await utimes(join(root, 'usr/bin/rpm'), 1, 1);
    },
    ['usr/bin/rpm'],
  ],
  ['mode', () => chmod(join(root, 'usr/bin/rpm'), 0o4755), ['usr/bin/rpm']],
  ['a file added', () => writeFile(join(root, 'usr/bin/X'), ''), ['usr/bin/X']],
  ['a folder added', () => mkdir(join(root, 'usr/lib')), ['usr/lib']],
  ['a file removed', () => rm(join(root, 'usr/bin/odd name %')), ['usr/bin/odd name %']],
  [
    'a link changed',
    async () => {
      await rm(join(root, 'usr/bin/rpm2'));
      await symlink('/tmp/evil', join(root, 'usr/bin/rpm2'));
    },
    ['usr/bin/rpm2'],
  ],
])('a change is detected: %s', async (_, change, expected) => {
  await change();
  expect(await changed()).toEqual(expected);
});

test('a copy with other inodes and times passes, and is not read again after that', async () => {
  await cp(root, join(dir, 'copy'), { recursive: true, verbatimSymlinks: true });
  await rm(root, { recursive: true });
  await cp(join(dir, 'copy'), root, { recursive: true, verbatimSymlinks: true });
  const before = await readFile(manifest, 'utf8');
  expect(await changed()).toEqual([]);
  const after = await readFile(manifest, 'utf8');
  expect(after).not.toBe(before);
  expect(await changed()).toEqual([]);
  expect(await readFile(manifest, 'utf8')).toBe(after);
});

test('without a manifest there is no result', async () => {
  await rm(manifest);
  expect(await checkToolbox(root, manifest, seal())).toBeUndefined();
});

test('a manifest without a valid mark is ignored', async () => {
  await writeManifest(root, manifest, openSeal(join(dir, 'another-key')));
  expect(await checkToolbox(root, manifest, seal())).toBeUndefined();
});
