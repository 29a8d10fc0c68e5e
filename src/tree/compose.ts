import { WeirError, withContext } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { byName, byPath } from '../base/order.ts';
import type { Engine } from '../engine/action.ts';
import { nvra, type RepoPackage } from '../repo/metadata.ts';
import type { Entry, Tree } from './tree.ts';
import { type Unpacked, unpackRpm } from './unpack.ts';

/** The tree of these packages, before finalising. @throws WeirError `file-conflict` */
export async function composeTree(engine: Engine, packages: readonly RepoPackage[]): Promise<Tree> {
  const unpacked = await mapLimit(packages, 4, async (pkg) => {
    const found = await unpackNamed(engine, pkg);
    // Triggers of seed packages are for running systems, where dnf5 runs them; in trees, finalisers do their work.
    return pkg.origin === 'seed' ? { ...found, package: { ...found.package, scriptlets: [] } } : found;
  });
  return mergePackages(unpacked);
}

/** Adds the package's name to an error: a blob in the store has only a digest, but users know packages. */
async function unpackNamed(engine: Engine, pkg: RepoPackage): Promise<Unpacked> {
  try {
    return await unpackRpm(engine, pkg.rpm);
  } catch (error) {
    if (!(error instanceof WeirError) || error.where?.package !== undefined) throw error;
    throw withContext(error, {
      where: { ...error.where, package: nvra(pkg) },
      hint: error.hint ?? 'the cached file is intact, so the package was built this way',
    });
  }
}

/**
 * Merges the file lists of packages as rpm would: identical files are shared, folders are merged, anything else is a conflict.
 * Paths below a symbolic link to a folder (`/lib64/x` where `/lib64` → `usr/lib64`) move to the link's target.
 */
export function mergePackages(unpacked: readonly Unpacked[]): Tree {
  const links = new Map<string, string>();
  for (const { entries } of unpacked) {
    for (const entry of entries) if (entry.kind === 'symlink') links.set(entry.path, entry.target);
  }
  const resolve = linkResolver(links);
  const merged = new Map<string, Entry>();
  for (const { entries } of unpacked) {
    for (const entry of entries) {
      const path = resolve(entry.path);
      const placed = path === entry.path ? entry : { ...entry, path };
      const there = merged.get(path);
      merged.set(path, there === undefined ? placed : share(there, placed));
    }
  }
  addMissingParents(merged);
  return {
    entries: sortEntries(merged.values()),
    packages: unpacked.map((each) => each.package).sort(byName),
  };
}

/** Sorts by path in byte order, which puts parents before children. */
export function sortEntries(entries: Iterable<Entry>): Entry[] {
  return [...entries].sort(byPath);
}

function share(a: Entry, b: Entry): Entry {
  const packages = [...new Set([...a.packages, ...b.packages])].sort();
  if (a.kind === 'directory' && b.kind === 'directory') {
    // Attributes other than rpm's default (0755 root) win, as if rpm had installed the packages in either order.
    const plain = (entry: Entry): boolean => entry.mode === 0o755 && entry.user === 'root' && entry.group === 'root';
    return { ...(plain(a) ? b : a), packages };
  }
  if (a.kind === 'symlink' && b.kind === 'symlink' && a.target === b.target) return { ...a, packages };
  if (
    a.kind === 'file' &&
    b.kind === 'file' &&
    a.digest === b.digest &&
    a.mode === b.mode &&
    a.user === b.user &&
    a.group === b.group
  ) {
    return { ...a, packages };
  }
  throw new WeirError(
    'file-conflict',
    `${a.path} is in ${a.packages.join(', ')} and, with different content, in ${b.packages.join(', ')}`,
    {
      where: { file: a.path },
      hint: 'leave one of the packages out, or drop the file from one of them with an overlay',
    },
  );
}

/** Resolves symbolic links in the folders of a path; its last component may stay one. */
export function linkResolver(links: ReadonlyMap<string, string>): (path: string) => string {
  const folders = new Map<string, string>();
  const folder = (path: string, depth: number): string => {
    if (path === '/' || path === '') return '';
    const known = folders.get(path);
    if (known !== undefined) return known;
    const cut = path.lastIndexOf('/');
    const here = `${folder(path.slice(0, cut), depth)}${path.slice(cut)}`;
    const target = links.get(here) ?? links.get(path);
    let resolved = here;
    if (target !== undefined && depth < 40) {
      const absolute = target.startsWith('/') ? target : `${here.slice(0, here.lastIndexOf('/'))}/${target}`;
      resolved = folder(normalise(absolute), depth + 1);
    }
    folders.set(path, resolved);
    return resolved;
  };
  return (path) => {
    const cut = path.lastIndexOf('/');
    return path === '/' ? path : `${folder(path.slice(0, cut), 0)}${path.slice(cut)}`;
  };
}

function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Adds folders that no package owns; rpm also creates them. */
export function addMissingParents(merged: Map<string, Entry>): void {
  for (const path of [...merged.keys()]) {
    for (let cut = path.lastIndexOf('/'); cut >= 0; cut = path.lastIndexOf('/', cut - 1)) {
      const parent = cut === 0 ? '/' : path.slice(0, cut);
      const there = merged.get(parent);
      if (there !== undefined && there.kind !== 'directory') {
        throw new WeirError(
          'file-conflict',
          `${path} needs ${parent} to be a folder, but in ${there.packages.join(', ')} it is a ${there.kind}`,
          {
            where: { file: parent },
          },
        );
      }
      if (there === undefined) {
        merged.set(parent, {
          path: parent,
          kind: 'directory',
          mode: 0o755,
          user: 'root',
          group: 'root',
          mtime: 0,
          packages: [],
        });
      }
      if (cut === 0) break;
    }
  }
}
