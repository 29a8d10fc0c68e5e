import { byPath } from '../base/order.ts';
import type { ListedEntry } from './listing.ts';

/** An attribute of a path in which two trees can differ. */
export type Aspect =
  | 'type'
  | 'content'
  | 'size'
  | 'mode'
  | 'owner'
  | 'group'
  | 'capabilities'
  | 'label'
  | 'target'
  | 'hardlink'
  | 'packages';

export interface EntryChange {
  readonly before: ListedEntry;
  readonly after: ListedEntry;
  /** In the order of `Aspect`, at least one. If the type differs, attributes of only one type are not listed. */
  readonly aspects: readonly Aspect[];
}

/** The changes from one tree to another; each list is sorted by path. */
export interface TreeDiff {
  readonly added: readonly ListedEntry[];
  readonly removed: readonly ListedEntry[];
  readonly changed: readonly EntryChange[];
}

/**
 * All differences between two trees except times. The lists can be in any order but must have unique paths.
 * `diffTrees(b, a)` gives the same result with the sides swapped.
 */
export function diffTrees(a: readonly ListedEntry[], b: readonly ListedEntry[]): TreeDiff {
  const before = new Map(a.map((entry) => [entry.path, entry]));
  const added: ListedEntry[] = [];
  const changed: EntryChange[] = [];
  for (const after of b) {
    const there = before.get(after.path);
    if (there === undefined) {
      added.push(after);
      continue;
    }
    before.delete(after.path);
    const aspects = differingAspects(there, after);
    if (aspects.length > 0) changed.push({ before: there, after, aspects });
  }
  return {
    added: added.sort(byPath),
    removed: [...before.values()].sort(byPath),
    changed: changed.sort((x, y) => byPath(x.after, y.after)),
  };
}

function differingAspects(a: ListedEntry, b: ListedEntry): Aspect[] {
  const aspects: Aspect[] = [];
  if (a.kind !== b.kind) aspects.push('type');
  if (a.kind === 'file' && b.kind === 'file') {
    if (a.digest !== b.digest) aspects.push('content');
    if (a.size !== b.size) aspects.push('size');
  }
  if (a.mode !== b.mode) aspects.push('mode');
  if (a.user !== b.user) aspects.push('owner');
  if (a.group !== b.group) aspects.push('group');
  if (a.kind === 'file' && b.kind === 'file' && a.capabilities !== b.capabilities) aspects.push('capabilities');
  if (a.label !== b.label) aspects.push('label');
  if (a.kind === 'symlink' && b.kind === 'symlink' && a.target !== b.target) aspects.push('target');
  if (a.kind === 'file' && b.kind === 'file' && a.hardlink !== b.hardlink) aspects.push('hardlink');
  if (a.packages.length !== b.packages.length || a.packages.some((name, index) => name !== b.packages[index])) {
    aspects.push('packages');
  }
  return aspects;
}
