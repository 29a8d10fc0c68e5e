import { chmod, lstat, mkdtemp, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openEngine } from '../../src/engine/engine.ts';
import { putBytes } from '../../src/engine/store.ts';
import type { Tree } from '../../src/tree/tree.ts';

let cache: string;
let told: string[];
let tree: Tree;

/** As in another run, which has no memory of this one. */
async function materialiseAnew(): Promise<string> {
  vi.resetModules();
  const { materialise } = await import('../../src/tree/materialise.ts');
  const engine = await openEngine(cache, (line) => told.push(line));
  return materialise(engine, tree, cache);
}

async function isWhole(root: string): Promise<boolean> {
  const { isWholeRoot } = await import('../../src/tree/materialise.ts');
  return isWholeRoot((await openEngine(cache)).store, root);
}

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'weir-roots-'));
  told = [];
  const { store } = await openEngine(cache);
  const base = { user: 'root', group: 'root', mtime: 0, packages: [] };
  tree = {
    packages: [],
    entries: [
      { ...base, path: '/', kind: 'directory', mode: 0o755 },
      { ...base, path: '/bin', kind: 'symlink', mode: 0o777, target: 'usr/bin' },
      { ...base, path: '/etc', kind: 'directory', mode: 0o700 },
      { ...base, path: '/etc/profile', kind: 'file', mode: 0o644, ...(await putBytes(store, 'good\n')) },
      { ...base, path: '/etc/shadow', kind: 'file', mode: 0, ...(await putBytes(store, 'good\n')) },
      { ...base, path: '/usr', kind: 'directory', mode: 0o755 },
      { ...base, path: '/usr/bin', kind: 'directory', mode: 0o755 },
      { ...base, path: '/usr/bin/sh', kind: 'file', mode: 0o4755, ...(await putBytes(store, 'shell')) },
    ],
  };
  store.stamps.flush(true);
});
afterEach(() => rm(cache, { recursive: true, force: true }));

test('a tree as a folder: files with their content, executable or not', async () => {
  const root = await materialiseAnew();
  expect(await readFile(join(root, 'bin/sh'), 'utf8')).toBe('shell');
  expect((await lstat(join(root, 'usr/bin/sh'))).mode & 0o7777).toBe(0o555);
  expect((await lstat(join(root, 'etc/shadow'))).mode & 0o7777).toBe(0o444);
  expect(await isWhole(root)).toBe(true);
  const { ino } = await lstat(root);
  expect((await lstat(await materialiseAnew())).ino).toBe(ino);
  expect(told).toEqual([]);
});

const harms: Readonly<Record<string, (root: string) => Promise<void>>> = {
  'wrong bytes, with the old times': async (root) => {
    const { atime, mtime } = await lstat(join(root, 'usr/bin/sh'));
    await rm(join(root, 'usr/bin/sh'));
    await writeFile(join(root, 'usr/bin/sh'), 'SHELL', { mode: 0o555 });
    await utimes(join(root, 'usr/bin/sh'), atime, mtime);
  },
  'a file removed': (root) => rm(join(root, 'etc/profile')),
  'a file added': (root) => writeFile(join(root, 'etc/ld.so.preload'), '/evil.so'),
  'two files swapped': async (root) => {
    await rename(join(root, 'etc/profile'), join(root, 'x'));
    await rename(join(root, 'usr/bin/sh'), join(root, 'etc/profile'));
    await rename(join(root, 'x'), join(root, 'usr/bin/sh'));
  },
  'a link with another target': async (root) => {
    await rm(join(root, 'bin'));
    await symlink('/tmp', join(root, 'bin'));
  },
  'a setuid file': (root) => chmod(join(root, 'usr/bin/sh'), 0o4755),
};

describe.each(Object.keys(harms))('a root with %s', (harm) => {
  test('is reported and recreated', async () => {
    const root = await materialiseAnew();
    await harms[harm]!(root);
    expect(await isWhole(root)).toBe(false);
    expect(await materialiseAnew()).toBe(root);
    expect(told).toEqual([expect.stringContaining(root)]);
    expect(await readFile(join(root, 'usr/bin/sh'), 'utf8')).toBe('shell');
    expect(await readFile(join(root, 'etc/profile'), 'utf8')).toBe('good\n');
    expect(await isWhole(root)).toBe(true);
  });
});

test('a write through a root into the store is detected', async () => {
  const root = await materialiseAnew();
  await chmod(join(root, 'etc/profile'), 0o644);
  await writeFile(join(root, 'etc/profile'), 'evil\n');
  await chmod(join(root, 'etc/profile'), 0o444);
  // Recreating the folder needs the blob, which is corrupt.
  await expect(materialiseAnew()).rejects.toMatchObject({ code: 'bad-blob' });
});
