// How many matches an overlay may have by the draft Distro TOML specification, which is stricter than azldev.

import { WeirError } from '../base/errors.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { Spec } from '../spec/parse.ts';
import { expandPlain, fileNameOf, patches, plainMacros, type Tag, tags } from '../spec/query.ts';
import { packageLabel } from './edit-errors.ts';
import { nameMatcher, type SourceTree } from './files.ts';

/**
 * Checks that an overlay has as many matches as the specification wants, in the sources that it is about to change. Matches that are
 * missing altogether are left to the overlay itself, which says what is near.
 * @throws WeirError (exit 2) `overlay-cardinality`
 */
export function checkCardinality(spec: Spec, files: SourceTree, overlay: Overlay): void {
  switch (overlay.type) {
    case 'spec-add-tag':
    case 'spec-set-tag':
    case 'spec-update-tag': {
      const found = tags(spec, { name: overlay.tag, package: overlay.package ?? '' });
      const most = overlay.type === 'spec-add-tag' ? 0 : 1;
      if (found.length > most) throw tooMany(overlay, found, most);
      return;
    }
    case 'patch-add':
      if (overlay.file.endsWith('.patch')) return;
      throw wrong(`the name of a patch ends in .patch: ${overlay.file}`, []);
    case 'patch-remove': {
      const matches = nameMatcher(overlay.file);
      const macros = plainMacros(spec);
      const listed = new Set(patches(spec).map(({ value }) => fileNameOf(expandPlain(value, macros))));
      const names = [...listed].filter(matches);
      const inSpec = names.filter((name) => !files.has(name)).map((name) => `only in the spec: ${name}`);
      const onDisk = [...files.keys()].filter((name) => matches(name) && !listed.has(name));
      const differing = [...inSpec, ...onDisk.map((name) => `only a file: ${name}`)];
      if (names.length > 0 && differing.length > 0) {
        throw wrong(`${overlay.file} matches other patches in the spec than files`, differing);
      }
      return;
    }
    default:
  }
}

function tooMany(overlay: Extract<Overlay, { readonly tag: string }>, found: readonly Tag[], most: number): WeirError {
  const where = packageLabel(overlay.package ?? '');
  const many = `${where} has ${found.length === 1 ? 'a' : found.length} ${overlay.tag} tag${found.length === 1 ? '' : 's'}`;
  const wanted = most === 0 ? 'adds one where there is none' : 'changes a single one';
  const lines = found.slice(0, 5).map(({ line, name, value }) => `line ${line + 1}: ${name}: ${value}`);
  return wrong(`${many}, and ${overlay.type} ${wanted}`, lines);
}

function wrong(message: string, details: readonly string[]): WeirError {
  return new WeirError('overlay-cardinality', message, {
    details,
    hint: 'the specification that the project follows wants it so: use spec-insert-tag for a further tag, spec-search-replace for one of several',
    exit: 2,
  });
}
