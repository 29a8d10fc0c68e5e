import { WeirError } from '../base/errors.ts';
import type { Comparison } from './types.ts';

/** Epoch, version and release; the release is undefined in a dependency that leaves it open. */
export interface Evr {
  readonly epoch: number;
  readonly version: string;
  readonly release?: string;
}

// Order of parts of different kinds: `~` is older than the end of the text, `^` newer, a word newer than both, a number newer
// than a word.
const rank = { tilde: 0, end: 1, caret: 2, word: 3, number: 4 } as const;

/**
 * Compares two version (or release) texts as rpm does: runs of digits by value, runs of ASCII letters by byte order,
 * `~` before anything, `^` after the bare version and before anything longer; every other character is only a separator.
 * Rules: rpm's docs/man/rpm-version.7. @returns -1, 0 or 1
 */
export function compareVersions(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  const left = parts(a);
  const right = parts(b);
  for (let index = 0; index < left.length || index < right.length; index++) {
    const x = left[index];
    const y = right[index];
    const byRank = sign(rankOf(x) - rankOf(y));
    if (byRank !== 0) return byRank;
    const byValue = compareParts(x!, y!);
    if (byValue !== 0) return byValue;
  }
  return 0;
}

function parts(version: string): readonly string[] {
  return version.match(/[0-9]+|[A-Za-z]+|[~^]/g) ?? [];
}

function rankOf(part: string | undefined): number {
  if (part === undefined) return rank.end;
  if (part === '~') return rank.tilde;
  if (part === '^') return rank.caret;
  return isDigit(part) ? rank.number : rank.word;
}

function isDigit(part: string): boolean {
  return part >= '0' && part < ':';
}

function compareParts(x: string, y: string): -1 | 0 | 1 {
  if (!isDigit(x)) return x < y ? -1 : x > y ? 1 : 0;
  // as text, for numbers of any length
  const m = x.replace(/^0+/, '');
  const n = y.replace(/^0+/, '');
  return sign(m.length - n.length) || (m < n ? -1 : m > n ? 1 : 0);
}

function sign(value: number): -1 | 0 | 1 {
  return value < 0 ? -1 : value > 0 ? 1 : 0;
}

const evrPattern = /^(?:(\d*):)?([^\s:-][^\s:]*?)(?<!-)(?:-([^\s:-]+))?$/;

/** Whether a text is `[epoch:]version[-release]` without characters that only macros and brackets have. */
export function isEvr(text: string): boolean {
  return evrPattern.test(text) && !/[(){}%]/.test(text);
}

/** Parses `[epoch:]version[-release]`. @throws WeirError `bad-version` */
export function parseEvr(text: string): Evr {
  const match = evrPattern.exec(text);
  if (match === null) {
    throw new WeirError('bad-version', `'${text}' is not [epoch:]version[-release]`, { exit: 2 });
  }
  const [, epoch, version, release] = match;
  return { epoch: Number(epoch ?? 0), version: version!, ...(release === undefined ? {} : { release }) };
}

/** `[epoch:]version[-release]`; an epoch of 0 is omitted. */
export function formatEvr(evr: Evr): string {
  return `${evr.epoch === 0 ? '' : `${evr.epoch}:`}${evr.version}${evr.release === undefined ? '' : `-${evr.release}`}`;
}

/**
 * Compares epoch, version, release. If one side has no release, releases are ignored, as in rpm's dependencies; the order is
 * total only among values that all have one. @returns -1, 0 or 1
 */
export function compareEvr(a: Evr, b: Evr): -1 | 0 | 1 {
  const order = sign(a.epoch - b.epoch) || compareVersions(a.version, b.version);
  if (order !== 0 || a.release === undefined || b.release === undefined) return order;
  return compareVersions(a.release, b.release);
}

/** A version range; with empty `flags` it includes every version. */
export interface VersionRange {
  readonly flags: Comparison;
  readonly evr?: string;
}

/** Whether some version is in both ranges: rpm's test of whether a `Provides` meets a `Requires` of the same name. */
export function rangesOverlap(a: VersionRange, b: VersionRange): boolean {
  if (a.flags === '' || b.flags === '' || a.evr === undefined || b.evr === undefined) return true;
  const order = compareEvr(parseEvr(a.evr), parseEvr(b.evr));
  if (order < 0) return a.flags.includes('>') || b.flags.includes('<');
  if (order > 0) return a.flags.includes('<') || b.flags.includes('>');
  return (
    (a.flags.includes('=') && b.flags.includes('=')) ||
    (a.flags.includes('<') && b.flags.includes('<')) ||
    (a.flags.includes('>') && b.flags.includes('>'))
  );
}
