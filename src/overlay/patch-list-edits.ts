// Edits of the list of patches.
// Every edit takes a spec and returns a new one. It throws a WeirError `overlay-no-match` if there is nothing to change,
// because upstream has made such an overlay obsolete.

import type { Spec } from '../spec/parse.ts';
import { expandPlain, fileNameOf, patches, plainMacros } from '../spec/query.ts';
import { noMatch } from './edit-errors.ts';
import { nearFile } from './files.ts';
import { sectionTail } from './insert-places.ts';
import { removeLines, replaceLines } from './line-edits.ts';
import { nearestName } from './nearest.ts';
import { insertTag } from './tag-edits.ts';

/** Lists a patch: in `%patchlist` if the spec has one, else as the tag with the next number. */
export function addPatch(spec: Spec, file: string): Spec {
  const list = spec.sections.find((section) => section.key === '%patchlist');
  if (list !== undefined) {
    const at = sectionTail(spec, list);
    return replaceLines(spec, at, at, [file]);
  }
  const highest = patches(spec).reduce((most, patch) => Math.max(most, patch.number), -1);
  return insertTag(spec, `Patch${highest + 1}`, file);
}

/** Removes patches from the list. @returns the spec, and the removed file names */
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
