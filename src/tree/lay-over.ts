import type { Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { addMissingParents, linkResolver, sortEntries } from './compose.ts';
import { freedNames } from './hard-links.ts';
import type { Entry, Tree } from './tree.ts';

/** Something to put into a tree; owned by root. */
export type Laid = { readonly path: string } & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'file'; readonly mode: number; readonly digest: Digest; readonly size: number }
);

/** What is an entry's own, without its path, owner and time. */
type Own<T> = T extends Entry ? Omit<T, 'path' | 'user' | 'group' | 'mtime' | 'packages'> : never;

/**
 * Lays files over a tree, later ones over earlier ones. A folder that is there, or a link to one, stays as it is; a file that
 * replaces one keeps its packages. Paths lead through the tree's links, and parents that are missing are added.
 * @param clock time of what is new, in seconds since 1970
 * @throws WeirError `file-conflict` (exit 2) for a file or link in place of a folder
 */
export function layOver(tree: Tree, laid: readonly Laid[], clock: number): Tree {
  const entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
  let resolve = resolverOf(entries.values());
  for (const item of laid) {
    if (item.kind === 'directory') {
      const folder = resolve(`${item.path === '/' ? '' : item.path}/x`).slice(0, -2) || '/';
      if (entries.get(folder)?.kind !== 'directory') put(folder, { kind: 'directory', mode: 0o755 });
    } else if (item.kind === 'symlink') {
      put(resolve(item.path), { kind: 'symlink', mode: 0o777, target: item.target });
      resolve = resolverOf(entries.values());
    } else {
      put(resolve(item.path), { kind: 'file', mode: item.mode, digest: item.digest, size: item.size });
    }
  }
  addMissingParents(entries);
  return { ...tree, entries: sortEntries(entries.values()) };

  function put(path: string, what: Own<Entry>): void {
    const before = entries.get(path);
    if (before?.kind === 'directory' && what.kind !== 'directory') {
      const kind = what.kind === 'file' ? 'file' : 'link';
      throw new WeirError('file-conflict', `the setup has a ${kind} in place of the folder ${path} of the image`, {
        hint: `give the ${kind} another path, such as one in the folder`,
        exit: 2,
      });
    }
    if (before?.kind === 'file') {
      for (const entry of freedNames(entries.values(), path)) entries.set(entry.path, entry);
    }
    const packages = before?.packages ?? [];
    entries.set(path, { path, user: 'root', group: 'root', mtime: clock, packages, ...what } as Entry);
  }
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
