// Which components a commit may have changed, by the files that it touched. The result may contain too many components but
// never too few: their inputs decide whether they changed. This keeps a history of thousands of commits fast.

import { basename, dirname, join } from 'node:path';
import { parse, stringify, type TomlTable } from 'smol-toml';
import { canonicalJson } from '../base/digest.ts';
import { componentKeys, fileKeys, type Keys, keysAt, overlayFileKeys } from '../project/keys.ts';
import type { FileTree, TreeFile } from '../sources/repository.ts';
import { isTable } from '../toml/document.ts';
import { type Endings, endingsIn, isDocument, tomlOnly } from './at-commit.ts';

/** The parts of one TOML file that can affect components. */
interface FileIndex {
  readonly table: TomlTable;
  /** Component → its table, in a comparable form. */
  readonly components: ReadonlyMap<string, string>;
  readonly groups: ReadonlyMap<string, { readonly members: ReadonlySet<string>; readonly rest: string }>;
  /** Everything else that any component may inherit, in a comparable form. */
  readonly shared: string;
  /** An overlay file: components find it by globs. */
  readonly isOverlayFile: boolean;
  /** Components with overlay files of their own. */
  readonly overlayFileUsers: readonly string[];
  readonly inheritsOverlayFiles: boolean;
  /** Path in the repository → the components that own it; a path that ends in `/` is a folder. */
  readonly owned: readonly (readonly [path: string, owner: Owner])[];
  /** Upstream name → components with another name. */
  readonly upstreamNames: readonly (readonly [name: string, component: string])[];
  /** Endings of the files that it includes. */
  readonly endings: readonly string[];
}

type Owner = { readonly component: string } | 'overlay-files' | 'all';

/** Names of components, or all of them. */
export type Candidates = ReadonlySet<string> | 'all';

/** A file with more components than this is not loaded whole for only a few of them. */
const many = 20;

/** The configuration at one commit, which can advance to the next one. */
export class HistoryIndex {
  readonly #files = new Map<string, FileIndex | undefined>();
  /** Folder → names of the specs in it. */
  readonly #specs = new Map<string, Set<string>>();
  #owners: ReadonlyMap<string, readonly Owner[]> | undefined;
  #upstreamNames: ReadonlyMap<string, readonly string[]> | undefined;

