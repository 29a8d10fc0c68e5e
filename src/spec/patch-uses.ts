import { closingBrace } from './expand.ts';
import { argumentWords } from './header.ts';
import type { Spec } from './parse.ts';
import { expandPlain, fileNameOf, type ListedFile, patches, plainMacros, tags } from './query.ts';

/** A place in a spec that applies patches, or refers to one by number or name. */
export interface PatchUse {
  /** Index of the line. */
  readonly line: number;
  /** As written, without the text after it. */
  readonly call: string;
  /** The lowest and the highest patch number that it refers to; equal if there is one. */
  readonly from: number;
  readonly to: number;
}

/** What the text of a spec reveals about how its patches are applied, in all branches of all conditionals. */
export interface PatchUses {
  readonly uses: readonly PatchUse[];
  /** Whether patches may be applied that the text does not name: a number that is a macro, or a system macro. */
  readonly unknown: boolean;
}

/** A patch that a spec lists, with its file name as far as the text has it. */
export interface NamedPatch extends ListedFile {
  readonly name: string;
}

export function namedPatches(spec: Spec): NamedPatch[] {
  const macros = plainMacros(spec);
  return patches(spec).map((patch) => ({ ...patch, name: fileNameOf(expandPlain(patch.value, macros)) }));
}

/** Whether a patch is applied; undefined if unknown. */
export function isApplied({ uses, unknown }: PatchUses, spec: Spec, patch: NamedPatch): boolean | undefined {
  if (uses.some(({ from, to }) => from <= patch.number && patch.number <= to)) return true;
  if (linesNaming(spec, patch.name).length > 0) return true;
  return unknown ? undefined : false;
}

const all = { from: 0, to: Number.POSITIVE_INFINITY } as const;
/** Sections whose text is not a script. */
const prose = new Set(['%changelog', '%description', '%files', '%patchlist', '%sourcelist']);
/** Lines that neither run nor expand to something that does. */
const silent = new Set(['comment', 'dnl', 'tag', 'blank', 'header', 'if', 'branch', 'endif']);

interface LogicalLine {
  readonly line: number;
  readonly text: string;
  readonly section: string;
}

/** The lines of scripts and macros, with continuation lines joined. */
function scriptLines(spec: Spec): LogicalLine[] {
  const found: LogicalLine[] = [];
  for (const { key, start, end } of spec.sections) {
    if (prose.has(key)) continue;
    for (let line = start; line < end; line++) {
      if (silent.has(spec.roles[line]!)) continue;
      const first = line;
      const parts = [spec.lines[line]!.text];
      while (line + 1 < end && spec.joined[line + 1] === true) parts.push(spec.lines[++line]!.text);
      found.push({ line: first, text: parts.join('\n').replaceAll('\\\n', ' '), section: key });
    }
  }
  return found;
}

/** Lines of scripts that contain a file's name. @param wildcards also those that match files of the source folder by a pattern */
export function linesNaming(spec: Spec, name: string, wildcards = true): number[] {
  const macros = plainMacros(spec);
  return scriptLines(spec)
    .filter(({ text, section }) => {
      if (section === '%package') return false;
      const plain = expandPlain(text, macros);
      return hasWord(plain, name) || (wildcards && /(?:_sourcedir|RPM_SOURCE_DIR)\}?"?\/\S*[*?[]/.test(plain));
    })
    .map(({ line }) => line);
}

/** Whether a text contains a file's name as a whole, not as part of another name. */
function hasWord(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const around = `${text[at - 1] ?? ''}${text[at + name.length] ?? ''}`;
    if (!/[\w.+-]/.test(around)) return true;
  }
  return false;
}

const calls = /(%+)(\{)?[?!]*(P:\d+|[A-Za-z_]\w*)/g;
/** Macros at the beginning of a line of `%prep` that apply no patch. */
const harmless = /^(?:setup|gpgverify|cargo_prep|py3_shebang_fix|global|define|undefine|dnl|nil|SOURCE\d+|_\w+)$/;
/** A file of the source folder whose name only the shell, or a macro, knows. */
const someSource = /(?:_sourcedir|RPM_SOURCE_DIR)\}?"?(?:\/\S*[$%]|[^/\w}"]|$)/m;
const definition = /^\s*%(?:global|define)\s+([A-Za-z_]\w*)/;

/**
 * Finds what applies patches: `%patch` in all its spellings, `%autopatch`, `%autosetup` and what is built on it, a
 * patch's file by `%{PATCHn}` or `%{P:n}`, all of them by `%{patches}` (rpm's build/parsePrep.c and macros.in).
 */
