import type { ListedEntry } from './listing.ts';

/** Bytes of content that an entry brings: those of a hard-link set count once, at its first path. */
export function contentBytes(entry: ListedEntry): number {
  return entry.kind === 'file' && entry.hardlink === undefined ? entry.size : 0;
}

/** The same for all entries of a tree. */
export function treeBytes(entries: readonly ListedEntry[]): number {
  return entries.reduce((sum, entry) => sum + contentBytes(entry), 0);
}
