import { parseHeader, type SectionHeader } from './header.ts';
import { decodeText, type Encoding, encodeText, joinLines, type SpecLine, splitLines } from './lines.ts';
import { type Maker, SectionMacros } from './made.ts';

/**
 * The role of a line. `if`, `branch` (%else, %elif…) and `endif` are conditionals. `text` is everything else: the body of
 * a section, a macro, a later line of a tag or macro that spans several lines.
 */
export type LineRole = 'header' | 'if' | 'branch' | 'endif' | 'comment' | 'dnl' | 'tag' | 'blank' | 'text';

/**
 * A section with its header, or one that a macro generates. The first one is the preamble: no header, name `%package`, main
 * package.
 */
export interface Section extends SectionHeader {
  /** Index of the header's line, or of the line that generates the section; -1 for the preamble. */
  readonly header: number;
  /** Index of the first line of the body. */
  readonly start: number;
  /** Index after the last line of the body: the next header, or the number of lines. */
  readonly end: number;
  /** The macro that generates the section, if its header is not written in the spec. Its body is what follows the macro. */
  readonly maker: Maker | undefined;
}

/** An `%if` with its `%endif`. They form a tree: each refers to the one around it. */
export interface Conditional {
  readonly open: number;
  /** Lines of its `%elif`s and its `%else`. */
  readonly branches: readonly number[];
  /** Undefined if there is no `%endif`. */
  readonly close: number | undefined;
  /** Index in `conditionals` of the one around it; -1 at the top level. */
  readonly parent: number;
}

/**
 * A spec as text with marks. Nothing is expanded and no conditional is evaluated, so it has both a tag in an `%if` and one
 * in its `%else`. All arrays of lines have the same length.
 */
export interface Spec {
  readonly encoding: Encoding;
  readonly lines: readonly SpecLine[];
  readonly roles: readonly LineRole[];
  /** True for a line that continues the one before it: after a backslash, or inside `%{…}`, `%(…)` or `%[…]`. */
  readonly joined: readonly boolean[];
  /** Number of `%if` open around the line; `%if`, `%else` and `%endif` themselves count as outside of theirs. */
  readonly depths: readonly number[];
  readonly sections: readonly Section[];
  /** In the order of their `%if`. */
  readonly conditionals: readonly Conditional[];
  /** Lines of `%else`, `%elif` or `%endif` without an open `%if`. */
  readonly strays: readonly number[];
}

/** A conditional line and its keyword; the rest of the line is the expression. */
export const conditionalPattern = /^\s*%(if|ifarch|ifnarch|ifos|ifnos|elif|elifarch|elifos|else|endif)(?![A-Za-z0-9_])/;
/** Name and qualifier of a tag. A real one begins with a letter; `%{?x:Name: y}` is a macro. */
const tagPattern = /^\s*([A-Za-z][^\s:]*(?:\s*\([^():]*\))?)\s*:/;
const definePattern = /^\s*%(?:define|global)\b/;
const dnlPattern = /^\s*%dnl(?![A-Za-z0-9_])/;

/** The tag on a line, unexpanded: name as written, value trimmed; undefined if the line is not a tag. */
export function parseTag(text: string): { readonly name: string; readonly value: string } | undefined {
  const match = tagPattern.exec(text);
  return match === null ? undefined : { name: match[1]!, value: text.slice(match[0].length).trim() };
}

/** Parses a spec file. Every input is accepted: what cannot be understood is `text`. */
export function parseSpec(file: string | Uint8Array): Spec {
  if (typeof file === 'string') return parseLines(splitLines(file), 'utf-8');
  const { text, encoding } = decodeText(file);
  return parseLines(splitLines(text), encoding);
}

/** The text of a spec, byte for byte as it was parsed (see `specBytes` for the file). */
export function printSpec(spec: Spec): string {
  return joinLines(spec.lines);
}

/** The file of a spec. */
export function specBytes(spec: Spec): Uint8Array {
  return encodeText(printSpec(spec), spec.encoding);
}

