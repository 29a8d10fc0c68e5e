import { expect, test } from 'vitest';
import { isLeftOut } from '../../src/tree/without-files.ts';

test('documentation, if it is not wanted', () => {
  const doc = { flags: { doc: true } };
  expect(isLeftOut(doc, { docs: true })).toBe(true);
  expect(isLeftOut(doc, { docs: false })).toBe(false);
  expect(isLeftOut({ flags: { license: true } }, { docs: true })).toBe(false);
});

test.each([
  [['de'], ['en_US'], true],
  [['en'], ['en_US'], false],
  [['en_US'], ['en_US'], false],
  [['en_GB'], ['en_US'], true],
  [['de', 'en'], ['en_US'], false],
  [['de'], ['en_US', 'de_AT'], false],
  [['de'], [], true],
])('a file for %j where %j is wanted: left out %s', (languages, wanted, isOut) => {
  expect(isLeftOut({ flags: {}, languages }, { docs: false, languages: wanted })).toBe(isOut);
});

test('a file for all, and any file if no language is asked for', () => {
  expect(isLeftOut({ flags: {} }, { docs: false, languages: [] })).toBe(false);
  expect(isLeftOut({ flags: {}, languages: ['de'] }, { docs: false })).toBe(false);
});
