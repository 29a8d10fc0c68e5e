import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { mergePackages } from '../../src/tree/compose.ts';
import type { Entry } from '../../src/tree/tree.ts';
import type { Unpacked } from '../../src/tree/unpack.ts';

const owned = { user: 'root', group: 'root', mtime: 0 } as const;

function pkg(name: string, entries: readonly Omit<Entry, 'packages'>[]): Unpacked {
  return {
    package: { name, epoch: 0, version: '1', release: '1', arch: 'noarch', rpm: name, scriptlets: [] },
    entries: entries.map((entry) => ({ ...entry, packages: [name] }) as Entry),
  };
}

const dir = (path: string, mode = 0o755) => ({ ...owned, kind: 'directory', path, mode }) as const;
const link = (path: string, target: string) => ({ ...owned, kind: 'symlink', path, mode: 0o777, target }) as const;
const file = (path: string, digest = 'aa', mode = 0o644) =>
  ({ ...owned, kind: 'file', path, mode, digest, size: 1 }) as const;

function conflict(work: () => unknown): WeirError {
  try {
    work();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('expected a conflict');
}

describe('merging packages into a tree', () => {
  test('adds folders that no package owns', () => {
    const tree = mergePackages([pkg('a', [file('/usr/share/a/f')])]);
    expect(tree.entries.map((entry) => entry.path)).toEqual([
      '/',
      '/usr',
      '/usr/share',
      '/usr/share/a',
      '/usr/share/a/f',
    ]);
  });

  test('shares an identical file and lists all its owners', () => {
    const tree = mergePackages([pkg('b', [file('/f')]), pkg('a', [file('/f')])]);
    expect(tree.entries.at(-1)).toMatchObject({ path: '/f', packages: ['a', 'b'] });
  });

  test.each([
    ['different content', file('/f', 'aa'), file('/f', 'bb')],
    ['a different mode', file('/f', 'aa', 0o644), file('/f', 'aa', 0o755)],
    ['a file and a folder', file('/f'), dir('/f')],
    ['different link targets', link('/f', 'x'), link('/f', 'y')],
    ['a link and a file', link('/f', 'x'), file('/f')],
  ])('%s is a conflict that names path and packages', (_what, one, other) => {
    const error = conflict(() => mergePackages([pkg('a', [one]), pkg('b', [other])]));
    expect(error).toMatchObject({ code: 'file-conflict', where: { file: '/f' } });
    expect(error.message).toContain('a and');
    expect(error.message).toContain('in b');
    expect(error.hint).toBeDefined();
  });

  test('reports a file where another package needs a folder', () => {
    expect(conflict(() => mergePackages([pkg('a', [file('/x')]), pkg('b', [file('/x/y')])])).code).toBe(
      'file-conflict',
    );
  });

  test('moves a path below a link to a folder to the link target, through several links', () => {
    const tree = mergePackages([
      pkg('filesystem', [
        link('/lib64', 'usr/lib64'),
        link('/usr/lib64', 'lib/x86_64-linux-gnu'),
        dir('/usr/lib/x86_64-linux-gnu'),
      ]),
      pkg('z', [file('/lib64/libz.so.1')]),
    ]);
    expect(tree.entries.at(-1)).toMatchObject({ path: '/usr/lib64' });
    expect(tree.entries.find((entry) => entry.kind === 'file')?.path).toBe('/usr/lib/x86_64-linux-gnu/libz.so.1');
  });

  test('ends for circular links, with an error or a tree', () => {
    const tree = mergePackages([pkg('a', [link('/a', 'b'), link('/b', 'a')]), pkg('b', [])]);
    expect(tree.entries.map((entry) => entry.path)).toEqual(['/', '/a', '/b']);
  });

  test('prefers a folder with non-default attributes, in either order', () => {
    const plain = pkg('a', [dir('/var')]);
    const special = pkg('b', [dir('/var', 0o1777)]);
    for (const order of [
      [plain, special],
      [special, plain],
    ]) {
      expect(mergePackages(order).entries.at(-1)?.mode).toBe(0o1777);
    }
  });

  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
  const packages = fc.uniqueArray(
    fc.record({ name: fc.stringMatching(/^[a-z]{1,8}$/), files: fc.uniqueArray(path, { maxLength: 8 }) }),
    { selector: (each) => each.name, maxLength: 6 },
  );

  test('does not depend on the order of packages', () => {
    fc.assert(
      fc.property(packages, fc.nat(), (specs, seed) => {
        const unpacked = specs.map((spec) =>
          pkg(
            spec.name,
            spec.files.map((each) => file(each)),
          ),
        );
        const shuffled = [...unpacked]
          .sort((a, b) => ((a.package.name.length * seed) % 7) - ((b.package.name.length * seed) % 7))
          .reverse();
        const outcome = (list: readonly Unpacked[]) => {
          try {
            return mergePackages(list);
          } catch (error) {
            return (error as WeirError).code;
          }
        };
        expect(outcome(shuffled)).toEqual(outcome(unpacked));
      }),
    );
  });

  test('gives entries that are sorted and unique, with every parent before its children', () => {
    fc.assert(
      fc.property(packages, (specs) => {
        let tree: ReturnType<typeof mergePackages>;
        try {
          tree = mergePackages(
            specs.map((spec) =>
              pkg(
                spec.name,
                spec.files.map((each) => file(each)),
              ),
            ),
          );
        } catch (error) {
          expect((error as WeirError).code).toBe('file-conflict');
          return;
        }
        const seen = new Map<string, string>();
        for (const entry of tree.entries) {
          expect(seen.has(entry.path)).toBe(false);
          if (entry.path !== '/') {
            const parent = entry.path.slice(0, entry.path.lastIndexOf('/')) || '/';
            expect(seen.get(parent)).toBe('directory');
          }
          seen.set(entry.path, entry.kind);
        }
        for (const spec of specs) for (const each of spec.files) expect(seen.get(each)).toBe('file');
      }),
    );
  });
});