/** Marks lines that are already split; for edits. */
export function parseLines(lines: readonly SpecLine[], encoding: Encoding): Spec {
  const { joined, flags } = joinedLines(lines);
  // Most lines are text outside of all conditionals.
  const roles = new Array<LineRole>(lines.length).fill('text');
  const depths = new Array<number>(lines.length).fill(0);
  const marks: { line: number; start: number; section: SectionHeader; maker: Maker | undefined }[] = [];
  const macros = new SectionMacros();
  const conditionals: { open: number; branches: number[]; close: number | undefined; parent: number }[] = [];
  const open: number[] = [];
  const strays: number[] = [];
  let tagsAllowed = true;
  let inChangelog = false;
  // Inside braces that an earlier line opened, only a backslash continues a line: joining all of it each time would be slow.
  const logicalEnd = (line: number): number => {
    let end = line + 1;
    while (joined[end] === true && (joined[line] !== true || lines[end - 1]!.text.endsWith('\\'))) end++;
    return end;
  };
  for (let index = 0; index < lines.length; index++) {
    const { text } = lines[index]!;
    if (open.length > 0) depths[index] = open.length;
    if (flags !== undefined && (flags[index]! & opaque) !== 0) continue;
    const continues = flags !== undefined && (flags[index]! & afterBackslash) !== 0;
    const begin = textStart(text);
    if (text.charCodeAt(begin) !== percent) {
      const role = plainRole(text, begin, tagsAllowed && !continues);
      if (role !== 'text') roles[index] = role;
      continue;
    }
    const letter = text.charCodeAt(begin + 1) | 0x20;
    const header = parseHeader(text, begin);
    if (header !== undefined) {
      roles[index] = 'header';
      marks.push({ line: index, start: index + 1, section: macros.settled(header), maker: undefined });
      tagsAllowed = header.key === '%package';
      inChangelog = header.key === '%changelog';
      continue;
    }
    // For speed: the patterns are only tried where their first letter is there.
    const word = letter === letterI || letter === letterE ? conditionalPattern.exec(text)?.[1] : undefined;
    if (word === undefined) {
      const isDnl = letter === letterD && dnlPattern.test(text);
      if (isDnl) roles[index] = 'dnl';
      if (inChangelog || continues || isDnl) continue;
      const isDefine = (letter === letterD || letter === letterG) && definePattern.test(text);
      if (!isDefine && !macros.mayMake(text)) continue;
      const end = logicalEnd(index);
      const logical = lines.slice(index, end).map((line) => line.text);
      if (isDefine) {
        macros.define(logical.join('\n'), open.length > 0);
        continue;
      }
      const made = macros.madeBy(logical);
      if (made === undefined) continue;
      // Text in braces over several lines, unless it is opaque, is read line by line after its header.
      const hidden = flags !== undefined && index + 1 < lines.length && (flags[index + 1]! & opaque) !== 0;
      const start = hidden || lines[index]!.text.endsWith('\\') ? end : index + 1;
      for (const section of made.sections) marks.push({ line: index, start, section, maker: made.maker });
      const last = made.sections.at(-1)!.key === '%package';
      tagsAllowed = made.maker.certain ? last : tagsAllowed || last;
    } else if (word.startsWith('if')) {
      roles[index] = 'if';
      conditionals.push({ open: index, branches: [], close: undefined, parent: open.at(-1) ?? -1 });
      open.push(conditionals.length - 1);
    } else {
      const current = open.at(-1);
      if (current === undefined) strays.push(index);
      else depths[index] = open.length - 1;
      if (word === 'endif') {
        roles[index] = 'endif';
        if (current !== undefined) conditionals[current]!.close = index;
        open.pop();
      } else {
        roles[index] = 'branch';
        if (current !== undefined) conditionals[current]!.branches.push(index);
      }
    }
  }
  const preamble = { name: '%package', key: '%package', arguments: '', package: '', wholeName: false };
  const sections: Section[] = [];
  const all = [{ line: -1, start: 0, section: preamble, maker: undefined }, ...marks];
  for (const [index, { line, start, section, maker }] of all.entries()) {
    const next = all[index + 1]?.line ?? lines.length;
    // A header may be on a line that continues a call.
    const end = next === line ? start : next;
    sections.push({ ...section, header: line, start: Math.min(start, end), end, maker });
  }
  return { encoding, lines, roles, joined, depths, sections, conditionals, strays };
}

