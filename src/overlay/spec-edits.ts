import { WeirError } from '../base/errors.ts';
import { asStored, joinLines, lineEnd, type SpecLine, splitLines } from '../spec/lines.ts';
import { nameFitter } from '../spec/names.ts';
import { countBrackets, parseLines, type Section, type Spec } from '../spec/parse.ts';
import {
  expandPlain,
  fileNameOf,
  mainNames,
  patches,
  plainMacros,
  sectionsOf,
  type Tag,
  tagKey,
  tags,
} from '../spec/query.ts';
import { nearFile } from './files.ts';
import { nearestLine, nearestName } from './nearest.ts';
import { compileReplacer, patternWords } from './regex.ts';
import { removeSections } from './remove-sections.ts';

// Every function here takes a spec and gives a new one; it throws a WeirError `overlay-no-match` where there is nothing
// to change, because an overlay that does nothing is one that upstream has overtaken.

/** `texts` in place of the lines from `from` to before `to`. A text may have several lines. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly texts: readonly string[];
}

/** All edits at once; they are in the order of the file and do not overlap. */
function edit(spec: Spec, edits: readonly Edit[]): Spec {
  const end = lineEnd(spec.lines);
  const result: SpecLine[] = [];
  let at = 0;
  const copyTo = (to: number): void => {
    for (; at < to; at++) result.push(spec.lines[at]!);
  };
  for (const { from, to, texts } of edits) {
    copyTo(from);
    const last = result.at(-1);
    if (texts.length > 0 && last?.end === '') result[result.length - 1] = { text: last.text, end };
    for (const text of texts) {
      for (const line of asStored(text, spec.encoding).split('\n')) {
        result.push({ text: line.replace(/\r$/, ''), end });
      }
    }
    at = to;
  }
  copyTo(spec.lines.length);
  return parseLines(result, spec.encoding);
}

/** The spec with `texts` in place of the lines from `from` to before `to`. A text may have several lines. */
export function replaceLines(spec: Spec, from: number, to: number, texts: readonly string[]): Spec {
  return edit(spec, [{ from, to, texts }]);
}

