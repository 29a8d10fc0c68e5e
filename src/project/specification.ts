import { basename } from 'node:path';
import type { WeirError } from '../base/errors.ts';
import { compareText } from '../base/order.ts';
import { originOf, problem, readDocument } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import { builtIn } from './defaults.ts';
import { type InheritedTable, tablesOf } from './inherit.ts';
import { componentKeys, fileKeys, type Keys, keysAt } from './keys.ts';
import { isZero } from './merge.ts';
import type { Configuration } from './resolve.ts';
import { overlayListSchema } from './schema/component.ts';
import type { RawFile } from './schema/file.ts';
import { differencesOfKeys, differencesOfOverlayFile } from './specification-keys.ts';

/** Revisions of the draft Distro TOML specification that a project can be checked against. */
export const specificationRevisions = ['0.1'] as const;

/**
 * Where a project's files differ from the draft Distro TOML specification, revision 0.1: keys and values that it does not
 * allow, and values that it would merge differently. Sorted by file and place. What needs the specs themselves is checked by
 * `component/specification.ts`.
 */
export function specificationDifferences(configuration: Configuration): WeirError[] {
  const { project, collected } = configuration;
  const documents = collected.documents.filter(({ path }) => path !== builtIn);
  const found = documents.flatMap((document) => differencesOfKeys(document, document.path === project.file));
  for (const path of overlayFilesOf(configuration)) {
    found.push(...differencesOfOverlayFile(readDocument(path, overlayListSchema, { reasons: 'optional' })));
  }
  found.push(...mergingDifferences(configuration), ...groupDifferences(configuration));
  return sorted(found);
}

/** Each finding once, by file, line and column. */
export function sorted(found: readonly WeirError[]): WeirError[] {
  const unique = new Map(found.map((one) => [JSON.stringify([one.where, one.code, one.message]), one]));
  const rank = ({ where }: WeirError): readonly [number, number] => [where?.line ?? 0, where?.column ?? 0];
  return [...unique.values()].sort((a, b) => {
    const [[lineA, columnA], [lineB, columnB]] = [rank(a), rank(b)];
    return compareText(a.where?.file ?? '', b.where?.file ?? '') || lineA - lineB || columnA - columnB;
  });
}

/** The overlay files that components use, sorted. */
function overlayFilesOf({ project, collected }: Configuration): string[] {
  const configured = new Set(collected.documents.map(({ path }) => path));
  const files = [...project.components.values()].flatMap(({ overlays }) => overlays.map(({ origin }) => origin.file));
  return [...new Set(files)].filter((file) => !configured.has(file)).sort();
}

/** A value of one of the tables that merge. */
interface Said {
  readonly table: Pick<InheritedTable, 'document' | 'path'>;
  readonly value: unknown;
}

/** Tables that merge component by component, and keys about the files themselves. */
const ofComponents: readonly (keyof RawFile)[] = [
  '$schema',
  'spec-version',
  'includes',
  'components',
  'component-groups',
  'default-component-config',
];

/**
 * In the specification the last value wins, be it false or empty, and only `overlays` append. Here unset and empty values do not
 * override, and most lists of components append.
 */
function mergingDifferences({ project, collected }: Configuration): WeirError[] {
  const found: WeirError[] = [];
  const top = collected.documents.filter(({ path }) => path !== builtIn);
  const keys = new Set(top.flatMap(({ data }) => Object.keys(data) as (keyof RawFile)[]));
  for (const key of [...keys].filter((one) => !ofComponents.includes(one))) {
    const tables = top.map((document) => ({ document, path: [key] as TomlPath, raw: document.data[key] }));
    found.push(...differencesOf(tables, fileKeys.at(key)));
  }
  const seen = new Set<string>();
  for (const { name, groups } of project.components.values()) {
    const tables = tablesOf(collected, name, groups).filter(({ document }) => document.path !== builtIn);
    // Most components have no table of their own with anything in it.
    const id = tables
      .filter(({ raw }) => Object.keys(raw).length > 0)
      .map(({ document, path }) => `${document.path}\0${path.join('\0')}`);
    if (seen.has(id.join('\n'))) continue;
    seen.add(id.join('\n'));
    found.push(...differencesOf(tables, componentKeys));
  }
  return found;
}

function differencesOf(
  tables: readonly (Pick<InheritedTable, 'document' | 'path'> & { readonly raw: unknown })[],
  keys: Keys,
): WeirError[] {
  const found: WeirError[] = [];
  const said = new Map<string, Said>();
  for (const { document, path, raw } of tables) {
    for (const [inner, value] of leavesOf(raw)) {
      // What a distro says of components is in the tables that these inherit.
      if (inner.includes('default-component-config')) continue;
      const id = inner.join('\0');
      const before = said.get(id);
      const rule = keysAt(keys, inner).rule.merge;
      if (before !== undefined && inner[0] !== 'overlays') {
        const at = [...path, ...inner];
        const { file, line } = originOf(before.table.document, [...before.table.path, ...inner]);
        const earlier = `${basename(file)}:${line}`;
        const name = inner.join('.');
        if (rule === 'append' && !isZero(value)) {
          const message = `${name} replaces the list of ${earlier} in the specification; here it is appended`;
          found.push(problem(document, at, 'merging', message, { hint: 'write the whole list in one place' }));
        } else if (rule !== 'even-empty' && rule !== 'replace' && isZero(value)) {
          const message = `${name} overrides the value of ${earlier} in the specification; here an empty one does not`;
          found.push(problem(document, at, 'merging', message, { hint: 'remove one of the two' }));
        }
      }
      if (!isZero(value) || rule === 'even-empty') said.set(id, { table: { document, path }, value });
    }
  }
  return found;
}

/** The values below a table; a list is one value. */
function* leavesOf(value: unknown, at: readonly string[] = []): Generator<readonly [readonly string[], unknown]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (value !== undefined) yield [at, value];
    return;
  }
  for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, [...at, key]);
}

/** Two groups of one component must not both set a key, unless it appends: their order by name would decide. */
function groupDifferences({ project, collected }: Configuration): WeirError[] {
  const found: WeirError[] = [];
  const seen = new Set<string>();
  for (const { groups } of project.components.values()) {
    if (groups.length < 2 || seen.has(groups.join('\0'))) continue;
    seen.add(groups.join('\0'));
    const said = new Map<string, string>();
    for (const name of groups) {
      const { document, path, raw } = collected.groups.get(name)!;
      const key = 'default-component-config';
      for (const [inner] of leavesOf(raw[key])) {
        if (inner[0] === 'overlays') continue;
        const other = said.get(inner.join('\0'));
        said.set(inner.join('\0'), name);
        if (other === undefined) continue;
        const message = `${inner.join('.')} is set by the group ${other} too, and both groups have a component in common`;
        found.push(
          problem(document, [...path, key, ...inner], 'groups', message, { hint: 'set it in one of the two' }),
        );
      }
    }
  }
  return found;
}
