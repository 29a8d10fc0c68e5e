import { expect, test } from 'vitest';
import { type Laid, layOver, without } from '../../src/tree/lay-over.ts';
import type { Entry, Tree } from '../../src/tree/tree.ts';

const base = { user: 'root', group: 'root', mtime: 1, packages: ['a'] } as const;
const folder = (path: string, mode = 0o755): Entry => ({ ...base, path, kind: 'directory', mode });
const file = (path: string, more: Partial<Entry> = {}): Entry =>
  ({ ...base, path, kind: 'file', mode: 0o600, digest: 'old', size: 3, ...more }) as Entry;
const link = (path: string, target: string): Entry => ({ ...base, path, kind: 'symlink', mode: 0o777, target });
const laid = (path: string): Laid => ({ kind: 'file', path, mode: 0o644, digest: 'new', size: 4 });

const tree: Tree = {
  packages: [],
  entries: [
    folder('/'),
    folder('/etc', 0o700),
    file('/etc/one'),
    file('/etc/two', { hardlink: '/etc/one' }),
    link('/lib', 'usr/lib'),
    folder('/usr'),
    folder('/usr/lib'),
  ],
};
const at = (result: Tree, path: string): Entry | undefined => result.entries.find((entry) => entry.path === path);

test('a folder that is there stays, and one that is missing is added', () => {
  const result = layOver(
    tree,
    [{ kind: 'directory', path: '/etc' }, { kind: 'directory', path: '/srv/a' }, laid('/opt/b/c')],
    9,
  );
  expect(at(result, '/etc')).toEqual(tree.entries[1]);
  expect(result.entries.map(({ path }) => path)).toEqual(
    [...tree.entries.map(({ path }) => path), '/srv', '/srv/a', '/opt', '/opt/b', '/opt/b/c'].sort(),
  );
  expect(at(result, '/opt/b/c')).toEqual({
    path: '/opt/b/c',
    user: 'root',
    group: 'root',
    mtime: 9,
    packages: [],
    kind: 'file',
    mode: 0o644,
    digest: 'new',
    size: 4,
  });
});

test('a file replaces one of a package, whose other names keep the old content', () => {
  const result = layOver(tree, [laid('/etc/one')], 9);
  expect(at(result, '/etc/one')).toMatchObject({ digest: 'new', mode: 0o644, packages: ['a'] });
  expect(at(result, '/etc/two')).toEqual(file('/etc/two'));
});

test('a file replaces a link itself', () => {
  const before: Tree = { ...tree, entries: [...tree.entries, link('/etc/localtime', '/usr/share/zone')] };
  expect(at(layOver(before, [laid('/etc/localtime')], 9), '/etc/localtime')).toMatchObject({ kind: 'file' });
});

test('paths lead through links of the tree, and through new ones', () => {
  const result = layOver(
    tree,
    [
      { kind: 'directory', path: '/lib' },
      laid('/lib/x'),
      { kind: 'symlink', path: '/data', target: '/srv' },
      laid('/data/y'),
    ],
    9,
  );
  expect(at(result, '/lib')).toEqual(link('/lib', 'usr/lib'));
  expect(at(result, '/usr/lib/x')).toBeDefined();
  expect(at(result, '/srv/y')).toBeDefined();
});

test('removes paths with what is below them', () => {
  expect(without(tree, ['/etc', '/us']).entries.map(({ path }) => path)).toEqual(['/', '/lib', '/usr', '/usr/lib']);
});

test('folders have the permissions for new ones or for those that are there', () => {
  const modes = { kind: 'directory', mode: 0o700, knownMode: 0o711 } as const;
  const result = layOver(tree, [{ ...modes, path: '/etc' }, { ...modes, path: '/srv' }, laid('/opt/b/c')], 9);
  expect(at(result, '/etc')).toEqual(folder('/etc', 0o711));
  expect(at(result, '/srv')).toMatchObject({ mode: 0o700 });
  expect(at(result, '/opt/b')).toMatchObject({ mode: 0o755, mtime: 9 });
});

test('a file or a link in place of a folder is an error', () => {
  const before: Tree = { ...tree, entries: [folder('/srv/empty')] };
  const place = { file: 'c.yaml', line: 3 };
  for (const item of [laid('/srv/empty'), { kind: 'symlink', path: '/srv/empty', target: 'x' } as const]) {
    const hint = expect.stringContaining('another path');
    expect(() => layOver(before, [{ ...item, place }], 9)).toThrow(
      expect.objectContaining({ code: 'file-conflict', exit: 2, hint, where: place }),
    );
  }
});

test.each([
  ['a folder in place of a file', { kind: 'directory', path: '/etc/one' } as const, 'in place of the file /etc/one'],
  ['a file below a file', laid('/etc/one/new/x'), '/etc/one is a file in the image, not a folder'],
  ['a path in a circle of links', laid('/x/y'), 'is a link in the image, not a folder'],
])('%s is an error', (_what, item, says) => {
  const before: Tree = { ...tree, entries: [...tree.entries, link('/x', '/y'), link('/y', '/x')] };
  expect(() => layOver(before, [item], 9)).toThrow(
    expect.objectContaining({ code: 'file-conflict', exit: 2, message: expect.stringContaining(says) }),
  );
});
