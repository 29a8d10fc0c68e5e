import { createHmac } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMarked, openSeal, sealed, unsealed } from '../../src/engine/seal.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-seal-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the key of a cache', () => {
  test('is created once, readable by its owner only', async () => {
    const file = join(dir, 'a/key');
    const mark = openSeal(file).mark('x', 'text');
    const info = await stat(file);
    expect([info.size, info.mode & 0o777]).toEqual([32, 0o600]);
    expect(openSeal(file).mark('x', 'text')).toBe(mark);
    expect(mark).toBe(
      createHmac('sha256', await readFile(file))
        .update('x\ntext')
        .digest('hex'),
    );
  });

  test('is replaced if it has another length, which invalidates old marks', async () => {
    const file = join(dir, 'key');
    const mark = openSeal(file).mark('x', 'text');
    await chmod(file, 0o600);
    await writeFile(file, '');
    const other = openSeal(file);
    expect((await readFile(file)).length).toBe(32);
    expect(isMarked(other, 'x', 'text', mark)).toBe(false);
  });
});

test('a sealed text is valid only unchanged, for its own subject and with the same key', () => {
  const seal = openSeal(join(dir, 'key'));
  const file = sealed(seal, 'this', 'some\ntext');
  expect(unsealed(seal, 'this', file)).toBe('some\ntext');
  expect(unsealed(seal, 'that', file)).toBeUndefined();
  expect(unsealed(openSeal(join(dir, 'other')), 'this', file)).toBeUndefined();
  for (let at = 0; at < file.length; at++) {
    const changed = `${file.slice(0, at)}${file[at] === 'a' ? 'b' : 'a'}${file.slice(at + 1)}`;
    expect(unsealed(seal, 'this', changed), changed).toBeUndefined();
    expect(unsealed(seal, 'this', file.slice(0, at))).toBeUndefined();
  }
});
