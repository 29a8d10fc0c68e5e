import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { expandGlob, isGlob, pathMatcher } from '../../src/project/glob.ts';
import { folder } from './fixture.ts';

const names = ['a.toml', 'b.toml', '.c.toml', 'x/a.toml', 'x/y/a.toml', 'x/y/b.txt', 'z+(1)/a.toml', 'libstdc++.toml'];
const dir = folder(Object.fromEntries(names.map((name) => [name, ''])));
symlinkSync(join(dir, 'a.toml'), join(dir, 'link.toml'));
symlinkSync(join(dir, 'gone'), join(dir, 'broken.toml'));

describe('globs', () => {
  it.each([
    ['a.toml', ['a.toml']],
    ['./a.toml', ['a.toml']],
    ['x/../a.toml', ['a.toml']],
    ['libstdc++.toml', ['libstdc++.toml']],
    ['*.toml', ['.c.toml', 'a.toml', 'b.toml', 'libstdc++.toml', 'link.toml']],
    ['?.toml', ['a.toml', 'b.toml']],
    ['[ab].toml', ['a.toml', 'b.toml']],
    ['{a,b}.toml', ['a.toml', 'b.toml']],
    ['*/a.toml', ['x/a.toml', 'z+(1)/a.toml']],
    ['**/a.toml', ['a.toml', 'x/a.toml', 'x/y/a.toml', 'z+(1)/a.toml']],
    ['x/**', ['x/a.toml', 'x/y/a.toml', 'x/y/b.txt']],
    ['x/**/y/*', ['x/y/a.toml', 'x/y/b.txt']],
    ['**/**/b.txt', ['x/y/b.txt']],
    ['x', []],
    ['a.toml/b', []],
    ['none/*', []],
    ['', []],
  ])('%s', (pattern, expected) => {
    expect(expandGlob(pattern, dir).map((path) => path.slice(dir.length + 1))).toEqual(expected);
    expect(expandGlob(pattern === '' ? '' : `${dir}/${pattern}`, '/')).toEqual(expected.map((name) => join(dir, name)));
  });

  it('match paths as they find files', () => {
    for (const pattern of ['x/**', '**/a.toml', '*.toml', './x/*.toml']) {
      const matches = pathMatcher(pattern, dir);
      const found = expandGlob(pattern, dir).filter((path) => !path.endsWith('link.toml'));
      expect(
        names
          .map((name) => join(dir, name))
          .filter(matches)
          .sort(),
      ).toEqual(found.sort());
    }
  });

  it('know a pattern from a name', () => {
    expect(['a*', 'a?', '[a]'].every(isGlob)).toBe(true);
    expect(['a.toml', '{a,b}', 'c++'].some(isGlob)).toBe(false);
  });

  it('of any text find files of the folder or say that they are none', () => {
    const part = fc.oneof(
      fc.constantFrom('*', '**', '?', '[', ']', '{', '}', '(', ')', '!', '+', '@', '\\', '\0', 'a', 'x', '/'),
      fc.string({ maxLength: 2 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const pattern = parts.join('').replace(/^\/+/, '').replaceAll('..', '.');
        try {
          for (const path of expandGlob(pattern, dir)) expect(path.startsWith(`${dir}/`)).toBe(true);
        } catch (error) {
          if (!(error instanceof WeirError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
