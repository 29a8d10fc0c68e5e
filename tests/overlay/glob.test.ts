import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { compileGlob } from '../../src/overlay/glob.ts';

describe('globs on names of files', () => {
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
    ['[]a]', ']', true],
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
  ])('%s on %s: %s', (glob, name, matches) => {
    expect(compileGlob(glob).test(name)).toBe(matches);
  });

  it.each(['[a', '[', '[!', '[]', '{a', '{a,{b}', 'a}', 'a\\', '[b-a]', '{a,b}'.repeat(10)])('%s is none', (glob) => {
    expect(() => compileGlob(glob)).toThrow(expect.objectContaining({ code: 'bad-glob', exit: 2 }));
  });

  it('every text is a glob or a WeirError, and one that is escaped matches itself alone', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab/*?[]{},!^-\\.é𝄞'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (glob, name) => {
        try {
          compileGlob(glob).test(name);
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
        }
        const escaped = glob.replace(/[\\*?[\]{}]/g, '\\$&');
        expect(compileGlob(escaped).test(glob)).toBe(true);
        expect(compileGlob(escaped).test(name)).toBe(name === glob);
      }),
    );
  });
});
