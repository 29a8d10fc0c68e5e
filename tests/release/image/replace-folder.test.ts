import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exists } from '../../../src/base/files.ts';
import { type Exchange, replaceFolder } from '../../../src/release/image/replace-folder.ts';

let root: string;
let dir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-replace-'));
  dir = join(root, 'images', 'vm');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const never: Exchange = () => Promise.reject(new Error('there is nothing to exchange'));
const cannot: Exchange = async () => false;
const make = (text: string) => (temporary: string) => writeFile(join(temporary, 'disk'), text);
const content = () => readFile(join(dir, 'disk'), 'utf8');

test('a first folder is renamed into place', async () => {
  await replaceFolder(dir, never, make('first'));
  expect(await content()).toBe('first');
  expect(await readdir(join(root, 'images'))).toEqual(['vm']);
});

test('a later one is swapped in before the old one is removed', async () => {
  await replaceFolder(dir, never, make('first'));
  let there: string[] = [];
  await replaceFolder(
    dir,
    async (one, other) => {
      expect(other).toBe(dir);
      there = [await readFile(join(one, 'disk'), 'utf8'), await content()];
      // What the kernel does, in steps.
      await rename(one, `${one}-moved`);
      await rename(other, one);
      await rename(`${one}-moved`, other);
      return true;
    },
    make('second'),
  );
  expect(there).toEqual(['second', 'first']);
  expect(await content()).toBe('second');
  expect(await readdir(join(root, 'images'))).toEqual(['vm']);
});

test('without an atomic swap it is renamed', async () => {
  await replaceFolder(dir, never, make('first'));
  await replaceFolder(dir, cannot, make('second'));
  expect(await content()).toBe('second');
  expect(await readdir(join(root, 'images'))).toEqual(['vm']);
});

test('a failed build leaves the old folder', async () => {
  await replaceFolder(dir, never, make('first'));
  const failed = replaceFolder(dir, never, async (temporary) => {
    await mkdir(join(temporary, 'half'));
    throw new Error('no space');
  });
  await expect(failed).rejects.toThrow('no space');
  expect(await content()).toBe('first');
  expect(await exists(join(dir, 'half'))).toBe(false);
  expect(await readdir(join(root, 'images'))).toEqual(['vm']);
});
