import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitLayers } from '../../src/image/layers.ts';
import type { Entry, Tree } from '../../src/tree/tree.ts';

const base = { mode: 0o755, user: 'root', group: 'root', mtime: 5 } as const;

function directory(path: string, ...packages: string[]): Entry {
  return { ...base, kind: 'directory', path, packages };
}

function file(path: string, size: number, packages: string[], hardlink?: string): Entry {
  const link = hardlink === undefined ? {} : { hardlink };
  return { ...base, kind: 'file', path, packages, size, digest: `${path} ${size}`, ...link };
}

function treeOf(entries: readonly Entry[]): Tree {
  return { packages: [], entries: [...entries].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

const big = 3 << 20;
const small = treeOf([
  directory('/', 'filesystem'),
  directory('/etc', 'filesystem'),
  file('/etc/ld.so.cache', 100, []),
  directory('/usr', 'filesystem'),
  directory('/usr/bin', 'filesystem'),
  file('/usr/bin/bash', 10, ['bash']),
  file('/usr/bin/python3', 10, ['python3']),
  directory('/usr/empty', 'filesystem'),
  directory('/usr/lib', 'filesystem'),
  file('/usr/lib/libpython.so', big, ['python3-libs']),
  file('/usr/lib/libpython2.so', big, ['other'], '/usr/lib/libpython.so'),
]);
const sourceOf = (name: string): string => name.replace(/-libs$/, '');

/** The result of unpacking the layers on top of each other. */
function flatten(layers: readonly { readonly tree: Tree }[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const { tree } of layers) for (const entry of tree.entries) entries.set(entry.path, entry);
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

describe('layers', () => {
  test('are one for each large source package, some for small ones, and one for files without a package', () => {
    const layers = splitLayers(small, sourceOf);
    expect(layers.at(-1)?.title).toBe('what the image adds to its packages');
    expect(layers.at(-1)?.tree.entries.map(({ path }) => path)).toEqual(['/', '/etc', '/etc/ld.so.cache']);
    const python = layers.find(({ title }) => title === 'python3')!;
    expect(python.tree.entries.map(({ path }) => path)).toEqual([
      '/',
      '/usr',
      '/usr/bin',
      '/usr/bin/python3',
      '/usr/lib',
      '/usr/lib/libpython.so',
      '/usr/lib/libpython2.so',
    ]);
  });

  test('keep empty folders', () => {
    expect(flatten(splitLayers(small, sourceOf)).map(({ path }) => path)).toContain('/usr/empty');
  });

  test('of unchanged packages do not change when another package grows', () => {
    const grown = treeOf([...small.entries, file('/usr/bin/vi', big, ['vim'])]);
    const texts = (tree: Tree): string[] =>
      splitLayers(tree, sourceOf).map((layer) => JSON.stringify(layer.tree.entries));
    const after = texts(grown);
    expect(texts(small).filter((text) => !after.includes(text))).toEqual([]);
    expect(after).toHaveLength(texts(small).length + 1);
  });

  test('are limited in number', () => {
    const many = Array.from({ length: 200 }, (_, n) => file(`/f${n}`, big + n, [`p${n}`]));
    expect(splitLayers(treeOf([directory('/'), ...many]), sourceOf).length).toBeLessThanOrEqual(30);
  });

  test('together give the tree, for any tree', () => {
    const name = fc.stringMatching(/^[a-c]{1,2}$/);
    const paths = fc.array(fc.array(name, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(
        paths,
        fc.array(fc.constantFrom('', 'p', 'q', 'r-libs', 'r'), { minLength: 30 }),
        (leaves, owners) => {
          const entries = new Map<string, Entry>([['/', directory('/')]]);
          for (const [index, parts] of leaves.entries()) {
            const owner = owners[index % owners.length]!;
            for (let depth = 1; depth < parts.length; depth++) {
              const path = `/${parts.slice(0, depth).join('/')}`;
              if (entries.get(path)?.kind !== 'directory') entries.set(path, directory(path, owner));
            }
            const path = `/${parts.join('/')}`;
            if (!entries.has(path)) entries.set(path, file(path, index * 400_000, owner === '' ? [] : [owner]));
          }
          const tree = treeOf([...entries.values()]);
          const layers = splitLayers(tree, sourceOf);
          expect(flatten(layers)).toEqual(tree.entries);
          for (const { tree: part } of layers) {
            const there = new Set(part.entries.map(({ path }) => path));
            for (const path of there) {
              const above = path.slice(0, path.lastIndexOf('/')) || '/';
              expect(there.has(above)).toBe(true);
            }
          }
        },
      ),
    );
  });
});
