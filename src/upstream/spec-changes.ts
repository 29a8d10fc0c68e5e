import { specFacts } from '../overlay/spec-facts.ts';
import { printSpec, type Spec } from '../spec/parse.ts';
import { expandPlain, fileNameOf, type ListedFile, patches, sources, tags } from '../spec/query.ts';

/** A value on both sides; undefined where there is none. */
export interface Change {
  readonly before?: string;
  readonly after?: string;
}

/** Names that a list gained, lost, and kept with another content. */
export interface ListChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** The definitions of a macro, as they are written, in the order of the spec; empty where it has none. */
export interface MacroChange {
  readonly name: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** How two states of a spec differ, by the text: nothing is expanded by rpm. */
export interface SpecChanges {
  /** `[epoch:]version`, expanded as far as the text allows. */
  readonly version?: Change;
  /** Without the suffix of the distribution. */
  readonly release?: Change;
  /** File names. Names that depend on several definitions of a macro stay as written. */
  readonly patches: ListChanges;
  readonly sources: ListChanges;
  readonly macros: readonly MacroChange[];
  /** Lines of `%changelog` that are new, in order. */
  readonly changelog: readonly string[];
}

/** Compares two states of a spec. */
export function compareSpecs(before: Spec, after: Spec): SpecChanges {
  const [old, fresh] = [factsIn(before), factsIn(after)];
  const version = changeOf(old.version, fresh.version);
  const release = changeOf(old.release, fresh.release);
  return {
    ...(version === undefined ? {} : { version }),
    ...(release === undefined ? {} : { release }),
    patches: compareNames(fileNames(before, patches), fileNames(after, patches)),
    sources: compareNames(fileNames(before, sources), fileNames(after, sources)),
    macros: compareMacros(macrosOf(before), macrosOf(after)),
    changelog: addedLines(changelogOf(before), changelogOf(after)),
  };
}

/** A version from Lua or the shell stays an expression; with the values of its macros it shows that it changed. */
function factsIn(spec: Spec): { readonly version: string | undefined; readonly release: string | undefined } {
  const { version, release } = specFacts(printSpec(spec));
  const isKnown = (text: string | undefined): boolean => text === undefined || !text.includes('%');
  if (isKnown(version) && isKnown(release)) return { version, release };
  const macros = certainMacros(spec);
  const expanded = (text: string | undefined): string | undefined =>
    text === undefined || isKnown(text) ? text : expandPlain(text, macros);
  return { version: expanded(version), release: expanded(release) };
}

export function changeOf(before: string | undefined, after: string | undefined): Change | undefined {
  if (before === after) return undefined;
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

/** Names only; `changed` needs contents and is empty. */
export function compareNames(before: Iterable<string>, after: Iterable<string>): ListChanges {
  const [old, fresh] = [new Set(before), new Set(after)];
  return {
    added: [...fresh].filter((name) => !old.has(name)),
    removed: [...old].filter((name) => !fresh.has(name)),
    changed: [],
  };
}

/** The names of listed files, in order. */
export function fileNames(spec: Spec, list: (spec: Spec) => readonly ListedFile[]): string[] {
  const listed = list(spec);
  if (listed.every(({ value }) => !value.includes('%'))) return listed.map(({ value }) => fileNameOf(value));
  const macros = certainMacros(spec);
  return listed.map(({ value }) => fileNameOf(expandPlain(value, macros)));
}

/** Macros with one definition, outside of all conditionals: only of these is the value certain without rpm. */
function certainMacros(spec: Spec): Map<string, string> {
  const found = new Map<string, string>();
  const uncertain = new Set<string>();
  const add = (name: string, value: string, line: number): void => {
    if (found.has(name) || spec.depths[line] !== 0) uncertain.add(name);
    found.set(name, value);
  };
  for (const { name, value, line } of tags(spec, { package: '' })) {
    const key = name.toLowerCase();
    if (['name', 'version', 'release', 'url', 'epoch'].includes(key)) add(key, value, line);
  }
  for (const { name, text, line } of definitions(spec)) {
    const value = plainDefinition.exec(text)?.[1];
    // What a shell prints may have slashes, and its text is no part of a file name.
    if (value === undefined || text.includes('\n') || value.includes('%(')) uncertain.add(name);
    else add(name, value, line);
  }
  for (const name of uncertain) found.delete(name);
  return found;
}

/** One with a name, no parameters, and a value. */
const plainDefinition = /^%(?:global|define)\s+[A-Za-z_]\w*\s+(\S.*)$/;

interface Definition {
  readonly name: string;
  /** As written, without the blanks around it; the lines of a longer one with line feeds between them. */
  readonly text: string;
  /** Index of its first line. */
  readonly line: number;
}

/** The start of a definition: alone on its line, or in a guard such as `%{!?name:%global name value}`. */
const defining =
  /^(?:%\{[!?]+[A-Za-z_]\w*:\s*)?%(?:(?:global|define)\s+([A-Za-z_]\w*)|bcond(?:_with|_without)?\s+([A-Za-z_]\w*))/;

function definitions(spec: Spec): Definition[] {
  const found: Definition[] = [];
  for (const section of spec.sections) {
    // A changelog quotes macros, but defines none.
    if (section.key === '%changelog') continue;
    for (let line = section.start; line < section.end; line++) {
      if (spec.roles[line] !== 'text' || spec.joined[line] === true) continue;
      const first = spec.lines[line]!.text.trim();
      if (!first.startsWith('%')) continue;
      const match = defining.exec(first);
      if (match === null) continue;
      let end = line + 1;
      while (end < section.end && spec.joined[end] === true) end++;
      const rest = spec.lines.slice(line + 1, end).map(({ text }) => text.trimEnd());
      const name = match[1] ?? `bcond ${match[2]}`;
      found.push({ name, text: [first, ...rest].join('\n'), line });
    }
  }
  return found;
}

function macrosOf(spec: Spec): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name, text } of definitions(spec)) {
    const texts = found.get(name);
    if (texts === undefined) found.set(name, [text]);
    else texts.push(text);
  }
  return found;
}

function compareMacros(
  before: ReadonlyMap<string, readonly string[]>,
  after: ReadonlyMap<string, readonly string[]>,
): MacroChange[] {
  const changes: MacroChange[] = [];
  for (const name of new Set([...after.keys(), ...before.keys()])) {
    const [old, fresh] = [before.get(name) ?? [], after.get(name) ?? []];
    const same = old.length === fresh.length && old.every((text, index) => text === fresh[index]);
    if (!same) changes.push({ name, before: old, after: fresh });
  }
  return changes;
}

/** The lines of `%changelog`. */
export function changelogOf(spec: Spec): string[] {
  return spec.sections
    .filter(({ key }) => key === '%changelog')
    .flatMap(({ start, end }) => spec.lines.slice(start, end).map(({ text }) => text));
}

/** The lines of a text that another text does not have as often. */
export function addedLines(before: readonly string[], after: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of before) left.set(line, (left.get(line) ?? 0) + 1);
  return after.filter((line) => {
    const count = left.get(line) ?? 0;
    if (count > 0) left.set(line, count - 1);
    return count === 0;
  });
}
