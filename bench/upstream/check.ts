// Holds what Weir says about a change of a spec against the lines of `git diff`, which know nothing of specs.

import type { Between } from '../../src/upstream/between.ts';

/** The lines of a diff that has the whole file as context. */
export interface DiffLines {
  readonly removed: readonly string[];
  readonly added: readonly string[];
  /** On both sides. */
  readonly kept: readonly string[];
}

/** What was held against the diff. */
export interface Checked {
  /** Statements that were checked, and lines of the diff that must be in one. */
  readonly words: number;
  /** Statements that the diff does not show, and lines of the diff that nothing says. */
  readonly wrong: readonly string[];
}

/** The differences of files, by path, from the output of `git diff` with all context. */
export function readDiff(text: string): Map<string, DiffLines> {
  const files = new Map<string, { removed: string[]; added: string[]; kept: string[] }>();
  let current: { removed: string[]; added: string[]; kept: string[] } | undefined;
  let inHunk = false;
  for (const line of text.split('\n')) {
    const file = /^diff --git a\/(.*) b\/\1$/.exec(line);
    if (file !== null) {
      current = { removed: [], added: [], kept: [] };
      files.set(file[1]!, current);
      inHunk = false;
    } else if (line.startsWith('@@')) inHunk = true;
    else if (inHunk && line.startsWith('-')) current?.removed.push(line.slice(1));
    else if (inHunk && line.startsWith('+')) current?.added.push(line.slice(1));
    else if (inHunk && line.startsWith(' ')) current?.kept.push(line.slice(1));
  }
  return files;
}

