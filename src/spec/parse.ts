import { decodeText, type Encoding, encodeText, joinLines, type SpecLine, splitLines } from './lines.ts';

/**
 * What a line is. `if`, `branch` (%else, %elif…) and `endif` are conditionals. `text` is everything else: the body of
 * a section, a macro, a later part of a tag or macro that goes over several lines.
 */
export type LineRole = 'header' | 'if' | 'branch' | 'endif' | 'comment' | 'dnl' | 'tag' | 'blank' | 'text';

/** A section with its header. The first one is the preamble: no header, name `%package`, main package. */
export interface Section {
  /** As written, with its `%`. */
  readonly name: string;
  /** `name` in lower case. */
  readonly key: string;
  /** What stands behind the name, trimmed and unexpanded. */
  readonly arguments: string;
  /** The package as the header names it, unexpanded: the argument of `-n`, else the bare one; `''` is the main one. */
  readonly package: string;
  /** Whether `package` is a whole name (`-n`) and not a suffix of the main one's. */
  readonly wholeName: boolean;
  /** Index of the header's line, -1 for the preamble. */
  readonly header: number;
  /** Index of the first line of the body. */
  readonly start: number;
  /** Index behind the last line of the body: the next header, or the number of lines. */
  readonly end: number;
}

/** An `%if` with its `%endif`; `close` is undefined where there is none. */
export interface Conditional {
  readonly open: number;
  /** Lines of its `%elif`s and its `%else`. */
  readonly branches: readonly number[];
  readonly close: number | undefined;
}

/**
 * A spec as text with marks. Nothing is expanded and no conditional is decided, so a tag in an `%if` and one in its
 * `%else` are both there. All arrays of lines have the same length.
 */
export interface Spec {
  readonly encoding: Encoding;
  readonly lines: readonly SpecLine[];
  readonly roles: readonly LineRole[];
  /** True for a line that continues the one before it: after a backslash, or inside `%{…}`, `%(…)` or `%[…]`. */
  readonly joined: readonly boolean[];
  /** How many `%if` are open around the line; `%if`, `%else` and `%endif` themselves count as outside of theirs. */
  readonly depths: readonly number[];
  readonly sections: readonly Section[];
  readonly conditionals: readonly Conditional[];
  /** Lines of `%else`, `%elif` or `%endif` that no `%if` is open for. */
  readonly strays: readonly number[];
}

/** Sections that belong to one package. The rest (%prep, %build, …) belong to the whole spec. */
const packageSections = new Set(
  (
    '%package %description %files %pre %post %preun %postun %pretrans %posttrans %preuntrans %postuntrans ' +
    '%verifyscript %trigger %triggerin %triggerun %triggerprein %triggerpostun ' +
    '%filetrigger %filetriggerin %filetriggerun %filetriggerpostun ' +
    '%transfiletrigger %transfiletriggerin %transfiletriggerun %transfiletriggerpostun'
  ).split(' '),
);

/** RPM's section names (build/parseSpec.c of rpm 6), lower case. */
export const sectionNames: ReadonlySet<string> = new Set([
  ...packageSections,
  ...'%prep %generate_buildrequires %conf %build %install %check %clean'.split(' '),
  ...'%changelog %sepolicy %end %patchlist %sourcelist'.split(' '),
]);

const headerPattern = /^\s*(%[A-Za-z_]+)(?:\s+(.*))?$/s;
const conditionalPattern = /^\s*%(if|ifarch|ifnarch|ifos|ifnos|elif|elifarch|elifos|else|endif)(?![A-Za-z0-9_])/;
/** A tag line: name, then value. The name of a real tag begins with a letter; `%{?x:Name: y}` is a macro. */
export const tagPattern = /^\s*([A-Za-z][^\s:]*?)\s*:\s*(.*?)\s*$/s;
const definePattern = /^\s*%(define|global)\b/;

/** Parses a spec file. Every input is a spec: what cannot be understood is `text`. */
export function parseSpec(file: string | Uint8Array): Spec {
  if (typeof file === 'string') return parseLines(splitLines(file), 'utf-8');
  const { text, encoding } = decodeText(file);
  return parseLines(splitLines(text), encoding);
}

/** The text of a spec: what was parsed, every byte of it (see `specBytes` for the file). */
export function printSpec(spec: Spec): string {
  return joinLines(spec.lines);
}

/** The file of a spec. */
export function specBytes(spec: Spec): Uint8Array {
  return encodeText(printSpec(spec), spec.encoding);
}

