import { closest, WeirError } from '../base/errors.ts';
import { asStored, lineEnd, type SpecLine, splitLines } from '../spec/lines.ts';
import { countBrackets, parseLines, type Section, type Spec } from '../spec/parse.ts';
import { expandPlain, fileNameOf, patches, plainMacros, sectionsOf, type Tag, tags } from '../spec/query.ts';
import { nearestLine } from './nearest.ts';
import { compileReplacer, patternWords } from './regex.ts';

// Every function here takes a spec and gives a new one; it throws a WeirError `overlay-no-match` where there is nothing
// to change, because an overlay that does nothing is one that upstream has overtaken.

/** `lines` with the texts in place of those from `from` to before `to`. A text may have several lines. */
export function replaceLines(spec: Spec, from: number, to: number, texts: readonly string[]): Spec {
  const end = lineEnd(spec.lines);
  const fresh: SpecLine[] = texts
    .flatMap((text) => asStored(text, spec.encoding).replace(/\n$/, '').split('\n'))
    .map((text) => ({ text: text.replace(/\r$/, ''), end }));
  const before = spec.lines.slice(0, from);
  const last = before.at(-1);
  if (fresh.length > 0 && last?.end === '') before[before.length - 1] = { text: last.text, end };
  return parseLines([...before, ...fresh, ...spec.lines.slice(to)], spec.encoding);
}

function removeLines(spec: Spec, ranges: readonly (readonly [number, number])[]): Spec {
  const gone = new Set<number>();
  for (const [from, to] of ranges) for (let line = from; line < to; line++) gone.add(line);
  return parseLines(
    spec.lines.filter((_line, index) => !gone.has(index)),
    spec.encoding,
  );
}

function packageLabel(packageName: string): string {
  return packageName === '' ? 'the main package' : `package ${packageName}`;
}

function noMatch(message: string, details: readonly (string | undefined)[] = []): WeirError {
  return new WeirError('overlay-no-match', message, {
    details: details.filter((detail) => detail !== undefined),
    hint: 'upstream may have changed: compare the overlay with the upstream spec, and change or remove it',
    exit: 2,
  });
}

/** Where a tag can go: the preamble, or the `%package` section. */
function tagSection(spec: Spec, packageName: string): Section {
  const section = spec.sections.find((one) => one.key === '%package' && one.package === packageName);
  if (section !== undefined) return section;
  const names = spec.sections.filter((one) => one.key === '%package').map((one) => one.package);
  const near = closest(packageName, names)[0];
  throw noMatch(`the spec has no %package section for ${packageName}`, [
    near === undefined ? undefined : `closest: ${near}`,
  ]);
}

/**
 * The place at the end of a section: behind its last line, but before an `%if` that guards the next header, so that
 * what is added does not hang on the next section's condition, and before trailing blank lines.
 */
function sectionTail(spec: Spec, section: Section): number {
  let at = section.end;
  for (let line = section.end - 1; line >= section.start; line--) {
    // Specs choose a package's name in the %if around its %package, so macros that are set there belong to the guard.
    line = Math.max(section.start, logicalStart(spec, line));
    const role = spec.roles[line];
    if (role === 'if' || role === 'branch') at = line;
    else if (role === 'endif' || role === 'tag') break;
    else if (role === 'text' && !definePattern.test(spec.lines[line]!.text)) break;
  }
  while (at > section.start && spec.roles[at - 1] === 'blank' && spec.joined[at] !== true) at--;
  return free(spec, at);
}

const definePattern = /^\s*%(global|define)\b/;

/** The line on which the logical line begins that `line` is a part of. */
function logicalStart(spec: Spec, line: number): number {
  let start = line;
  while (start > 0 && spec.joined[start] === true) start--;
  return start;
}

/** The first place from `at` on that is not inside a logical line. */
function free(spec: Spec, at: number): number {
  let place = at;
  while (spec.joined[place] === true) place++;
  return place;
}

export function addTag(spec: Spec, tag: string, value: string, packageName = ''): Spec {
  const at = sectionTail(spec, tagSection(spec, packageName));
  return replaceLines(spec, at, at, [`${tag}: ${value}`]);
}

