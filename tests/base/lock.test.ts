import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from '../../src/base/lock.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('a second holder is refused, by name of the process, and the lock goes when the work ends', async () => {
  const path = join(dir, 'out', '.lock');
  await withLock(path, async () => {
    await expect(withLock(path, async () => {})).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(String(process.pid)),
    });
  });
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await withLock(path, async () => 'again')).toBe('again');
});

test('the lock goes when the work fails', async () => {
  const path = join(dir, '.lock');
  await expect(withLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await withLock(path, async () => 'again')).toBe('again');
});

test('a lock of a process that is gone, or whose number another one has now, is taken over', async () => {
  const path = join(dir, '.lock');
  for (const holder of ['4194305 123', `${process.pid} 1`, '']) {
    await writeFile(path, holder);
    expect(await withLock(path, async () => 'mine')).toBe('mine');
  }
});