/** Marks lines that were split already; for edits. */
export function parseLines(lines: readonly SpecLine[], encoding: Encoding): Spec {
  const { joined, opaque, afterBackslash } = joinedLines(lines);
  const roles: LineRole[] = [];
  const depths: number[] = [];
  const headers: { line: number; section: Omit<Section, 'header' | 'start' | 'end'> }[] = [];
  const open: { open: number; branches: number[]; close: number | undefined }[] = [];
  const conditionals: typeof open = [];
  const strays: number[] = [];
  let tagsAllowed = true;
  for (const [index, { text }] of lines.entries()) {
    depths.push(open.length);
    if (opaque[index] === true) {
      roles.push('text');
      continue;
    }
    const header = parseHeader(text);
    if (header !== undefined) {
      roles.push('header');
      headers.push({ line: index, section: header });
      tagsAllowed = header.key === '%package';
      continue;
    }
    const word = conditionalPattern.exec(text)?.[1];
    if (word === undefined) {
      roles.push(plainRole(text, tagsAllowed && afterBackslash[index] !== true));
    } else if (word.startsWith('if')) {
      roles.push('if');
      const conditional = { open: index, branches: [], close: undefined };
      open.push(conditional);
      conditionals.push(conditional);
    } else {
      const current = open.at(-1);
      if (current === undefined) strays.push(index);
      else depths[index] = open.length - 1;
      if (word === 'endif') {
        roles.push('endif');
        if (current !== undefined) current.close = index;
        open.pop();
      } else {
        roles.push('branch');
        current?.branches.push(index);
      }
    }
  }
  const sections: Section[] = [
    {
      name: '%package',
      key: '%package',
      arguments: '',
      package: '',
      wholeName: false,
      header: -1,
      start: 0,
      end: headers[0]?.line ?? lines.length,
    },
  ];
  for (const [index, { line, section }] of headers.entries()) {
    sections.push({ ...section, header: line, start: line + 1, end: headers[index + 1]?.line ?? lines.length });
  }
  return { encoding, lines, roles, joined, depths, sections, conditionals, strays };
}

function plainRole(text: string, tagsAllowed: boolean): LineRole {
  const trimmed = text.trimStart();
  if (trimmed === '') return 'blank';
  if (trimmed.startsWith('#')) return 'comment';
  if (/^%dnl(?![A-Za-z0-9_])/.test(trimmed)) return 'dnl';
  return tagsAllowed && tagPattern.test(text) ? 'tag' : 'text';
}

function parseHeader(text: string): Omit<Section, 'header' | 'start' | 'end'> | undefined {
  const match = headerPattern.exec(text);
  if (match === null) return undefined;
  const name = match[1]!;
  const key = name.toLowerCase();
  if (!sectionNames.has(key)) return undefined;
  const rest = (match[2] ?? '').trim();
  const named = packageSections.has(key) ? packageArgument(rest) : { package: '', wholeName: false };
  return { name, key, arguments: rest, ...named };
}

/** `-n X` wins, else the first bare word; `-f`, `-p`, `-l` and `-P` take a word, and `--` ends the options. */
function packageArgument(rest: string): { package: string; wholeName: boolean } {
  const words = argumentWords(rest);
  let bare: string | undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === '--' || word.startsWith('#')) break;
    if (word === '-n') return { package: words[index + 1] ?? '', wholeName: true };
    if (word.startsWith('-n') && word.length > 2) return { package: word.slice(2), wholeName: true };
    if (/^-[fplP]$/.test(word)) index++;
    else if (!word.startsWith('-')) bare ??= word;
  }
  return { package: bare ?? '', wholeName: false };
}

/** Words at blanks, but a macro in braces is never split. */
function argumentWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (char === '{' && (depth > 0 || text[index - 1] === '%')) depth++;
    else if (char === '}' && depth > 0) depth--;
    if (depth === 0 && /\s/.test(char)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      word += char;
    }
  }
  if (word !== '') words.push(word);
  return words;
}

/** Counters of what is open at the end of a line, as rpm's line reader counts (copyNextLineFromOFI in build/parseSpec.c). */
interface OpenBrackets {
  brace: number;
  paren: number;
  square: number;
}

/** Goes over one line and updates the counters. @returns whether the line ends with a backslash that joins the next */
export function countBrackets(text: string, open: OpenBrackets): boolean {
  for (let index = 0; index < text.length; index++) {
    switch (text[index]) {
      case '\\':
        if (index === text.length - 1) return true;
        index++;
        break;
      case '%': {
        const next = text[index + 1];
        if (next === '{') open.brace++;
        else if (next === '(') open.paren++;
        else if (next === '[') open.square++;
        else if (next !== '%') break;
        index++;
        break;
      }
      case '{':
        if (open.brace > 0) open.brace++;
        break;
      case '}':
        if (open.brace > 0) open.brace--;
        break;
      case '(':
        if (open.paren > 0) open.paren++;
        break;
      case ')':
        if (open.paren > 0) open.paren--;
        break;
      case '[':
        if (open.square > 0) open.square++;
        break;
      case ']':
        if (open.square > 0) open.square--;
        break;
    }
  }
  return false;
}

/**
 * Which lines continue the one before. The bodies of macros (`%define`, `%global`) and of `%{lua:…}` and `%(…)` are
 * opaque: what looks like a section there is none. Inside `%{?x:…}` and `%{expand:…}` sections and tags are real ones.
 * A bracket that is never closed joins nothing, so a broken line does not hide the rest of the file.
 */
function joinedLines(lines: readonly SpecLine[]): {
  joined: boolean[];
  opaque: boolean[];
  afterBackslash: boolean[];
} {
  const joined = new Array<boolean>(lines.length).fill(false);
  const opaque = new Array<boolean>(lines.length).fill(false);
  const afterBackslash = new Array<boolean>(lines.length).fill(false);
  let bracketsCount = true;
  let index = 0;
  while (index < lines.length) {
    const first = lines[index]!.text;
    const open: OpenBrackets = { brace: 0, paren: 0, square: 0 };
    const isOpen = (): boolean => bracketsCount && open.brace + open.paren + open.square > 0;
    const backslashes: boolean[] = [countBrackets(first, open)];
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
    for (let line = index + 1; line < next; line++) {
      joined[line] = true;
      opaque[line] = hidden;
      afterBackslash[line] = backslashes[line - index - 1] === true;
    }
    index = next;
  }
  return { joined, opaque, afterBackslash };
}
