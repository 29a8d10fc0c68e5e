import { attempt, type Document, isTable, originOf, problem } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import { mayMatchNothing } from './glob.ts';
import { type ConfigDocument, globIn } from './include.ts';
import { fileKeys, keysAt, mergeRules } from './keys.ts';
import { checkLayer, emptyLayer, type Layer, type LayerPlace, layerOf, mergeLayers } from './layer.ts';
import { merge } from './merge.ts';
import { withAbsolutePaths } from './paths.ts';
import type { RawComponent, RawComponentGroup, RawPackageConfig } from './schema/component.ts';
import type { RawDistro, RawDistroVersion, RawProject, RawResources } from './schema/distro.ts';
import type { RawFile } from './schema/file.ts';
import type { RawImage, RawTestSuite, RawTools } from './schema/image.ts';
import type { RawAdvisories, RawLifecycle, RawRelease, RawSeed, RawSigning, RawToolbox } from './schema/release.ts';
import type { RawSkuGroup, RawTest, RawTestGroup, RawVmSku } from './schema/test.ts';

/** A table of a file, with its path in the document. */
export interface Entry<T> {
  readonly document: ConfigDocument;
  readonly path: TomlPath;
  readonly raw: T;
}

export interface VersionEntry extends Entry<RawDistroVersion> {
  readonly layer: Layer;
}

export interface DistroEntry extends Entry<RawDistro> {
  readonly versions: ReadonlyMap<string, VersionEntry>;
}

export interface GroupEntry extends Entry<RawComponentGroup> {
  readonly layer: Layer;
}

/** One table `[components.X]`. Tables of several files merge; the component's folder is that of the last file. */
export interface ComponentEntry {
  readonly document: ConfigDocument;
  readonly layer: Layer;
  /** Every file that has the table, in merge order. */
  readonly documents: readonly ConfigDocument[];
}

type RawRepos = NonNullable<RawResources['rpm-repos']>;
type RawTemplates = NonNullable<RawResources['rpm-repo-set-templates']>;
type RawSets = NonNullable<RawResources['rpm-repo-sets']>;
type RawPackageGroup = NonNullable<RawFile['package-groups']>[string];

/** Whether the project follows the draft Distro TOML specification. */
export function isSpecified({ documents }: Pick<Collected, 'documents'>): boolean {
  return documents.some(({ specified }) => specified === true);
}

/** All files merged, before inheritance. Where a table overrides another, the entry names the last file that has it. */
export interface Collected {
  readonly documents: readonly ConfigDocument[];
  readonly project: RawProject;
  readonly distros: Map<string, DistroEntry>;
  readonly defaults: Layer;
  readonly defaultPackage: RawPackageConfig;
  readonly groups: Map<string, GroupEntry>;
  readonly components: Map<string, ComponentEntry>;
  readonly packageGroups: Map<string, Entry<RawPackageGroup>>;
  readonly images: Map<string, Entry<RawImage>>;
  readonly testSuites: Map<string, Entry<RawTestSuite>>;
  readonly tests: Map<string, Entry<RawTest>>;
  readonly testGroups: Map<string, Entry<RawTestGroup>>;
  readonly skuGroups: Map<string, Entry<RawSkuGroup>>;
  readonly vmSkus: Map<string, Entry<RawVmSku>>;
  readonly repos: Map<string, Entry<RawRepos[string]>>;
  readonly templates: Map<string, Entry<RawTemplates[string]>>;
  readonly sets: Map<string, Entry<RawSets[string]>>;
  readonly tools: RawTools;
  readonly seed: Entry<RawSeed> | undefined;
  readonly toolbox: Entry<RawToolbox> | undefined;
  readonly signing: Entry<RawSigning> | undefined;
  readonly lifecycle: Entry<RawLifecycle> | undefined;
  readonly advisories: Entry<RawAdvisories> | undefined;
  readonly release: Entry<RawRelease> | undefined;
}

/**
 * Merges files in order, each table by its own rule. An error in one table is recorded and does not stop the next.
 * @param mergeComponents whether a component that several files define is merged instead of an error
 * @throws WeirError (exit 2) `duplicate-name`, `mapping-not-found`, and those of `layerOf`, if the documents collect none
 */