const percent = 0x25;
const hash = 0x23;
const backslash = 0x5c;
const [letterD, letterE, letterG, letterI] = [0x64, 0x65, 0x67, 0x69];

/** Flags of a line: inside text that is not read as lines of a spec, and after a line that ends with a backslash. */
const opaque = 1;
const afterBackslash = 2;

/** Index of the first character that is not white space; the length if there is none. */
function textStart(text: string): number {
  let index = 0;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code !== 0x20 && code !== 0x09) {
      // Rare white space: form feeds, non-breaking spaces and the like.
      return code > 0x20 && code < 0x80 ? index : text.length - text.trimStart().length;
    }
    index++;
  }
  return index;
}

/** The role of a line whose first non-blank character is at `begin` and is not a percent sign. */
function plainRole(text: string, begin: number, tagsAllowed: boolean): LineRole {
  if (begin === text.length) return 'blank';
  if (text.charCodeAt(begin) === hash) return 'comment';
  return tagsAllowed && tagPattern.test(text) ? 'tag' : 'text';
}

/** Counters of what is open at the end of a line, as in rpm's line reader (copyNextLineFromOFI in build/parseSpec.c). */
export interface OpenBrackets {
  brace: number;
  paren: number;
  square: number;
}

/** Scans one line and updates the counters. @returns whether the line ends with a backslash that joins the next */
export function countBrackets(text: string, open: OpenBrackets): boolean {
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case backslash:
        if (index === text.length - 1) return true;
        index++;
        break;
      case percent: {
        const next = text[index + 1];
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

/**
 * Which lines continue the one before. The bodies of macros (`%define`, `%global`) and of `%{lua:…}` and `%(…)` are
 * opaque: text in them that looks like a section is not one. Sections and tags inside `%{?x:…}` and `%{expand:…}` are real.
 * A bracket that is never closed joins nothing, so that a broken line does not hide the rest of the file.
 */
function joinedLines(lines: readonly SpecLine[]): {
  joined: boolean[];
  /** Undefined if no line continues another. */
  flags: Uint8Array | undefined;
} {
  const joined = new Array<boolean>(lines.length).fill(false);
  let flags: Uint8Array | undefined;
  let bracketsCount = true;
  let index = 0;
  while (index < lines.length) {
    const first = lines[index]!.text;
    // For speed: most lines open nothing.
    if (first.charCodeAt(first.length - 1) !== backslash && first.indexOf('%') < 0) {
      index++;
      continue;
    }
    const open: OpenBrackets = { brace: 0, paren: 0, square: 0 };
    const isOpen = (): boolean => bracketsCount && open.brace + open.paren + open.square > 0;
    const goesOn = countBrackets(first, open);
    if (!goesOn && !isOpen()) {
      index++;
      continue;
    }
    const backslashes: boolean[] = [goesOn];
    const hidden = definePattern.test(first) || (isOpen() && (/%\{lua\s*:/.test(first) || open.paren > 0));
    let next = index + 1;
    while (next < lines.length && (backslashes.at(-1) === true || isOpen())) {
      backslashes.push(countBrackets(lines[next]!.text, open));
      next++;
    }
    if (next === lines.length && isOpen()) {
      bracketsCount = false;
      continue;
    }
    flags ??= new Uint8Array(lines.length);
    for (let line = index + 1; line < next; line++) {
      joined[line] = true;
      flags[line] = (hidden ? opaque : 0) | (backslashes[line - index - 1] === true ? afterBackslash : 0);
    }
    index = next;
  }
  return { joined, flags };
}
