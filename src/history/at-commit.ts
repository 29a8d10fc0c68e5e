// The project as it was at a commit: its configuration is written to a scratch folder and loaded like any other; the
// files that components are built from are read from git on demand.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { parse, type TomlTable } from 'smol-toml';
import { sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { type LoadOptions, loadConfiguration } from '../project/load.ts';
import type { Project } from '../project/model/project.ts';
import type { Configuration } from '../project/resolve.ts';
import { parseLock } from '../sources/component-lock.ts';
import type { ContentReader, FileTree, TreeFile } from '../sources/repository.ts';
import type { FileDigests } from './file-digests.ts';
import { inputDigest, isTaken } from './file-digests.ts';
import type { InputContext, LockedInputs } from './input-parts.ts';

/** Where the project is in its repository. */
export interface ProjectPlace {
  /** Folder of the root file, relative to the repository's top; `''` is the top itself. */
  readonly folder: string;
  /** Paths relative to the top that are not part of the configuration: rendered specs. */
  readonly except: readonly string[];
}

/** The place of a loaded project in the repository with this top. @param rendered folder of the rendered specs */
export function placeOf(project: Pick<Project, 'root'>, top: string, rendered: string): ProjectPlace {
  const folder = relative(top, project.root);
  const specs = relative(top, rendered);
  return { folder, except: specs === '' || specs.startsWith('..') ? [] : [specs] };
}

/** The endings of files that can hold configuration: `.toml`, and those of the patterns in the files. */
export type Endings = ReadonlySet<string>;

export const tomlOnly: Endings = new Set(['.toml']);

/** Whether a file can hold configuration. */
export function isDocument(path: string, endings: Endings): boolean {
  for (const ending of endings) if (path.endsWith(ending)) return true;
  return false;
}

/**
 * Non-TOML files that loading needs: specs, which groups find by globs, locks, and `.azldev-version`, which decide the dialect
 * of an azldev project.
 */
function isLookedAt(path: string): boolean {
  return /\.(spec|lock)$/.test(path) || basename(path) === '.azldev-version';
}

/** The endings of the files that a configuration file names: its includes, and overlay files. */
export function endingsIn(text: string): string[] {
  if (!/includes|overlay-files/.test(text)) return [];
  let table: TomlTable;
  try {
    table = parse(text);
  } catch {
    return [];
  }
  const found: string[] = [];
  const visit = (value: unknown, key: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) {
        if (typeof item !== 'string') visit(item, '');
        else if (key === 'includes' || key === 'overlay-files') found.push(endingOf(item));
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) visit(inner, name);
    }
  };
  visit(table, '');
  return found;
}

/** The text after the last wildcard: the only part of a matching name that is known. */
function endingOf(pattern: string): string {
  return /[^*?\]})/]*$/.exec(pattern)![0];
}

/** The files of a tree that belong to the project. */
export function withoutExcepted(tree: FileTree, place: ProjectPlace): Map<string, TreeFile> {
  const inside = (path: string): boolean => place.except.some((folder) => path.startsWith(`${folder}/`));
  return new Map([...tree].filter(([path]) => !inside(path)));
}

/** A folder for the configuration of one commit after the other; only differences are written. */
export interface Layout {
  readonly top: string;
  /** Path relative to the top → content in the folder. */
  readonly written: Map<string, string>;
}

/** Makes the folder contain exactly these files. */
export async function layOut(layout: Layout, files: ReadonlyMap<string, string>): Promise<void> {
  const gone = [...layout.written.keys()].filter((path) => !files.has(path));
  for (const path of gone) {
    await rm(join(layout.top, path));
    layout.written.delete(path);
  }
  const differing = [...files].filter(([path, text]) => layout.written.get(path) !== text);
  for (const dir of new Set(differing.map(([path]) => dirname(join(layout.top, path))))) {
    await mkdir(dir, { recursive: true });
  }
  await mapLimit(differing, 16, async ([path, text]) => {
    await writeFile(join(layout.top, path), text);
    layout.written.set(path, text);
  });
}

/**
 * The text of a commit's configuration files. Specs and locks are listed by name only, and of locks one per folder.
 * @param known the endings of its files, if already known
 */
export async function configurationOf(
  tree: FileTree,
  contents: ContentReader,
  known?: Endings,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const locked = new Set<string>();
  for (const path of tree.keys()) {
    if (!isLookedAt(path)) continue;
    if (path.endsWith('.lock') && locked.has(dirname(path))) continue;
    if (path.endsWith('.lock')) locked.add(dirname(path));
    found.set(path, basename(path) === '.azldev-version' ? await textAt(tree, path, contents) : '');
  }
  const endings = new Set(known ?? tomlOnly);
  for (let count = 0; count < endings.size; ) {
    count = endings.size;
    const paths = [...tree.keys()].filter((path) => isDocument(path, endings) && !found.has(path));
    const texts = await Promise.all(paths.map((path) => textAt(tree, path, contents)));
    for (const [index, path] of paths.entries()) found.set(path, texts[index]!);
    // Files of one ending can include files of another.
    if (known === undefined) for (const text of texts) for (const ending of endingsIn(text)) endings.add(ending);
  }
  return found;
}

