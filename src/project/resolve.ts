import { didYouMean, WeirError } from '../base/errors.ts';
import { byName } from '../base/order.ts';
import type { TomlPath } from '../toml/place.ts';
import { type Collected, isSpecified } from './collect.ts';
import { tracedDefinition } from './image-extends.ts';
import { type InheritedTable, tablesOf } from './inherit.ts';
import { mergeRules } from './keys.ts';
import type { ResolvedComponent } from './model/component.ts';
import type { Overlay } from './model/overlay.ts';
import type { Project } from './model/project.ts';
import type { RawFile } from './schema/file.ts';
import {
  emptyTable,
  leaves,
  mergeTraced,
  pathFrom,
  type Source,
  single,
  sourceOf,
  type Traced,
  type TracedTable,
  table,
  trace,
} from './trace.ts';

/** A project together with the files that it was made from. */
export interface Configuration {
  readonly project: Project;
  readonly collected: Collected;
}

/** Tables whose content is in the components, after inheritance. */
const inherited: readonly (keyof RawFile)[] = [
  '$schema',
  'spec-version',
  'includes',
  'components',
  'default-component-config',
];

/**
 * The configuration after includes, merging and inheritance, in the keys of the files. Each component has what it inherits,
 * so the tables of defaults are left out. Paths are relative to the project's folder.
 * @param components to show; if any are named, the other tables are left out
 */
export function resolvedTables(configuration: Configuration, components?: readonly ResolvedComponent[]): TracedTable {
  const { project } = configuration;
  const shown = components ?? [...project.components.values()];
  const each = shown
    .toSorted(byName)
    .map((component): [string, Traced] => [component.name, resolvedComponent(configuration, component)]);
  const all = table(each.length === 0 ? [] : [['components', table(each)]]);
  return components === undefined ? table([...otherTables(configuration).entries, ...all.entries]) : all;
}

function otherTables({ collected, project }: Configuration): TracedTable {
  const rules = mergeRules(isSpecified(collected));
  let merged: Traced = emptyTable;
  for (const document of collected.documents) {
    for (const [key, raw] of Object.entries(document.data)) {
      if (inherited.includes(key as keyof RawFile)) continue;
      const value = trace(project.root, document, [key], withoutDefaults(key, raw));
      merged = mergeTraced(merged, table([[key, value]]), rules.file) ?? merged;
    }
  }
  return withExtended(collected, project.root, merged as TracedTable);
}

/** The tables with each image definition as it is built: merged over what it extends. */
function withExtended(collected: Collected, root: string, tables: TracedTable): TracedTable {
  const images = tables.entries.get('images');
  if (images?.kind !== 'table') return tables;
  const all = [...images.entries].map(([name, image]): [string, Traced] => {
    const entry = collected.images.get(name);
    const definition = entry && tracedDefinition(collected, root, entry);
    if (definition === undefined || image.kind !== 'table') return [name, image];
    return [name, { kind: 'table', entries: new Map([...image.entries, ['definition', definition]]) }];
  });
  return { kind: 'table', entries: new Map([...tables.entries, ['images', table(all)]]) };
}

/** A table of a file without the component settings that its members inherit. */
function withoutDefaults(key: string, raw: unknown): unknown {
  const without = (one: object): object =>
    Object.fromEntries(Object.entries(one).filter(([name]) => name !== 'default-component-config'));
  const each = (all: object, change: (one: object) => object): object =>
    Object.fromEntries(Object.entries(all).map(([name, one]) => [name, change(one as object)]));
  if (key === 'component-groups') return each(raw as object, without);
  if (key !== 'distros') return raw;
  return each(raw as object, (distro) => {
    const { versions } = distro as { versions?: object };
    return versions === undefined ? distro : { ...distro, versions: each(versions, without) };
  });
}

/** The tables that a component is made of, weakest first, each with its values. */
export function componentTables(
  { collected, project }: Configuration,
  component: ResolvedComponent,
): { readonly table: InheritedTable; readonly source: Source; readonly says: TracedTable }[] {
  return tablesOf(collected, component.name, component.groups).map((one) => ({
    table: one,
    source: sourceOf(one.document, one.path, one.path),
    says: trace(project.root, one.document, one.path, one.raw, one.path) as TracedTable,
  }));
}

function resolvedComponent({ collected, project }: Configuration, component: ResolvedComponent): TracedTable {
  const rules = mergeRules(isSpecified(collected));
  let merged: Traced | undefined;
  for (const { document, path, raw } of tablesOf(collected, component.name, component.groups)) {
    merged = mergeTraced(merged, trace(project.root, document, path, raw, path), rules.component);
  }
  const {
    overlays: _,
    'overlay-files': __,
    spec,
    ...rest
  } = Object.fromEntries((merged as TracedTable)?.entries ?? []);
  const own = { file: component.origin.file, line: component.origin.line, table: ['components', component.name] };
  const source = specTable(project.root, collected, component, (spec as TracedTable | undefined) ?? emptyTable, own);
  const overlays = component.overlays.map((overlay) => overlayTable(project.root, overlay));
  return table([
    ...(source === undefined ? [] : [['spec', source] as const]),
    ...Object.entries(rest),
    ...(overlays.length === 0 ? [] : [['overlays', { kind: 'list', items: overlays }] as const]),
  ]);
}

