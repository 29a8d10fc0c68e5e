import { readdirSync, readFileSync } from 'node:fs';
import { lstat, opendir, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';

/** What a sandboxed step may use. */
export interface Limits {
  /** Processes and threads at the same time. */
  readonly processes: number;
  /** Resident bytes of all its processes together. */
  readonly memory: number;
  /** Bytes on disk in the folders that it may write. */
  readonly disk: number;
  /** Seconds from start to end. */
  readonly seconds: number;
  /** Bytes of what it prints, where that is kept in memory. */
  readonly output: number;
}

const mebibyte = 1 << 20;
const gibibyte = 1 << 30;

/** Most of the machine for a build; what a browser or a compiler needs is less. */
export const buildLimits: Limits = {
  processes: 16_384,
  memory: Math.max(2 * gibibyte, Math.floor(totalmem() * 0.8)),
  disk: 128 * gibibyte,
  seconds: 12 * 3600,
  output: 64 * mebibyte,
};

/** To read a spec takes a second. */
export const queryLimits: Limits = {
  processes: 16_384,
  memory: 2 * gibibyte,
  disk: 4 * gibibyte,
  seconds: 300,
  output: 64 * mebibyte,
};

/** For a script that makes a source file. */
export const scriptLimits: Limits = { ...buildLimits, seconds: 3600 };

/** Free bytes that a step leaves to everybody else on the disk. */
const diskReserve = 256 * mebibyte;

/** prlimit's words for what the kernel itself holds a step to. */
export function kernelLimits({ processes, disk }: Limits): string[] {
  return [`--nproc=${processes}:${processes}`, `--fsize=${disk}:${disk}`, '--core=0:0'];
}

/** The error of a step that was ended. */
export function limitError(what: string, hint: string): WeirError {
  return new WeirError('limit-exceeded', what, { hint });
}

/**
 * Watches a running step and says once which limit it has passed.
 * @param pids the processes of the step, as this process sees them
 * @param folders where it can write on disk
 * @returns what stops watching
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
          `the step used more than ${inMebibytes(limits.memory)} of memory and was ended`,
          'it may be a fault in what it runs; else build on a machine with more memory',
        ),
      );
    }
    if (availableMemory() < memoryReserve) {
      tell(
        limitError(
          'the machine ran out of memory and the step was ended',
          'less at the same time, more memory, or a lower memory in [toolbox] limits',
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
    // Adding up many files is dear: a twentieth of the time at most goes into it.
    addUpAt = performance.now() + 20 * (performance.now() - started);
    if (used > limits.disk) {
      tell(
        limitError(
          `the step wrote more than ${inMebibytes(limits.disk)} to disk and was ended`,
          'see its log for what it wrote',
        ),
      );
    } else if (scarce) {
      tell(
        limitError(
          `the step filled the disk and was ended: it wrote ${inMebibytes(used)}, ${inMebibytes(bavail * bsize)} are free`,
          'free some space, or point XDG_CACHE_HOME at a larger file system',
        ),
      );
    }
  };
  let addUpAt = 0;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    // A folder that goes while it is looked at is the end of the step, not an error.
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
          `the step took longer than ${limits.seconds} seconds and was ended`,
          'it may wait for something that it cannot have in a sandbox, such as the network',
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

/** Memory that stays for everybody else: what a step has in files in memory, pipes and sockets is nobody's resident pages. */
const memoryReserve = Math.min(256 * mebibyte, Math.floor(totalmem() / 32));

function availableMemory(): number {
  const kibibytes = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return kibibytes === undefined ? Number.POSITIVE_INFINITY : Number(kibibytes) * 1024;
}

const pageSize = 4096;

/** Resident bytes by statm (proc(5)): pages that two processes share count twice, which a limit may. */
function residentBytes(pids: readonly number[]): number {
  let bytes = 0;
  for (const pid of pids) {
    try {
      const [, resident = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
      bytes += Number(resident) * pageSize;
    } catch {
      // It has ended.
    }
  }
  return bytes;
}

/** A process with all that it started; what lost its parent belongs to the sandbox's first process, which is among them. */
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
        // It has ended.
      }
    }
  }
  return found;
}

/** All processes of a user, by number. */
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

/** Bytes that a file, or the files below a folder, take on disk. */
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
