import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { thisProcess } from '../../src/base/alive.ts';
import { tryLock, withLock } from '../../src/base/file-lock.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('a second holder is refused with the PID of the first, and the lock is removed after the work', async () => {
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

test('the lock is removed if the work fails', async () => {
  const path = join(dir, '.lock');
  await expect(withLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await withLock(path, async () => 'again')).toBe('again');
});

test('a lock whose process has exited, or whose PID was reused, is replaced', async () => {
  const path = join(dir, '.lock');
  const { namespace } = thisProcess;
  for (const holder of [`4194305 ${namespace} 123`, `${process.pid} ${namespace} 1`, `${process.pid}`, '']) {
    await writeFile(path, holder);
    expect(await withLock(path, async () => 'mine')).toBe('mine');
    await writeFile(path, holder);
    const giveBack = await tryLock(path);
    expect(await tryLock(path)).toBeUndefined();
    giveBack!();
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  }
});

/** Long enough for a live holder to touch its lock several times, even on a busy machine. */
const timing = { beat: 50, silence: 3000 };

test('a lock of another container is replaced once it is no longer touched', async () => {
  const path = join(dir, '.lock');
  const holder = `${process.pid} ${thisProcess.namespace + 1} ${thisProcess.started}\n`;
  await writeFile(path, holder);
  expect(await tryLock(path, timing)).toBeUndefined();
  expect(await readFile(path, 'utf8')).toBe(holder);
  expect(await withLock(path, async () => 'mine', timing)).toBe('mine');
  const old = new Date(Date.now() - 3_600_000);
  await writeFile(path, holder);
  await utimes(path, old, old);
  (await tryLock(path, timing))!();
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

/** Runs a script in its own PID namespace, as in a container. */
function contained(script: string): ChildProcessByStdio<null, Readable, null> {
  const argv = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child', process.execPath];
  return spawn('unshare', [...argv, '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
}

const canUnshare = spawnSync('unshare', ['-U', '-r', '-p', '-f', '--mount-proc', 'true']).status === 0;

test.skipIf(!canUnshare)('containers that share a folder never replace a live lock', async () => {
  const path = join(dir, '.lock');
  const lock = join(import.meta.dirname, '../../src/base/file-lock.ts');
  const script = (work: string): string => `
    import { withLock } from ${JSON.stringify(lock)};
    const work = () => { console.log('mine'); return ${work}; };
    await withLock(${JSON.stringify(path)}, work, ${JSON.stringify(timing)}).catch((error) => console.log(error.code, error.message));
  `;
  const holder = contained(script('new Promise(() => setInterval(() => {}, 1000))'));
  try {
    const [first] = (await once(holder.stdout, 'data')) as [Buffer];
    expect(first.toString()).toBe('mine\n');
    // Inside, the holder's PID is 1 or 2, which other processes have here and in the second container.
    const own = await readFile(path, 'utf8');
    expect(Number(own.split(' ')[0])).toBeLessThan(10);
    const second = contained(script('Promise.resolve()'));
    expect((await second.stdout.toArray()).join('')).toMatch(
      /^locked another weir \(process \d+ of another container\)/,
    );
    await expect(withLock(path, async () => {}, timing)).rejects.toMatchObject({ code: 'locked' });
    expect(await readFile(path, 'utf8')).toBe(own);
  } finally {
    holder.kill('SIGKILL');
  }
  await once(holder, 'exit');
  expect((await contained(script('Promise.resolve()')).stdout.toArray()).join('')).toBe('mine\n');
});
