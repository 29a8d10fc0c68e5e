import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareEvr, compareVersions, formatEvr, parseEvr, rangesOverlap } from '../../src/rpm/version.ts';

// The pairs in rpm's own tests (tests/rpmvercmp.at), each in one direction.
const vectors = `
  1.0 = 1.0
  1.0 < 2.0
  2.0.1 = 2.0.1
  2.0 < 2.0.1
  2.0.1a = 2.0.1a
  2.0.1a > 2.0.1
  5.5p1 = 5.5p1
  5.5p1 < 5.5p2
  5.5p10 = 5.5p10
  5.5p1 < 5.5p10
  10xyz < 10.1xyz
  xyz10 = xyz10
  xyz10 < xyz10.1
  xyz.4 = xyz.4
  xyz.4 < 8
  xyz.4 < 2
  5.5p2 < 5.6p1
  5.6p1 < 6.5p1
  6.0.rc1 > 6.0
  10b2 > 10a1
  10a2 < 10b2
  1.0aa = 1.0aa
  1.0a < 1.0aa
  10.0001 = 10.0001
  10.0001 = 10.1
  10.0001 < 10.0039
  4.999.9 < 5.0
  20101121 = 20101121
  20101121 < 20101122
  2_0 = 2_0
  2.0 = 2_0
  a = a
  a+ = a+
  a+ = a_
  +a = +a
  +a = _a
  +_ = +_
  _+ = +_
  _+ = _+
  + = _
  1.0~rc1 = 1.0~rc1
  1.0~rc1 < 1.0
  1.0~rc1 < 1.0~rc2
  1.0~rc1~git123 = 1.0~rc1~git123
  1.0~rc1~git123 < 1.0~rc1
  1.0^ = 1.0^
  1.0^ > 1.0
  1.0^git1 = 1.0^git1
  1.0^git1 > 1.0
  1.0^git1 < 1.0^git2
  1.0^git1 < 1.01
  1.0^20160101 = 1.0^20160101
  1.0^20160101 < 1.0.1
  1.0^20160101^git1 = 1.0^20160101^git1
  1.0^20160102 > 1.0^20160101^git1
  1.0~rc1^git1 = 1.0~rc1^git1
  1.0~rc1^git1 > 1.0~rc1
  1.0^git1~pre = 1.0^git1~pre
  1.0^git1 > 1.0^git1~pre
`;

const expected = { '<': -1, '=': 0, '>': 1 } as const;
const rows = vectors
  .trim()
  .split('\n')
  .map((line) => line.trim().split(' ') as [string, keyof typeof expected, string]);

describe('compareVersions', () => {
  test.each(rows)('%s %s %s', (a, relation, b) => {
    expect(compareVersions(a, b)).toBe(expected[relation]);
    expect(compareVersions(b, a)).toBe(0 - expected[relation] || 0);
  });

  test('numbers of any length compare by value', () => {
    expect(compareVersions('1.99999999999999999999998', '1.99999999999999999999999')).toBe(-1);
  });

  const version = fc.string({ unit: fc.constantFrom(...'0019aAz~^.+_-'), maxLength: 9 });

  test('is antisymmetric and reflexive', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(compareVersions(a, b) + compareVersions(b, a)).toBe(0);
        expect(compareVersions(a, a)).toBe(0);
      }),
    );
  });

  test('is transitive', () => {
    fc.assert(
      fc.property(version, version, version, (...three) => {
        const [a, b, c] = three.sort(compareVersions) as [string, string, string];
        expect([compareVersions(a, b), compareVersions(b, c), compareVersions(a, c)]).not.toContain(1);
        if (compareVersions(a, c) === 0) expect(compareVersions(a, b)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('sorts a tilde before the bare version, a caret after it, and anything else after that', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]([0-9a-z.]{0,6}[0-9a-z])?$/), (base) => {
        const order = [`${base}~rc1`, base, `${base}^git1`, `${base}.1`];
        expect([...order].reverse().sort(compareVersions)).toEqual(order);
      }),
    );
  });
});

describe('epoch, version, release', () => {
  test('round-trips', () => {
    expect(parseEvr('2:1.0~rc1-3.fc43')).toEqual({ epoch: 2, version: '1.0~rc1', release: '3.fc43' });
    expect(parseEvr('1.0')).toEqual({ epoch: 0, version: '1.0' });
    for (const text of ['1', '1-2', '3:1', '3:1-2']) expect(formatEvr(parseEvr(text))).toBe(text);
    expect(formatEvr(parseEvr('0:1-2'))).toBe('1-2');
  });

  test.each(['', ':', '1:', '1-', '-1', 'a:1', '1:2:3', '1 2'])('rejects %j', (text) => {
    expect(() => parseEvr(text)).toThrow(/is not \[epoch:\]version/);
  });

  test('compares the epoch first and ignores a missing release', () => {
    const order = (a: string, b: string): number => compareEvr(parseEvr(a), parseEvr(b));
    expect(order('1:1-1', '2-1')).toBe(1);
    expect(order('1-1', '1-2')).toBe(-1);
    expect(order('1', '1-2')).toBe(0);
    expect(order('0:1-1', '1-1')).toBe(0);
  });
});

describe('rangesOverlap', () => {
  const overlap = (a: string, b: string): boolean => {
    const range = (text: string) => {
      const [flags, evr] = text.split(' ') as ['=', string];
      return { flags, evr };
    };
    return rangesOverlap(range(a), range(b));
  };
  test.each([
    ['= 1-1', '= 1-1', true],
    ['= 1-1', '= 1', true],
    ['= 1-1', '>= 2', false],
    ['= 2-1', '>= 2', true],
    ['= 2-1', '> 2', false],
    ['= 1-1', '< 1:0', true],
    ['< 2', '> 1', true],
    ['< 1', '> 2', false],
    ['<= 1', '>= 1', true],
    ['< 1', '<= 1', true],
    ['< 1', '>= 1', false],
  ])('%s and %s: %s', (a, b, result) => {
    expect(overlap(a, b)).toBe(result);
    expect(overlap(b, a)).toBe(result);
  });

  test('no version overlaps with every range', () => {
    expect(rangesOverlap({ flags: '' }, { flags: '>', evr: '9' })).toBe(true);
  });
});
