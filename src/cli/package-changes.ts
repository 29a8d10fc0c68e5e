import { changeCells, changeCounts, type PackageChange } from '../release/image/package-diff.ts';
import { table } from './program.ts';

/**
 * Package changes with their counts and a table. @param what they are of
 * @param more heading and text of another column
 */
export function packagesText(
  what: string,
  changes: readonly PackageChange[],
  more?: { readonly heading: string; readonly cell: (change: PackageChange) => string },
): string {
  if (changes.length === 0) return `${what}: no differences`;
  const rows = changeCells(changes).map((row, index) =>
    more === undefined ? row : [...row, more.cell(changes[index]!)],
  );
  const heading = ['PACKAGE', 'CHANGE', 'A', 'B', ...(more === undefined ? [] : [more.heading])];
  return `${what}: ${changeCounts(changes)}\n${table(heading, rows, '')}`;
}
