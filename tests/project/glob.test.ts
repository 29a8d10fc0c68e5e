import { symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { expandGlob, mayMatchNothing, pathMatcher } from '../../src/project/glob.ts';
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
    ['[!a].toml', ['b.toml']],
    ['[^a].toml', ['b.toml']],
    ['{x/y/b.txt,a.toml}', ['a.toml', 'x/y/b.txt']],
    ['{x/y,x}/{a,b}.*', ['x/a.toml', 'x/y/a.toml', 'x/y/b.txt']],
    ['x{/y/b,/a}.t*', ['x/a.toml', 'x/y/b.txt']],
    ['{**/y,x}/a.toml', ['x/a.toml', 'x/y/a.toml']],
    ['+(a)*', []],
    ['z+(1)/*', ['z+(1)/a.toml']],
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

  it('match the same paths as they find', () => {
    for (const pattern of ['x/**', '**/a.toml', '*.toml', './x/*.toml', '{x/y,x}/[!c].*', `../${basename(dir)}/x/*`]) {
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

  it('keep a backslash in a name without wildcards', () => {
    const own = folder({ 'run-vmblock\\x2dfuse.mount': '', 'x\\2d/a.txt': '', 'star*': '', starfish: '' });
    const found = (pattern: string) => expandGlob(pattern, own).map((path) => path.slice(own.length + 1));
    expect(found('run-vmblock\\x2dfuse.mount')).toEqual(['run-vmblock\\x2dfuse.mount']);
    expect(found('x\\2d/*.txt')).toEqual(['x\\2d/a.txt']);
    expect(found('star\\*')).toEqual(['star*']);
  });

  it('reject braces that expand to too many patterns', () => {
    expect(() => expandGlob('{a/,b/}'.repeat(12), dir)).toThrow(expect.objectContaining({ code: 'invalid-glob' }));
  });

  it('distinguish patterns from names', () => {
    expect(['a*', 'a?', '[a]', '\\[/d', '{a,b}\\['].every(mayMatchNothing)).toBe(true);
    expect(['a.toml', '{a,b}', 'c++'].some(mayMatchNothing)).toBe(false);
  });

  it('of any text find files or throw invalid-glob', () => {
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
