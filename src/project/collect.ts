import { resolve } from 'node:path';
import { attempt, type Document, originOf, problem } from '../toml/document.ts';
import type { TomlPath } from '../toml/place.ts';
import { isGlob } from './glob.ts';
import { type ConfigDocument, globIn } from './include.ts';
import { emptyLayer, type Layer, layerOf, mergeLayers } from './layer.ts';
import { filled, override } from './merge.ts';
import type { RawComponent, RawComponentGroup, RawPackageConfig } from './schema/component.ts';
import type { RawDistro, RawDistroVersion, RawProject, RawResources } from './schema/distro.ts';
import type { RawFile } from './schema/file.ts';
import type { RawImage, RawTestSuite, RawTools } from './schema/image.ts';
import type { RawLifecycle, RawRelease, RawSeed, RawSigning, RawToolbox } from './schema/release.ts';

/** A table of a file, and the place it stands at. */
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

/** One table `[components.X]`. Where several files have one, they merge; the component lives where the last one is. */
export interface ComponentEntry {
  readonly document: ConfigDocument;
  readonly layer: Layer;
  /** Every file that has the table, in order. */
  readonly documents: readonly ConfigDocument[];
}

type RawRepos = NonNullable<RawResources['rpm-repos']>;
type RawTemplates = NonNullable<RawResources['rpm-repo-set-templates']>;
type RawSets = NonNullable<RawResources['rpm-repo-sets']>;
type RawPackageGroup = NonNullable<RawFile['package-groups']>[string];

/** All files merged, before anything is inherited. Where a table overrides, its entry names the last file that has it. */
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
  readonly repos: Map<string, Entry<RawRepos[string]>>;
  readonly templates: Map<string, Entry<RawTemplates[string]>>;
  readonly sets: Map<string, Entry<RawSets[string]>>;
  readonly tools: RawTools;
  readonly seed: Entry<RawSeed> | undefined;
  readonly toolbox: Entry<RawToolbox> | undefined;
  readonly signing: Entry<RawSigning> | undefined;
  readonly lifecycle: Entry<RawLifecycle> | undefined;
  readonly release: Entry<RawRelease> | undefined;
}

/**
 * Merges files in their order, each table by its own rule. What is wrong in one table is kept and does not stop the next.
 * @param mergeComponents whether a component that several files define is merged, not an error
 * @throws WeirError (exit 2) `duplicate-name`, `mapping-not-found`, and those of `layerOf`, where the documents gather none
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
    repos: new Map<string, Entry<RawRepos[string]>>(),
    templates: new Map<string, Entry<RawTemplates[string]>>(),
    sets: new Map<string, Entry<RawSets[string]>>(),
    tools: {} as RawTools,
    seed: undefined as Entry<RawSeed> | undefined,
    toolbox: undefined as Entry<RawToolbox> | undefined,
    signing: undefined as Entry<RawSigning> | undefined,
    lifecycle: undefined as Entry<RawLifecycle> | undefined,
    release: undefined as Entry<RawRelease> | undefined,
  };
  for (const document of documents) {
    const { data } = document;
    mergeDistros(collected.distros, document);
    const defaults = defaultLayer(document, [], data);
    if (defaults !== undefined) collected.defaults = mergeLayers(collected.defaults, defaults);
    collected.defaultPackage = override(collected.defaultPackage, data['default-package-config'] ?? {});
    addComponents(collected.components, document, mergeComponents);
    addGroups(collected.groups, document);
    addEntries(collected.packageGroups, document, ['package-groups'], data['package-groups']);
    addEntries(collected.images, document, ['images'], data.images);
    addEntries(collected.testSuites, document, ['test-suites'], data['test-suites']);
    const { resources = {} } = data;
    replaceEntries(collected.repos, document, 'rpm-repos', resources['rpm-repos']);
    replaceEntries(collected.templates, document, 'rpm-repo-set-templates', resources['rpm-repo-set-templates']);
    replaceEntries(collected.sets, document, 'rpm-repo-sets', resources['rpm-repo-sets']);
    collected.tools = override(collected.tools, data.tools ?? {});
    const seed = attempt(document, () => seedPaths(document, data.seed));
    collected.seed = overrideEntry(collected.seed, document, 'seed', seed);
    collected.toolbox = overrideEntry(collected.toolbox, document, 'toolbox', toolboxPaths(document, data.toolbox));
    collected.signing = overrideEntry(collected.signing, document, 'signing', signingPaths(document, data.signing));
    collected.lifecycle = overrideEntry(collected.lifecycle, document, 'lifecycle', data.lifecycle);
    collected.release = overrideEntry(collected.release, document, 'release', data.release);
  }
  return collected;
}

/** The `[project]` tables of all files, merged, with absolute paths. */
function projectOf(documents: readonly ConfigDocument[]): RawProject {
  return documents.reduce<RawProject>(
    (project, document) => override(project, projectPaths(document, document.data.project ?? {})),
    {},
  );
}

