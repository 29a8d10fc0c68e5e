// Where the parts of a component's inputs are set: often not in its own table, but in one that it inherits from.

import { relative } from 'node:path';
import { type InheritedTable, tablesOf, whoSaid } from '../project/inherit.ts';
import { componentRules, type KeyRule } from '../project/keys.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Configuration } from '../project/resolve.ts';
import { type Source, sourceOf } from '../project/trace.ts';
import { lockPath } from '../sources/component-lock.ts';
import type { TomlPath } from '../toml/place.ts';
import type { ComponentInputs, LockedInputs } from './input-parts.ts';

/** Part → the keys that set it, in a table of component settings. */
const keyOfPart: ReadonlyMap<string, TomlPath> = new Map(
  Object.entries<KeyRule>(componentRules).flatMap(([key, { part }]) =>
    part === undefined ? [] : [[part, key.split('.')] as const],
  ),
);

export interface PlacedOptions {
  readonly wanted?: ReadonlySet<string>;
  readonly isWhole?: (file: string) => boolean;
}

/**
 * The inputs with the places of their parts, as far as known: file:line relative to the project.
 * @param wanted names of the parts whose place is needed; by default all
 * @param isWhole whether a file was loaded unmodified; else its line numbers differ from the user's file, and only the file is named
 */
export function placed(
  inputs: ComponentInputs,
  configuration: Configuration,
  component: ResolvedComponent,
  lock: LockedInputs | undefined,
  { wanted, isWhole = () => true }: PlacedOptions = {},
): ComponentInputs {
  const { root } = configuration.project;
  const tables = tablesOf(configuration.collected, component.name, component.groups);
  const parts = inputs.parts.map((part) => {
    if (wanted?.has(part.name) === false) return part;
    const known = part.where === undefined ? undefined : /^(.*):(\d+)$/.exec(part.where);
    if (known != null) return isWhole(known[1]!) ? part : { ...part, where: known[1]! };
    if (
      lock !== undefined &&
      (part.name === 'manual bump' || (part.name === 'upstream commit' && lock.upstreamCommit))
    ) {
      return { ...part, where: relative(root, lockPath(configuration.project, component.name)) };
    }
    const source = sourceOfPart(configuration, tables, component, part.name);
    if (source === undefined || source.line === 0) return part;
    const file = relative(root, source.file);
    return { ...part, where: isWhole(file) ? `${file}:${source.line}` : file };
  });
  return { ...inputs, parts };
}

function sourceOfPart(
  configuration: Configuration,
  tables: readonly InheritedTable[],
  component: ResolvedComponent,
  part: string,
): Source | undefined {
  const said = (path: TomlPath): Source | undefined => {
    const table = whoSaid(tables, path);
    return table === undefined ? undefined : sourceOf(table.document, [...table.path, ...path], table.path);
  };
  const inList =
    (path: TomlPath, list: (raw: InheritedTable['raw']) => readonly string[] | undefined) =>
    (item: string): Source | undefined => {
      const table = tables.findLast(({ raw }) => list(raw)?.includes(item));
      const at = table === undefined ? -1 : list(table.raw)!.indexOf(item);
      return table === undefined ? undefined : sourceOf(table.document, [...table.path, ...path, at], table.path);
    };
  const own = keyOfPart.get(part);
  if (own !== undefined)
    return said(own) ?? (part === 'upstream distro' ? said(['spec', 'upstream-distro', 'name']) : undefined);
  const [, kind, item = ''] = /^(with|without|define|source file) (.*)$/s.exec(part) ?? [];
  if (kind === 'define') return said(['build', 'defines', item]);
  if (kind === 'with') return inList(['build', 'with'], (raw) => raw.build?.with)(item);
  if (kind === 'without') return inList(['build', 'without'], (raw) => raw.build?.without)(item);
  if (kind === 'source file') {
    return inList(['source-files'], (raw) => raw['source-files']?.map(({ filename }) => filename))(item);
  }
  return distroSource(configuration, component, part);
}

function distroSource(configuration: Configuration, component: ResolvedComponent, part: string): Source | undefined {
  const { collected, project } = configuration;
  const upstream = component.spec?.type === 'upstream' ? component.spec.distro : undefined;
  const reference = part === 'distro version' ? project.project.defaultDistro : upstream;
  const entry = reference === undefined ? undefined : collected.distros.get(reference.name);
  if (reference === undefined || entry === undefined) return undefined;
  const version = reference.version ?? project.distros.get(reference.name)?.defaultVersion ?? '';
  const path: Readonly<Record<string, TomlPath>> = {
    'distro version': ['versions', version, 'release-ver'],
    'dist-git branch': ['versions', version, 'dist-git-branch'],
    'dist-git': ['dist-git-base-uri'],
  };
  const wanted = path[part];
  if (wanted === undefined) return undefined;
  // Several files can have tables of a distro; the last one that sets the key wins.
  const document = collected.documents.findLast(({ data }) => {
    const table: unknown = data.distros?.[reference.name];
    return wanted.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], table) !== undefined;
  });
  return document === undefined ? undefined : sourceOf(document, ['distros', reference.name, ...wanted], entry.path);
}
