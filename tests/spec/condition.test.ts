import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holds } from '../../src/spec/condition.ts';

describe('the expression of an %if', () => {
  it.each<[expression: string, expected: boolean | undefined]>([
    ['0', false],
    ['1', true],
    ['01', true],
    ['00', false],
    ['!0', true],
    ['! 1', false],
    ['1 && 0', false],
    ['1 || 0', true],
    ['1 && (0 || 1)', true],
    ['3 > 2', true],
    ['3 <= 2', false],
    ['2 + 2 * 3 == 8', true],
    ['7 / 2 == 3', true],
    ['"a" == "a"', true],
    ['"a" != "b"', true],
    ['"a" < "b"', true],
    ['""', false],
    // What hangs on a macro that is left can't be told, what does not can.
    ['%{x}', undefined],
    ['0%{?fedora} >= 40', undefined],
    ['0 && "%{x}" == "y"', false],
    ['1 || 0%{?x}', true],
    ['!%{x}', undefined],
    // What rpm refuses, or compares as versions.
    ['', undefined],
    ['a', undefined],
    ['1 == "a"', undefined],
    ['1 / 0', undefined],
    ['(1', undefined],
    ['1 1', undefined],
    ['v"1.2" < v"1.10"', undefined],
    ['('.repeat(200), undefined],
    ['!'.repeat(200), undefined],
  ])('%s: %s', (expression, expected) => {
    expect(holds(expression)).toBe(expected);
  });

  it('any text is evaluated or unknown, and never throws', () => {
    const part = fc.constantFrom(
      '0',
      '1',
      '23',
      '"a"',
      '"',
      '&&',
      '||',
      '==',
      '<',
      '!',
      '(',
      ')',
      '+',
      '/',
      '%{x}',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        expect([true, false, undefined]).toContain(holds(parts.join('')));
      }),
    );
  });
});
