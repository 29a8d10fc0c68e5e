import { parseHeader, type SectionHeader } from './header.ts';
import { decodeText, type Encoding, encodeText, joinLines, type SpecLine, splitLines } from './lines.ts';
import { afterBackslash, definePattern, joinedFlags, type LineTable, lineTable, opaque } from './logical-lines.ts';
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
  /** The whole text, as it was parsed. */
  readonly text: string;
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
const dnlPattern = /^\s*%dnl(?![A-Za-z0-9_])/;

/** The tag on a line, unexpanded: name as written, value trimmed; undefined if the line is not a tag. */
export function parseTag(text: string): { readonly name: string; readonly value: string } | undefined {
  const match = tagPattern.exec(text);
  return match === null ? undefined : { name: match[1]!, value: text.slice(match[0].length).trim() };
}

/** Parses a spec file. Every input is accepted: what cannot be understood is `text`. */
export function parseSpec(file: string | Uint8Array): Spec {
  if (typeof file === 'string') return parseText(file, 'utf-8');
  const { text, encoding } = decodeText(file);
  return parseText(text, encoding);
}

/** The text of a spec, byte for byte as it was parsed (see `specBytes` for the file). */
export function printSpec(spec: Spec): string {
  return spec.text;
}

/** The file of a spec. */
export function specBytes(spec: Spec): Uint8Array {
  return encodeText(spec.text, spec.encoding);
}

/** Parses lines that are already split; for edits. */
export function parseLines(lines: readonly SpecLine[], encoding: Encoding): Spec {
  return parseText(joinLines(lines), encoding);
}

/** A parsed spec. Lines, roles, flags and depths are computed from the text on first use, because few callers need them. */
class ParsedSpec implements Spec {
  readonly text: string;
  readonly encoding: Encoding;
  readonly sections: readonly Section[];
  readonly conditionals: readonly Conditional[];
  readonly strays: readonly number[];
  readonly #marks: LineMarks;
  #lines: readonly SpecLine[] | undefined;
  #roles: readonly LineRole[] | undefined;
  #joined: readonly boolean[] | undefined;
  #depths: readonly number[] | undefined;

  constructor(
    file: { readonly text: string; readonly encoding: Encoding },
    structure: Pick<Spec, 'sections' | 'conditionals' | 'strays'>,
    marks: LineMarks,
  ) {
    this.text = file.text;
    this.encoding = file.encoding;
    this.sections = structure.sections;
    this.conditionals = structure.conditionals;
    this.strays = structure.strays;
    this.#marks = marks;
  }

  get lines(): readonly SpecLine[] {
    this.#lines ??= splitLines(this.text);
    return this.#lines;
  }

  get roles(): readonly LineRole[] {
    this.#roles ??= rolesOf(this.lines, this.#marks);
    return this.#roles;
  }

  get joined(): readonly boolean[] {
    this.#joined ??= Array.from(this.lines, (_line, index) => isJoined(this.#marks, index));
    return this.#joined;
  }

  get depths(): readonly number[] {
    this.#depths ??= depthsOf(this.roles);
    return this.#depths;
  }
}

/** Facts about lines that the parser records; roles, flags and depths are derived from them and the text. */
interface LineMarks {
  /** Roles of lines that begin with a percent sign, if it is not `text`. */
  readonly roles: ReadonlyMap<number, LineRole>;
  /** The lines after which tags are recognized, or no longer are. */
  readonly tagsFrom: readonly { readonly line: number; readonly allowed: boolean }[];
  /** See `joinedFlags`. */
  readonly flags: Uint8Array | undefined;
}

function isJoined({ flags }: LineMarks, line: number): boolean {
  return flags !== undefined && flags[line] !== 0;
}

function rolesOf(lines: readonly SpecLine[], marks: LineMarks): LineRole[] {
  const { flags, tagsFrom } = marks;
  let at = 0;
  let tagsAllowed = true;
  return lines.map(({ text }, index) => {
    while (at < tagsFrom.length && tagsFrom[at]!.line < index) tagsAllowed = tagsFrom[at++]!.allowed;
    const flag = flags === undefined ? 0 : flags[index]!;
    if ((flag & opaque) !== 0) return 'text';
    const begin = textStart(text, 0, text.length);
    if (begin === text.length) return 'blank';
    const first = text.charCodeAt(begin);
    if (first === percent) return marks.roles.get(index) ?? 'text';
    if (first === hash) return 'comment';
    return tagsAllowed && (flag & afterBackslash) === 0 && tagPattern.test(text) ? 'tag' : 'text';
  });
}

function depthsOf(roles: readonly LineRole[]): number[] {
  let depth = 0;
  return roles.map((role) => {
    if (role === 'if') return depth++;
    if (role !== 'branch' && role !== 'endif') return depth;
    const around = Math.max(0, depth - 1);
    if (role === 'endif') depth = around;
    return around;
  });
}

/** Where a section begins: the line of its header or of the macro that makes it, and the first line of its body. */
interface SectionMark {
  readonly line: number;
  readonly start: number;
  readonly section: SectionHeader;
  readonly maker: Maker | undefined;
}

