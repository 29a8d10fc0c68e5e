import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatError, WeirError } from '../../src/base/errors.ts';
import { parseListing, printListing } from '../../src/tree/listing.ts';
import type { Entry } from '../../src/tree/tree.ts';
import { anyEntries, withoutTimes } from './entries.ts';

describe('a tree as JSON Lines', () => {
  test('has one entry per line with its attributes, keys in a fixed order', () => {
    const owned = { user: 'root', group: 'root', mtime: 7, packages: ['iputils'] } as const;
    const label = 'system_u:object_r:ping_exec_t:s0';
    const entries: Entry[] = [
      { ...owned, path: '/', kind: 'directory', mode: 0o755, packages: [] },
      { ...owned, path: '/bin', kind: 'symlink', mode: 0o777, target: 'usr/bin' },
      {
        ...owned,
        packages: ['iputils', 'other'],
        path: '/usr/bin/ping',
        kind: 'file',
        mode: 0o4755,
        digest: 'aa',
        size: 3,
        capabilities: 'cap_net_raw=ep',
        label,
      },
      { ...owned, path: '/usr/bin/ping4', kind: 'file', mode: 0, digest: 'aa', size: 3, hardlink: '/usr/bin/ping' },
    ];
    expect(printListing({ entries })).toBe(
      `${[
        '{"path":"/","kind":"directory","mode":"0755","user":"root","group":"root"}',
        '{"path":"/bin","kind":"symlink","mode":"0777","user":"root","group":"root","target":"usr/bin","packages":["iputils"]}',
        `{"path":"/usr/bin/ping","kind":"file","mode":"4755","user":"root","group":"root","size":3,"sha256":"aa","capabilities":"cap_net_raw=ep","label":"${label}","packages":["iputils","other"]}`,
        '{"path":"/usr/bin/ping4","kind":"file","mode":"0000","user":"root","group":"root","size":3,"sha256":"aa","hardlink":"/usr/bin/ping","packages":["iputils"]}',
      ].join('\n')}\n`,
    );
  });

  test('round-trips, except for times', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        expect(parseListing(printListing({ entries }), 'tree')).toEqual(withoutTimes(entries));
      }),
    );
  });

  test('ignores unknown keys', () => {
    const line = '{"path":"/","kind":"directory","mode":"0755","user":"root","group":"root","acl":"x"}';
    expect(parseListing(line, 'tree')).toEqual([
      { path: '/', kind: 'directory', mode: 0o755, user: 'root', group: 'root', packages: [] },
    ]);
  });

  test.each([
    ['invalid JSON', '{"path":'],
    ['not an object', '7'],
    ['an unknown kind', '{"path":"/x","kind":"socket","mode":"0755","user":"root","group":"root"}'],
    ['a file without a digest', '{"path":"/x","kind":"file","mode":"0755","user":"root","group":"root","size":1}'],
    ['a link without a target', '{"path":"/x","kind":"symlink","mode":"0777","user":"root","group":"root"}'],
    ['a mode in words', '{"path":"/x","kind":"directory","mode":"rwx","user":"root","group":"root"}'],
    [
      'packages that are not a list',
      '{"path":"/x","kind":"directory","mode":"0755","user":"root","group":"root","packages":1}',
    ],
  ])('%s is an error with its line', (_what, line) => {
    const good = '{"path":"/","kind":"directory","mode":"0755","user":"root","group":"root"}';
    const read = () => parseListing(`${good}\n${line}\n`, 'tree.jsonl.gz');
    expect(read).toThrow(WeirError);
    try {
      read();
    } catch (error) {
      expect(formatError(error as WeirError)).toMatch(/^error: tree\.jsonl\.gz:2: .*\nhint: /);
    }
  });
});
