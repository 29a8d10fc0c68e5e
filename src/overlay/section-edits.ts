// Edits that remove sections.
// Every edit takes a spec and returns a new one. It throws a WeirError `overlay-no-match` if there is nothing to change,
// because upstream has made such an overlay obsolete.

import { WeirError } from '../base/errors.ts';
import { nameFitter } from '../spec/names.ts';
import type { Section, Spec } from '../spec/parse.ts';
import { mainNames, sectionsOf } from '../spec/query.ts';
import { noMatch } from './edit-errors.ts';
import { nearestName } from './nearest.ts';
import { removeSections } from './remove-sections.ts';
import { callsOf, macroMade, madeLike, noSection } from './wanted-sections.ts';

/** Removes every section of that name and package. */
export function removeSection(spec: Spec, section: string, packageName = ''): Spec {
  const found = sectionsOf(spec, section, packageName);
  if (found.length > 0) return removeSections(spec, found);
  const made = madeLike(spec, { section, package: packageName });
  throw made.error ?? noSection(spec, { section, package: packageName }, made.details);
}

/**
 * Removes every section of a package other than the main one, and calls of macros that generate nothing else. Both
 * forms of a name count: to rpm, `-n x-doc` and `doc` are one package, and it rejects sections of a package that does not
 * exist.
 */
export function removeSubpackage(spec: Spec, packageName: string): Spec {
  const fits = nameFitter(spec);
  const named = sectionsOf(spec, undefined, packageName);
  const written =
    named.length === 0
      ? named
      : spec.sections.filter(
          (one) =>
            named.includes(one) || (one.maker === undefined && one.header >= 0 && fits(one, packageName) === 'exact'),
        );
  if (packageName === '' || (written.some((one) => one.wholeName) && mainNames(spec)(packageName))) {
    throw new WeirError('overlay-invalid', 'the main package cannot be removed', { exit: 2 });
  }
  const defined = written.some((one) => one.key === '%package');
  const made: Section[] = [];
  for (const calls of callsOf(spec)) {
    const fitting = calls.map((one) => fits(one, packageName));
    if (fitting.every((fit) => fit === 'exact') && calls[0]!.maker!.pure) {
      made.push(...calls);
      continue;
    }
    // A macro whose packages are unknown cannot generate a package that the spec itself defines.
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