  /** Endings of configuration files. */
  endings(): Endings {
    return new Set([...tomlOnly, ...[...this.#files.values()].flatMap((file) => file?.endings ?? [])]);
  }

  /**
   * Advances by the changes of a commit.
   * @param endings those of configuration files
   * @param text returns the new content of a configuration file
   */
  advance(
    changes: ReadonlyMap<string, TreeFile | undefined>,
    endings: Endings,
    text: (path: string) => string,
  ): Candidates {
    const holds = (path: string): boolean => isDocument(path, endings);
    const found = new Set<string>();
    let all = false;
    const add = (candidates: Candidates): void => {
      if (candidates === 'all') all = true;
      else for (const name of candidates) found.add(name);
    };
    // Owners before and after: a file can come into use by the commit that changes it.
    const plain = [...changes.keys()].filter((path) => !holds(path) || path.endsWith('.spec'));
    for (const path of plain) add(this.#ownersOf(path));
    for (const [path, file] of changes) {
      if (path.endsWith('.spec')) this.#noteSpec(path, file !== undefined);
      else if (holds(path)) add(this.#replace(path, file === undefined ? null : text(path)));
    }
    for (const path of plain) add(this.#ownersOf(path));
    return all ? 'all' : found;
  }

  /** Names of all components that the files have tables for. */
  named(): Set<string> {
    return new Set([...this.#files.values()].flatMap((file) => [...(file?.components.keys() ?? [])]));
  }

  /**
   * The configuration with only these components, if leaving out the others is worth it: components load the same alone as in
   * the whole project, because none depends on another.
   * @param whole content of each file of the configuration, specs empty
   */
  restricted(whole: ReadonlyMap<string, string>, names: Candidates): Map<string, string> {
    if (names === 'all') return new Map(whole);
    const files = new Map<string, string>();
    for (const [path, text] of whole) {
      if (path.endsWith('.spec')) {
        if (names.has(basename(path, '.spec'))) files.set(path, text);
        continue;
      }
      const index = this.#files.get(path);
      files.set(path, index === undefined ? text : restrict(index, text, names));
    }
    return files;
  }

  #replace(path: string, text: string | null): Candidates {
    const before = this.#files.get(path);
    const wasThere = this.#files.has(path);
    this.#owners = undefined;
    this.#upstreamNames = undefined;
    if (text === null) this.#files.delete(path);
    else this.#files.set(path, indexFile(path, text));
    const after = this.#files.get(path);
    if ((wasThere && before === undefined) || (text !== null && after === undefined)) return 'all';
    return this.#difference(before ?? nothing, after ?? nothing);
  }

  #difference(before: FileIndex, after: FileIndex): Candidates {
    if (before.shared !== after.shared) return 'all';
    const found = new Set<string>();
    for (const name of new Set([...before.components.keys(), ...after.components.keys()])) {
      if (before.components.get(name) !== after.components.get(name)) found.add(name);
    }
    for (const name of new Set([...before.groups.keys(), ...after.groups.keys()])) {
      const [old, now] = [before.groups.get(name), after.groups.get(name)];
      if ((old?.rest ?? noGroup) !== (now?.rest ?? noGroup)) return 'all';
      for (const member of new Set([...(old?.members ?? []), ...(now?.members ?? [])])) {
        if (old?.members.has(member) !== now?.members.has(member)) found.add(member);
      }
    }
    if (before.isOverlayFile || after.isOverlayFile) {
      const users = this.#overlayFileUsers();
      if (users === 'all') return users;
      for (const name of users) found.add(name);
    }
    return found;
  }

  #overlayFileUsers(): Candidates {
    const files = [...this.#files.values()];
    if (files.some((file) => file?.inheritsOverlayFiles)) return 'all';
    return new Set(files.flatMap((file) => file?.overlayFileUsers ?? []));
  }

  #noteSpec(path: string, there: boolean): void {
    const dir = dirname(path);
    const names = this.#specs.get(dir) ?? new Set();
    if (there) names.add(basename(path, '.spec'));
    else names.delete(basename(path, '.spec'));
    this.#specs.set(dir, names);
  }

  #ownersOf(path: string): Candidates {
    const found = new Set<string>();
    const owners = this.#allOwners();
    const own = [...(owners.get(path) ?? [])];
    const specs = new Set<string>();
    if (path.endsWith('.lock')) found.add(basename(path, '.lock'));
    if (basename(path) === '.azldev-version') return 'all';
    if (path.endsWith('.spec')) specs.add(basename(path, '.spec'));
    for (let dir = dirname(path); ; dir = dirname(dir)) {
      own.push(...(owners.get(`${dir}/`) ?? []));
      // A group finds specs by globs, and a dist-git can be a folder: files beside or below may belong to it.
      for (const name of this.#specs.get(dir) ?? []) specs.add(name);
      if (dir === '.') break;
    }
    this.#upstreamNames ??= grouped([...this.#files.values()].flatMap((file) => file?.upstreamNames ?? []));
    for (const spec of specs) {
      found.add(spec);
      for (const name of this.#upstreamNames.get(spec) ?? []) found.add(name);
    }
    for (const owner of own) {
      if (owner === 'all') return owner;
      if (owner !== 'overlay-files') {
        found.add(owner.component);
        continue;
      }
      const users = this.#overlayFileUsers();
      if (users === 'all') return users;
      for (const name of users) found.add(name);
    }
    return found;
  }

  #allOwners(): ReadonlyMap<string, readonly Owner[]> {
    this.#owners ??= grouped([...this.#files.values()].flatMap((file) => file?.owned ?? []));
    return this.#owners;
  }
}

function grouped<T>(pairs: readonly (readonly [string, T])[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

const noGroup = canonicalJson({});

const nothing: FileIndex = {
  table: {},
  components: new Map(),
  groups: new Map(),
  shared: canonicalJson({}),
  isOverlayFile: false,
  overlayFileUsers: [],
  inheritsOverlayFiles: false,
  owned: [],
  upstreamNames: [],
  endings: [],
};

/** Undefined if the text is not TOML. */
function indexFile(path: string, text: string): FileIndex | undefined {
  let table: TomlTable;
  try {
    table = parse(text);
  } catch {
    return undefined;
  }
  const tables = tableOf(table.components);
  const components = Object.entries(tables);
  const defaults = inheritedTables(table);
  const users = components.filter(([, value]) => 'overlay-files' in tableOf(value)).map(([name]) => name);
  return {
    table,
    components: new Map(components.map(([name, value]) => [name, canonicalJson(value)])),
    groups: new Map(
      Object.entries(tableOf(table['component-groups'])).map(([name, value]) => {
        const rest = inheritedPart(value, keysAt(fileKeys, ['component-groups', name]));
        return [name, { members: new Set(textsOf(tableOf(value).components)), rest: canonicalJson(rest) }];
      }),
    ),
    shared: canonicalJson(inheritedPart(table, Array.isArray(table.overlays) ? overlayFileKeys : fileKeys)),
    isOverlayFile: Array.isArray(table.overlays),
    overlayFileUsers: users,
    inheritsOverlayFiles: defaults.some((each) => 'overlay-files' in each),
    owned: [
      ...components.flatMap(([component, value]) => ownedBy(path, value, { component }, componentKeys)),
      ...defaults.flatMap((each) => ownedBy(path, each, 'all', componentKeys)),
      ...ownedBy(path, { overlays: table.overlays ?? [] }, 'overlay-files', overlayFileKeys),
    ],
    endings: endingsIn(text),
    upstreamNames: components.flatMap(([component, value]) => {
      const name = tableOf(tableOf(value).spec)['upstream-name'];
      return typeof name === 'string' ? [[name, component] as const] : [];
    }),
  };
}

/** The tables of component settings that components inherit from. */
function inheritedTables(table: TomlTable): Readonly<Record<string, unknown>>[] {
  const versions = Object.values(tableOf(table.distros)).flatMap((distro) =>
    Object.values(tableOf(tableOf(distro).versions)),
  );
  const holders = [table, ...versions, ...Object.values(tableOf(table['component-groups']))];
  return holders.map((holder) => tableOf(tableOf(holder)['default-component-config']));
}

/** A table without the keys that cannot change every component. A key without a rule counts as one that can. */
function inheritedPart(value: unknown, keys: Keys): unknown {
  if (!isTable(value)) return value;
  const kept = Object.entries(value).filter(([key]) => (keys.at(key).rule.affects ?? 'all') === 'all');
  return Object.fromEntries(kept.map(([key, inner]) => [key, inheritedPart(inner, keys.at(key))]));
}

/** The files that a table of component settings, or of a file, names and that are inputs of components. */
function ownedBy(path: string, settings: unknown, owner: Owner, keys: Keys): (readonly [string, Owner])[] {
  if (typeof settings === 'string') {
    const { takes } = keys.rule;
    if (takes === undefined) return [];
    const at = join(dirname(path), settings);
    return [[takes === 'folder' ? `${dirname(at)}/` : at, owner]];
  }
  if (!keys.hasPaths) return [];
  const inner = Array.isArray(settings) ? settings.entries() : isTable(settings) ? Object.entries(settings) : [];
  return [...inner].flatMap(([key, value]) => ownedBy(path, value, owner, keys.at(key)));
}

function tableOf(value: unknown): Readonly<Record<string, unknown>> {
  return isTable(value) ? value : {};
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function restrict(index: FileIndex, text: string, names: ReadonlySet<string>): string {
  const { components, groups, table } = index;
  if (components.size === 0 && groups.size === 0) return text;
  const wanted = [...components.keys()].filter((name) => names.has(name));
  // Whole if that is cheap: then line numbers are those of the file.
  if (groups.size === 0 && (components.size <= many ? wanted.length > 0 : wanted.length === components.size)) {
    return text;
  }
  const tables = tableOf(table.components) as TomlTable;
  const result: TomlTable = { ...table };
  result.components = Object.fromEntries(wanted.map((name) => [name, tables[name]!]));
  result['component-groups'] = Object.fromEntries(
    Object.entries(tableOf(table['component-groups'])).map(([name, value]) => {
      const group = tableOf(value);
      return [name, { ...group, components: textsOf(group.components).filter((each) => names.has(each)) }];
    }),
  ) as TomlTable;
  return stringify(result);
}

/** A tree after a commit's changes. */
export function applyChanges(
  tree: Map<string, TreeFile>,
  changes: ReadonlyMap<string, TreeFile | undefined>,
): FileTree {
  for (const [path, file] of changes) {
    if (file === undefined) tree.delete(path);
    else tree.set(path, file);
  }
  return tree;
}
