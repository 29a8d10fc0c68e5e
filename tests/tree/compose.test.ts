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
  throw new Error('no conflict');
}

describe('merging packages into a tree', () => {
  test('folders that no package owns are made', () => {
    const tree = mergePackages([pkg('a', [file('/usr/share/a/f')])]);
    expect(tree.entries.map((entry) => entry.path)).toEqual([
      '/',
      '/usr',
      '/usr/share',
      '/usr/share/a',
      '/usr/share/a/f',
    ]);
  });

  test('an identical file is shared and names all its owners', () => {
    const tree = mergePackages([pkg('b', [file('/f')]), pkg('a', [file('/f')])]);
    expect(tree.entries.at(-1)).toMatchObject({ path: '/f', packages: ['a', 'b'] });
  });

  test.each([
    ['other content', file('/f', 'aa'), file('/f', 'bb')],
    ['another mode', file('/f', 'aa', 0o644), file('/f', 'aa', 0o755)],
    ['a file and a folder', file('/f'), dir('/f')],
    ['links that point elsewhere', link('/f', 'x'), link('/f', 'y')],
    ['a link and a file', link('/f', 'x'), file('/f')],
  ])('%s is a conflict that names path and packages', (_what, one, other) => {
    const error = conflict(() => mergePackages([pkg('a', [one]), pkg('b', [other])]));
    expect(error).toMatchObject({ code: 'file-conflict', where: { file: '/f' } });
    expect(error.message).toContain('a and');
    expect(error.message).toContain('in b');
    expect(error.hint).toBeDefined();
  });

  test('a file where another package needs a folder is a conflict', () => {
    expect(conflict(() => mergePackages([pkg('a', [file('/x')]), pkg('b', [file('/x/y')])])).code).toBe(
      'file-conflict',
    );
  });

  test('a path below a link to a folder goes to where the link points, through several links', () => {
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

  test('links in a circle end in an error or a tree, not in a hang', () => {
    const tree = mergePackages([pkg('a', [link('/a', 'b'), link('/b', 'a')]), pkg('b', [])]);
    expect(tree.entries.map((entry) => entry.path)).toEqual(['/', '/a', '/b']);
  });

  test('a folder with attributes of its own wins over a plain one, in either order', () => {
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

  test('the order of packages makes no difference, neither to the tree nor to whether it is one', () => {
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

  test('entries are sorted, unique, and every parent is a folder that comes before', () => {
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
