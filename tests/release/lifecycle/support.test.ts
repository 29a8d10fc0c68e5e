import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isoDay } from '../../../src/base/time.ts';
import { addDays, daysBetween, supportOn } from '../../../src/release/lifecycle/support.ts';
import { supportWords } from '../../../src/release/lifecycle/words.ts';

const days = { releaseDate: '2026-11-20', fullSupportEnd: '2027-11-19', supportEnd: '2028-11-19' };

describe('the state of a release', () => {
  test.each([
    ['2026-11-19', 'before-release', 731, 'not released yet, ends in 731 days'],
    ['2026-11-20', 'supported', 730, 'supported, ends in 730 days'],
    ['2027-11-19', 'supported', 366, 'supported, ends in 366 days'],
    ['2027-11-20', 'security-only', 365, 'security fixes only, ends in 365 days'],
    ['2028-11-18', 'security-only', 1, 'security fixes only, ends in 1 day'],
    ['2028-11-19', 'security-only', 0, 'security fixes only, today is the last day'],
    ['2028-11-20', 'ended', -1, 'ended yesterday'],
    ['2029-11-19', 'ended', -365, 'ended 365 days ago'],
  ])('on %s is %s', (day, state, daysLeft, words) => {
    const support = supportOn(days, day);
    expect(support).toEqual({ state, daysLeft, supportEnd: days.supportEnd });
    expect(supportWords(support)).toBe(words);
  });

  test('without dates is supported, with no end', () => {
    expect(supportOn({}, '2026-11-20')).toEqual({ state: 'supported' });
    expect(supportWords(supportOn({ releaseDate: '2026-11-20' }, '2026-11-19'))).toBe('not released yet');
  });

  test('that ended before general availability has ended', () => {
    expect(supportOn({ releaseDate: '2026-11-20', supportEnd: '2026-01-01' }, '2026-06-01').state).toBe('ended');
  });
});

test('days are those of UTC, leap days and changes of clocks included', () => {
  expect(isoDay(Date.UTC(2028, 10, 19, 23, 59, 59) / 1000)).toBe('2028-11-19');
  expect(addDays('2028-02-28', 1)).toBe('2028-02-29');
  expect(addDays('2026-10-25', 1)).toBe('2026-10-26');
  expect(addDays('2026-01-01', -1)).toBe('2025-12-31');
  const day = fc.integer({ min: 0, max: 40_000 }).map((number) => isoDay(number * 86_400));
  fc.assert(
    fc.property(day, fc.integer({ min: -2000, max: 2000 }), (from, count) => {
      expect(daysBetween(from, addDays(from, count))).toBe(count);
    }),
  );
});
