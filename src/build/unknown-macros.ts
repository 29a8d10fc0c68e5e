import { sectionNames } from '../spec/header.ts';
import type { Spec } from '../spec/parse.ts';
import { tagValue } from '../spec/query.ts';

/**
 * How a macro is used: at the start of a line, in a conditional's expression, or within a value; `optional` if a tag uses it as
 * `%{?x}`, which allows it to be undefined.
 */
export type MacroUse = 'call' | 'expression' | 'value' | 'optional';

export type MacroUses = ReadonlyMap<string, MacroUse>;

/** Words of specs that are not macros, and macros that rpm sets while it parses one. */
const ownNames =
  /^(?:if|ifarch|ifnarch|ifos|ifnos|elif|elifarch|elifos|else|endif|include|define|global|undefine|bcond|bcond_with|bcond_without|load|dnl|name|version|release|epoch|url|summary|license|group|arch|buildroot|nil|\d+|(?:SOURCE|PATCH)(?:URL)?\d*|S|P|F|patch\d+|sources?|patches|buildsubdir|_sourcedir|autosetup|setup)$/i;
const definePattern = /%(?:define|global|bcond|bcond_with|bcond_without|undefine)\s+([A-Za-z_]\w*)/g;
/** A use that requires the macro: `%x`, `%{x}` or `%{x word}`, but not `%{?x}`, and not a built-in one like `%{x:y}`. */
const usePattern = /(?<!%)%(?:\{([A-Za-z_]\w*)(?=[}\s])|([A-Za-z_]\w{2,}))/g;
/** Sections that define packages. In all others an unknown macro is text that no query returns. */
const saying = /^%(?:package|patchlist|sourcelist)$/;

/**
 * The macros that a spec's package definitions need and that the spec does not define itself.
 * @param defined macros that files beside it define
 */
export function macroUses(spec: Spec, defined: ReadonlySet<string>): MacroUses {
  const own = new Set(defined);
  for (const { text } of spec.lines) for (const [, name] of text.matchAll(definePattern)) own.add(name!);
  for (const { text } of spec.lines)
    for (const [, name] of text.matchAll(/rpm\.define\(\s*["'[]+(\w+)/g)) own.add(name!);
  const uses = new Map<string, MacroUse>();
  const asked = new Set(own);
  for (const [line, { text }] of spec.lines.entries()) {
    // A macro that the spec tests for must stay undefined, or the test would give the wrong answer.
    for (const [, name] of text.matchAll(/%\{?[?!]+([A-Za-z_]\w*)/g)) asked.add(name!);
    if (spec.roles[line] !== 'tag') continue;
    for (const [, name] of text.matchAll(/%\{\?([A-Za-z_]\w*)\}/g)) {
      if (!own.has(name!) && !ownNames.test(name!)) uses.set(name!, 'optional');
    }
  }
  const system = tagValue(spec, 'BuildSystem');
  if (system !== undefined && /^\w+$/.test(system)) {
    for (const part of ['prep', 'conf', 'generate_buildrequires', 'build', 'install', 'check', 'clean']) {
      uses.set(`buildsystem_${system}_${part}`, 'call');
    }
  }
  for (const section of spec.sections) {
    const says = saying.test(section.key);
    let setting = false;
    for (let line = Math.max(0, section.header); line < section.end; line++) {
      const role = spec.roles[line];
      if (spec.joined[line] !== true) setting = /^\s*%(?:define|global)\b/.test(spec.lines[line]!.text);
      const conditional = role === 'if' || role === 'branch' || role === 'endif';
      if (role === 'comment' || role === 'dnl' || (role === 'text' && !says && !setting)) continue;
      // The keyword that starts the line is not one of the spec's macros.
      const whole = spec.lines[line]!.text;
      const isHeader = line === section.header && section.maker === undefined;
      const text = conditional || isHeader ? whole.replace(/^\s*%\w+/, '') : whole;
      for (const match of text.matchAll(usePattern)) {
        const name = (match[1] ?? match[2])!;
        if (asked.has(name) || ownNames.test(name) || sectionNames.has(`%${name.toLowerCase()}`)) continue;
        const begins = role === 'text' && !setting && text.slice(0, match.index).trim() === '';
        const use: MacroUse = begins ? 'call' : conditional ? 'expression' : 'value';
        if (use !== 'value' || !uses.has(name)) uses.set(name, use);
      }
    }
  }
  return uses;
}

/** The macros that a macro file defines. */
export function definedIn(text: string): string[] {
  return [...text.matchAll(/^\s*%(?:define\s+|global\s+)?([A-Za-z_]\w*)/gm)].map((match) => match[1]!);
}

/** Placeholder in a value for an undefined macro: rpm rejects a dependency that contains a `%`. */
export function unknownMark(name: string): string {
  return `weir_unknown_${name}_end`;
}

/** Replaces the placeholders in rpm's output with the names of the macros. */
export function withNames(text: string, unknown: readonly string[]): string {
  let result = text;
  if (!text.includes('weir_unknown_')) return text;
  for (const name of unknown) result = result.replaceAll(unknownMark(name), `%{${name}}`);
  return result;
}