/** The spec as it is used: with the distro's name and version where the files leave them to a default. */
function specTable(
  root: string,
  collected: Collected,
  { spec }: ResolvedComponent,
  said: TracedTable,
  own: Source,
): TracedTable | undefined {
  if (spec === undefined) return undefined;
  const value = (of: TracedTable | undefined, key: string, text: string, by: Source): [string, Traced] => [
    key,
    of?.entries.get(key) ?? single(text, by),
  ];
  if (spec.type === 'local') {
    // The path of a spec that a group's globs found is in no table.
    const of = said.entries.has('path') ? said : undefined;
    return table([value(of, 'type', 'local', own), value(of, 'path', pathFrom(root, spec.path), own)]);
  }
  const { name, version = '', snapshot } = spec.distro;
  const reference = said.entries.get('upstream-distro') as TracedTable | undefined;
  const distro = table([
    value(reference, 'name', name, lastSaying(collected, ['project', 'default-distro', 'name']) ?? own),
    value(reference, 'version', version, lastSaying(collected, ['distros', name, 'default-version']) ?? own),
    ...(snapshot === undefined ? [] : [value(reference, 'snapshot', snapshot, own)]),
  ]);
  const rest = [...said.entries].filter(([key]) => key === 'upstream-name' || key === 'upstream-commit');
  return table([value(said, 'type', 'upstream', own), ['upstream-distro', distro], ...rest]);
}

/** The last file that sets something at a path. */
function lastSaying(collected: Collected, path: TomlPath): Source | undefined {
  const document = collected.documents.findLast(({ data }) => {
    const value = path.reduce<unknown>((of, key) => (of as Record<string, unknown> | undefined)?.[key], data);
    return value !== undefined && value !== '';
  });
  return document && sourceOf(document, path, path.slice(0, -1));
}

function overlayTable(root: string, overlay: Overlay): TracedTable {
  const { origin, metadata, ...fields } = overlay;
  const by: Source = { file: origin.file, line: origin.line, table: [] };
  const links = (urls: readonly string[]): Traced => ({
    kind: 'list',
    items: urls.map((url) => table([['url', single(url, by)]])),
  });
  const texts = (list: readonly string[]): Traced => ({ kind: 'list', items: list.map((text) => single(text, by)) });
  return table([
    ...Object.entries(fields).map(([key, value]): [string, Traced] => [
      key,
      Array.isArray(value) ? texts(value) : single(key === 'source' ? pathFrom(root, value as string) : `${value}`, by),
    ]),
    ...(metadata === undefined
      ? []
      : [
          [
            'metadata',
            table([
              ['category', single(metadata.category, by)],
              ['upstream-status', single(metadata.upstreamStatus, by)],
              ...(metadata.commits.length === 0 ? [] : [['commits', links(metadata.commits)] as const]),
              ...(metadata.bugs.length === 0 ? [] : [['bugs', links(metadata.bugs)] as const]),
            ]),
          ] as const,
        ]),
  ]);
}

/**
 * The part of resolved tables at a key such as `components.curl.build` or `distros."my distro".versions.4.0`. Names with
 * dots need quotes only where they would be ambiguous.
 * @throws WeirError (exit 2) `unknown-key` with the nearest key
 */
export function partAt(tables: TracedTable, key: string): { readonly path: readonly string[]; readonly value: Traced } {
  const words = wordsOf(key);
  const path: string[] = [];
  let value: Traced = tables;
  for (let at = 0; at < words.length; ) {
    const entries: ReadonlyMap<string, Traced> = value.kind === 'table' ? value.entries : new Map();
    const { name, length } = nameAt(words, at, entries);
    const found = entries.get(name);
    if (found === undefined) {
      const where = path.length === 0 ? 'the resolved configuration' : path.join('.');
      throw new WeirError('unknown-key', `${where} has no "${name}"`, {
        hint: didYouMean(name, entries.keys()) ?? 'weir config resolve shows all keys',
        exit: 2,
      });
    }
    path.push(name);
    value = found;
    at += length;
  }
  return { path, value };
}

/** The component that a key is in, so that only this one need be resolved, or undefined. */
export function componentOfKey(project: Pick<Project, 'components'>, key: string): ResolvedComponent | undefined {
  const [table, ...words] = wordsOf(key);
  return table === 'components' ? project.components.get(nameAt(words, 0, project.components).name) : undefined;
}

/** The parts of a key between its dots, quoted ones whole. */
function wordsOf(key: string): string[] {
  const words = key.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^."']+/g) ?? [];
  return words.map((word) => (/^["']/.test(word) ? word.slice(1, -1) : word));
}

/** The name that begins at a word: as many words as form an existing key, else the first alone. */
function nameAt(
  words: readonly string[],
  at: number,
  known: ReadonlyMap<string, unknown>,
): { readonly name: string; readonly length: number } {
  for (let length = 1; at + length <= words.length; length++) {
    const name = words.slice(at, at + length).join('.');
    if (known.has(name)) return { name, length };
  }
  return { name: words[at] ?? '', length: 1 };
}

/** Short names of what a table sets: the keys of its values, those of list elements once. */
export function keysOf(says: Traced): string[] {
  const names = [...leaves(says)].map(({ path }) => {
    const end = path.findIndex((part) => typeof part === 'number');
    return (end < 0 ? path : path.slice(0, end)).join('.');
  });
  return [...new Set(names)];
}
