import { readFileSync } from 'node:fs';

/** When a process started, in kernel ticks since boot; tells a living one from another under the same number. '' where it is gone. */
export function startTime(pid: number): string {
  try {
    // The name in the middle may hold anything; field 22 is counted from behind it (proc_pid_stat(5)).
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
