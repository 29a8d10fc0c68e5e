import { readFileSync, statSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { renderedDir } from '../overlay/render.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import { localPath } from '../sources/git-store.ts';
import { upstreamAddress } from '../sources/upstream.ts';
import { folderMacros, packagedPaths } from '../spec/packaged.ts';
import { parseSpec } from '../spec/parse.ts';
import { expandPlain, plainMacros, requirements, tags, tagValue } from '../spec/query.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { requiredNames } from './requirement.ts';

/** Looks up names of packages in the text of specs: the distribution's macros are unknown. */
export interface Makers {
  /**
   * Components with a package of this name, or with a package that provides the name. If there are none and the name is an absolute
   * path: the component that lists this path in `%files`, unless several components list it.
   */
  readonly makersOf: (name: string) => Promise<readonly string[]>;
  /** The names of a component's packages, and the names that they provide. */
  readonly namesOf: (component: string) => Promise<readonly string[]>;
}

/** The names and paths in the specs of all components. */
interface Known {
  /** Name of a package → components that build it. */
  readonly makers: ReadonlyMap<string, readonly string[]>;
  /** Path of a packaged file → the component that lists it; undefined if several do. */
  readonly owners: ReadonlyMap<string, string | undefined>;
  /** Component → names. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

/** `namesOf` reads the specs of single components up to this many times; after that, the specs of all components are read. */
const fewComponents = 50;

/**
 * The makers of a project's packages. A component's own name is its default package; other names are in its rendered spec, its local
 * spec, or the spec in a dist-git folder of this machine. For `NAME` and `NAME-devel` only a few specs are read; for any other name, the
 * specs of all components, once: the cache keeps the names with the files' stamps.
 */
export function openMakers({ project, cache }: Pick<ProjectWorkspace, 'project' | 'cache'>): Makers {
  const { components } = project;
  const specs = renderedSpecsDir(project);
  const placesOf = (component: ResolvedComponent): string[] => {
    const { name, spec } = component;
    const places = [join(specs, renderedDir(name), `${name}.spec`)];
    if (spec?.type === 'local') places.push(spec.path);
    if (spec?.type === 'upstream') {
      for (const address of upstreamAddress(component, project)) {
        const folder = localPath(address);
        if (folder !== undefined) places.push(join(folder, `${spec.name}.spec`));
      }
    }
    return places;
  };
  const readNames = (name: string): string[] => {
    const places = placesOf(components.get(name)!);
    return places.flatMap((path) => (stampOf(path) === undefined ? [] : namesOfFile(path, name).names));
  };
  let all: Promise<Known> | undefined;
  const known = (): Promise<Known> => {
    const path = cachePath(cache, 'makers', `${sha256(project.root).slice(0, 32)}.json`);
    all ??= readAll(components.values(), placesOf, path);
    return all;
  };
  let asked = 0;
  const namesOf = async (name: string): Promise<readonly string[]> => {
    if (all === undefined && ++asked <= fewComponents) return readNames(name);
    return (await known()).names.get(name) ?? [];
  };
  const makersOf = async (name: string): Promise<readonly string[]> => {
    if (components.has(name)) return [name];
    for (let stem = name; all === undefined && stem.includes('-'); ) {
      stem = stem.slice(0, stem.lastIndexOf('-'));
      if (components.has(stem) && readNames(stem).includes(name)) return [stem];
    }
    const { makers, owners } = await known();
    const owner = owners.get(name);
    return makers.get(name) ?? (owner === undefined ? [] : [owner]);
  };
  return { makersOf, namesOf };
}

/** What the cache keeps: the code that read the specs, and each file's stamp, names, and paths of packaged files. */
interface Kept {
  readonly code: string;
  readonly specs: Readonly<
    Record<string, readonly [stamp: string, names: readonly string[], paths: readonly string[]]>
  >;
}

async function readAll(
  components: Iterable<ResolvedComponent>,
  placesOf: (component: ResolvedComponent) => readonly string[],
  path: string,
): Promise<Known> {
  const code = codeDigest(import.meta.url);
  const text = await readFile(path, 'utf8').catch(() => '');
  const before = parseKept(text, code);
  const now: Record<string, Kept['specs'][string]> = {};
  const makers = new Map<string, string[]>();
  const owners = new Map<string, string | undefined>();
  const namesOf = new Map<string, string[]>();
  for (const component of components) {
    const own: string[] = [];
    namesOf.set(component.name, own);
    for (const place of placesOf(component)) {
      const stamp = stampOf(place);
      if (stamp === undefined) continue;
      const known = before[place];
      const read = known?.[0] === stamp ? { names: known[1], paths: known[2] } : namesOfFile(place, component.name);
      const { names, paths } = read;
      now[place] = [stamp, names, paths];
      own.push(...names);
      for (const name of names) {
        const those = makers.get(name) ?? [];
        if (!those.includes(component.name)) makers.set(name, [...those, component.name]);
      }
      for (const path of paths) {
        const isShared = owners.has(path) && owners.get(path) !== component.name;
        owners.set(path, isShared ? undefined : component.name);
      }
    }
  }
  const after = JSON.stringify({ code, specs: now } satisfies Kept);
  if (after !== text) {
    await mkdir(dirname(path), { recursive: true });
    await writeAtomic(path, after);
  }
  return { makers, owners, names: namesOf };
}

/** A truncated file, or one of another version, counts as empty. */
function parseKept(text: string, code: string): Kept['specs'] {
  try {
    const kept = JSON.parse(text) as Partial<Kept>;
    return kept.code === code && kept.specs !== undefined ? kept.specs : {};
  } catch {
    return {};
  }
}

function stampOf(path: string): string | undefined {
  const info = statSync(path, { bigint: true, throwIfNoEntry: false });
  return info?.isFile() === true ? `${info.ino} ${info.size} ${info.mtimeNs}` : undefined;
}

/** The names in a spec file. None if it cannot be read: building its component reports the error. */
function namesOfFile(path: string, component: string): SpecNames {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch {
    return { names: [], paths: [] };
  }
  return namesInSpec(bytes, component);
}

/** Values of Fedora's macros in names of packages: without these, packages of 250 Fedora specs are not found. */
const fedoraMacros: Readonly<Record<string, string>> = { nil: '', python3_pkgversion: '3' };

/** Names and paths of a spec's packages, by its text. */
export interface SpecNames {
  /** Names of the packages and names that they provide, sorted. */
  readonly names: readonly string[];
  /** Absolute paths of the packages' files, in the order of the text. */
  readonly paths: readonly string[];
}

/**
 * Names of a spec's packages, names that they provide, and paths of their files. Names and paths with macros that the text does not
 * define are left out.
 * @param component its name, which stands in for a package name that the spec computes from a Go import path
 */
export function namesInSpec(text: string | Uint8Array, component: string): SpecNames {
  const spec = parseSpec(text);
  const macros = new Map([
    ['goname', component],
    ...Object.entries(fedoraMacros),
    ...Object.entries(folderMacros),
    ...plainMacros(spec),
  ]);
  const expand = (value: string): string => expandPlain(value, macros).replaceAll(/%\{\?\w+\}/g, '');
  const main = expand(tagValue(spec, 'Name') ?? '');
  const names = [main];
  for (const { key, package: own, wholeName } of spec.sections) {
    if (key !== '%package' || own === '') continue;
    const expanded = expand(own);
    names.push(wholeName ? expanded : `${main}-${expanded}`);
  }
  for (const { value } of tags(spec, { name: 'Provides' })) {
    for (const provided of requirements(expand(value))) names.push(...requiredNames(provided));
  }
  const known = [...new Set(names)].filter((name) => name !== '' && !name.includes('%'));
  return { names: known.sort(), paths: packagedPaths(spec, expand) };
}