export function collect(documents: readonly ConfigDocument[], mergeComponents = true): Collected {
  const collected = {
    documents,
    project: projectOf(documents),
    distros: new Map<string, DistroEntry>(),
    defaults: emptyLayer,
    defaultPackage: {} as RawPackageConfig,
    groups: new Map<string, GroupEntry>(),
    components: new Map<string, ComponentEntry>(),
    packageGroups: new Map<string, Entry<RawPackageGroup>>(),
    images: new Map<string, Entry<RawImage>>(),
    testSuites: new Map<string, Entry<RawTestSuite>>(),
    tests: new Map<string, Entry<RawTest>>(),
    testGroups: new Map<string, Entry<RawTestGroup>>(),
    skuGroups: new Map<string, Entry<RawSkuGroup>>(),
    vmSkus: new Map<string, Entry<RawVmSku>>(),
    repos: new Map<string, Entry<RawRepos[string]>>(),
    templates: new Map<string, Entry<RawTemplates[string]>>(),
    sets: new Map<string, Entry<RawSets[string]>>(),
    tools: {} as RawTools,
    seed: undefined as Entry<RawSeed> | undefined,
    toolbox: undefined as Entry<RawToolbox> | undefined,
    signing: undefined as Entry<RawSigning> | undefined,
    lifecycle: undefined as Entry<RawLifecycle> | undefined,
    advisories: undefined as Entry<RawAdvisories> | undefined,
    release: undefined as Entry<RawRelease> | undefined,
  };
  for (const document of documents) {
    const { data } = document;
    mergeDistros(collected.distros, document);
    const defaults = defaultLayer(document, [], data);
    if (defaults !== undefined)
      collected.defaults = mergeLayers(collected.defaults, defaults, document.specified === true);
    collected.defaultPackage = mergeAt('default-package-config', collected.defaultPackage, document) ?? {};
    addComponents(collected.components, document, mergeComponents);
    addGroups(collected.groups, document);
    addEntries(collected.packageGroups, document, ['package-groups'], data['package-groups']);
    addEntries(collected.images, document, ['images'], data.images);
    addEntries(collected.testSuites, document, ['test-suites'], data['test-suites']);
    addEntries(collected.tests, document, ['tests'], data.tests);
    addEntries(collected.testGroups, document, ['test-groups'], data['test-groups']);
    addEntries(collected.skuGroups, document, ['sku-groups'], data['sku-groups']);
    addEntries(collected.vmSkus, document, ['vm-skus'], data['vm-skus']);
    const { resources = {} } = data;
    addEntries(collected.repos, document, ['resources', 'rpm-repos'], resources['rpm-repos']);
    addEntries(
      collected.templates,
      document,
      ['resources', 'rpm-repo-set-templates'],
      resources['rpm-repo-set-templates'],
    );
    addEntries(collected.sets, document, ['resources', 'rpm-repo-sets'], resources['rpm-repo-sets']);
    collected.tools = mergeAt('tools', collected.tools, document) ?? {};
    const seed = attempt(document, () => withMappings(document, data.seed));
    collected.seed = mergeEntry('seed', collected.seed, document, seed);
    collected.toolbox = mergeEntry('toolbox', collected.toolbox, document);
    collected.signing = mergeEntry('signing', collected.signing, document);
    collected.lifecycle = mergeEntry('lifecycle', collected.lifecycle, document);
    collected.advisories = mergeEntry('advisories', collected.advisories, document);
    collected.release = mergeEntry('release', collected.release, document);
  }
  const check = (layer: Layer, path: TomlPath, own: readonly ConfigDocument[], name?: string): void => {
    if (layer === emptyLayer) return;
    checkLayer(layer, (key): LayerPlace => ({ document: lastWith(own, [...path, ...key]), path }), name);
  };
  check(collected.defaults, ['default-component-config'], documents);
  for (const [name, { layer, documents: own }] of collected.components) check(layer, ['components', name], own, name);
  return collected;
}

/** The last of some files that sets a key, or the last one of all. */
function lastWith(documents: readonly ConfigDocument[], path: TomlPath): ConfigDocument {
  const says = ({ data }: ConfigDocument): boolean =>
    path.reduce<unknown>((of, part) => (isTable(of) ? of[part] : undefined), data) !== undefined;
  return documents.findLast(says) ?? documents.at(-1)!;
}

/** The `[project]` tables of all files, merged, with absolute paths. */
function projectOf(documents: readonly ConfigDocument[]): RawProject {
  return documents.reduce<RawProject>((project, document) => mergeAt('project', project, document) ?? {}, {});
}

/** The `default-component-config` of the table at `path`, or undefined if it has none, or an invalid one. */
function defaultLayer(
  document: ConfigDocument,
  path: TomlPath,
  table: { readonly 'default-component-config'?: RawComponent | undefined },
): Layer | undefined {
  const raw = table['default-component-config'];
  if (raw === undefined) return undefined;
  return attempt(document, () => layerOf(document, [...path, 'default-component-config'], raw, undefined));
}

