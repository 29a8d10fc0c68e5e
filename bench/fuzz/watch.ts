import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/*
 * Runs beside a reader, in a thread of its own: the reader's thread can't look at a clock while it loops. Time is the
 * processor's, so that a busy machine makes no hang; what waits for nothing at all has a longer time by the clock.
 */

export interface Watched {
  /** The number of the input that is being read, and how often it changed. */
  readonly current: SharedArrayBuffer;
  readonly name: string;
  readonly secondsOfWork: number;
  readonly secondsInAll: number;
  /** bytes */
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
  } else if (now.processor - began.processor > secondsOfWork) stop(`hangs: over ${secondsOfWork} s of work`);
  else if (now.clock - began.clock > secondsInAll) stop(`hangs: nothing for ${secondsInAll} s`);
  const { rss } = process.memoryUsage();
  if (rss > mostMemory) stop(`takes ${rss} bytes of memory`);
}, 100);

// The reader waits for this: once it loops, a thread that is still starting would never get to its work.
parentPort!.postMessage('ready');
