import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileReplacer, patternWords } from '../../src/overlay/regex.ts';
import { decodeText, encodeText } from '../../src/spec/lines.ts';
import { failure } from '../base/failure.ts';

describe('search and replace by RE2', () => {
  it.each<[string, string, string]>([
    // Expectations are of Go's regexp.ReplaceAllLiteralString.
    ['a*', 'baaac', 'XbXcX'],
    ['', 'ab', 'XaXbX'],
    ['x*', 'ü', 'XüX'],
    ['$', 'ab', 'abX'],
    ['(?m)^', 'a\nb', 'Xa\nXb'],
    ['(?m)$', 'a\nb\n', 'aX\nbX\nX'],
    ['^b', 'a\nb', 'a\nb'],
    ['\\b', 'ab cd', 'XabX XcdX'],
    ['a|ab', 'ab', 'Xb'],
    ['(?U)a+', 'aaa', 'XXX'],
    ['(?i)k', '\u212a', 'X'],
    ['(?i:A)b', 'abAB', 'XAB'],
    ['.', 'a\n😀', 'X\nX'],
    ['(?s).', 'a\n😀', 'XXX'],
    ['[^a]', '😀', 'X'],
    ['\\w+', 'aé1', 'XéX'],
    ['\\s', '\u00a0 ', '\u00a0X'],
    ['\\d', '٣3', '٣X'],
    ['\\pN', '٣3', 'XX'],
    ['\\p{Greek}+', 'aλμb', 'aXb'],
    ['\\P{L}', 'a1', 'aX'],
    ['[[:alpha:]]+[[:^digit:]]', 'ab-1', 'X1'],
    ['(?P<n>a)(?<m>b)', 'ab', 'X'],
    ['\\Q.+\\E', 'a.+', 'aX'],
    ['\\x{1F600}|\\x41', '😀A', 'XX'],
    ['a{2}', 'aaa', 'Xa'],
    ['\\Aa|b\\z', 'aab', 'XaX'],
  ])('%j on %j', (regex, text, expected) => {
    expect(compileReplacer(regex, 'X')(text)).toBe(expected);
  });

  it('uses the replacement literally', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: fc.constantFrom(...'ab$1\\{}&') }), (replacement, text) => {
        expect(compileReplacer('a', replacement)(text)).toBe(text.split('a').join(replacement));
      }),
    );
  });

  it('matches like JavaScript for common syntax', () => {
    const atom = fc.constantFrom('a', 'b', '[ab]', '.', '\\d', '(a|b)', '(?:ab)', '[^a]', '\\w');
    const part = fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}', '*?', '+?')).map((both) => both.join(''));
    const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom(...'ab1 c'), maxLength: 12 }), (regex, text) => {
        let end = 0;
        // Go's rule for empty matches is the one difference.
        const expected = text.replace(new RegExp(regex, 'g'), (match, ...rest) => {
          const at = rest.at(-2) as number;
          const skip = match === '' && at === end && at > 0;
          end = at + match.length;
          return skip ? '' : 'X';
        });
        expect(compileReplacer(regex, 'X')(text)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('in a text that is not UTF-8', () => {
  const replaced = (regex: string, replacement: string, hex: string): string => {
    const { text, encoding } = decodeText(Buffer.from(hex, 'hex'));
    return Buffer.from(encodeText(compileReplacer(regex, replacement, encoding)(text), encoding)).toString('hex');
  };

  // What Go's regexp.ReplaceAllLiteral makes of the same.
  it.each<[regex: string, replacement: string, before: string, after: string]>([
    ['\\pL', 'X', 'c3a9ff61', '58ff58'],
    ['.', 'X', 'c3a9ff61', '585858'],
    ['.', 'X', 'e282ff', '585858'],
    ['.', 'X', 'eda080', '585858'],
    ['.', 'X', 'f09d849eff', '5858'],
    ['.', 'X', 'f4908080c0af', '585858585858'],
    ['[^a]', '', '61ff62c3a9', '61'],
    ['\\x{FFFD}', 'é', '61ff62c3a9', '61c3a962c3a9'],
    ['é', 'ü', 'ffc3a9', 'ffc3bc'],
    ['\\xff', 'X', 'ffc3bf', 'ff58'],
    ['(?i)É', 'e', 'ffc3a9', 'ff65'],
    ['a', 'é', '61e961', 'c3a9e9c3a9'],
    ['$', '!', 'ff', 'ff21'],
    ['x*', '-', 'ffc3a9', '2dff2dc3a92d'],
  ])('/%s/ by %s: %s', (regex, replacement, before, after) => {
    expect(replaced(regex, replacement, before)).toBe(after);
  });

  it('other bytes stay unchanged', () => {
    const bytes = fc.uint8Array({ maxLength: 20 });
    fc.assert(
      fc.property(bytes, fc.constantFrom('a', '\\pL', '.', '[^b]', '', '(?s).+', '\\b'), (before, regex) => {
        const { text, encoding } = decodeText(before);
        const marked = compileReplacer(`(${regex})`, '', encoding)(text);
        // What is left is what was there, in its order.
        let at = 0;
        for (const char of marked) {
          at = text.indexOf(char, at);
          expect(at).toBeGreaterThanOrEqual(0);
          at += char.length;
        }
        expect(compileReplacer('nowhere to be found', 'x', encoding)(text)).toBe(text);
      }),
    );
  });
});

describe('syntax that RE2 lacks', () => {
  it.each<[string, string]>([
    ['a(?=b)', 'lookaround'],
    ['a(?!b)', 'lookaround'],
    ['(?<=a)b', 'lookaround'],
    ['(?<!a)b', 'lookaround'],
    ['(a)\\1', 'backreferences'],
    ['(?P<n>a)(?P=n)', 'backreferences'],
    ['(?<n>a)\\k<n>', 'backreferences'],
    ['(?>a)', 'atomic'],
    ['a++', 'possessive'],
    ['(', 're2/wiki/Syntax'],
    ['[b-a]', 're2/wiki/Syntax'],
    ['a{1001}', 're2/wiki/Syntax'],
    ['((a{100}){100}){100}', 're2/wiki/Syntax'],
    ['[[:nope:]]', 're2/wiki/Syntax'],
    ['\\p{Nope}', 're2/wiki/Syntax'],
    ['\\C', 're2/wiki/Syntax'],
  ])('%j is told', async (regex, hint) => {
    const error = await failure(Promise.resolve().then(() => compileReplacer(regex, '')));
    expect([error.code, error.exit]).toEqual(['bad-regex', 2]);
    expect(error.message).toContain(JSON.stringify(regex));
    expect(error.details).toHaveLength(1);
    expect(error.hint).toContain(hint);
  });
});

it('the words of a pattern are its literal text', () => {
  expect(patternWords('^\\s*%configure\\s+(?:--with-(?P<x>foo))[^a]*\\.so\\b$')).toBe('%configure --with- foo so');
});