function parseText(text: string, encoding: Encoding): Spec {
  const table = lineTable(text);
  const { starts, count } = table;
  const flags = joinedFlags(text, table);
  const roles = new Map<number, LineRole>();
  const tagsFrom: { line: number; allowed: boolean }[] = [];
  const marks: SectionMark[] = [];
  const macros = new SectionMacros();
  const conditionals: { open: number; branches: number[]; close: number | undefined; parent: number }[] = [];
  const open: number[] = [];
  const strays: number[] = [];
  let tagsAllowed = true;
  let inChangelog = false;
  const allowTags = (line: number, allowed: boolean): void => {
    if (allowed !== tagsAllowed) tagsFrom.push({ line, allowed });
    tagsAllowed = allowed;
  };
  let index = 0;
  // For speed: only lines that begin with a percent sign have to be looked at.
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', starts[index + 1])) {
    while (starts[index + 1]! <= at) index++;
    const flag = flags === undefined ? 0 : flags[index]!;
    if ((flag & opaque) !== 0) continue;
    const continues = (flag & afterBackslash) !== 0;
    const begin = textStart(text, starts[index]!, at);
    if (begin !== at) continue;
    const line = table.line(index);
    const letter = text.charCodeAt(begin + 1) | 0x20;
    const header = parseHeader(line);
    if (header !== undefined) {
      roles.set(index, 'header');
      marks.push({ line: index, start: index + 1, section: macros.settled(header), maker: undefined });
      allowTags(index, header.key === '%package');
      inChangelog = header.key === '%changelog';
      continue;
    }
    // For speed: the patterns are only tried where their first letter is there.
    const word = letter === letterI || letter === letterE ? conditionalPattern.exec(line)?.[1] : undefined;
    if (word === undefined) {
      const isDnl = letter === letterD && dnlPattern.test(line);
      if (isDnl) roles.set(index, 'dnl');
      if (inChangelog || continues || isDnl) continue;
      const isDefine = (letter === letterD || letter === letterG) && definePattern.test(line);
      if (!isDefine && !macros.mayMake(line)) continue;
      const end = logicalEnd(table, flags, index);
      const logical = Array.from({ length: end - index }, (_, more) => table.line(index + more));
      if (isDefine) {
        macros.define(logical.join('\n'), open.length > 0);
        continue;
      }
      const made = macros.madeBy(logical);
      if (made === undefined) continue;
      // Text in braces over several lines, unless it is opaque, is read line by line after its header.
      const hidden = flags !== undefined && index + 1 < count && (flags[index + 1]! & opaque) !== 0;
      const start = hidden || line.endsWith('\\') ? end : index + 1;
      for (const section of made.sections) marks.push({ line: index, start, section, maker: made.maker });
      const last = made.sections.at(-1)!.key === '%package';
      allowTags(index, made.maker.certain ? last : tagsAllowed || last);
    } else if (word.startsWith('if')) {
      roles.set(index, 'if');
      conditionals.push({ open: index, branches: [], close: undefined, parent: open.at(-1) ?? -1 });
      open.push(conditionals.length - 1);
    } else {
      const current = open.at(-1);
      if (current === undefined) strays.push(index);
      roles.set(index, word === 'endif' ? 'endif' : 'branch');
      if (current === undefined) continue;
      if (word === 'endif') {
        conditionals[current]!.close = index;
        open.pop();
      } else {
        conditionals[current]!.branches.push(index);
      }
    }
  }
  const sections = sectionsFrom(marks, count);
  return new ParsedSpec({ text, encoding }, { sections, conditionals, strays }, { roles, tagsFrom, flags });
}

/**
 * Index after the last line of the logical line. Inside braces that an earlier line opened, only a backslash continues a
 * line: joining all of it each time would be slow.
 */
function logicalEnd(table: LineTable, flags: Uint8Array | undefined, line: number): number {
  if (flags === undefined) return line + 1;
  let end = line + 1;
  while (end < table.count && flags[end] !== 0 && (flags[line] === 0 || table.line(end - 1).endsWith('\\'))) end++;
  return end;
}

function sectionsFrom(marks: readonly SectionMark[], count: number): Section[] {
  const preamble = { name: '%package', key: '%package', arguments: '', package: '', wholeName: false };
  const all = [{ line: -1, start: 0, section: preamble, maker: undefined }, ...marks];
  return all.map(({ line, start, section, maker }, index) => {
    const next = all[index + 1]?.line ?? count;
    // A header may be on a line that continues a call.
    const end = next === line ? start : next;
    return { ...section, header: line, start: Math.min(start, end), end, maker };
  });
}

const percent = 0x25;
const hash = 0x23;
const [letterD, letterE, letterG, letterI] = [0x64, 0x65, 0x67, 0x69];

/** Index of the first character of a line that is not white space; the index after the line if there is none. */
function textStart(text: string, start: number, end: number): number {
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x20 || code === 0x09) continue;
    // Rare white space: form feeds, non-breaking spaces and the like.
    return code > 0x20 && code < 0x80 ? index : end - text.slice(index, end).trimStart().length;
  }
  return end;
}
