import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Aspect, diffTrees, type TreeDiff } from '../../src/tree/diff.ts';
import type { ListedEntry } from '../../src/tree/listing.ts';
import { anyEntries, withoutTimes } from './entries.ts';

const trees = anyEntries.map(withoutTimes);

/** Applies a difference to `a`, using only the difference itself. */
function apply(a: readonly ListedEntry[], diff: TreeDiff): ListedEntry[] {
  const entries = new Map(a.map((entry) => [entry.path, entry]));
  for (const { path } of diff.removed) entries.delete(path);
  for (const { before, after, aspects } of diff.changed) {
    const made: Record<string, unknown> = { ...(aspects.includes('type') ? after : before) };
    for (const aspect of aspects) {
      const key = keys[aspect];
      const value = (after as unknown as Record<string, unknown>)[key];
      if (value === undefined) delete made[key];
      else made[key] = value;
    }
    entries.set(after.path, made as unknown as ListedEntry);
  }
  for (const entry of diff.added) entries.set(entry.path, entry);
  return [...entries.values()].sort((x, y) => (x.path < y.path ? -1 : 1));
}

const keys: Readonly<Record<Aspect, string>> = {
  type: 'kind',
  content: 'digest',
  size: 'size',
  mode: 'mode',
  owner: 'user',
  group: 'group',
  capabilities: 'capabilities',
  label: 'label',
  target: 'target',
  hardlink: 'hardlink',
  packages: 'packages',
};

describe('the difference of two trees', () => {
  test('of a tree with itself is empty', () => {
    fc.assert(
      fc.property(trees, (tree) => {
        expect(diffTrees(tree, structuredClone(tree))).toEqual({ added: [], removed: [], changed: [] });
      }),
    );
  });

  test('applied to the first tree gives the second', () => {
    fc.assert(
      fc.property(trees, trees, (a, b) => {
        expect(apply(a, diffTrees(a, b))).toEqual(b);
      }),
    );
  });

  test('of the swapped trees is the swapped difference', () => {
    fc.assert(
      fc.property(trees, trees, (a, b) => {
        const { added, removed, changed } = diffTrees(a, b);
        expect(diffTrees(b, a)).toEqual({
          added: removed,
          removed: added,
          changed: changed.map(({ before, after, aspects }) => ({ before: after, after: before, aspects })),
        });
      }),
    );
  });

  const plain: ListedEntry = {
    path: '/f',
    kind: 'file',
    mode: 0o755,
    user: 'root',
    group: 'root',
    digest: 'aa',
    size: 1,
    packages: ['p'],
  };
  const link: ListedEntry = { ...plain, kind: 'symlink', target: 'x' } as ListedEntry;

  test.each<[string, ListedEntry, ListedEntry, Aspect[]]>([
    ['content of the same size', plain, { ...plain, digest: 'bb' }, ['content']],
    ['content and size', plain, { ...plain, digest: 'bb', size: 2 }, ['content', 'size']],
    ['setuid', plain, { ...plain, mode: 0o4755 }, ['mode']],
    ['owner and group', plain, { ...plain, user: 'u', group: 'g' }, ['owner', 'group']],
    ['capabilities gained', plain, { ...plain, capabilities: 'cap_net_raw=ep' }, ['capabilities']],
    ['a label', { ...plain, label: 'x' }, { ...plain, label: 'y' }, ['label']],
    ['a target', link, { ...link, target: 'y' } as ListedEntry, ['target']],
    ['a file that became a link', plain, link, ['type']],
    ['another package', plain, { ...plain, packages: ['q'] }, ['packages']],
    ['a hard link', plain, { ...plain, hardlink: '/a' }, ['hardlink']],
  ])('%s', (_what, before, after, aspects) => {
    expect(diffTrees([before], [after]).changed).toEqual([{ before, after, aspects }]);
  });
});
