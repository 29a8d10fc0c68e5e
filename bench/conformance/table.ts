import { table } from '../../src/cli/program.ts';

/** One line of the table: a component that was to be built, or whose sources could not be had. */
export interface Row {
  readonly component: string;
  /** `built`, `cached`, `failed (build)`, `waiting`, `no source`, … */
  readonly result: string;
  /** Seconds of the build. */
  readonly seconds?: number;
  /** `equal`, or how the second build differs. */
  readonly twice?: string;
  /** One line. */
  readonly why?: string;
  readonly log?: string;
  /** Signatures that are not in Debian's archive: the build does not verify with them. */
  readonly signaturesDropped?: readonly string[];
}

/** Prints the rows to stdout. */
export function printTable(rows: readonly Row[]): void {
  const cells = rows.map(({ component, result, seconds, twice = '', why = '', signaturesDropped }) => [
    component,
    result,
    seconds === undefined ? '' : `${seconds.toFixed(1)} s`,
    twice,
    signaturesDropped === undefined ? why : `${why} (without ${signaturesDropped.join(', ')})`.trim(),
  ]);
  process.stdout.write(`${table(['COMPONENT', 'RESULT', 'TIME', 'TWICE', 'WHY'], cells, 'no components')}\n`);
}

/** Rows by result, and how many were built a second time with the same bytes. */
export function totals(rows: readonly Row[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { result } of rows) sums[result] = (sums[result] ?? 0) + 1;
  const twice = rows.filter((row) => row.twice !== undefined);
  if (twice.length === 0) return sums;
  const equal = twice.filter((row) => row.twice === 'equal').length;
  return { ...sums, 'twice, equal bytes': equal, 'twice, not equal': twice.length - equal };
}
