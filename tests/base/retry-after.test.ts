import { describe, expect, test } from 'vitest';
import { longestWait, newRetryBudget, retryAfterSeconds } from '../../src/base/retry-after.ts';

const noon = Date.UTC(1994, 10, 6, 12, 0, 0);
const secondsOf = (headers: Readonly<Record<string, string>>, status = 503) =>
  retryAfterSeconds(status, (name) => headers[name], noon);

describe('Retry-After', () => {
  test.each([
    ['7', 7],
    ['0', 0],
    [' 12 ', 12],
    ['999999999999', 999_999_999_999],
    ['Sun, 06 Nov 1994 12:00:30 GMT', 30],
    ['Sunday, 06-Nov-94 12:01:00 GMT', 60],
    ['Sun Nov  6 12:00:05 1994', 5],
    ['Sun Nov 13 12:00:00 1994', 7 * 86_400],
    ['Sun, 06 Nov 1994 11:59:30 GMT', 0],
    // A two-digit year is in this century or the last, whichever is not far ahead.
    ['Sunday, 06-Nov-30 12:00:00 GMT', (Date.UTC(2030, 10, 6, 12) - noon) / 1000],
    ['', undefined],
    ['-3', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['1e3', undefined],
    ['Sun, 06 Foo 1994 12:00:30 GMT', undefined],
    ['2094-11-06T12:00:00Z', undefined],
  ])('%j is %s', (text, seconds) => {
    expect(secondsOf({ 'retry-after': text })).toBe(seconds);
  });

  test('a date is relative to the Date header, if valid', () => {
    const date = 'Sun, 06 Nov 1994 08:00:00 GMT';
    expect(secondsOf({ 'retry-after': 'Sun, 06 Nov 1994 08:00:09 GMT', date })).toBe(9);
    expect(secondsOf({ 'retry-after': 'Sun, 06 Nov 1994 12:00:09 GMT', date: 'today' })).toBe(9);
  });

  test.each([
    [429, 3],
    [503, 3],
    [408, 3],
    [404, undefined],
    [401, undefined],
    [200, undefined],
  ])('status %i gives %s', (status, seconds) => {
    expect(secondsOf({ 'retry-after': '3' }, status)).toBe(seconds);
  });
});

describe('a retry budget', () => {
  test('is limited even if every wait is 0', () => {
    const budget = newRetryBudget();
    let waits = 0;
    while (budget.allows(0)) waits++;
    expect(waits).toBe(longestWait);
  });

  test('covers all waits together, and a refused wait uses nothing up', () => {
    const budget = newRetryBudget(10);
    expect([6, 6, 11, 4, 1].map((seconds) => budget.allows(seconds))).toEqual([true, false, false, true, false]);
  });
});