/** The `default-component-config` of the table at `path`, or undefined where it has none, or a wrong one. */
function defaultLayer(
  document: ConfigDocument,
  path: TomlPath,
  table: { readonly 'default-component-config'?: RawComponent | undefined },
): Layer | undefined {
  const raw = table['default-component-config'];
  if (raw === undefined) return undefined;
  return attempt(document, () => layerOf(document, [...path, 'default-component-config'], raw, undefined));
}

/** A path relative to its document, absolute; what is empty or not there stays so. */
export function pathIn(document: Document, path: string): string;
export function pathIn(document: Document, path: string | undefined): string | undefined;
export function pathIn(document: Document, path: string | undefined): string | undefined {
  return filled(path) === undefined ? path : resolve(document.dir, path ?? '');
}

/** Like `pathIn`, for what may be a URI (or git's `host:path`) too. */
export function uriIn(document: Document, uri: string | undefined): string | undefined {
  return uri !== undefined && /^[^/]*:/.test(uri) ? uri : pathIn(document, uri);
}

function overrideEntry<T extends object>(
  before: Entry<T> | undefined,
  document: ConfigDocument,
  key: string,
  raw: T | undefined,
): Entry<T> | undefined {
  if (raw === undefined) return before;
  return { document, path: [key], raw: before === undefined ? raw : override(before.raw, raw) };
}

function projectPaths(document: Document, raw: RawProject): RawProject {
  const paths: Record<string, string> = {};
  for (const key of ['log-dir', 'work-dir', 'output-dir', 'rendered-specs-dir', 'lock-dir'] as const) {
    const path = pathIn(document, raw[key]);
    if (path !== undefined) paths[key] = path;
  }
  return { ...raw, ...paths };
}

function seedPaths(document: ConfigDocument, raw: RawSeed | undefined): RawSeed | undefined {
  if (raw === undefined) return undefined;
  const mappings = new Set<string>();
  for (const [index, pattern] of (raw.mappings ?? []).entries()) {
    const at = ['seed', 'mappings', index];
    const files = globIn(document, at, pattern);
    if (files.length === 0 && !isGlob(pattern)) {
      throw problem(document, at, 'mapping-not-found', `there is no file "${pattern}"`, {
        hint: `the path is relative to ${document.dir}`,
      });
    }
    for (const file of files) mappings.add(file);
  }
  return { ...raw, mappings: [...mappings].sort(), 'dist-git': pathIn(document, raw['dist-git']) };
}

function toolboxPaths(document: Document, raw: RawToolbox | undefined): RawToolbox | undefined {
  if (raw === undefined) return undefined;
  return { ...raw, root: pathIn(document, raw.root) };
}

function signingPaths(document: Document, raw: RawSigning | undefined): RawSigning | undefined {
  if (raw === undefined) return undefined;
  return { ...raw, 'image-key': pathIn(document, raw['image-key']) };
}

function mergeDistros(distros: Map<string, DistroEntry>, document: ConfigDocument): void {
  for (const [name, table] of Object.entries(document.data.distros ?? {})) {
    const path = ['distros', name];
    const before = distros.get(name);
    const versions = new Map(before?.versions);
    for (const [version, raw] of Object.entries(table.versions ?? {})) {
      const at = [...path, 'versions', version];
      versions.set(version, { document, path: at, raw, layer: defaultLayer(document, at, raw) ?? emptyLayer });
    }
    // Versions are kept apart: each entry is replaced whole, which `override` would not do.
    const { versions: _, ...rest } = table;
    const raw = {
      ...rest,
      'dist-git-base-uri': uriIn(document, rest['dist-git-base-uri']),
      'lookaside-base-uri': uriIn(document, rest['lookaside-base-uri']),
    };
    distros.set(name, { document, path, raw: override(before?.raw ?? {}, raw), versions });
  }
}

function addComponents(components: Map<string, ComponentEntry>, document: ConfigDocument, merge: boolean): void {
  for (const [name, raw] of Object.entries(document.data.components ?? {})) {
    const path = ['components', name];
    const before = components.get(name);
    attempt(document, () => {
      if (before !== undefined && !merge) throw duplicate(document, path, before.document);
      const layer = layerOf(document, path, raw, name);
      if (before === undefined) components.set(name, { document, layer, documents: [document] });
      else {
        const documents = [...before.documents, document];
        // It lives where its last table is: generated pins come before the component's own file.
        components.set(name, { document, layer: mergeLayers(before.layer, layer), documents });
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

function addEntries<T>(
  entries: Map<string, Entry<T>>,
  document: ConfigDocument,
  table: TomlPath,
  raw: Readonly<Record<string, T>> | undefined,
): void {
  for (const [name, value] of Object.entries(raw ?? {})) {
    const path = [...table, name];
    attempt(document, () => {
      refuseSecond(entries, name, document, path);
      entries.set(name, { document, path, raw: value });
    });
  }
}

function replaceEntries<T>(
  entries: Map<string, Entry<T>>,
  document: ConfigDocument,
  table: string,
  raw: Readonly<Record<string, T>> | undefined,
): void {
  for (const [name, value] of Object.entries(raw ?? {})) {
    entries.set(name, { document, path: ['resources', table, name], raw: value });
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
    details: [`the first is at ${first.file}:${first.line}`],
    hint: 'put both into one table, or rename one',
  });
}
