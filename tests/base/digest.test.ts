import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/base/digest.ts';

/** The definition: JSON.stringify with each object's keys sorted. */
function byDefinition(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

describe('canonical JSON', () => {
  test('is JSON.stringify with sorted keys', () => {
    const key = fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom('__proto__', 'toJSON', '01', '-1', '1.5'));
    const value = fc.anything({ key, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true });
    fc.assert(
      fc.property(value, (each) => {
        expect(canonicalJson(each)).toBe(byDefinition(each));
      }),
    );
  });

  test.each([
    [{ b: 1, a: [undefined, () => 1, Number.NaN] }, '{"a":[null,null,null],"b":1}'],
    [{ 10: 'ten', 9: 'nine', b: undefined, a: null }, '{"9":"nine","10":"ten","a":null}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['\ud800é\n', '"\\ud800é\\n"'],
  ])('of %o is %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
    expect(byDefinition(value)).toBe(text);
  });

  test('does not take a big integer', () => {
    expect(() => canonicalJson({ a: 1n })).toThrow(TypeError);
  });
});
