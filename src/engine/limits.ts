import { readdirSync, readFileSync } from 'node:fs';
import { lstat, opendir, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';

/** Resource limits of a sandboxed step. */
export interface Limits {
  /** Processes and threads at the same time. */
  readonly processes: number;
  /** Resident memory of all its processes together, in bytes. */
  readonly memory: number;
  /** Bytes on disk in the folders that it may write. */
  readonly disk: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
  /** Bytes of captured output. */
  readonly output: number;
}

const mebibyte = 1 << 20;
const gibibyte = 1 << 30;

/** For a build: most of the machine. The largest builds, such as a browser's, need less. */
export const buildLimits: Limits = {
  processes: 16_384,
  memory: Math.max(2 * gibibyte, Math.floor(totalmem() * 0.8)),
  disk: 128 * gibibyte,
  seconds: 12 * 3600,
  output: 64 * mebibyte,
};

/** For parsing a spec, which takes about a second. */
export const queryLimits: Limits = {
  processes: 16_384,
  memory: 2 * gibibyte,
  disk: 4 * gibibyte,
  seconds: 300,
  output: 64 * mebibyte,
};

/** For a script that generates a source file. */
export const scriptLimits: Limits = { ...buildLimits, seconds: 3600 };

/** Free bytes that a step must leave on the disk. */
const diskReserve = 256 * mebibyte;

/** Arguments for prlimit: the limits that the kernel enforces. */
export function kernelLimits({ processes, disk }: Limits): string[] {
  return [`--nproc=${processes}:${processes}`, `--fsize=${disk}:${disk}`, '--core=0:0'];
}

/** The error for a step that was killed at a limit. */
export function limitError(what: string, hint: string): WeirError {
  return new WeirError('limit-exceeded', what, { hint });
}

/**
 * Watches a running step and reports the first limit that it exceeds.
 * @param pids the processes of the step, as this process sees them
 * @param folders where it can write on disk
 * @returns a function that stops the watch
 */
export function watchLimits(
  limits: Limits,
  pids: () => readonly number[],
  folders: readonly string[],
  onExceeded: (error: WeirError) => void,
): () => void {
  let stopped = false;
  let looking = false;
  const tell = (error: WeirError): void => {
    if (stopped) return;
    stop();
    onExceeded(error);
  };
  const look = async (): Promise<void> => {
    if (residentBytes(pids()) > limits.memory) {
      tell(
        limitError(
          `the step used more than ${inMebibytes(limits.memory)} of memory and was killed`,
          'check what it runs for a memory leak, or build on a machine with more memory',
        ),
      );
    }
    if (availableMemory() < memoryReserve) {
      tell(
        limitError(
          'the machine ran out of memory and the step was killed',
          'run fewer builds at a time, add memory, or lower the memory in [toolbox] limits',
        ),
      );
    }
    const [first] = folders;
    if (first === undefined || stopped) return;
    const { bavail, bsize } = await statfs(first);
    const scarce = bavail * bsize < diskReserve;
    if (!scarce && performance.now() < addUpAt) return;
    const started = performance.now();
    let used = 0;
    for (const folder of folders) used += await bytesBelow(folder);
    // Walking many files is slow, so it may take a twentieth of the time at most.
    addUpAt = performance.now() + 20 * (performance.now() - started);
    if (used > limits.disk) {
      tell(
        limitError(
          `the step wrote more than ${inMebibytes(limits.disk)} to disk and was killed`,
          'see its log for what it wrote',
        ),
      );
    } else if (scarce) {
      tell(
        limitError(
          `the step filled the disk and was killed: it wrote ${inMebibytes(used)}, ${inMebibytes(bavail * bsize)} are free`,
          'free some space, or set XDG_CACHE_HOME to a folder on a larger file system',
        ),
      );
    }
  };
  let addUpAt = 0;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    // A folder that disappears during the check means that the step has ended; this is no error.
    look()
      .catch(() => {})
      .finally(() => {
        looking = false;
      });
  }, 250);
  const clock = setTimeout(
    () =>
      tell(
        limitError(
          `the step timed out after ${limits.seconds} seconds and was killed`,
          'it may be waiting for something that a sandbox does not have, such as the network',
        ),
      ),
    limits.seconds * 1000,
  );
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
    clearTimeout(clock);
  };
  return stop;
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / mebibyte)} MiB`;
}

/** Memory kept free for the rest of the machine: a step's tmpfs files, pipes and sockets count in no process's resident pages. */
const memoryReserve = Math.min(256 * mebibyte, Math.floor(totalmem() / 32));

function availableMemory(): number {
  const kibibytes = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return kibibytes === undefined ? Number.POSITIVE_INFINITY : Number(kibibytes) * 1024;
}

const pageSize = 4096;

/** Resident bytes from statm (proc(5)). Pages shared by two processes count twice, which is acceptable for a limit. */
function residentBytes(pids: readonly number[]): number {
  let bytes = 0;
  for (const pid of pids) {
    try {
      const [, resident = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
      bytes += Number(resident) * pageSize;
    } catch {
      // It has exited.
    }
  }
  return bytes;
}

/** A process and its descendants. Orphans are reparented to the sandbox's first process, which is among them. */
export function descendants(pid: number): number[] {
  const found = [pid];
  for (let at = 0; at < found.length; at++) {
    const tasks = `/proc/${found[at]}/task`;
    for (const task of namesIn(tasks)) {
      try {
        for (const child of readFileSync(join(tasks, task, 'children'), 'utf8').split(' ')) {
          if (child !== '') found.push(Number(child));
        }
      } catch {
        // It has exited.
      }
    }
  }
  return found;
}

/** PIDs of all processes of a user. */
export function processesOf(uid: number): number[] {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/status`, 'utf8').includes(`\nUid:\t${uid}\t`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Disk usage in bytes of a file, or of the files below a folder. */
async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  const inside = await opendir(folder).catch(() => undefined);
  // A file, such as a log.
  if (inside === undefined) return ((await lstat(folder).catch(() => undefined))?.blocks ?? 0) * 512;
  for await (const entry of inside) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await bytesBelow(path);
    else bytes += ((await lstat(path).catch(() => undefined))?.blocks ?? 0) * 512;
  }
  return bytes;
}
