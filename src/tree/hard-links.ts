import type { Entry } from './tree.ts';

/**
 * The other names of a hard link as files of their own, for a tree whose entry at `path` is about to be replaced: they keep the
 * old content. Empty if `path` is not the first name of a hard link.
 */
export function freedNames(entries: Iterable<Entry>, path: string): Entry[] {
  const freed: Entry[] = [];
  for (const entry of entries) {
    if (entry.kind !== 'file' || entry.hardlink !== path) continue;
    const { hardlink: _first, ...own } = entry;
    freed.push(own);
  }
  return freed;
}