/** A top-level table of a file, merged over those of the files before it, with absolute paths. */
function mergeAt<K extends keyof RawFile>(
  key: K,
  before: RawFile[K] | undefined,
  document: ConfigDocument,
  raw: RawFile[K] = document.data[key],
): RawFile[K] | undefined {
  const keys = mergeRules(document.specified === true).file.at(key);
  return merge(before, withAbsolutePaths(document, raw, keys), keys);
}

function mergeEntry<K extends keyof RawFile, T extends RawFile[K] & object>(
  key: K,
  before: Entry<T> | undefined,
  document: ConfigDocument,
  raw: RawFile[K] = document.data[key],
): Entry<T> | undefined {
  if (raw === undefined) return before;
  return { document, path: [key], raw: (mergeAt(key, before?.raw, document, raw) ?? {}) as T };
}

/** The seed's table with its globs expanded. */
function withMappings(document: ConfigDocument, raw: RawSeed | undefined): RawSeed | undefined {
  if (raw === undefined) return undefined;
  const mappings = new Set<string>();
  for (const [index, pattern] of (raw.mappings ?? []).entries()) {
    const at = ['seed', 'mappings', index];
    const files = globIn(document, at, pattern);
    if (files.length === 0 && !mayMatchNothing(pattern)) {
      throw problem(document, at, 'mapping-not-found', `mapping file "${pattern}" not found`, {
        hint: `the path is relative to ${document.dir}`,
      });
    }
    for (const file of files) mappings.add(file);
  }
  return { ...raw, mappings: [...mappings].sort() };
}

function mergeDistros(distros: Map<string, DistroEntry>, document: ConfigDocument): void {
  for (const [name, table] of Object.entries(document.data.distros ?? {})) {
    const path = ['distros', name];
    const before = distros.get(name);
    const versions = new Map(before?.versions);
    for (const [version, said] of Object.entries(table.versions ?? {})) {
      const at = [...path, 'versions', version];
      const raw = withAbsolutePaths(document, said, keysAt(fileKeys, at));
      versions.set(version, { document, path: at, raw, layer: defaultLayer(document, at, said) ?? emptyLayer });
    }
    // Versions are stored separately: the entry of each names its file.
    const { versions: _, ...rest } = table;
    const keys = keysAt(mergeRules(document.specified === true).file, path);
    const raw = merge<RawDistro>(before?.raw, withAbsolutePaths(document, rest, keys), keys) ?? {};
    distros.set(name, { document, path, raw, versions });
  }
}

function addComponents(components: Map<string, ComponentEntry>, document: ConfigDocument, several: boolean): void {
  for (const [name, raw] of Object.entries(document.data.components ?? {})) {
    const path = ['components', name];
    const before = components.get(name);
    attempt(document, () => {
      if (before !== undefined && !several) throw duplicate(document, path, before.document);
      const layer = layerOf(document, path, raw, name);
      if (before === undefined) components.set(name, { document, layer, documents: [document] });
      else {
        const documents = [...before.documents, document];
        // The last table decides the folder: generated pins come before the component's own file.
        components.set(name, {
          document,
          layer: mergeLayers(before.layer, layer, document.specified === true),
          documents,
        });
      }
    });
  }
}

function addGroups(groups: Map<string, GroupEntry>, document: ConfigDocument): void {
  for (const [name, raw] of Object.entries(document.data['component-groups'] ?? {})) {
    const path = ['component-groups', name];
    attempt(document, () => {
      refuseSecond(groups, name, document, path);
      groups.set(name, { document, path, raw, layer: defaultLayer(document, path, raw) ?? emptyLayer });
    });
  }
}

/** Adds the tables at a path. If another file has a table of the same name, the rule of its key says: replace or reject. */
function addEntries<T>(
  entries: Map<string, Entry<T>>,
  document: ConfigDocument,
  table: TomlPath,
  raw: Readonly<Record<string, T>> | undefined,
): void {
  for (const [name, value] of Object.entries(raw ?? {})) {
    const path = [...table, name];
    const keys = keysAt(fileKeys, path);
    attempt(document, () => {
      if (keys.rule.merge === 'once') refuseSecond(entries, name, document, path);
      entries.set(name, { document, path, raw: withAbsolutePaths(document, value, keys) });
    });
  }
}

function refuseSecond(
  entries: ReadonlyMap<string, { readonly document: ConfigDocument }>,
  name: string,
  document: ConfigDocument,
  path: TomlPath,
): void {
  const before = entries.get(name);
  if (before !== undefined) throw duplicate(document, path, before.document);
}

function duplicate(document: Document, path: TomlPath, before: Document): Error {
  const first = originOf(before, path);
  return problem(document, path, 'duplicate-name', `[${path.join('.')}] is already defined`, {
    details: [`first defined at ${first.file}:${first.line}`],
    hint: 'merge the two tables, or rename one',
  });
}
