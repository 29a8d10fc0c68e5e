import fc from 'fast-check';
import { sortEntries } from '../../src/tree/compose.ts';
import type { ListedEntry } from '../../src/tree/listing.ts';
import type { Entry } from '../../src/tree/tree.ts';

// A small set, so that two trees share paths.
const path = fc.constantFrom('/', '/a', '/a/b', '/a-b', '/ä', '/z"\n', '/c/d', '/c');
const owner = fc.constantFrom('root', 'chrony');
const digest = fc.constantFrom('aa', 'bb', 'cc');

const base = {
  path,
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o7777, 0),
  user: owner,
  group: owner,
  mtime: fc.nat(9),
  packages: fc.uniqueArray(fc.constantFrom('glibc', 'bash', 'less'), { maxLength: 2 }).map((names) => names.sort()),
};
const label = { label: fc.constantFrom('system_u:object_r:etc_t:s0', 'system_u:object_r:bin_t:s0') };

const file = fc.record(
  {
    ...base,
    ...label,
    kind: fc.constant('file' as const),
    digest,
    size: fc.nat(9),
    capabilities: fc.constantFrom('cap_net_raw=ep', 'cap_chown=p'),
    hardlink: path,
  },
  { requiredKeys: ['path', 'mode', 'user', 'group', 'mtime', 'packages', 'kind', 'digest', 'size'] },
);
const folder = fc.record(
  { ...base, ...label, kind: fc.constant('directory' as const) },
  { requiredKeys: ['path', 'mode', 'user', 'group', 'mtime', 'packages', 'kind'] },
);
const link = fc.record(
  { ...base, ...label, kind: fc.constant('symlink' as const), target: fc.constantFrom('a', '../b') },
  { requiredKeys: ['path', 'mode', 'user', 'group', 'mtime', 'packages', 'kind', 'target'] },
);

/** Entries with every attribute, in a tree's order; they need not form a valid file system. */
export const anyEntries: fc.Arbitrary<readonly Entry[]> = fc
  .uniqueArray(fc.oneof(file, folder, link), { selector: (entry) => entry.path, maxLength: 8 })
  .map((entries) => sortEntries(entries as Entry[]));

export function withoutTimes(entries: readonly Entry[]): ListedEntry[] {
  return entries.map(({ mtime: _, ...entry }) => entry);
}
