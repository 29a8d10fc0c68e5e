import { createHash } from 'node:crypto';
import { compareText } from '../base/order.ts';
import type { Entry, Tree } from '../tree/tree.ts';

/** A part of a tree in a separate layer: its entries with their parent folders. */
export interface Layer {
  /** Content, for the image's history. */
  readonly title: string;
  readonly tree: Tree;
}

/** Minimum size of a source package with a layer of its own, in bytes. */
const ownLayer = 2 << 20;
/** Overlay file systems and registries support more, but each costs the client a round trip. */
const mostOwn = 24;
/** Layers for small packages, chosen by name, so that a package never moves because another grew. */
const buckets = 4;

/**
 * Splits a tree by the source packages of its files. A rebuilt image shares all layers except those of changed packages and
 * the last one, which has the files that finalising wrote. Stacked, the layers give the tree.
 * @param sourceOf the source package of a binary package, by name
 */
export function splitLayers(tree: Tree, sourceOf: (name: string) => string): Layer[] {
  const byPath = new Map(tree.entries.map((entry) => [entry.path, entry]));
  const sourceOfEntry = (entry: Entry): string | undefined => {
    // A hard link goes with its first name: it could not link into another layer.
    const owned = entry.kind === 'file' && entry.hardlink !== undefined ? (byPath.get(entry.hardlink) ?? entry) : entry;
    const owner = owned.packages[0];
    return owner === undefined ? undefined : sourceOf(owner);
  };
  const sizes = new Map<string, number>();
  for (const entry of tree.entries) {
    const source = sourceOfEntry(entry);
    if (source === undefined || entry.kind !== 'file' || entry.hardlink !== undefined) continue;
    sizes.set(source, (sizes.get(source) ?? 0) + entry.size);
  }
  const large = [...sizes]
    .filter(([, size]) => size >= ownLayer)
    .sort(([a, x], [b, y]) => y - x || compareText(a, b))
    .slice(0, mostOwn)
    .map(([source]) => source)
    .sort();
  const own = new Set(large);
  const keyOf = (entry: Entry): string => {
    const source = sourceOfEntry(entry);
    if (source === undefined) return 'last';
    return own.has(source) ? `own ${source}` : `bucket ${bucketOf(source)}`;
  };

  const parts = new Map<string, Set<string>>();
  const sources = new Map<string, Set<string>>();
  const used = new Set<string>();
  const take = (key: string, entry: Entry): void => {
    let part = parts.get(key);
    if (part === undefined) {
      part = new Set();
      parts.set(key, part);
    }
    part.add(entry.path);
    for (let above = parentOf(entry.path); !part.has(above); above = parentOf(above)) {
      part.add(above);
      if (above === '/') break;
    }
  };
  for (const entry of tree.entries) {
    const key = keyOf(entry);
    const source = sourceOfEntry(entry);
    if (entry.kind === 'directory') continue;
    if (source !== undefined) sources.set(key, (sources.get(key) ?? new Set()).add(source));
    take(key, entry);
  }
  for (const part of parts.values()) for (const path of part) used.add(path);
  // Empty folders are not parents of any file.
  for (const entry of tree.entries) if (!used.has(entry.path)) take(keyOf(entry), entry);

  const order = [
    ...Array.from({ length: buckets }, (_, number) => `bucket ${number}`),
    ...large.map((source) => `own ${source}`),
    'last',
  ];
  return order.flatMap((key) => {
    const part = parts.get(key);
    if (part === undefined) return [];
    const names = [...(sources.get(key) ?? [])].sort();
    return {
      title: key === 'last' ? 'what the image adds to its packages' : names.join(' ') || 'folders',
      tree: { packages: tree.packages, entries: tree.entries.filter((entry) => part.has(entry.path)) },
    };
  });
}

function bucketOf(source: string): number {
  return createHash('sha256').update(source).digest()[0]! % buckets;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
