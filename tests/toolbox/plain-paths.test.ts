import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bind } from '../../src/engine/jail.ts';
import { isPlain, withPlainPaths } from '../../src/toolbox/plain-paths.ts';

/** Names of folders with characters that parsers of paths are known to split at. */
const name = fc
  .string({ unit: fc.constantFrom(...' ,:;%#?\\"\'$@&()[]{}*!|<>=\nabcé0.-_'), minLength: 1, maxLength: 8 })
  .filter((text) => text !== '.' && text !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`);

test('a tool sees only plain paths, and they name the right files', () => {
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 3 }), fc.string(), (paths, other) => {
      const binds: Bind[] = paths.map((from) => ({ from, writable: true }));
      const uses = paths.flatMap((each) => [
        each,
        `${each}/disk.raw`,
        `${each}@@1048576`,
        `--output=${each}`,
        `@${each}`,
      ]);
      const run = withPlainPaths({ argv: ['tool', ...uses], binds, cwd: paths[0]!, env: { FILE: paths[0]! } });
      const places = run.binds!.map((bind) => bind.to ?? bind.from);
      expect(new Set(places).size).toBe(paths.length);
      for (const place of places) expect(isPlain(place)).toBe(true);
      // The path inside of the longest bound folder that contains it.
      const placeOf = (text: string): string => {
        const holders = paths.filter((each) => text === each || text.startsWith(`${each}/`));
        const holder = holders.sort((a, b) => b.length - a.length)[0]!;
        return places[paths.indexOf(holder)]! + text.slice(holder.length);
      };
      const nested = paths.some((a) => paths.some((b) => a !== b && a.startsWith(b)));
      if (!nested) {
        const expected = paths.flatMap((each) => {
          const place = placeOf(each);
          return [place, `${place}/disk.raw`, `${place}@@1048576`, `--output=${place}`, `@${place}`];
        });
        expect(run.argv.slice(1)).toEqual(expected);
      }
      expect(run.cwd).toBe(run.env.FILE);
      expect(withPlainPaths({ argv: [other] })).toEqual({ argv: [other] });
    }),
  );
});

test('plain paths, and paths chosen by the caller, are unchanged', () => {
  const plain = { argv: ['tool', '/tmp/élan-1.0_x+y~z/a'], binds: [{ from: '/tmp/élan-1.0_x+y~z' }], cwd: '/a b' };
  expect(withPlainPaths(plain)).toEqual(plain);
  const placed = { argv: ['tool', '/in'], binds: [{ from: '/a b', to: '/in' }] };
  expect(withPlainPaths(placed)).toEqual(placed);
});

test('only whole paths are replaced, the longest first', () => {
  const binds = [{ from: '/a b' }, { from: '/a b/c,d' }];
  const argv = ['/a bc', '/x/a b', '/a b', '/a b/e', '/a b/c,d', '/a b/c,d?offset=512', 'x=/a b,y=/a b/c,d/z'];
  const [one, two] = ['/mnt/weir/0', '/mnt/weir/1'];
  expect(withPlainPaths({ argv, binds })).toEqual({
    argv: ['/a bc', '/x/a b', one, `${one}/e`, two, `${two}?offset=512`, `x=${one},y=${two}/z`],
    binds: [
      { from: '/a b', to: one },
      { from: '/a b/c,d', to: two },
    ],
  });
});
