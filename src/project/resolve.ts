import { closest, WeirError } from '../base/errors.ts';
import type { Collected } from './collect.ts';
import { type InheritedTable, tablesOf } from './inherit.ts';
import type { Overlay, Project, ResolvedComponent } from './model.ts';
import type { RawFile } from './schema/file.ts';
import {
  componentRule,
  emptyTable,
  fileRule,
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
const inherited: readonly (keyof RawFile)[] = ['$schema', 'includes', 'components', 'default-component-config'];

/**
 * The configuration after includes, merging and inheritance, in the keys of the files. What components inherit stands
 * in each of them, so the tables of defaults are left out. Paths are relative to the project's folder.
 * @param components those to show; the other tables are left out where some are named
 */
export function resolvedTables(configuration: Configuration, components?: readonly ResolvedComponent[]): TracedTable {
  const { project } = configuration;
  const shown = components ?? [...project.components.values()];
  const each = shown
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((component): [string, Traced] => [component.name, resolvedComponent(configuration, component)]);
  const all = table(each.length === 0 ? [] : [['components', table(each)]]);
  return components === undefined ? table([...otherTables(configuration).entries, ...all.entries]) : all;
}

function otherTables({ collected, project }: Configuration): TracedTable {
  let merged: Traced = emptyTable;
  for (const document of collected.documents) {
    for (const [key, raw] of Object.entries(document.data)) {
      if (inherited.includes(key as keyof RawFile)) continue;
      const value = trace(project.root, document, [key], withoutDefaults(key, raw));
      merged = mergeTraced(merged, table([[key, value]]), fileRule) ?? merged;
    }
  }
  return merged as TracedTable;
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

/** The tables that make a component, weakest first, each with what it says. */
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
  let merged: Traced | undefined;
  for (const { document, path, raw } of tablesOf(collected, component.name, component.groups)) {
    merged = mergeTraced(merged, trace(project.root, document, path, raw, path), componentRule);
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

/** The spec as it is taken: the distro's name and version where the files leave them to a default. */
function specTable(
  root: string,
  collected: Collected,
  component: ResolvedComponent,
  said: TracedTable,
  own: Source,
): TracedTable | undefined {
  const { spec } = component;
  if (spec === undefined) return undefined;
  const value = (key: string, text: string, by: Source): [string, Traced] => [
    key,
    said.entries.get(key) ?? single(text, by),
  ];
  if (spec.type === 'local') {
    // Found by the globs of a group, where no table says the path.
    const path =
      said.entries.get('path') === undefined ? single(pathFrom(root, spec.path), own) : said.entries.get('path')!;
    const type = said.entries.get('path') === undefined ? single('local', own) : said.entries.get('type')!;
    return table([
      ['type', type],
      ['path', path],
    ]);
  }
  const reference = said.entries.get('upstream-distro') as TracedTable | undefined;
  const project = (key: 'name'): Source => {
    const path = ['project', 'default-distro', key];
    const document = collected.documents.findLast((one) => one.data.project?.['default-distro']?.[key] !== undefined);
    return document === undefined ? own : sourceOf(document, path, ['project']);
  };
  const distro = collected.distros.get(spec.distro.name);
  const version =
    distro === undefined ? own : sourceOf(distro.document, [...distro.path, 'default-version'], distro.path);
  const entries = new Map<string, Traced>([
    ['name', single(spec.distro.name, project('name'))],
    ['version', single(spec.distro.version ?? '', version)],
    ...(reference?.entries ?? []),
  ]);
  const rest = [...said.entries].filter(([key]) => key === 'upstream-name' || key === 'upstream-commit');
  return table([value('type', 'upstream', own), ['upstream-distro', { kind: 'table', entries }], ...rest]);
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
 * @throws WeirError (exit 2) `unknown-key` with what is nearest
 */
export function partAt(tables: TracedTable, key: string): { readonly path: readonly string[]; readonly value: Traced } {
  const words = key.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^."']+/g) ?? [];
  const parts = words.map((word) => (/^["']/.test(word) ? word.slice(1, -1) : word));
  const path: string[] = [];
  let value: Traced = tables;
  for (let at = 0; at < parts.length; ) {
    const entries: ReadonlyMap<string, Traced> = value.kind === 'table' ? value.entries : new Map();
    const length = parts.slice(at).findIndex((_, index) => entries.has(parts.slice(at, at + index + 1).join('.'))) + 1;
    const name = parts.slice(at, at + Math.max(1, length)).join('.');
    const found = entries.get(name);
    if (found === undefined) {
      const near = closest(name, entries.keys())[0];
      const where = path.length === 0 ? 'the resolved configuration' : path.join('.');
      throw new WeirError('unknown-key', `${where} has no "${name}"`, {
        hint: near === undefined ? 'weir config resolve shows what there is' : `did you mean "${near}"?`,
        exit: 2,
      });
    }
    path.push(name);
    value = found;
    at += length;
  }
  return { path, value };
}

/** Which components a key asks for: a name, all of them, or none. */
export function componentOfKey(project: Pick<Project, 'components'>, key: string): ResolvedComponent | undefined {
  const rest = /^components\.(.+)$/s.exec(key)?.[1];
  if (rest === undefined) return undefined;
  const quoted = /^"((?:[^"\\]|\\.)*)"|^'([^']*)'/.exec(rest);
  if (quoted !== null) return project.components.get(quoted[1] ?? quoted[2] ?? '');
  const parts = rest.split('.');
  const length = parts.findIndex((_, index) => project.components.has(parts.slice(0, index + 1).join('.'))) + 1;
  return length === 0 ? undefined : project.components.get(parts.slice(0, length).join('.'));
}

/** Short names of what a table says: its values' keys, those of list elements once. */
export function keysOf(says: Traced): string[] {
  const names = [...leaves(says)].map(({ path }) => {
    const end = path.findIndex((part) => typeof part === 'number');
    return (end < 0 ? path : path.slice(0, end)).join('.');
  });
  return [...new Set(names)];
}
