import { expect, test } from 'vitest';
import { parseSubordinates } from '../../src/engine/subordinate-ids.ts';

test('finds the ranges of a user by name or by id, at most as many as are mapped', () => {
  const text = 'ann:100000:65536\nbob:165536:1000\n1001:200000:999999\n\nann:x:1\nann:5:0\n';
  expect(parseSubordinates(text, 'ann', 1000)).toEqual([{ first: 100_000, count: 65_535 }]);
  expect(parseSubordinates(text, 'bob', 1001)).toEqual([
    { first: 165_536, count: 1000 },
    { first: 200_000, count: 65_535 },
  ]);
  expect(parseSubordinates(text, 'eve', 1002)).toEqual([]);
});
