import { describe, expect, test } from 'vitest';
import { demandDone, isRpmdb, leftPackages } from '../../src/tree/left-packages.ts';
import type { Entry, Tree } from '../../src/tree/tree.ts';

const file = (path: string, ...packages: string[]): Entry => ({
  ...{ path, packages, kind: 'file', mode: 0o644, user: 'root', group: 'root', mtime: 1, digest: 'aa', size: 2 },
});
const folder = (path: string, ...packages: string[]): Entry => ({
  ...{ path, packages, kind: 'directory', mode: 0o755, user: 'root', group: 'root', mtime: 1 },
});
const treeOf = (names: readonly string[], entries: readonly Entry[]): Tree => ({
  entries,
  packages: names.map((name) => ({
    ...{ name, epoch: 0, version: '1', release: '2', arch: 'noarch', rpm: 'aa', scriptlets: [] },
  })),
});
const said = (stdout: string, code = 0, stderr = '') => ({ code, stdout, stderr });
const namesOf = (packages: readonly { readonly name: string }[]): string[] => packages.map(({ name }) => name);

describe('with an RPM database', () => {
  const before = treeOf(['a', 'b'], []);

  test('the packages in it are left', () => {
    expect(namesOf(leftPackages(before, before, said('b-1-2.noarch\n')))).toEqual(['b']);
  });

  test('one that cannot be read is an error with the words of rpm', () => {
    expect(() => leftPackages(before, before, said('', 1, 'error: cannot open Packages database'))).toThrow(
      expect.objectContaining({ code: 'script-failed', details: ['error: cannot open Packages database'] }),
    );
  });

  test('a package that the image did not have is an error', () => {
    expect(() => leftPackages(before, before, said('a-1-2.noarch\nlocal-1-1.noarch\n'))).toThrow(
      expect.objectContaining({
        code: 'script-failed',
        message: 'the scripts put local-1-1.noarch into the RPM database',
        hint: expect.stringContaining("add the package to the image's packages"),
      }),
    );
  });

  test('a key in it is an error that says where keys go', () => {
    expect(() => leftPackages(before, before, said('gpg-pubkey-1-2.(none)\na-1-2.noarch\n'))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('/etc/pki/rpm-gpg') }),
    );
  });

  test('only the database itself is written anew, not keys beside it', () => {
    const paths = ['rpmdb.sqlite', 'rpmdb.sqlite-wal', '.rpm.lock', 'pubkeys/a.key', 'pubkeys'];
    expect(paths.filter((path) => isRpmdb(`/usr/lib/sysimage/rpm/${path}`))).toEqual(paths.slice(0, 3));
  });
});

describe('without an RPM database', () => {
  const licence = file('/usr/share/licenses/COPYING', 'gone', 'kept');
  const before = treeOf(
    ['empty', 'gone', 'intact', 'kept', 'twin-a', 'twin-b'],
    [
      folder('/usr/lib/gone', 'gone'),
      file('/usr/bin/gone', 'gone'),
      file('/usr/bin/kept', 'kept'),
      licence,
      file('/usr/bin/twin-a', 'twin-a'),
      file('/usr/bin/twin-b', 'twin-b'),
      file('/usr/share/twins', 'twin-a', 'twin-b'),
      file('/usr/share/same', 'intact', 'kept'),
    ],
  );
  const without = (...paths: string[]): Tree => ({
    ...before,
    entries: before.entries.filter(({ path }) => !paths.includes(path)),
  });

  test('a file that a package shares with another one, or a folder, does not keep it; without files none is left', () => {
    const after = without('/usr/bin/gone');
    expect(namesOf(leftPackages(before, after, undefined))).toEqual(['intact', 'kept', 'twin-a', 'twin-b']);
  });

  test('a file that is left has a package, even if it is not sure which', () => {
    const after = without('/usr/bin/twin-a', '/usr/bin/twin-b');
    expect(namesOf(leftPackages(before, after, undefined))).toContain('twin-a');
    expect(namesOf(leftPackages(before, after, undefined))).toContain('twin-b');
  });
});

test('a step that fails is an error with its last words', () => {
  expect(() => demandDone('cannot remove x', said('', 1, 'rm: x: not permitted'))).toThrow(
    expect.objectContaining({ message: 'cannot remove x: exit code 1', details: ['rm: x: not permitted'] }),
  );
  demandDone('nothing', said(''));
});
