// The lines of a spec's text, and which of them continue the one before.

const backslash = 0x5c;
const percent = 0x25;
const newline = 0x0a;
const carriageReturn = 0x0d;

export const definePattern = /^\s*%(?:define|global)\b/;

/** Line offsets of a text. Lines are not split into strings up front, because most are never read as strings. */
export interface LineTable {
  readonly count: number;
  /** Index of the first character of each line; the entry after the last line is the length of the text. */
  readonly starts: Uint32Array;
  /** Index after the last character of a line, without its line end. */
  readonly end: (line: number) => number;
  /** A line without its line end. */
  readonly line: (line: number) => string;
}

/** Buffer of line offsets, reused by every parse: allocating one costs more than parsing a small spec. */
let space = new Uint32Array(4096);

/** @returns a table that is valid until the next call */
export function lineTable(text: string): LineTable {
  let count = 0;
  for (let at = 0; at < text.length; ) {
    if (count + 1 >= space.length) {
      const larger = new Uint32Array(space.length * 2);
      larger.set(space);
      space = larger;
    }
    space[count++] = at;
    const next = text.indexOf('\n', at);
    at = next < 0 ? text.length : next + 1;
  }
  const starts = space;
  starts[count] = text.length;
  const end = (line: number): number => {
    const start = starts[line]!;
    const last = starts[line + 1]! - 1;
    if (text.charCodeAt(last) !== newline) return last + 1;
    return last > start && text.charCodeAt(last - 1) === carriageReturn ? last - 1 : last;
  };
  return { count, starts, end, line: (line) => text.slice(starts[line]!, end(line)) };
}

/** Counters of what is open at the end of a line, as in rpm's line reader (copyNextLineFromOFI in build/parseSpec.c). */
export interface OpenBrackets {
  brace: number;
  paren: number;
  square: number;
}

/**
 * Scans one line and updates the counters.
 * @param from index of the first character to look at
 * @param to index after its last one, without the line end
 * @returns whether the line ends with a backslash that joins the next
 */
export function countBrackets(text: string, open: OpenBrackets, from = 0, to = text.length): boolean {
  for (let index = from; index < to; index++) {
    switch (text.charCodeAt(index)) {
      case backslash:
        if (index === to - 1) return true;
        index++;
        break;
      case percent: {
        const next = index + 1 < to ? text[index + 1] : undefined;
        if (next === '{') open.brace++;
        else if (next === '(') open.paren++;
        else if (next === '[') open.square++;
        else if (next !== '%') break;
        index++;
        break;
      }
      case 0x7b: // {
        if (open.brace > 0) open.brace++;
        break;
      case 0x7d: // }
        if (open.brace > 0) open.brace--;
        break;
      case 0x28: // (
        if (open.paren > 0) open.paren++;
        break;
      case 0x29: // )
        if (open.paren > 0) open.paren--;
        break;
      case 0x5b: // [
        if (open.square > 0) open.square++;
        break;
      case 0x5d: // ]
        if (open.square > 0) open.square--;
        break;
    }
  }
  return false;
}

/** Flags of a line that continues the one before; 0 for all others. */
export const joins = 1;
/** It is inside text that is not read as lines of a spec. */
export const opaque = 2;
/** The line before ends with a backslash. */
export const afterBackslash = 4;

/**
 * Which lines continue the one before. The bodies of macros (`%define`, `%global`) and of `%{lua:…}` and `%(…)` are
 * opaque: text in them that looks like a section is not one. Sections and tags inside `%{?x:…}` and `%{expand:…}` are real.
 * A bracket that is never closed joins nothing, so that a broken line does not hide the rest of the file.
 * @returns the flags of each line; undefined if no line continues another
 */
export function joinedFlags(text: string, table: LineTable): Uint8Array | undefined {
  const { count, starts, end } = table;
  let flags: Uint8Array | undefined;
  let bracketsCount = true;
  const open: OpenBrackets = { brace: 0, paren: 0, square: 0 };
  const isOpen = (): boolean => bracketsCount && open.brace + open.paren + open.square > 0;
  // For speed: most lines open nothing, so only those with a percent sign or a backslash at their end are looked at.
  const lastBackslash = text.includes('\r') || text.endsWith('\\') ? '\\' : '\\\n';
  let nextPercent = -1;
  let nextBackslash = -1;
  let line = 0;
  for (;;) {
    const from = starts[line]!;
    if (nextPercent < from) nextPercent = find(text, '%', from);
    if (nextBackslash < from) nextBackslash = find(text, lastBackslash, from);
    const at = Math.min(nextPercent, nextBackslash);
    if (at >= text.length) return flags;
    while (starts[line + 1]! <= at) line++;
    open.brace = open.paren = open.square = 0;
    // What comes before has no effect, but for backslashes: they may escape each other.
    let begin = at;
    while (begin > starts[line]! && text.charCodeAt(begin - 1) === backslash) begin--;
    const goesOn = countBrackets(text, open, begin, end(line));
    if (!goesOn && !isOpen()) {
      line++;
      continue;
    }
    const backslashes: boolean[] = [goesOn];
    const first = table.line(line);
    const hidden = definePattern.test(first) || (isOpen() && (/%\{lua\s*:/.test(first) || open.paren > 0));
    let next = line + 1;
    while (next < count && (backslashes.at(-1) === true || isOpen())) {
      backslashes.push(countBrackets(text, open, starts[next]!, end(next)));
      next++;
    }
    if (next === count && isOpen()) {
      bracketsCount = false;
      continue;
    }
    flags ??= new Uint8Array(count);
    for (let inside = line + 1; inside < next; inside++) {
      flags[inside] = joins | (hidden ? opaque : 0) | (backslashes[inside - line - 1] === true ? afterBackslash : 0);
    }
    line = next;
  }
}

/** Where a word is next; the length of the text if nowhere. */
function find(text: string, word: string, from: number): number {
  const at = text.indexOf(word, from);
  return at < 0 ? text.length : at;
}
