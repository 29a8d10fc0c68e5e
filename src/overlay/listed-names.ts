import { expansions, macroChoices } from '../spec/choices.ts';
import type { Spec } from '../spec/parse.ts';
import { fileNameOf, patches, sources } from '../spec/query.ts';

/** Also `Patch 0: x`, which rpm accepts as a tag although it contains a blank. */
const written = /^\s*(?:source|patch)\s*\d*\s*:\s*(\S.*)$/i;
/** Tags that Lua, a macro or a shell generates: `Patch%u: …`, `Source%{n}:`. */
const made = /(?:source|patch)[^\s:;,]{0,20}:(?!\/\/)/i;
const included = /^\s*%(?:include\s+|\{load:\s*)([^}\s]+(?:\}[^}\s]+)?\}?)/;

/**
 * Names of the files that a spec lists as sources and patches, includes or loads, and of the files that included files list.
 * Undefined if the text does not determine all of them: a name with a macro that the spec does not define, generated tags, a
 * missing file to include.
 * @param textOf the content of a file beside the spec, undefined if there is none
 */
export async function listedNames(
  spec: Spec,
  textOf: (name: string) => Promise<string | undefined>,
): Promise<Set<string> | undefined> {
  const macros = macroChoices(spec);
  const names = new Set<string>();
  // From all branches: only rpm and the distribution's macros know which one is taken.
  const add = (value: string): readonly string[] | undefined => {
    const found = (expansions(value, macros) ?? []).map(fileNameOf).filter((name) => !name.includes('%'));
    if (found.length === 0) return undefined;
    for (const name of found) names.add(name);
    return found;
  };
  for (const { value } of [...sources(spec), ...patches(spec)]) if (add(value) === undefined) return undefined;
  const numbered = new Map(sources(spec).map((source) => [source.number, source.value]));

  /** Whether all file names in the lines can be read from the text. @param tags whether the lines can contain tags */
  const scan = async (lines: readonly string[], tags: boolean, depth = 0): Promise<boolean> => {
    for (const line of lines) {
      if (/^\s*(?:#|%dnl\b)/.test(line)) continue;
      const value = tags ? written.exec(line)?.[1] : undefined;
      if (value !== undefined) {
        if (add(value.trim()) === undefined) return false;
        continue;
      }
      const path = included.exec(line)?.[1];
      if (path === undefined) {
        if (tags && made.test(line)) return false;
        continue;
      }
      const number = /^%\{?(?:SOURCE|S:)(\d+)\}?$/.exec(path)?.[1];
      const plain = number === undefined ? path.replace(/%\{?_sourcedir\}?\//, '').replace(/\}$/, '') : undefined;
      // A system file lists none of the component's files.
      if (plain?.startsWith('/')) continue;
      const found = add(plain ?? numbered.get(Number(number)) ?? path);
      const texts = await Promise.all((found ?? []).map(textOf));
      const read = texts.filter((text) => text !== undefined);
      if (read.length === 0 || depth === 5) return false;
      for (const text of read) if (!(await scan(text.split(/\r?\n/), tags, depth + 1))) return false;
    }
    return true;
  };

  for (const { key, start, end } of spec.sections) {
    const lines: string[] = [];
    for (let line = start; line < end; line++) {
      if (spec.roles[line] !== 'tag') lines.push(spec.lines[line]!.text);
    }
    if (!(await scan(lines, key === '%package'))) return undefined;
  }
  return names;
}
