import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/*
 * Runs in a separate thread beside a reader, whose own thread cannot check the time while it loops. It measures CPU time, so
 * a busy machine does not count as a hang; a reader that uses no CPU at all has a longer wall-clock limit.
 */

export interface Watched {
  /** The number of the current input, and how often it has changed. */
  readonly current: SharedArrayBuffer;
  readonly name: string;
  readonly secondsOfWork: number;
  readonly secondsInAll: number;
  /** In bytes. */
  readonly mostMemory: number;
}

const { current, name, secondsOfWork, secondsInAll, mostMemory } = workerData as Watched;
const [seed] = [new BigInt64Array(current)];
let last = -1n;
let began = { processor: 0, clock: 0 };

function work(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function stop(what: string): void {
  writeSync(2, `${name}: input ${seed![0]}: ${what}\n`);
  process.kill(process.pid, 'SIGKILL');
}

setInterval(() => {
  const now = { processor: work(), clock: performance.now() / 1000 };
  if (seed![0] !== last) {
    last = seed![0]!;
    began = now;
  } else if (now.processor - began.processor > secondsOfWork) stop(`hangs: over ${secondsOfWork} s of CPU time`);
  else if (now.clock - began.clock > secondsInAll) stop(`hangs: no progress for ${secondsInAll} s`);
  const { rss } = process.memoryUsage();
  if (rss > mostMemory) stop(`uses ${rss} bytes of memory`);
}, 100);

// The reader waits for this: if it loops too early, this thread might never start.
parentPort!.postMessage('ready');