/** The text of a file, with links resolved; empty if there is none. */
export async function textAt(tree: FileTree, path: string, contents: ContentReader): Promise<string> {
  const file = await behindLinks(tree, path, contents);
  return file === undefined ? '' : (await contents.read(file.oid)).toString();
}

/** The file at a path; undefined if there is none, or the link is dangling or leaves the repository. */
async function behindLinks(
  tree: FileTree,
  path: string,
  contents: ContentReader,
  depth = 8,
): Promise<TreeFile | undefined> {
  const file = tree.get(path);
  if (file?.mode !== '120000') return file;
  const target = join(dirname(path), (await contents.read(file.oid)).toString());
  return depth === 0 ? undefined : behindLinks(tree, target, contents, depth - 1);
}

/** Digests of a commit's files by their paths in the scratch folder. */
export function treeDigests(
  top: string,
  tree: FileTree,
  contents: ContentReader,
  known: Map<string, string> = new Map(),
): FileDigests {
  const file = async (path: string): Promise<string> => {
    const found = await behindLinks(tree, relative(top, path), contents);
    if (found === undefined) return 'missing';
    const { mode, oid } = found;
    let digest = known.get(oid);
    if (digest === undefined) {
      digest = sha256(await contents.read(oid));
      known.set(oid, digest);
    }
    return inputDigest(digest, mode === '100755');
  };
  return {
    file,
    folder: async (dir, spec) => {
      const below = `${relative(top, dir)}/`.replace(/^\/$/, '');
      const paths = [...tree.keys()].filter((path) => path.startsWith(below)).map((path) => path.slice(below.length));
      const taken = paths.filter((path) => isTaken(path, spec)).sort();
      return new Map(await Promise.all(taken.map(async (path) => [path, await file(join(dir, path))] as const)));
    },
    has: async (path) => {
      const at = relative(top, path);
      return tree.has(at) || [...tree.keys()].some((each) => each.startsWith(`${at}/`));
    },
  };
}

/** The locks among a commit's files. Invalid ones are skipped: they are not reported here. */
export async function locksIn(
  dir: string,
  tree: FileTree,
  contents: ContentReader,
  wanted?: ReadonlySet<string>,
): Promise<Map<string, LockedInputs>> {
  const locks = new Map<string, LockedInputs>();
  const paths = [...tree.keys()].filter((path) => path.startsWith(`${dir}/`) && path.endsWith('.lock'));
  await Promise.all(
    paths.map(async (path) => {
      const name = basename(path).slice(0, -'.lock'.length);
      if (dirname(path) !== dir || (wanted !== undefined && !wanted.has(name))) return;
      const text = (await contents.read(tree.get(path)!.oid)).toString();
      try {
        locks.set(name, parseLock(text, path));
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
      }
    }),
  );
  return locks;
}

/**
 * Loads the project in the scratch folder.
 * @param name of the commit, as messages call it
 * @throws WeirError `no-project-at` if the commit has none at that place, `project-at` if it does not load
 */
export async function loadLaidOut(
  layout: Layout,
  place: ProjectPlace,
  name: string,
  options: LoadOptions = {},
): Promise<Configuration> {
  const root = join(layout.top, place.folder);
  const files = ['weir.toml', 'azldev.toml'].map((file) => (place.folder === '' ? file : `${place.folder}/${file}`));
  if (!files.some((file) => layout.written.has(file))) {
    throw new WeirError('no-project-at', `no project in ${place.folder || 'the top folder'} at ${name}`, {
      exit: 2,
    });
  }
  try {
    return await loadConfiguration(root, options);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    const { file, ...where } = error.where ?? {};
    const at = file === undefined ? {} : { file: `${name}:${relative(layout.top, file)}` };
    throw new WeirError('project-at', `the project at ${name} does not load: ${error.message}`, {
      where: { ...where, ...at },
      details: error.details.map((line) => line.replaceAll(`${layout.top}/`, '')),
      ...(error.hint === undefined ? {} : { hint: error.hint.replaceAll(`${layout.top}/`, '') }),
      exit: 2,
      cause: error,
    });
  }
}

/** Everything that determines the inputs of a commit's components. */
export async function contextAt(
  layout: Layout,
  project: Project,
  tree: FileTree,
  contents: ContentReader,
  options: { readonly known?: Map<string, string>; readonly wanted?: ReadonlySet<string> } = {},
): Promise<InputContext> {
  const lockDir = relative(layout.top, project.project.lockDir ?? join(project.root, 'locks'));
  return {
    project,
    locks: project.project.pinFolder === undefined ? await locksIn(lockDir, tree, contents, options.wanted) : new Map(),
    files: treeDigests(layout.top, tree, contents, options.known),
  };
}
