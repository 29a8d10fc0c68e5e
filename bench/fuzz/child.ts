import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { bytesOf, outcomeOf, targets } from './run.ts';
import type { Watched } from './watch.ts';

// Runs COUNT inputs of one reader from FIRST on, or for SECONDS; each input is saved to SAVE before it is read.
const [name, first, count, seconds, save] = process.argv.slice(2);
const target = targets.find((each) => each.name === name)!;
// In memory if the host has that: rewriting a file on a disk takes longer than reading it.
const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const work = mkdtempSync(join(folder, `weir-fuzz-${name}-`));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const samples = await target.samples(work);

const current = new SharedArrayBuffer(8);
const seeds = new BigInt64Array(current);
const watched: Watched = { current, name: target.name, secondsOfWork: 2, secondsInAll: 60, mostMemory: 500e6 };
seeds[0] = -1n;
const watch = new Worker(new URL('./watch.ts', import.meta.url), { workerData: watched });
await once(watch, 'message');
watch.unref();

const counts = { read: 0, refused: 0 };
const started = performance.now();
const end = started + Number(seconds) * 1000;
for (let seed = Number(first); seed < Number(first) + Number(count) && performance.now() < end; seed++) {
  const input = bytesOf(target, samples, seed);
  if (save !== undefined) writeFileSync(save, input);
  seeds[0] = BigInt(seed);
  const outcome = await outcomeOf(target, input, work);
  seeds[0] = -1n - BigInt(seed);
  if (typeof outcome === 'object') {
    const { crash } = outcome;
    process.stderr.write(`${name}: input ${seed}: crash: ${crash instanceof Error ? crash.stack : String(crash)}\n`);
    process.exit(1);
  }
  counts[outcome]++;
  // Readers that wait for nothing would keep zlib from closing its streams, which it does on the next turn of the event loop.
  if (seed % 256 === 0) await setImmediate();
}
const took = (performance.now() - started) / 1000;
const { maxRSS } = process.resourceUsage();
const said = `${counts.read} read, ${counts.refused} rejected, ${took.toFixed(0)} s, ${Math.round(maxRSS / 1024)} MB`;
process.stdout.write(`${name}: ${counts.read + counts.refused} inputs from ${first} on: ${said}\n`);