/** Behind the last tag of the same family (`Patch7` goes with `Patch0`), else the last tag, outside of conditionals. */
export function insertTag(spec: Spec, tag: string, value: string, packageName = ''): Spec {
  const section = tagSection(spec, packageName);
  const own = tags(spec, { package: packageName }).filter((one) => one.line >= section.start && one.end <= section.end);
  const family = (name: string): string => name.replace(/\d+$/, '').toLowerCase();
  const after = own.findLast((one) => family(one.name) === family(tag)) ?? own.at(-1);
  if (after === undefined) return addTag(spec, tag, value, packageName);
  let at = free(spec, after.end);
  const outside = section.header < 0 ? 0 : spec.depths[section.header]!;
  if (spec.depths[after.line]! > outside) {
    for (let line = at; line < section.end; line++) {
      if (spec.roles[line] === 'endif' && spec.depths[line] === outside) {
        at = free(spec, line + 1);
        break;
      }
    }
  }
  return replaceLines(spec, at, at, [`${tag}: ${value}`]);
}

export function updateTag(spec: Spec, tag: string, value: string, packageName = ''): Spec {
  tagSection(spec, packageName);
  const found = tags(spec, { name: tag, package: packageName });
  if (found.length === 0) throw noTag(spec, tag, undefined, packageName);
  let result = spec;
  for (const one of found.toReversed()) result = replaceLines(result, one.line, one.end, [`${tag}: ${value}`]);
  return result;
}

export function setTag(spec: Spec, tag: string, value: string, packageName = ''): Spec {
  tagSection(spec, packageName);
  const there = tags(spec, { name: tag, package: packageName }).length > 0;
  return there ? updateTag(spec, tag, value, packageName) : addTag(spec, tag, value, packageName);
}

export function removeTag(spec: Spec, tag: string, value: string | undefined, packageName = ''): Spec {
  tagSection(spec, packageName);
  const wanted = value === undefined ? undefined : asStored(value, spec.encoding).trim().toLowerCase();
  const found = tags(spec, { name: tag, package: packageName }).filter(
    (one) => wanted === undefined || one.value.toLowerCase() === wanted,
  );
  if (found.length === 0) throw noTag(spec, tag, value, packageName);
  return removeLines(
    spec,
    found.map((one) => [one.line, one.end]),
  );
}

function noTag(spec: Spec, tag: string, value: string | undefined, packageName: string): WeirError {
  const here = tags(spec, { package: packageName });
  const looked = `${packageLabel(packageName)} has no tag ${tag}${value === undefined ? '' : `: ${value}`}`;
  const elsewhere = tags(spec, { name: tag }).find(
    (one) => one.package !== packageName && (value === undefined || one.value.toLowerCase() === value.toLowerCase()),
  );
  return noMatch(looked, [
    describeNearTag(here, tag, value),
    elsewhere === undefined ? undefined : `${packageLabel(elsewhere.package)} has it, in line ${elsewhere.line + 1}`,
  ]);
}

function describeNearTag(here: readonly Tag[], tag: string, value: string | undefined): string | undefined {
  const sameName = here.filter((one) => one.name.toLowerCase() === tag.toLowerCase());
  if (value !== undefined && sameName.length > 0) {
    const near = closest(
      value,
      sameName.map((one) => one.value),
    )[0];
    const shown = sameName.find((one) => one.value === near) ?? sameName[0]!;
    return `closest: line ${shown.line + 1}: ${shown.name}: ${shown.value}`;
  }
  const near = closest(
    tag,
    here.map((one) => one.name),
  )[0];
  const shown = here.find((one) => one.name === near);
  return shown === undefined ? undefined : `closest: line ${shown.line + 1}: ${shown.name}: ${shown.value}`;
}

interface Scope {
  readonly section?: string | undefined;
  readonly package?: string | undefined;
}

/** The sections that lines go into. Without a section there is none: the whole file is meant. */
function targetSections(spec: Spec, scope: Scope): Section[] | undefined {
  if (scope.section === undefined) {
    if (scope.package === undefined) return undefined;
    throw new WeirError('overlay-invalid', 'an overlay with a package needs a section too', { exit: 2 });
  }
  const found = sectionsOf(spec, scope.section, scope.package ?? '');
  if (found.length === 0) throw noSection(spec, scope);
  return found;
}

function noSection(spec: Spec, scope: Scope): WeirError {
  const label = scope.package === undefined || scope.package === '' ? '' : ` of package ${scope.package}`;
  const named = spec.sections.filter((one) => one.header >= 0);
  const same = named.filter((one) => one.key === scope.section?.toLowerCase());
  const pool = same.length > 0 ? same : named;
  const wanted = `${scope.section ?? ''} ${scope.package ?? ''}`.trim();
  const near = closest(
    wanted,
    pool.map((one) => `${one.name} ${one.package}`.trim()),
  )[0];
  const shown = pool.find((one) => `${one.name} ${one.package}`.trim() === near) ?? same[0];
  return noMatch(`the spec has no section ${scope.section ?? ''}${label}`, [
    shown === undefined ? undefined : `closest: line ${shown.header + 1}: ${spec.lines[shown.header]!.text.trim()}`,
  ]);
}

