import { readFileSync, readlinkSync } from 'node:fs';

/** A process by what tells it from all others, of now and of before, that share a kernel. */
export interface Owner {
  readonly pid: number;
  /** Inode of the PID namespace that the number counts in: each container has one of its own. */
  readonly namespace: number;
  /** Kernel ticks since boot, as numbers come again. */
  readonly started: string;
}

const namespace = ownNamespace();

/** The process that this is. */
export const thisProcess: Owner = { pid: process.pid, namespace, started: startTime(process.pid) };

/** A process of our own namespace, such as a child. */
export function ownerOf(pid: number): Owner {
  return { pid, namespace, started: startTime(pid) };
}

/** Whether a process still runs. Undefined for one of another container: nobody here can look at it. */
export function isAlive(owner: Owner): boolean | undefined {
  const known = namespace !== 0 && Number(owner.started) > 0;
  return known && owner.namespace === namespace ? startTime(owner.pid) === owner.started : undefined;
}

/** One line for a file that says whose it is. */
export function formatOwner({ pid, namespace, started }: Owner): string {
  return `${pid} ${namespace} ${started}\n`;
}

/** Reads such a line; undefined where it is none. */
export function parseOwner(text: string): Owner | undefined {
  const [, pid, counted, started] = /^(\d+) (\d+) (\d*)\n?$/.exec(text) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), namespace: Number(counted), started: started! };
}

/**
 * When a process started, in kernel ticks since boot; tells a living one from another under the same number. '' where it is
 * gone, and where it ended and nobody has asked how: in a container whose first process reaps none that stays so for good.
 */
export function startTime(pid: number): string {
  try {
    // The name in the middle may hold anything; field 22 is counted from behind it (proc_pid_stat(5)).
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return /[ZX]/.test(state) ? '' : (fields[18] ?? '');
  } catch {
    return '';
  }
}

/** 0 where the kernel does not say. */
function ownNamespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}
