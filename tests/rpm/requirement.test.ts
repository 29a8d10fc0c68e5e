import { describe, expect, test } from 'vitest';
import { holds, parseRequirement } from '../../src/rpm/requirement.ts';

describe('parseRequirement', () => {
  test('a name with and without a version', () => {
    expect(parseRequirement('zlib-devel')).toEqual({ name: 'zlib-devel', flags: '' });
    expect(parseRequirement('pkgconfig(zlib) >= 1:1.2-3')).toEqual({
      name: 'pkgconfig(zlib)',
      flags: '>=',
      evr: '1:1.2-3',
    });
    expect(parseRequirement('cmake>=3.5')).toEqual({ name: 'cmake', flags: '>=', evr: '3.5' });
  });

  test('a rich requirement, with brackets in names', () => {
    expect(parseRequirement('(crate(a/b) >= 1 with crate(a/b) < 2~)')).toEqual({
      operator: 'with',
      parts: [
        { name: 'crate(a/b)', flags: '>=', evr: '1' },
        { name: 'crate(a/b)', flags: '<', evr: '2~' },
      ],
    });
    expect(parseRequirement('((a and b) or c(d))')).toEqual({
      operator: 'or',
      parts: [
        {
          operator: 'and',
          parts: [
            { name: 'a', flags: '' },
            { name: 'b', flags: '' },
          ],
        },
        { name: 'c(d)', flags: '' },
      ],
    });
  });

  test.each(['', '(a', 'a b', '(a or)', 'a >=', 'a >= %{version}', ')', '(a or b and c)'])('%s is none', (text) => {
    expect(parseRequirement(text)).toBeUndefined();
  });

  test('deep nesting is no stack overflow', () => {
    expect(parseRequirement(`${'('.repeat(100_000)}a${')'.repeat(100_000)}`)).toBeUndefined();
  });
});

test.each([
  ['(a or x)', true],
  ['(a and x)', false],
  ['(x if y)', true],
  ['(x if a)', false],
  ['(x if a else b)', false],
  ['(x if y else b)', true],
  ['(b unless y)', true],
  ['(b unless a)', true],
  ['(a unless b else x)', false],
  ['(a without x)', true],
])('%s holds: %s', (text, expected) => {
  expect(holds(parseRequirement(text)!, ({ name }) => name === 'a' || name === 'b')).toBe(expected);
});
