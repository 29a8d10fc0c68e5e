import { basename } from 'node:path';
import { escapeGlob } from '../base/glob.ts';
import { byKey } from '../base/order.ts';
import { isSpecified } from './collect.ts';
import { pinFolderOf } from './evidence.ts';
import { mergeRules } from './keys.ts';
import type { Configuration } from './resolve.ts';
import type { RawFile } from './schema/file.ts';
import {
  emptyTable,
  mergeTraced,
  pathFrom,
  plain,
  single,
  type Traced,
  type TracedTable,
  table,
  trace,
} from './trace.ts';

/** Keys that are about files; the merged configuration is a single one. */
const ofFiles: readonly (keyof RawFile)[] = ['$schema', 'includes'];

/**
 * The configuration after includes and merging, before inheritance: what one file in the project's folder would have to say.
 * Built-in values are in it. Paths and globs are relative to the project's folder. Overlay files that a component inherits are
 * named in its own table, because their globs start in the folder of the component's file.
 */
export function mergedTables({ collected, project }: Configuration): TracedTable {
  const { root } = project;
  const rules = mergeRules(isSpecified(collected));
  let merged: Traced = emptyTable;
  for (const document of collected.documents) {
    for (const [key, raw] of Object.entries(document.data)) {
      if (ofFiles.includes(key as keyof RawFile)) continue;
      const value = trace(root, document, [key], raw);
      merged = mergeTraced(merged, table([[key, value]]), rules.file) ?? merged;
    }
  }
  const tables = withOverlayFiles(merged as TracedTable, { collected, project });
  const { pinFolder } = project.project;
  return pinFolder === undefined ? tables : withPins(tables, { collected, project }, pinFolder);
}

/** The tables with the overlay files of each component in its own table, and none in the tables of defaults. */
function withOverlayFiles(tables: TracedTable, { collected, project }: Configuration): TracedTable {
  const key = 'overlay-files';
  const configured = new Set(collected.documents.map(({ path }) => path));
  const without = (value: Traced): Traced => {
    if (value.kind !== 'table') return value;
    return table(
      [...value.entries].flatMap(([name, inner]) => (name === key ? [] : [[name, without(inner)] as const])),
    );
  };
  const entries = new Map(tables.entries);
  for (const [name, value] of entries) entries.set(name, without(value));
  // Merging drops what is empty, but an empty table is a component too.
  const components = new Map<string, Traced>([...collected.components.keys()].map((name) => [name, emptyTable]));
  for (const [name, one] of (entries.get('components') as TracedTable | undefined)?.entries ?? [])
    components.set(name, one);
  for (const [name, { overlays, origin }] of project.components) {
    const files = [...new Set(overlays.map((overlay) => overlay.origin.file))].filter((file) => !configured.has(file));
    if (files.length === 0) continue;
    const by = { ...origin, table: ['components', name] };
    const items = files.map((file) => single(escapeGlob(pathFrom(project.root, file)), by));
    const own = (components.get(name) as TracedTable | undefined) ?? emptyTable;
    components.set(name, table([...own.entries, [key, { kind: 'list', items }]]));
  }
  if (components.size > 0) entries.set('components', table([...components].sort(byKey)));
  return table(entries);
}

/**
 * The tables with the include of the folder of pins: by that, a project has pins, and ignores locks. What a file includes has the
 * last word, so the pins of components with another commit of their own are left out.
 */
function withPins(tables: TracedTable, { collected, project }: Configuration, folder: string): TracedTable {
  const components = plain(tables.entries.get('components') ?? emptyTable) as NonNullable<RawFile['components']>;
  const pins = collected.documents.filter(({ dir }) => dir === folder);
  const counts = pins.filter(({ data }) =>
    Object.entries(data.components ?? {}).every(
      ([name, raw]) => components[name]?.spec?.['upstream-commit'] === raw.spec?.['upstream-commit'],
    ),
  );
  if (pins.length > 0 && counts.length === 0) return tables;
  const names = counts.map(({ path }) => escapeGlob(basename(path, '.toml')));
  const files = counts.length === pins.length ? '*' : names.length === 1 ? names[0]! : `{${names.join(',')}}`;
  const document = collected.documents.find((each) => pinFolderOf([each]) !== undefined)!;
  const by = { file: document.path, line: 1, table: [] };
  const items = [single(`${escapeGlob(pathFrom(project.root, folder))}/${files}.toml`, by)];
  return table([['includes', { kind: 'list', items }], ...tables.entries]);
}