const macroLine =
  /^\s*(?:%\{[!?]+\w+:\s*)?%(?:(?:global|define)\s+([A-Za-z_]\w*)|bcond(?:_with|_without)?\s+([A-Za-z_]\w*))/;

/**
 * @param subjects of the commits between
 * @param listed names in the lookaside's list, which is the same on both sides
 */
export function checkWords(
  between: Between,
  diff: DiffLines,
  subjects: readonly string[],
  listed: ReadonlySet<string> = new Set(),
): Checked {
  const wrong: string[] = [];
  let words = 0;
  const check = (isRight: boolean, message: string): void => {
    words++;
    if (!isRight) wrong.push(message);
  };
  const added = without(diff.added, diff.removed);
  const removed = without(diff.removed, diff.added);
  const { spec, cves } = between;
  if (spec !== undefined) {
    checkMacros(spec.macros, added, removed, diff, check);
    const expands = [...diff.added, ...diff.removed].some((line) =>
      /^\s*%|^\s*(?:Name|Version|Epoch|URL|Release)\s*:/i.test(line),
    );
    for (const [tag, change] of [
      ['Version', spec.version],
      ['Release', spec.release],
    ] as const) {
      const plain = (lines: readonly string[]): string[] =>
        valuesOf(tag, lines).filter((value) => !value.includes('%'));
      if (change !== undefined) {
        check(expands, `${tag} ${change.before} → ${change.after}: no line that can cause it`);
        check(change.before !== change.after, `${tag}: both sides are ${change.after}`);
      }
      const [gone, come] = [plain(removed), plain(added)];
      // Of several, one for each branch of a condition, the diff does not tell which one is taken.
      const isOne = valuesOf(tag, diff.kept).length === 0 && valuesOf(tag, removed).length === 1;
      const only = isOne && gone.length === 1 && come.length === 1 && gone[0] !== come[0];
      if (!only || tag === 'Release') continue;
      const ends = (value: string | undefined, end: string): boolean => value?.replace(/^\d+:/, '') === end;
      check(
        change !== undefined && ends(change.before, gone[0]!) && ends(change.after, come[0]!),
        `${tag}: the diff has ${gone[0]} → ${come[0]}, said ${change?.before} → ${change?.after}`,
      );
    }
    checkRelease(spec.release, added, removed, diff.kept, check);
    for (const [tag, list] of [
      ['Patch', spec.patches],
      ['Source', spec.sources],
    ] as const) {
      const pattern = new RegExp(`^\\s*${tag}\\s*\\d*\\s*:\\s*(\\S.*?)\\s*$`, 'i');
      const names = (lines: readonly string[]): string[] =>
        lines.flatMap((line) => pattern.exec(line)?.[1] ?? []).map((value) => value.slice(value.lastIndexOf('/') + 1));
      const [come, gone] = [names(diff.added), names(diff.removed)];
      // In a list section a line is only the value.
      const bare = (lines: readonly string[]): string[] => lines.map((line) => line.trim().replace(/^.*\//, ''));
      const isCaused = (name: string, own: readonly string[], lines: readonly string[]): boolean =>
        own.some((value) => mayBe(value, name)) || bare(lines).includes(name) || expands;
      for (const name of list.added) check(isCaused(name, come, diff.added), `${tag} added ${name}: not in the diff`);
      for (const name of list.removed)
        check(isCaused(name, gone, diff.removed), `${tag} removed ${name}: not in the diff`);
      const said = (value: string, here: readonly string[], there: readonly string[]): boolean =>
        here.some((name) => mayBe(value, name)) ||
        there.some((other) => other === value || mayBe(other, value) || mayBe(value, other));
      // On both sides: by another line, in a list section, or in the list of the lookaside.
      const isOn = (value: string, lines: readonly string[]): boolean =>
        names(lines).includes(value) || bare(lines).includes(value) || [...listed].some((name) => mayBe(value, name));
      for (const value of come) {
        const isRight = said(value, list.added, gone) || isOn(value, [...diff.kept, ...diff.removed]);
        check(isRight, `${tag}: ${value} is added in the diff, and nothing says so`);
      }
      for (const value of gone) {
        const isRight = said(value, list.removed, come) || isOn(value, [...diff.kept, ...diff.added]);
        check(isRight, `${tag}: ${value} is removed in the diff, and nothing says so`);
      }
    }
  }
  checkCves(cves, diff, subjects, check);
  return { words, wrong };
}

type Check = (isRight: boolean, message: string) => void;

function checkMacros(
  macros: NonNullable<Between['spec']>['macros'],
  added: readonly string[],
  removed: readonly string[],
  diff: DiffLines,
  check: Check,
): void {
  const trimmed = (lines: readonly string[]): Set<string> => new Set(lines.map((line) => line.trim()));
  const [plus, minus] = [trimmed(diff.added), trimmed(diff.removed)];
  const inDiff = (text: string, lines: ReadonlySet<string>): boolean =>
    text.split('\n').some((line) => lines.has(line.trim()));
  const said = new Map(macros.map((macro) => [macro.name, macro]));
  for (const { name, before, after } of macros) {
    const [gained, lost] = [without(after, before), without(before, after)];
    for (const text of gained)
      check(
        inDiff(text, plus) || (text.includes('\n') && inDiff(text, minus)) || lost.some((old) => inDiff(old, minus)),
        `macro ${name}: ${text} is not added`,
      );
    for (const text of lost)
      check(
        inDiff(text, minus) || gained.some((fresh) => inDiff(fresh, plus)),
        `macro ${name}: ${text} is not removed`,
      );
    if (gained.length + lost.length === 0)
      check(
        [...plus, ...minus].some((line) => nameOf(line) === name),
        `macro ${name}: no line of it`,
      );
  }
  for (const [lines, side] of [
    [added, 'after'],
    [removed, 'before'],
  ] as const) {
    for (const line of lines) {
      const name = nameOf(line);
      if (name === undefined) continue;
      const texts = said.get(name)?.[side] ?? [];
      check(
        texts.some((text) => text.split('\n', 1)[0] === line.trim()),
        `macro ${name}: nothing says ${line.trim()} (${side})`,
      );
    }
  }
}

function nameOf(line: string): string | undefined {
  const match = macroLine.exec(line);
  return match === null ? undefined : (match[1] ?? `bcond ${match[2]}`);
}

/** A number before the distribution's suffix. */
function checkRelease(
  release: NonNullable<Between['spec']>['release'],
  added: readonly string[],
  removed: readonly string[],
  kept: readonly string[],
  check: Check,
): void {
  const values = (lines: readonly string[]): string[] =>
    valuesOf('Release', lines).map((value) => value.replace('%{?dist}', ''));
  const [come, gone] = [values(added), values(removed)];
  if (valuesOf('Release', kept).length > 0) return;
  if (come.length !== 1 || gone.length !== 1 || come[0] === gone[0]) return;
  if (come[0]!.includes('%') || gone[0]!.includes('%')) {
    check(
      release !== undefined || come[0]!.includes('%{') || gone[0]!.includes('%{'),
      `Release: ${gone[0]} → ${come[0]} is not said`,
    );
    return;
  }
  check(
    release?.before === gone[0] && release?.after === come[0],
    `Release: the diff has ${gone[0]} → ${come[0]}, said ${release?.before} → ${release?.after}`,
  );
}

function checkCves(cves: Between['cves'], diff: DiffLines, subjects: readonly string[], check: Check): void {
  const added = without(diff.added, diff.removed);
  const pattern = /CVE-\d{4}-\d{4,19}/gi;
  const inText = (text: string): string[] => [...text.matchAll(pattern)].map(([id]) => id.toUpperCase());
  const there = new Set([...added, ...subjects].flatMap(inText));
  const said = new Set(cves.map(({ id }) => id));
  for (const id of said) check(there.has(id), `${id} is not in the diff`);
  const entries = (lines: readonly string[]): string[] => lines.filter((line) => /^\s*[-*+]\s/.test(line));
  const before = [...diff.kept, ...diff.removed];
  const old = new Set(entries(before).flatMap(inText));
  for (const { id, in: places } of cves)
    check(places.join() !== 'changelog' || !old.has(id), `${id} is in the changelog of both sides`);
  // New names of patches, and lines of a changelog whose numbers were nowhere before.
  const known = new Set(before.flatMap(inText));
  const fresh = entries(added)
    .flatMap(inText)
    .filter((id) => !known.has(id));
  const named = added.filter((line) => /^\s*Patch\s*\d*\s*:/i.test(line)).flatMap(inText);
  for (const id of new Set([...fresh, ...named])) check(said.has(id), `${id} is in the diff, and nothing says so`);
}

function valuesOf(tag: string, lines: readonly string[]): string[] {
  const pattern = new RegExp(`^\\s*${tag}\\s*:\\s*(.*?)\\s*$`, 'i');
  return lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
}

/** Whether a value with macros can stand for a name. */
function mayBe(value: string, name: string): boolean {
  if (value === name) return true;
  if (!value.includes('%')) return false;
  const parts = value.split(/%\{[^}]*\}|%[A-Za-z_]\w*/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

/** The items of a list without those of another, each as often as it is there. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const item of others) left.set(item.trim(), (left.get(item.trim()) ?? 0) + 1);
  return list.filter((item) => {
    const count = left.get(item.trim()) ?? 0;
    if (count > 0) left.set(item.trim(), count - 1);
    return count === 0;
  });
}
