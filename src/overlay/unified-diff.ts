import { splitLines } from '../spec/lines.ts';

/** Limit of changed lines to compare one by one; above it, everything from the first to the last one is one change. */
const mostChanges = 2000;
const context = 3;

/** A range of lines that differs; ends are exclusive. */
interface Change {
  readonly from: number;
  readonly to: number;
  readonly newFrom: number;
  readonly newTo: number;
}

/**
 * The difference between two texts, as `diff -u` writes it, with three lines around each change; empty if the texts are
 * equal.
 * @param labels of the `---` and the `+++` line
 */
export function unifiedDiff(before: string, after: string, labels: readonly [before: string, after: string]): string {
  if (before === after) return '';
  const [a, b] = [linesOf(before), linesOf(after)];
  const out = [`--- ${labels[0]}\n`, `+++ ${labels[1]}\n`];
  for (const group of grouped(changesOf(a, b))) {
    const [first, last] = [group[0]!, group.at(-1)!];
    const lead = Math.min(context, first.from);
    const trail = Math.min(context, a.length - last.to);
    const [from, to] = [first.from - lead, last.to + trail];
    const [newFrom, newTo] = [first.newFrom - lead, last.newTo + trail];
    out.push(`@@ -${range(from, to)} +${range(newFrom, newTo)} @@\n`);
    let at = from;
    for (const change of group) {
      for (const line of a.slice(at, change.from)) out.push(` ${line}`);
      for (const line of a.slice(change.from, change.to)) out.push(`-${line}`);
      for (const line of b.slice(change.newFrom, change.newTo)) out.push(`+${line}`);
      at = change.to;
    }
    for (const line of a.slice(at, to)) out.push(` ${line}`);
  }
  return out.map((line) => (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`)).join('');
}

function linesOf(text: string): string[] {
  return splitLines(text).map((line) => line.text + line.end);
}

/** An empty range is identified by the line before it. */
function range(from: number, to: number): string {
  const length = to - from;
  if (length === 1) return String(from + 1);
  return `${length === 0 ? from : from + 1},${length}`;
}

/** Changes with overlapping context go into one hunk. */
function grouped(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const group = groups.at(-1);
    if (group !== undefined && change.from - group.at(-1)!.to <= 2 * context) group.push(change);
    else groups.push([change]);
  }
  return groups;
}

function changesOf(a: readonly string[], b: readonly string[]): Change[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  if (endA === start && endB === start) return [];
  return shortest(a.slice(start, endA), b.slice(start, endB)).map((change) => ({
    from: change.from + start,
    to: change.to + start,
    newFrom: change.newFrom + start,
    newTo: change.newTo + start,
  }));
}

/** E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986: the greedy form. */
function shortest(a: readonly string[], b: readonly string[]): Change[] {
  const [n, m] = [a.length, b.length];
  const whole = [{ from: 0, to: n, newFrom: 0, newTo: m }];
  const most = Math.min(n + m, mostChanges);
  const size = most + 1;
  // The furthest position on each diagonal; index `size` is diagonal 0.
  const furthest = new Int32Array(2 * size + 1);
  const trace: Int32Array[] = [];
  for (let d = 0; d <= most; d++) {
    trace.push(furthest.slice(size - d - 1, size + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && furthest[size + k - 1]! < furthest[size + k + 1]!);
      let x = down ? furthest[size + k + 1]! : furthest[size + k - 1]! + 1;
      let y = x - k;
      while (x < n && y < m && a[x] === b[y]) {
        x++;
        y++;
      }
      furthest[size + k] = x;
      if (x >= n && y >= m) return walkBack(trace, n, m);
    }
  }
  return whole;
}

function walkBack(trace: readonly Int32Array[], n: number, m: number): Change[] {
  const changes: { from: number; to: number; newFrom: number; newTo: number }[] = [];
  let [x, y] = [n, m];
  for (let d = trace.length - 1; d > 0; d--) {
    // The state before round d: diagonals -d-1 … d+1.
    const before = trace[d]!;
    const at = (k: number): number => before[k + d + 1]!;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const previous = down ? k + 1 : k - 1;
    const [startX, startY] = [at(previous), at(previous) - previous];
    const [endX, endY] = down ? [startX, startY + 1] : [startX + 1, startY];
    const next = changes.at(-1);
    if (next !== undefined && next.from === endX && next.newFrom === endY) {
      next.from = startX;
      next.newFrom = startY;
    } else {
      changes.push({ from: startX, to: endX, newFrom: startY, newTo: endY });
    }
    [x, y] = [startX, startY];
  }
  return changes.reverse();
}
