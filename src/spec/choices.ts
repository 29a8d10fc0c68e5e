import type { Spec } from './parse.ts';
import { expandPlain, plainMacros, tags } from './query.ts';

/** Limit on the number of ways in which a text is expanded. */
const mostWays = 64;

/** Macros of a spec with every value that some branch of its conditionals gives them. */
export interface MacroChoices {
  /** The last value of each, as in `plainMacros`. */
  readonly plain: ReadonlyMap<string, string>;
  /** Macros with several values, or with none in some branch, for which `undefined` stands. */
  readonly several: ReadonlyMap<string, readonly (string | undefined)[]>;
}

/** Reads one-line `%global` and `%define` without parameters, and the main tags, of every branch. */
export function macroChoices(spec: Spec): MacroChoices {
  const values = new Map<string, Set<string | undefined>>();
  const certain = new Set<string>();
  const add = (name: string, value: string | undefined, line: number): void => {
    const known = values.get(name) ?? new Set();
    values.set(name, known.add(value));
    if (spec.depths[line] === 0) certain.add(name);
  };
  for (const [line, { text }] of spec.lines.entries()) {
    if (spec.joined[line] === true || text.endsWith('\\')) continue;
    const match = /^\s*%(?:global|define)\s+([A-Za-z_]\w*)\s+(?=\S)/.exec(text);
    if (match !== null) add(match[1]!, text.slice(match[0].length).trimEnd(), line);
    const gone = /^\s*%undefine\s+([A-Za-z_]\w*)/.exec(text)?.[1];
    if (gone !== undefined) add(gone, undefined, line);
  }
  for (const { name, value, line } of tags(spec, { package: '' })) {
    if (/^(?:name|version|release|url|epoch)$/i.test(name)) add(name.toLowerCase(), value, line);
  }
  const several = new Map<string, readonly (string | undefined)[]>();
  for (const [name, known] of values) {
    if (!certain.has(name)) known.add(undefined);
    if (known.size > 1) several.set(name, [...known]);
  }
  return { plain: plainMacros(spec), several };
}

/**
 * All texts that a value can expand to, depending on the branches taken. Macros that the spec does not define stay.
 * @returns undefined if there are too many
 */
export function expansions(value: string, { plain, several }: MacroChoices): readonly string[] | undefined {
  const used = [...reachable(value, plain, several)].filter((name) => several.has(name));
  let ways: ReadonlyMap<string, string>[] = [plain];
  for (const name of used) {
    ways = ways.flatMap((macros) => several.get(name)!.map((one) => withValue(macros, name, one)));
    if (ways.length > mostWays) return undefined;
  }
  // `%{?x}` of an undefined macro is empty; which macros are undefined depends on the branches.
  const optional = /%\{\?([A-Za-z_]\w*)\}/g;
  return [
    ...new Set(
      ways.map((macros) =>
        expandPlain(value, macros).replace(optional, (whole, name: string) =>
          several.has(name) && !macros.has(name) ? '' : whole,
        ),
      ),
    ),
  ];
}

function withValue(macros: ReadonlyMap<string, string>, name: string, value: string | undefined): Map<string, string> {
  const changed = new Map(macros);
  if (value === undefined) changed.delete(name);
  else changed.set(name, value);
  return changed;
}

/** Names of the macros in a text, directly or through other macros. */
function reachable(
  text: string,
  plain: ReadonlyMap<string, string>,
  several: MacroChoices['several'],
): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [text];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [, braced, bare] of next.matchAll(/%\{\??([A-Za-z_]\w*)\}|%([A-Za-z_]\w*)/g)) {
      const name = (braced ?? bare)!;
      if (found.has(name)) continue;
      found.add(name);
      for (const value of several.get(name) ?? [plain.get(name)]) if (value !== undefined) waiting.push(value);
    }
  }
  return found;
}
