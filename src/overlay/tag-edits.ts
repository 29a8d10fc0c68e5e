// Edits of tags.
// Every edit takes a spec and returns a new one. It throws a WeirError `overlay-no-match` if there is nothing to change,
// because upstream has made such an overlay obsolete.

import type { WeirError } from '../base/errors.ts';
import { asStored } from '../spec/lines.ts';
import type { Section, Spec } from '../spec/parse.ts';
import { type Tag, tagKey, tags } from '../spec/query.ts';
import { noMatch, packageLabel, shortened } from './edit-errors.ts';
import { before, free, sectionTail } from './insert-places.ts';
import { edit, removeLines, replaceLines } from './line-edits.ts';
import { nearestName } from './nearest.ts';
import { madeLike } from './wanted-sections.ts';

/** The section that a tag goes into: the preamble, the `%package` section, or the lines after a macro that generates it. */
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

export function addTag(spec: Spec, tag: string, value: string, packageName = ''): Spec {
  const at = sectionTail(spec, tagSection(spec, packageName));
  return replaceLines(spec, at, at, [`${tag}: ${value}`]);
}

/** After the last tag of the same family (`Patch7` goes with `Patch0`), else after the last tag, outside of conditionals. */
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

/** Removes all matching tags; an empty `value` means any. @param exactly whether values compare with case */
export function removeTag(spec: Spec, tag: string, value: string | undefined, packageName = '', exactly = false): Spec {
  tagSection(spec, packageName);
  const key = (text: string): string => (exactly ? text : text.toLowerCase());
  const given = value === undefined ? '' : key(asStored(value, spec.encoding).trim());
  const wanted = given === '' ? undefined : given;
  const found = tags(spec, { name: tag, package: packageName }).filter(
    (one) => wanted === undefined || key(one.value) === wanted,
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
