import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { compileGlob } from '../../src/base/glob.ts';

describe('globs on file names', () => {
  it.each<[glob: string, name: string, matches: boolean]>([
    ['a.conf', 'a.conf', true],
    ['a.conf', 'aXconf', false],
    ['a.conf', 'sub/a.conf', false],
    ['*', 'a', true],
    ['*', '.hidden', true],
    ['*', 'a/b', false],
    ['*', '', true],
    ['?', 'a', true],
    ['?', 'é', true],
    ['?', '/', false],
    ['?', '', false],
    ['*.patch', 'fix.patch', true],
    ['*.patch', 'fix.patches', false],
    ['CVE-*.patch', 'CVE-2024-1.patch', true],
    ['**', 'a', true],
    ['**', 'a/b/c', true],
    ['**/*', 'a', true],
    ['**/*.conf', 'a.conf', true],
    ['**/*.conf', 'x/y/a.conf', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'a', true],
    ['a/**', 'ab', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['a/**/b', 'ab', false],
    ['a**b', 'axyb', true],
    ['a**b', 'ax/yb', false],
    ['**a', 'x/a', false],
    ['[abc].c', 'b.c', true],
    ['[a-c].c', 'd.c', false],
    ['[!a-c].c', 'd.c', true],
    ['[^a-c].c', 'a.c', false],
    ['[!a]', '/', false],
    ['[a\\]]', ']', true],
    ['[a-]', '-', true],
    ['[\\^a]', '^', true],
    ['{a,b}.c', 'b.c', true],
    ['{a,b}.c', 'c.c', false],
    ['{a,}b', 'b', true],
    ['{a,b/**}', 'b/x/y', true],
    ['{**/,}x', 'a/b/x', true],
    ['x{1{a,b},2}', 'x1b', true],
    ['x{1{a,b},2}', 'x2', true],
    ['{[,],x}', ',', true],
    ['{1..3}', '1..3', true],
    ['{1..3}', '2', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['\\{a\\}', '{a}', true],
    ['foo(1)*.txt', 'foo(1)x.txt', true],
    ['a+b|c$d^e', 'a+b|c$d^e', true],
    ['libstdc++*', 'libstdc++.so', true],
    ['@(a)', 'a', false],
    ['!a', 'b', false],
    ['+(a)*', 'aab', false],
    ['+(a)*', '+(a)b', true],
    ['[^/]', '/', false],
    ['{a/b,c/**}.d', 'a/b.d', true],
    ['{x/,}**/y', 'x/1/2/y', true],
    ['{x/,}**/y', 'xy', false],
    ['a{/**,}', 'a', true],
    ['a{/**,}', 'a/b/c', true],
    ['a**{/b,c}', 'axc', true],
    ['***/a', 'x/y/a', false],
    ['***/a', 'x/a', true],
    ['{**,x}', 'a/b', true],
    ['x{*,**}/y', 'xa/y', true],
    ['{a,{b,}}c', 'c', true],
    ['{}a', 'a', true],
    // Without wildcards a pattern is a name, and a backslash is part of it.
    ['run-vmblock\\x2dfuse.mount', 'run-vmblock\\x2dfuse.mount', true],
    ['run-vmblock\\x2dfuse.mount', 'run-vmblockx2dfuse.mount', false],
    ['a\\x2d/*.mount', 'a\\x2d/b.mount', true],
    ['a/x\\2d*', 'a/x2d', true],
    ['x\\*', 'x*', true],
  ])('%s on %s: %s', (glob, name, matches) => {
    expect(compileGlob(glob)(name)).toBe(matches);
  });

  it.each(['[a', '[', '[!', '[]', '[]a]', '[!]a]', '{a', '{a,{b}', 'a}', 'a\\', 'a\\b\\', '[b-a]'])(
    '%s is invalid',
    (glob) => {
      expect(() => compileGlob(glob)).toThrow(expect.objectContaining({ code: 'invalid-glob', exit: 2 }));
    },
  );

  it.each([
    ['deeply nested braces', '{'.repeat(200)],
    ['a name longer than any path', 'a'.repeat(5000)],
  ])('rejects %s', (_, glob) => {
    expect(() => compileGlob(glob)).toThrow(expect.objectContaining({ code: 'invalid-glob', exit: 2 }));
  });

  it('compiles every text or throws a WeirError; an escaped text matches only itself', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab/*?[]{},!^-\\.é𝄞'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (glob, name) => {
        try {
          compileGlob(glob)(name);
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
        }
        const escaped = glob.replace(/[\\*?[\]{}]/g, '[\\$&]');
        expect(compileGlob(escaped)(glob)).toBe(true);
        expect(compileGlob(escaped)(name)).toBe(name === glob);
      }),
    );
  });

  it('braces match the same as their expansions', () => {
    const piece = fc.constantFrom('a', 'b', '/', '*', '**', '?', '[ab]', '[!a]', '**/', '/**');
    const pieces = fc.array(piece, { maxLength: 3 }).map((all) => all.join(''));
    const name = fc.string({ unit: fc.constantFrom(...'ab/'), maxLength: 7 });
    fc.assert(
      fc.property(
        pieces,
        fc.array(pieces, { minLength: 1, maxLength: 3 }),
        pieces,
        name,
        (before, all, after, name) => {
          // Stars on both sides of a brace do not combine.
          fc.pre(!all.some((one) => /\*!+\*/.test(`${before}!${one}!${after}`)));
          const expected = all.some((one) => compileGlob(before + one + after)(name));
          expect(compileGlob(`${before}{${all.join(',')}}${after}`)(name)).toBe(expected);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('matching is linear in the length of the name', () => {
    // With backtracking each of these would practically never end.
    const name = 'a'.repeat(1000);
    expect(compileGlob(`${'*a'.repeat(100)}*b`)(name)).toBe(false);
    expect(compileGlob(`${'{a,*}'.repeat(100)}b`)(name)).toBe(false);
    expect(compileGlob(`${'{a,}'.repeat(500)}b`)(name)).toBe(false);
    expect(compileGlob(`${'**/'.repeat(100)}b`)('a/'.repeat(500))).toBe(false);
    expect(compileGlob(`${'{'.repeat(100)}a${'}'.repeat(100)}`)('a')).toBe(true);
  });
});
