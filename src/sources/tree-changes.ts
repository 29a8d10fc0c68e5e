import { parseTree, type TreeEntry } from './git-objects.ts';
import { readObject } from './git-readers.ts';
import { type GitRepository, gitFailed } from './git-run.ts';

/** A file of a tree. */
export interface TreeFileEntry {
  readonly mode: TreeEntry['mode'];
  readonly id: string;
}

/** A file that differs between two trees; without a side where it is missing. */
export interface TreeChange {
  readonly path: string;
  readonly before?: TreeFileEntry;
  readonly after?: TreeFileEntry;
}

type Listed = ReadonlyMap<string, TreeFileEntry>;

/**
 * The files that differ between two trees, sorted by path, as `git diff --no-renames --name-status` has them. Equal folders
 * are not read.
 * @throws WeirError `git-failed`
 */
export async function treeChanges(
  repository: GitRepository,
  before: string,
  after: string,
): Promise<readonly TreeChange[]> {
  const found: TreeChange[] = [];
  await compare(repository, '', before, after, found);
  return found.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

/** The entries of one folder by name. @throws WeirError `git-failed` */
export async function listTree(repository: GitRepository, id: string): Promise<Listed> {
  const object = await readObject(repository, id);
  if (object === undefined) throw gitFailed(`${repository.url} lacks the object ${id}`, '');
  return new Map(parseTree(object).map(({ name, mode, id: entry }) => [name.toString(), { mode, id: entry }]));
}

async function compare(
  repository: GitRepository,
  folder: string,
  before: string | undefined,
  after: string | undefined,
  found: TreeChange[],
): Promise<void> {
  if (before === after) return;
  const none: Listed = new Map();
  const [old, fresh] = await Promise.all(
    [before, after].map((id) => (id === undefined ? none : listTree(repository, id))),
  );
  for (const name of new Set([...old!.keys(), ...fresh!.keys()])) {
    const [was, is] = [old!.get(name), fresh!.get(name)];
    if (was?.id === is?.id && was?.mode === is?.mode) continue;
    const path = folder + name;
    const folders = [was, is].map((entry) => (entry?.mode === 'folder' ? entry.id : undefined));
    if (folders.some((id) => id !== undefined)) {
      await compare(repository, `${path}/`, folders[0], folders[1], found);
    }
    const sides = {
      ...(was === undefined || was.mode === 'folder' ? {} : { before: was }),
      ...(is === undefined || is.mode === 'folder' ? {} : { after: is }),
    };
    if ('before' in sides || 'after' in sides) found.push({ path, ...sides });
  }
}
