import { readFileSync } from 'node:fs';

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
