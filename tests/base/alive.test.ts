import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startTime } from '../../src/base/alive.ts';

test('a running process has a start time, an exited one has none', () => {
  expect(startTime(process.pid)).toMatch(/^[1-9]\d*$/);
  expect(startTime(4194305)).toBe('');
});

test('a zombie that its parent never reaped counts as exited', async () => {
  // The shell execs a program that does not know about the child, which exits only then: a shell would reap it.
  const child = 'while [ "$(cat /proc/$PPID/comm)" != sleep ]; do :; done';
  const script = `sh -c '${child}' & echo $!; exec sleep 60`;
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    const state = (): string => / \(.*\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))![1]!;
    await expect.poll(state, { timeout: 30_000 }).toBe('Z');
    expect(startTime(pid)).toBe('');
  } finally {
    parent.kill('SIGKILL');
  }
});
