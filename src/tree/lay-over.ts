import type { Digest } from '../base/digest.ts';
import { type Place, WeirError } from '../base/errors.ts';
import { addMissingParents, linkResolver, sortEntries } from './compose.ts';
import { freedNames } from './hard-links.ts';
import type { Entry, Tree } from './tree.ts';

/** Something to put into a tree; owned by root. */
export type Laid = {
  readonly path: string;
  /** Where it is asked for, if errors shall say so. */
  readonly place?: Place;
} & (
  | {
      readonly kind: 'directory';
      /** Permission bits of a folder that is new; without them 0755. */
      readonly mode?: number;
      /** Permission bits of a folder that the tree has; without them it stays as it is. */
      readonly knownMode?: number;
    }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'file'; readonly mode: number; readonly digest: Digest; readonly size: number }
);

/** What is an entry's own, without its path, owner and time. */
type Own<T> = T extends Entry ? Omit<T, 'path' | 'user' | 'group' | 'mtime' | 'packages'> : never;

const kindNames = { directory: 'folder', file: 'file', symlink: 'link' } as const;

/**
 * Lays files over a tree, later ones over earlier ones. A folder that is there, or a link to one, stays as it is; a file that
 * replaces one keeps its packages. Paths lead through the tree's links, and parents that are missing are added.
 * @param clock time of what is new, in seconds since 1970
 * @throws WeirError `file-conflict` (exit 2) for a file or link in place of a folder, or the other way round
 */
export function layOver(tree: Tree, laid: readonly Laid[], clock: number): Tree {
  const entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
  let resolve = resolverOf(entries.values());
  for (const item of laid) {
    if (item.kind === 'directory') {
      const folder = resolve(`${item.path === '/' ? '' : item.path}/x`).slice(0, -2) || '/';
      const before = entries.get(folder);
      if (before?.kind !== 'directory') put(item, folder, { kind: 'directory', mode: item.mode ?? 0o755 });
      else if (item.knownMode !== undefined) entries.set(folder, { ...before, mode: item.knownMode });
    } else if (item.kind === 'symlink') {
      put(item, resolve(item.path), { kind: 'symlink', mode: 0o777, target: item.target });
      resolve = resolverOf(entries.values());
    } else {
      put(item, resolve(item.path), { kind: 'file', mode: item.mode, digest: item.digest, size: item.size });
    }
  }
  addMissingParents(entries);
  return { ...tree, entries: sortEntries(entries.values()) };

  function put(item: Laid, path: string, what: Own<Entry>): void {
    const before = entries.get(path);
    if (before !== undefined && (before.kind === 'directory') !== (what.kind === 'directory')) {
      throw conflict(item, before, false);
    }
    folderFor(item, path.slice(0, path.lastIndexOf('/')));
    if (before?.kind === 'file') {
      for (const entry of freedNames(entries.values(), path)) entries.set(entry.path, entry);
    }
    const packages = before?.packages ?? [];
    entries.set(path, { path, user: 'root', group: 'root', mtime: clock, packages, ...what } as Entry);
  }

  /** Adds the folders of a path that are missing. */
  function folderFor(item: Laid, path: string): void {
    const there = entries.get(path);
    if (path === '' || there?.kind === 'directory') return;
    if (there !== undefined) throw conflict(item, there, true);
    folderFor(item, path.slice(0, path.lastIndexOf('/')));
    const attributes = { mode: 0o755, user: 'root', group: 'root', mtime: clock, packages: [] };
    entries.set(path, { kind: 'directory', path, ...attributes });
  }
}

/** @param there what is in the way: at the path, or at that of a folder above it */
function conflict({ kind, path, place }: Laid, there: Entry, isAbove: boolean): WeirError {
  const [own, other] = [kindNames[kind], kindNames[there.kind]];
  const what = isAbove
    ? `${path} cannot be added: ${there.path} is a ${other} in the image, not a folder`
    : `the setup has a ${own} in place of the ${other} ${there.path} of the image`;
  return new WeirError('file-conflict', what, {
    ...(place === undefined ? {} : { where: place }),
    hint: `give the ${own} another path${other === 'folder' ? ', such as one in the folder' : ''}`,
    exit: 2,
  });
}

/** Where a path leads through the links of its parents. */
export function resolverOf(entries: Iterable<Entry>): (path: string) => string {
  const links = new Map<string, string>();
  for (const entry of entries) if (entry.kind === 'symlink') links.set(entry.path, entry.target);
  return linkResolver(links);
}

/** The tree without these paths and what is below them. */
export function without(tree: Tree, paths: readonly string[]): Tree {
  const isGone = (path: string): boolean => paths.some((each) => path === each || path.startsWith(`${each}/`));
  return paths.length === 0 ? tree : { ...tree, entries: tree.entries.filter(({ path }) => !isGone(path)) };
}
