import type { Run } from './machine.ts';

/** One row of the table. */
export interface Result {
  readonly name: string;
  readonly what: string;
  readonly target: number;
  readonly measured: number;
  readonly unit: 's' | 'ms' | 's CPU' | 'MB';
  /** CPU in seconds and memory in MB, if measured. */
  readonly own?: number;
  readonly peak?: number;
  readonly notes?: string;
}

export function timed(name: string, what: string, target: number, run: Run, notes?: string): Result {
  const { wallSeconds, ownSeconds: own, peakMegabytes: peak } = run;
  const said = notes === undefined ? {} : { notes };
  return { name, what, target, measured: wallSeconds, unit: 's', own, peak, ...said };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