export function prependLines(spec: Spec, lines: readonly string[], scope: Scope): Spec {
  const sections = targetSections(spec, scope);
  if (sections === undefined) return replaceLines(spec, 0, 0, lines);
  let result = spec;
  for (const section of sections.toReversed()) {
    const at = free(spec, section.start);
    result = replaceLines(result, at, at, lines);
  }
  return result;
}

export function appendLines(spec: Spec, lines: readonly string[], scope: Scope): Spec {
  const sections = targetSections(spec, scope);
  if (sections === undefined) return replaceLines(spec, spec.lines.length, spec.lines.length, lines);
  let result = spec;
  for (const section of sections.toReversed()) {
    const at = sectionTail(spec, section);
    result = replaceLines(result, at, at, lines);
  }
  return result;
}

/** Line by line, never in a section's header. Without a package the sections of all packages are searched. */
export function searchReplace(spec: Spec, regex: string, replacement: string, scope: Scope): Spec {
  const replace = compileReplacer(asStored(regex, spec.encoding), asStored(replacement, spec.encoding));
  const sections = sectionsOf(spec, scope.section, scope.package);
  if (sections.length === 0) throw noSection(spec, scope);
  const lines = [...spec.lines];
  let changed = false;
  const end = lineEnd(spec.lines);
  for (const section of sections) {
    for (let line = section.start; line < section.end; line++) {
      const before = spec.lines[line]!;
      const text = replace(before.text);
      if (text === before.text) continue;
      changed = true;
      lines[line] = { text: end === '\n' ? text : text.replace(/\r?\n/g, end), end: before.end };
    }
  }
  if (!changed) throw noPattern(spec, regex, sections, scope);
  // A replacement may hold line breaks, so the text is split anew.
  return parseLines(splitLines(lines.map((line) => line.text + line.end).join('')), spec.encoding);
}

function noPattern(spec: Spec, regex: string, sections: readonly Section[], scope: Scope): WeirError {
  const candidates = (among: readonly Section[]): [number, string][] =>
    among.flatMap((section) =>
      Array.from({ length: section.end - section.start }, (_, offset): [number, string] => [
        section.start + offset,
        spec.lines[section.start + offset]!.text,
      ]),
    );
  const near =
    nearestLine(patternWords(regex), candidates(sections)) ??
    nearestLine(patternWords(regex), candidates(spec.sections));
  const place =
    scope.section === undefined && scope.package === undefined
      ? 'the spec'
      : `${scope.section ?? 'the sections'}${scope.package === undefined ? '' : ` of ${packageLabel(scope.package)}`}`;
  return noMatch(`nothing changes in ${place} by replacing /${regex}/`, [
    near === undefined ? undefined : `closest: line ${near.line}: ${near.text}`,
  ]);
}

export function removeSection(spec: Spec, section: string, packageName = ''): Spec {
  const found = sectionsOf(spec, section, packageName);
  if (found.length === 0) throw noSection(spec, { section, package: packageName });
  return removeSections(spec, found);
}

/** Removes every section of a package that is not the main one. */
export function removeSubpackage(spec: Spec, packageName: string): Spec {
  if (packageName === '') {
    throw new WeirError('overlay-invalid', 'the main package cannot be removed', { exit: 2 });
  }
  const found = sectionsOf(spec, undefined, packageName);
  if (found.length === 0) {
    const near = closest(packageName, new Set(spec.sections.map((one) => one.package)))[0];
    throw noMatch(`the spec has no section of package ${packageName}`, [
      near === undefined || near === '' ? undefined : `closest: ${near}`,
    ]);
  }
  return removeSections(spec, found);
}

function removeSections(spec: Spec, sections: readonly Section[]): Spec {
  const unmatched = spec.strays[0] ?? spec.conditionals.find((one) => one.close === undefined)?.open;
  if (unmatched !== undefined) {
    throw interleaved(spec, unmatched, 'sections cannot be removed: this conditional has no other end');
  }
  const ranges = sections.map((section): [number, number] => [section.header, removableEnd(spec, section)]);
  const kept = keptDefines(spec, ranges);
  return removeLines(
    spec,
    ranges.flatMap(([from, to]) => without(from, to, kept)),
  );
}

function without(from: number, to: number, kept: ReadonlySet<number>): [number, number][] {
  const ranges: [number, number][] = [];
  for (let line = from; line < to; line++) if (!kept.has(line)) ranges.push([line, line + 1]);
  return ranges;
}