export function patchUses(spec: Spec): PatchUses {
  const uses: PatchUse[] = [];
  let unknown = false;
  const lines = scriptLines(spec);
  const own = new Set(lines.flatMap(({ text }) => definition.exec(text)?.[1] ?? []));
  for (const { line, text, section } of lines) {
    // An included file may apply them too.
    if (/^\s*%include\b/.test(text)) unknown = true;
    if (/%\{lua:/.test(text) && /\bpatches\b/.test(text)) uses.push({ line, call: '%{lua:…}', ...all });
    // The text inside a condition is read below.
    const command = /^\s*%(?!\{[?!]+\w+:)\{?[?!]*([A-Za-z_]\w*)/.exec(text)?.[1];
    const told = command === undefined || harmless.test(command) || isCall(command) || own.has(command);
    if (section === '%prep' && (!told || someSource.test(text))) unknown = true;
    for (const match of text.matchAll(calls)) {
      const [whole, percents, brace, name = ''] = match;
      if (!isCall(name)) continue;
      const rest = argumentsAt(text, match.index + whole.length, brace !== undefined, match.index + percents!.length);
      // After a colon comes the text that the condition guards.
      const given = rest.startsWith(':') ? '' : rest;
      const ranges = percents!.length % 2 === 0 ? undefined : rangesOf(name, given);
      if (ranges === undefined) unknown = true;
      const call = `%${name}${given.trimEnd()}`.replace(/\s+/g, ' ');
      for (const range of ranges ?? []) uses.push({ line, call, ...range });
    }
  }
  // A spec without %prep gets one that is %autosetup.
  const [system] = tags(spec, { name: 'BuildSystem' });
  const replaced = spec.sections.some(({ key, arguments: given }) => key === '%prep' && !/^-[ap]/.test(given));
  if (system !== undefined && !replaced) uses.push({ line: system.line, call: 'BuildSystem:', ...all });
  return { uses, unknown };
}

/** Macros that deal with patches. */
function isCall(name: string): boolean {
  return /^(?:patch\d*|autopatch|autosetup|forgeautosetup|goprep|patches|PATCHES|PATCH\d*|P:\d+)$/.test(name);
}

/** The arguments of a macro call: up to its closing brace, or to the end of the line or of the macro around it. */
function argumentsAt(text: string, at: number, braced: boolean, open: number): string {
  if (braced) {
    const close = closingBrace(text, open);
    return text.slice(at, close < 0 ? undefined : close);
  }
  let depth = 0;
  for (let index = at; index < text.length; index++) {
    const char = text[index]!;
    if (char === '\n') return text.slice(at, index);
    if (char === '{') depth++;
    else if (char === '}' && --depth < 0) return text.slice(at, index);
  }
  return text.slice(at);
}

type Range = Pick<PatchUse, 'from' | 'to'>;

/** The numbers that a call refers to; undefined if unknown. */
function rangesOf(name: string, rest: string): readonly Range[] | undefined {
  const number = /^(?:patch|PATCH|P:)(\d+)$/.exec(name)?.[1];
  if (/^(?:PATCH|P:)/.test(name) && name !== 'PATCHES') return number === undefined ? undefined : [single(number)];
  // `%patch%{n}`: the text that follows is part of the number.
  if (/^[^\s}:]/.test(rest)) return undefined;
  switch (name) {
    case 'patches':
    case 'PATCHES':
      return [all];
    case 'autosetup':
    case 'forgeautosetup':
      return options(rest, 'abnSpsz').has('N') ? [] : [all];
    case 'goprep':
      return options(rest, 'sbnSp').has('A') ? [all] : [];
    case 'autopatch': {
      const given = options(rest, 'pmM');
      const [[low = '0'] = [], [high = ''] = []] = [given.get('m'), given.get('M')];
      const some = given.get('') ?? [];
      if (![low, high || '0', ...some].every(isNumber)) return undefined;
      if (some.length > 0) return some.map(single);
      return [{ from: Number(low), to: high === '' ? all.to : Number(high) }];
    }
    default: {
      const given = options(rest, 'PpbzdFo');
      const some = [...(number === undefined ? [] : [number]), ...(given.get('P') ?? []), ...(given.get('') ?? [])];
      if (!some.every(isNumber)) return undefined;
      return some.length === 0 ? [single('0')] : some.map(single);
    }
  }
}

function isNumber(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}

function single(number: string): Range {
  return { from: Number(number), to: Number(number) };
}

/**
 * A call's options with their values, as getopt(3) reads them: an option may be repeated, its value is part of its word or
 * the next word. Other words are under `''`. @param valued letters of options with a value
 */
function options(text: string, valued: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const add = (letter: string, value: string): void => void found.set(letter, [...(found.get(letter) ?? []), value]);
  const words = argumentWords(text).filter((word) => !/^%\{[?!]+\w+\}$/.test(word));
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (/^(?:#|;|&&|\|\|)/.test(word)) break;
    if (!/^-./.test(word)) {
      if (word !== '-') add('', word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      if (!valued.includes(letter)) {
        add(letter, '');
        continue;
      }
      add(letter, at + 1 < word.length ? word.slice(at + 1) : (words[++index] ?? ''));
      break;
    }
  }
  return found;
}
