import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WeirError } from '../../src/base/errors.ts';
import { descendants, type Limits, watchLimits } from '../../src/engine/limits.ts';

const generous: Limits = { processes: 100, memory: 2 ** 40, disk: 2 ** 40, seconds: 3600, output: 1 << 30 };

function exceeded(limits: Limits, pids: readonly number[], folders: readonly string[]): Promise<WeirError> {
  return new Promise((resolve) => {
    watchLimits(limits, () => pids, folders, resolve);
  });
}

test('a step over its memory limit is reported', async () => {
  const error = await exceeded({ ...generous, memory: 1 << 20 }, [process.pid], []);
  expect(error.code).toBe('limit-exceeded');
  expect(error.message).toMatch(/more than 1 MiB of memory/);
});

test('a step over its time limit is reported', async () => {
  expect((await exceeded({ ...generous, seconds: 0.05 }, [process.pid], [])).message).toMatch(
    /timed out after 0.05 seconds/,
  );
});

test('a step over its disk limit is reported', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-limits-'));
  try {
    const told = exceeded({ ...generous, disk: 1 << 20 }, [process.pid], [folder]);
    await writeFile(join(folder, 'big'), Buffer.alloc(16 << 20, 1));
    expect((await told).message).toMatch(/more than 1 MiB to disk/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('descendants are found, whoever their parent is', async () => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    expect(descendants(child.pid!)).toEqual([child.pid, Number(String(chunk))]);
    process.kill(Number(String(chunk)));
  } finally {
    child.kill('SIGKILL');
  }
});