function removeLines(spec: Spec, ranges: readonly (readonly [number, number])[]): Spec {
  return edit(
    spec,
    ranges.map(([from, to]) => ({ from, to, texts: [] })),
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

/**
 * Where a tag can go: the preamble, the `%package` section, or what follows a macro that makes it.
 */
function tagSection(spec: Spec, packageName: string): Section {
  const section = spec.sections.find(
    (one) => one.maker === undefined && one.key === '%package' && one.package === packageName,
  );
  if (section !== undefined) return section;
  const made = madeLike(spec, { section: '%package', package: packageName });
  if (made.open !== undefined) return made.open;
  if (made.error !== undefined) throw made.error;
  const names = spec.sections.filter((one) => one.maker === undefined && one.key === '%package');
  const near = nearestName(
    packageName,
    names.map((one) => one.package),
  );
  throw noMatch(`the spec has no %package section for ${packageName}`, [
    near === undefined ? undefined : `closest: ${near}`,
    ...made.details,
  ]);
}

/** Sections that no header in the spec stands for, but that a macro makes. */
interface MadeLike {
  /** One that goes on behind the macro, so that lines can be added to it. */
  readonly open: Section | undefined;
  /** Says which macro makes what an overlay looks for. */
  readonly error: WeirError | undefined;
  /** Macros of which nobody can tell from the text whether they make it. */
  readonly details: readonly string[];
}

function madeLike(spec: Spec, scope: Scope): MadeLike {
  const made = spec.sections.filter(
    (one) => one.maker !== undefined && (scope.section === undefined || one.key === scope.section.toLowerCase()),
  );
  if (made.length === 0) return { open: undefined, error: undefined, details: unseen(spec) };
  const fits = nameFitter(spec);
  const fitted = made.map((section) => {
    const fit = scope.package === undefined ? ('exact' as const) : fits(section, scope.package);
    return { section, fit };
  });
  const exact = fitted.filter(({ fit }) => fit === 'exact').map(({ section }) => section);
  const found = exact[0] ?? fitted.find(({ fit }) => fit === 'like')?.section;
  const details = fitted
    .filter(({ fit }) => fit === 'any')
    .map(({ section }) => section)
    .filter((section, index, all) => all[index - 1]?.header !== section.header)
    .slice(0, 3)
    .map((section) => `${callPlace(spec, section)} makes sections of packages that only rpm can tell`);
  // The last one that a call makes goes on behind it.
  const lasts = new Set(callsOf(spec).map((call) => call.at(-1)!));
  const open = exact.find((section) => section.maker!.certain && lasts.has(section));
  return {
    open,
    error: found === undefined ? undefined : macroMade(spec, scope, found, exact.length > 0),
    details: [...details, ...unseen(spec)],
  };
}

function callPlace(spec: Spec, section: Pick<Section, 'header'>): string {
  return `line ${section.header + 1}: ${shortened(spec.lines[section.header]!.text.trim())}`;
}

function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

/** Included files are not read, so what is in them is not seen. */
function unseen(spec: Spec): string[] {
  return spec.lines
    .map(({ text }, line) => ({ text: text.trim(), line }))
    .filter(({ text, line }) => spec.roles[line] === 'text' && /^%include\s/.test(text))
    .slice(0, 3)
    .map(({ text, line }) => `line ${line + 1}: ${shortened(text)} takes in a file that is not looked into`);
}

function macroMade(spec: Spec, scope: Scope, made: Section, exact: boolean): WeirError {
  const { macro, certain } = made.maker!;
  const wanted =
    scope.section === undefined
      ? packageLabel(scope.package ?? '')
      : scope.package === undefined || scope.package === ''
        ? scope.section
        : `${scope.section} of package ${scope.package}`;
  const verb = exact && certain ? 'is made' : 'can be made';
  return new WeirError(
    'overlay-macro-made',
    `${wanted} is not written in the spec: it ${verb} by the macro ${macro} in line ${made.header + 1}`,
    {
      details: [
        callPlace(spec, made),
        `it makes ${`${made.name} ${made.wholeName ? '-n ' : ''}${made.package}`.trim()}`,
      ],
      hint: 'change the call with spec-search-replace, or the macro that it names',
      exit: 2,
    },
  );
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
  return before(spec, at, section.start);
}

/** The last place up to `at`, but not before `first`, that is not inside a logical line. */
function before(spec: Spec, at: number, first: number): number {
  if (spec.joined[at] !== true) return free(spec, at, first);
  const start = logicalStart(spec, at);
  if (start >= first) return start;
  // The braces began before the section: its lines are all inside of them.
  let place = at;
  while (place > first && spec.lines[place - 1]!.text.endsWith('\\')) place--;
  if (spec.lines[place - 1]!.text.endsWith('\\')) throw headerGoesOn(spec, place - 1);
  return place;
}

function headerGoesOn(spec: Spec, header: number): WeirError {
  return new WeirError('overlay-interleaved', 'the header of the section goes on in the line behind it', {
    details: [callPlace(spec, { header })],
    hint: 'end the header without a backslash, with spec-search-replace',
    exit: 2,
  });
}

const definePattern = /^\s*%(global|define)\b/;

/** The line on which the logical line begins that `line` is a part of. */
function logicalStart(spec: Spec, line: number): number {
  let start = line;
  while (start > 0 && spec.joined[start] === true) start--;
  return start;
}

/**
 * The first place from `at` on that is not inside a logical line; before the last one where that goes on behind the end
 * of the file, as it would take in what is added.
 * @param first the place must not be before this line
 */
function free(spec: Spec, at: number, first = 0): number {
  let place = at;
  while (spec.joined[place] === true) place++;
  const last = spec.lines.length - 1;
  if (place <= last || last < 0) return place;
  if (!countBrackets(spec.lines[last]!.text, { brace: 0, paren: 0, square: 0 })) return place;
  const start = logicalStart(spec, last);
  if (start >= first) return start;
  throw headerGoesOn(spec, start);
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
  let at = free(spec, after.end, section.start);
  if (at > section.end) at = before(spec, section.end, section.start);
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
  return edit(
    spec,
    found.map((one) => ({ from: one.line, to: one.end, texts: [`${tag}: ${value}`] })),
  );
}

export function setTag(spec: Spec, tag: string, value: string, packageName = ''): Spec {
  tagSection(spec, packageName);
  const there = tags(spec, { name: tag, package: packageName }).length > 0;
  return there ? updateTag(spec, tag, value, packageName) : addTag(spec, tag, value, packageName);
}

/** Removes all of them; an empty `value` means any. */
export function removeTag(spec: Spec, tag: string, value: string | undefined, packageName = ''): Spec {
  tagSection(spec, packageName);
  const given = value === undefined ? '' : asStored(value, spec.encoding).trim().toLowerCase();
  const wanted = given === '' ? undefined : given;
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
  const sameName = here.filter((one) => tagKey(one.name) === tagKey(tag));
  const byValue = value !== undefined && sameName.length > 0;
  const near = byValue
    ? nearestName(
        value,
        sameName.map((one) => one.value),
      )
    : nearestName(
        tag,
        here.map((one) => one.name),
      );
  const shown = byValue
    ? (sameName.find((one) => one.value === near) ?? sameName[0]!)
    : here.find((one) => one.name === near);
  return shown === undefined ? undefined : shortened(`closest: line ${shown.line + 1}: ${shown.name}: ${shown.value}`);
}

interface Scope {
  readonly section?: string | undefined;
  readonly package?: string | undefined;
}

/** The sections that lines go into. Without a section there is none: the whole file is meant. */
function targetSections(spec: Spec, scope: Scope, mayBeMade: boolean): Section[] | undefined {
  if (scope.section === undefined || scope.section === '') {
    if (scope.package === undefined || scope.package === '') return undefined;
    throw new WeirError('overlay-invalid', 'an overlay with a package needs a section too', { exit: 2 });
  }
  const found = sectionsOf(spec, scope.section, scope.package ?? '');
  if (found.length > 0) return found;
  const made = madeLike(spec, { section: scope.section, package: scope.package ?? '' });
  if (mayBeMade && made.open !== undefined) return [made.open];
  throw made.error ?? noSection(spec, scope, made.details);
}

function noSection(spec: Spec, scope: Scope, more: readonly string[] = []): WeirError {
  const label = scope.package === undefined || scope.package === '' ? '' : ` of package ${scope.package}`;
  const named = spec.sections.filter((one) => one.header >= 0 && one.maker === undefined);
  const same = named.filter((one) => one.key === scope.section?.toLowerCase());
  const pool = same.length > 0 ? same : named;
  const wanted = `${scope.section ?? ''} ${scope.package ?? ''}`.trim();
  const near = nearestName(
    wanted,
    pool.map((one) => `${one.name} ${one.package}`.trim()),
  );
  const shown = pool.find((one) => `${one.name} ${one.package}`.trim() === near) ?? same[0];
  const searched = scope.section === undefined ? 'section' : `section ${scope.section}`;
  return noMatch(`the spec has no ${searched}${label}`, [
    shown === undefined ? undefined : `closest: ${callPlace(spec, shown)}${difference(spec, shown, wanted)}`,
    ...more,
  ]);
}

/** What makes a section another one than the wanted, where its header reads the same. */
function difference(spec: Spec, shown: Section, wanted: string): string {
  if (spec.lines[shown.header]!.text.trim().replace(/\s+/g, ' ') !== wanted) return '';
  const why = shown.package === '' ? ': the macro holds its text, not the name of a package' : '';
  return `, which is a section of ${packageLabel(shown.package)}${why}`;
}

/** Behind the header of every such section; without a section, at the top of the file. */
export function prependLines(spec: Spec, lines: readonly string[], scope: Scope): Spec {
  const sections = targetSections(spec, scope, false);
  return insertLines(
    spec,
    lines,
    sections === undefined ? [0] : sections.map((one) => free(spec, one.start, one.start)),
  );
}

/** At the end of every such section; without a section, at the end of the file. */
export function appendLines(spec: Spec, lines: readonly string[], scope: Scope): Spec {
  const sections = targetSections(spec, scope, true);
  const places =
    sections === undefined ? [free(spec, spec.lines.length)] : sections.map((one) => sectionTail(spec, one));
  return insertLines(spec, lines, places);
}

function insertLines(spec: Spec, lines: readonly string[], places: readonly number[]): Spec {
  return edit(
    spec,
    [...places].sort((a, b) => a - b).map((at) => ({ from: at, to: at, texts: lines })),
  );
}

/**
 * Line by line, never in a section's header. Without a package the sections of all packages are searched. A macro that
 * makes sections is a line of the section that it stands in.
 */
export function searchReplace(spec: Spec, regex: string, replacement: string, given: Scope): Spec {
  const replace = compileReplacer(regex, replacement, spec.encoding);
  const scope: Scope = { section: given.section || undefined, package: given.package || undefined };
  const written = sectionsOf(spec, scope.section, scope.package);
  const made = written.length > 0 ? undefined : madeLike(spec, scope);
  const sections = written.length > 0 ? written : made?.open === undefined ? [] : [made.open];
  if (sections.length === 0) throw made?.error ?? noSection(spec, scope, made?.details);
  const lines = [...spec.lines];
  let changed = false;
  const end = lineEnd(spec.lines);
  const ends = written.length > 0 ? writtenEnds(spec) : undefined;
  for (const section of sections) {
    for (let line = section.start; line < (ends?.get(section) ?? section.end); line++) {
      const before = spec.lines[line]!;
      const text = replace(before.text);
      if (text === before.text) continue;
      changed = true;
      lines[line] = { text: end === '\n' ? text : text.replace(/\r?\n/g, end), end: before.end };
    }
  }
  if (!changed) throw made?.error ?? noPattern(spec, regex, sections, scope);
  // A replacement may hold line breaks, so the text is split anew.
  return parseLines(splitLines(joinLines(lines)), spec.encoding);
}

/** Where each written section ends in the text: at the next header, whatever macros make before it. */
function writtenEnds(spec: Spec): ReadonlyMap<Section, number> {
  const ends = new Map<Section, number>();
  let end = spec.lines.length;
  for (const section of spec.sections.toReversed()) {
    if (section.maker !== undefined) continue;
    ends.set(section, end);
    end = section.header;
  }
  return ends;
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

/** Removes every section of that name and package. */
export function removeSection(spec: Spec, section: string, packageName = ''): Spec {
  const found = sectionsOf(spec, section, packageName);
  if (found.length > 0) return removeSections(spec, found);
  const made = madeLike(spec, { section, package: packageName });
  throw made.error ?? noSection(spec, { section, package: packageName }, made.details);
}

/**
 * Removes every section of a package that is not the main one, and calls of macros that make nothing else.
 */
export function removeSubpackage(spec: Spec, packageName: string): Spec {
  const written = sectionsOf(spec, undefined, packageName);
  if (packageName === '' || (written.some((one) => one.wholeName) && mainNames(spec)(packageName))) {
    throw new WeirError('overlay-invalid', 'the main package cannot be removed', { exit: 2 });
  }
  const defined = written.some((one) => one.key === '%package');
  const fits = nameFitter(spec);
  const made: Section[] = [];
  for (const calls of callsOf(spec)) {
    const fitting = calls.map((one) => fits(one, packageName));
    if (fitting.every((fit) => fit === 'exact') && calls[0]!.maker!.pure) {
      made.push(...calls);
      continue;
    }
    // A macro whose packages cannot be told does not make one that the spec itself writes.
    const index = fitting.findIndex((fit) => fit === 'exact' || (fit === 'like' && !defined));
    if (index >= 0) throw macroMade(spec, { package: packageName }, calls[index]!, fitting[index] === 'exact');
  }
  if (written.length + made.length > 0) return removeSections(spec, [...written, ...made]);
  const { details } = madeLike(spec, { package: packageName });
  const others = spec.sections.map((one) => one.package).filter((one) => one !== packageName);
  const near = nearestName(packageName, new Set(others));
  throw noMatch(`the spec has no section of package ${packageName}`, [
    near === undefined || near === '' ? undefined : `closest: ${near}`,
    ...details,
  ]);
}

/** The sections that macros make, those of one line together. */
function callsOf(spec: Spec): Section[][] {
  const calls: Section[][] = [];
  for (const section of spec.sections) {
    if (section.maker === undefined) continue;
    const last = calls.at(-1);
    if (last?.[0]?.header === section.header) last.push(section);
    else calls.push([section]);
  }
  return calls;
}

/** Lists a patch: in `%patchlist` where there is one, else as the tag with the next number. */
export function addPatch(spec: Spec, file: string): Spec {
  const list = spec.sections.find((section) => section.key === '%patchlist');
  if (list !== undefined) {
    const at = sectionTail(spec, list);
    return replaceLines(spec, at, at, [file]);
  }
  const highest = patches(spec).reduce((most, patch) => Math.max(most, patch.number), -1);
  return insertTag(spec, `Patch${highest + 1}`, file);
}

/** Unlists patches. @returns the spec, and the file names of what went */
export function removePatches(
  spec: Spec,
  glob: string,
  matches: (name: string) => boolean,
): { readonly spec: Spec; readonly names: readonly string[] } {
  const macros = plainMacros(spec);
  const all = patches(spec).map((patch) => ({ ...patch, name: fileNameOf(expandPlain(patch.value, macros)) }));
  const found = all.filter((patch) => matches(patch.value) || matches(patch.name));
  if (found.length === 0) {
    const near = nearestName(
      glob,
      all.map((patch) => patch.name),
    );
    throw noMatch(`the spec lists no patch that matches ${glob}`, [
      near === undefined ? undefined : nearFile(near, glob),
    ]);
  }
  return {
    spec: removeLines(
      spec,
      found.map((patch) => [patch.line, patch.end]),
    ),
    names: found.map((patch) => patch.name),
  };
}
