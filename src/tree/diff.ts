import type { ListedEntry } from './listing.ts';

/** What a path can differ in where both trees have it. */
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
  /** In the order of `Aspect`, at least one. What only one of the types has is not said beside `type`. */
  readonly aspects: readonly Aspect[];
}

/** How one tree becomes another; each list in the order of paths. */
export interface TreeDiff {
  readonly added: readonly ListedEntry[];
  readonly removed: readonly ListedEntry[];
  readonly changed: readonly EntryChange[];
}

/**
 * All that differs between two trees but times. The lists can be in any order, with every path once.
 * `diffTrees(b, a)` is the same with the sides swapped.
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

function byPath(a: ListedEntry, b: ListedEntry): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
