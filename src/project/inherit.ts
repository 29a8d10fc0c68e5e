import type { TomlPath } from '../toml/place.ts';
import type { Collected } from './collect.ts';
import { defaultVersion } from './distro.ts';
import type { ConfigDocument } from './include.ts';
import { componentKeys, keysAt } from './keys.ts';
import { isZero } from './merge.ts';
import type { RawComponent } from './schema/component.ts';

/** One of the tables that a component is made of, as its file has it. */
export interface InheritedTable {
  readonly level: 'version' | 'default' | 'group' | 'component';
  readonly document: ConfigDocument;
  /** Path of the table in the document. */
  readonly path: TomlPath;
  readonly raw: RawComponent;
}

/**
 * The tables that a component is made of, weakest first: the version of the project's default distro, the project's
 * default-component-config, its groups by name, itself; each of them in every file that has it.
 * @param groups of the component, sorted
 */
export function tablesOf(collected: Collected, name: string, groups: readonly string[]): InheritedTable[] {
  const key = 'default-component-config';
  const tables: InheritedTable[] = [];
  const add = (
    level: InheritedTable['level'],
    document: ConfigDocument,
    path: TomlPath,
    raw: RawComponent | undefined,
  ): void => {
    if (raw !== undefined) tables.push({ level, document, path, raw });
  };
  const version = defaultVersion(collected);
  if (version !== undefined) add('version', version.document, [...version.path, key], version.raw[key]);
  for (const document of collected.documents) add('default', document, [key], document.data[key]);
  for (const group of groups) {
    const entry = collected.groups.get(group);
    if (entry !== undefined) add('group', entry.document, [...entry.path, key], entry.raw[key]);
  }
  for (const document of collected.components.get(name)?.documents ?? []) {
    add('component', document, ['components', name], document.data.components?.[name]);
  }
  return tables;
}

/** The strongest of the tables that sets something at or below a path, or undefined. */
export function whoSaid(tables: readonly InheritedTable[], path: TomlPath): InheritedTable | undefined {
  const { merge } = keysAt(componentKeys, path).rule;
  const isSaid = (value: unknown): boolean => (merge === 'even-empty' ? value !== undefined : !isZero(value));
  return tables.findLast(({ raw }) =>
    isSaid(path.reduce<unknown>((table, key) => (table as Record<string, unknown> | undefined)?.[key], raw)),
  );
}
