import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inputOf } from '../../bench/fuzz/mutate.ts';
import { bytesOf, outcomeOf, targets } from '../../bench/fuzz/run.ts';

function workplace(): string {
  const work = mkdtempSync(join(tmpdir(), 'weir-fuzz-'));
  onTestFinished(() => rmSync(work, { recursive: true, force: true }));
  return work;
}

/** One input per seed. */
const seeds = Array.from({ length: 40 }, (_, index) => index + 1);

describe.each(targets.map((target) => [target.name, target] as const))('the reader %s', (_name, target) => {
  it('reads its samples', async () => {
    const work = workplace();
    for (const sample of await target.samples(work)) {
      const outcome = await outcomeOf(target, Buffer.from(sample), work);
      // Some samples suit only one of several readers of a target.
      expect(['read', 'refused']).toContain(outcome);
    }
  });

  it('reads or rejects mutations of them, with a WeirError', { timeout: 120_000 }, async () => {
    const work = workplace();
    const samples = await target.samples(work);
    for (const seed of seeds) {
      const outcome = await outcomeOf(target, bytesOf(target, samples, seed), work);
      if (typeof outcome === 'object') throw new Error(`input ${seed}`, { cause: outcome.crash });
    }
  });
});

describe('an input', () => {
  const samples = [Buffer.from('one sample 12 of text'), Buffer.alloc(600, 'x')];

  it('is the same for the same seed, and differs for most others', () => {
    const all = Array.from({ length: 300 }, (_, seed) => inputOf(seed, samples).toString('latin1'));
    expect(Array.from({ length: 300 }, (_, seed) => inputOf(seed, samples).toString('latin1'))).toEqual(all);
    expect(new Set(all).size).toBeGreaterThan(200);
    expect(samples[0]!.toString()).toBe('one sample 12 of text');
  });
});

describe('a faulty reader', () => {
  it('crashes with an error other than a WeirError', async () => {
    const target = { name: 'x', samples: async () => [], read: (input: Buffer) => input.readUInt8(5) };
    expect(await outcomeOf(target, Buffer.alloc(9), '')).toBe('read');
    expect(await outcomeOf(target, Buffer.alloc(2), '')).toEqual({ crash: expect.any(RangeError) });
  });

  it.each([
    ['an endless loop', 'for (;;);', 600, /x: input 7: hangs: over 3 s of CPU time/],
    ['an endless wait', 'setInterval(() => {}, 1000);', 2, /x: input 7: hangs: no progress for 2 s/],
    [
      'too much memory',
      'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));',
      600,
      /x: input 7: uses \d+ bytes of memory/,
    ],
  ])('is stopped for %s', async (_what, code, seconds, message) => {
    const script = `
      import { Worker } from 'node:worker_threads';
      const current = new SharedArrayBuffer(8);
      new BigInt64Array(current)[0] = 7n;
      const workerData = { current, name: 'x', secondsOfWork: 3, secondsInAll: ${seconds}, mostMemory: 500e6 };
      const watch = ${JSON.stringify(join(import.meta.dirname, '../../bench/fuzz/watch.ts'))};
      new Worker(watch, { workerData }).on('message', () => { ${code} });`;
    const file = join(workplace(), 'reader.mjs');
    writeFileSync(file, script);
    const { signal, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    expect(signal).toBe('SIGKILL');
    expect(stderr).toMatch(message);
  });
});

describe('the command', () => {
  const fuzz = (...argv: string[]) =>
    spawnSync(process.execPath, [join(import.meta.dirname, '../../bench/fuzz.ts'), ...argv], { encoding: 'utf8' });

  it('runs a reader and prints the counts', () => {
    const { status, stdout, stderr } = fuzz('--reader', 'control', '--count', '5');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^control: 5 inputs from 1 on: \d+ read, \d+ rejected, /);
  });

  it('rejects an unknown reader', () => {
    const { status, stderr } = fuzz('--reader', 'none');
    expect(status).toBe(1);
    expect(stderr).toMatch(/unknown reader none/);
  });
});
