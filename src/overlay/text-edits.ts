// Edits of the lines of sections.
// Every edit takes a spec and returns a new one. It throws a WeirError `overlay-no-match` if there is nothing to change,
// because upstream has made such an overlay obsolete.

import type { WeirError } from '../base/errors.ts';
import { joinLines, lineEnd, splitLines } from '../spec/lines.ts';
import { parseLines, type Section, type Spec } from '../spec/parse.ts';
import { sectionsOf } from '../spec/query.ts';
import { noMatch, packageLabel } from './edit-errors.ts';
import { free, sectionTail } from './insert-places.ts';
import { edit } from './line-edits.ts';
import { nearestLine } from './nearest.ts';
import { compileReplacer, patternWords } from './regex.ts';
import { madeLike, noSection, type Scope, targetSections } from './wanted-sections.ts';

/** Inserts lines after the header of every such section; without a section, at the top of the file. */
export function prependLines(spec: Spec, lines: readonly string[], scope: Scope): Spec {
  const sections = targetSections(spec, scope, false);
  return insertLines(
    spec,
    lines,
    sections === undefined ? [0] : sections.map((one) => free(spec, one.start, one.start)),
  );
}

/** Inserts lines at the end of every such section; without a section, at the end of the file. */
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
 * Replaces line by line, never in a section's header. Without a package the sections of all packages are searched. A macro
 * that generates sections is a line of the section that contains it.
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
  // A replacement may contain line breaks, so the text is split again.
  return parseLines(splitLines(joinLines(lines)), spec.encoding);
}

/** The end of each written section in the text: the next header, even if macros before it generate sections. */
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
