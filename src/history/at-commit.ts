// The project as it was at a commit: its configuration is laid out in a scratch folder and loaded as any other, the
// files that go into components are read from git where they are asked for.

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
import type { FileDigests, InputContext, LockedInputs } from './inputs.ts';
import { inputDigest, isTaken } from './inputs.ts';

/** Where the project is in its repository. */
export interface ProjectPlace {
  /** Folder of the root file, relative to the repository's top; `''` is the top itself. */
  readonly folder: string;
  /** Paths relative to the top that are no part of the configuration: rendered specs. */
  readonly except: readonly string[];
}

/** Where a loaded project is in the repository with this top. @param rendered folder of the rendered specs */
export function placeOf(project: Pick<Project, 'root'>, top: string, rendered: string): ProjectPlace {
  const folder = relative(top, project.root);
  const specs = relative(top, rendered);
  return { folder, except: specs === '' || specs.startsWith('..') ? [] : [specs] };
}

/** How the names of files end that can hold configuration: those of `.toml`, and of what patterns of the files ask for. */
export type Endings = ReadonlySet<string>;

export const tomlOnly: Endings = new Set(['.toml']);

/** Whether a file can hold configuration. */
export function isDocument(path: string, endings: Endings): boolean {
  for (const ending of endings) if (path.endsWith(ending)) return true;
  return false;
}

/**
 * Whether loading looks at a file, beside those with configuration: at specs, which groups find by globs, and at what tells of
 * which azldev the project is, which is that there are locks, or a file that says so.
 */
function isLookedAt(path: string): boolean {
  return /\.(spec|lock)$/.test(path) || basename(path) === '.azldev-version';
}

/** The endings of the files that a configuration file brings in: what it includes, and overlay files. */
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

/** What stands behind the last wildcard: all that can be said of a name. */
function endingOf(pattern: string): string {
  return /[^*?\]})/]*$/.exec(pattern)![0];
}

/** The files of a tree that belong to the project. */
export function withoutExcepted(tree: FileTree, place: ProjectPlace): Map<string, TreeFile> {
  const inside = (path: string): boolean => place.except.some((folder) => path.startsWith(`${folder}/`));
  return new Map([...tree].filter(([path]) => !inside(path)));
}

/** A folder that the configuration of one commit after the other is laid out in; only what differs is written. */
export interface Layout {
  readonly top: string;
  /** Path relative to the top → content as it stands in the folder. */
  readonly written: Map<string, string>;
}

/** Makes the folder hold these files and no others. */
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
 * What the files of a commit's configuration say: specs and locks only by their names, and of locks one a folder.
 * @param known the endings of its files, where they are known already
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
    // What files of one ending say can bring in those of another.
    if (known === undefined) for (const text of texts) for (const ending of endingsIn(text)) endings.add(ending);
  }
  return found;
}

/** The text of a file, behind links; empty where there is none. */
export async function textAt(tree: FileTree, path: string, contents: ContentReader): Promise<string> {
  const file = await behindLinks(tree, path, contents);
  return file === undefined ? '' : (await contents.read(file.oid)).toString();
}

/** The file that a path means; undefined where it is none, or a link that leads out of the repository or nowhere. */
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

/** Digests of a commit's files by the paths that they have in the layout. */
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

/** The locks among a commit's files. Those that can't be read lock nothing: what they hold up is not said here. */
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
 * Loads the project that is laid out.
 * @param name of the commit, as messages call it
 * @throws WeirError `no-project-at` where the commit has none at that place, `project-at` with what is wrong with it
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
    throw new WeirError('no-project-at', `at ${name} there is no project in ${place.folder || 'the top folder'}`, {
      exit: 2,
    });
  }
  try {
    return await loadConfiguration(root, options);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    const { file, ...where } = error.where ?? {};
    const at = file === undefined ? {} : { file: `${name}:${relative(layout.top, file)}` };
    throw new WeirError('project-at', `the project does not load as it is at ${name}: ${error.message}`, {
      where: { ...where, ...at },
      details: error.details.map((line) => line.replaceAll(`${layout.top}/`, '')),
      ...(error.hint === undefined ? {} : { hint: error.hint.replaceAll(`${layout.top}/`, '') }),
      exit: 2,
      cause: error,
    });
  }
}

/** Everything that the inputs of a commit's components are told by. */
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
    locks: await locksIn(lockDir, tree, contents, options.wanted),
    files: treeDigests(layout.top, tree, contents, options.known),
  };
}