function interleaved(spec: Spec, line: number, message: string): WeirError {
  return new WeirError('overlay-interleaved', message, {
    details: [`line ${line + 1}: ${spec.lines[line]!.text.trim()}`],
    hint: 'use spec-search-replace on the lines themselves',
    exit: 2,
  });
}

/** Behind the last line that goes with the section: conditionals that began before it or guard the next one stay. */
function removableEnd(spec: Spec, section: Section): number {
  const openers: number[] = [];
  let end = section.end;
  for (let line = section.start; line < section.end; line++) {
    const role = spec.roles[line];
    if (role === 'if') {
      openers.push(line);
    } else if (role === 'endif' || role === 'branch') {
      if (openers.length === 0) {
        end = line;
        break;
      }
      if (role === 'endif') openers.pop();
    }
  }
  if (end === section.end && openers.length > 0) end = openers[0]!;
  for (let line = end; line < section.end; line++) {
    const role = spec.roles[line];
    // A macro that is set there may stay there: it expands to nothing, whatever section it then is in.
    const start = logicalStart(spec, line);
    if (start >= end && definePattern.test(spec.lines[start]!.text)) continue;
    if (role === 'text' || role === 'tag') {
      throw interleaved(spec, line, 'the section has content beyond a conditional that it does not own');
    }
  }
  const open = { brace: 0, paren: 0, square: 0 };
  for (let line = section.header; line < end; line++) countBrackets(spec.lines[line]!.text, open);
  // A macro that begins in the section and ends behind it, or began before it and ends in it, would be cut in two.
  const cut = (spec.joined[end] === true) !== (spec.joined[section.header] === true);
  if (open.brace + open.paren + open.square > 0 || cut) {
    throw interleaved(spec, section.header, 'the section ends inside of a macro');
  }
  return end;
}

/** `%global`s and `%define`s inside the ranges whose macro is used outside of them: without them the rest would break. */
function keptDefines(spec: Spec, ranges: readonly (readonly [number, number])[]): Set<number> {
  const inside = new Set<number>();
  for (const [from, to] of ranges) for (let line = from; line < to; line++) inside.add(line);
  const kept = new Set<number>();
  let outside: string | undefined;
  for (const line of inside) {
    const name = /^\s*%(?:global|define)\s+([A-Za-z_]\w*)/.exec(spec.lines[line]!.text)?.[1];
    const header = ranges.find(([from, to]) => from <= line && line < to)![0];
    // In a conditional of its own it can't be kept without that.
    if (name === undefined || spec.joined[line] === true || spec.depths[line] !== spec.depths[header]) continue;
    outside ??= spec.lines
      .filter((_one, index) => !inside.has(index))
      .map((one) => one.text)
      .join('\n');
    if (!new RegExp(`%\\{?[?!]*${name}\\b`).test(outside)) continue;
    kept.add(line);
    for (let next = line + 1; spec.joined[next] === true && inside.has(next); next++) kept.add(next);
  }
  return kept;
}

/** Lists a patch: in `%patchlist` where there is one, else as the tag with the next number. */
export function addPatch(spec: Spec, file: string): Spec {
  const list = spec.sections.find((section) => section.key === '%patchlist');
  if (list !== undefined) {
    const at = sectionTail(spec, list);
    return replaceLines(spec, at, at, [file]);
  }
  const highest = Math.max(-1, ...patches(spec).map((patch) => patch.number));
  return insertTag(spec, `Patch${highest + 1}`, file);
}

/** Unlists patches. @returns the spec, and the file names and numbers of what went */
export function removePatches(
  spec: Spec,
  glob: string,
  matches: (name: string) => boolean,
): { readonly spec: Spec; readonly names: readonly string[]; readonly numbers: readonly number[] } {
  const macros = plainMacros(spec);
  const all = patches(spec).map((patch) => ({ ...patch, name: fileNameOf(expandPlain(patch.value, macros)) }));
  const found = all.filter((patch) => matches(patch.value) || matches(patch.name));
  if (found.length === 0) {
    const near = closest(
      glob,
      all.map((patch) => patch.name),
    )[0];
    throw noMatch(`the spec lists no patch that matches ${glob}`, [
      near === undefined ? undefined : `closest: ${near}`,
    ]);
  }
  return {
    spec: removeLines(
      spec,
      found.map((patch) => [patch.line, patch.end]),
    ),
    names: found.map((patch) => patch.name),
    numbers: found.map((patch) => patch.number),
  };
}
