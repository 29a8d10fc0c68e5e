import { readFileSync, readlinkSync } from 'node:fs';

/** Identifies a process uniquely, even after its PID is reused, among all that share a kernel. */
export interface Owner {
  readonly pid: number;
  /** Inode of the PID namespace that `pid` belongs to; each container has its own. */
  readonly namespace: number;
  /** Start time in kernel ticks since boot, because PIDs are reused. */
  readonly started: string;
}

const namespace = ownNamespace();

/** This process. */
export const thisProcess: Owner = { pid: process.pid, namespace, started: startTime(process.pid) };

/** A process in our own namespace, such as a child. */
export function ownerOf(pid: number): Owner {
  return { pid, namespace, started: startTime(pid) };
}

/** Whether a process still runs. Undefined for a process in another container, which cannot be inspected from here. */
export function isAlive(owner: Owner): boolean | undefined {
  const known = namespace !== 0 && Number(owner.started) > 0;
  return known && owner.namespace === namespace ? startTime(owner.pid) === owner.started : undefined;
}

/** One line for a lock or marker file that names its owner. */
export function formatOwner({ pid, namespace, started }: Owner): string {
  return `${pid} ${namespace} ${started}\n`;
}

/** Parses a line written by `formatOwner`; undefined if the line has another form. */
export function parseOwner(text: string): Owner | undefined {
  const [, pid, counted, started] = /^(\d+) (\d+) (\d*)\n?$/.exec(text) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), namespace: Number(counted), started: started! };
}

/**
 * Start time of a process in kernel ticks since boot. It distinguishes a live process from an earlier one with the same PID.
 * '' if the process has exited, also if it is an unreaped zombie: a container whose PID 1 reaps nothing keeps those for good.
 */
export function startTime(pid: number): string {
  try {
    // The name in the middle may contain anything, so field 22 is counted from behind it (proc_pid_stat(5)).
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return /[ZX]/.test(state) ? '' : (fields[18] ?? '');
  } catch {
    return '';
  }
}

/** 0 if the kernel does not report it. */
function ownNamespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}
