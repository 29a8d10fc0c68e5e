import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareIn,
  compareUpstream,
  isInRange,
  rangeWords,
  versionOfTag,
} from '../../../src/advisory/match/compare.ts';
import type { VersionRange, VersionScheme } from '../../../src/advisory/match/feed-entry.ts';

const sign = { '<': -1, '=': 0, '>': 1 } as const;

describe('compareUpstream', () => {
  it.each<[string, keyof typeof sign, string]>([
    ['1.2', '<', '1.10'],
    ['1.2', '<', '1.2.1'],
    ['1.0.2', '<', '1.0.2a'],
    ['1.0.2k', '<', '1.0.2w'],
    ['1.9.5', '<', '1.9.5p1'],
    ['1.9.5p1', '<', '1.9.5p2'],
    ['2.0-rc1', '<', '2.0'],
    ['2.0rc1', '<', '2.0'],
    ['2.0.rc.1', '<', '2.0'],
    ['2.0-rc1', '=', '2.0~rc1'],
    ['2.0-alpha', '<', '2.0-beta'],
    ['2.0beta2', '<', '2.0rc1'],
    ['3.0.0.dev1', '<', '3.0.0'],
    ['1.0-SNAPSHOT', '<', '1.0'],
    // Words that only begin as one of those for what comes before a release.
    ['1.0', '<', '1.0prefix'],
    ['v1.2', '=', '1.2'],
    ['20240101', '>', '1.0'],
    ['1.2^20250101', '>', '1.2'],
    ['1.2^20250101', '<', '1.2.1'],
    ['0', '<', '0.1'],
  ])('%s %s %s', (a, order, b) => {
    expect(compareUpstream(a, b)).toBe(sign[order]);
    expect(compareUpstream(b, a)).toBe(0 - sign[order] || 0);
  });
});

describe('semantic versions', () => {
  it.each<[string, keyof typeof sign, string]>([
    ['1.2', '=', '1.2.0'],
    ['1.0.0-alpha', '<', '1.0.0-alpha.1'],
    ['1.0.0-alpha.1', '<', '1.0.0-alpha.beta'],
    ['1.0.0-beta.2', '<', '1.0.0-beta.11'],
    ['1.0.0-rc.1', '<', '1.0.0'],
    ['1.0.0~rc.1', '=', '1.0.0-rc.1'],
    ['1.0.0-0', '<', '1.0.0-rc.1'],
    ['1.0.0+build', '=', '1.0.0'],
    ['v2.0.0', '>', '1.9.9'],
    // Of another form: by rpm's rules.
    ['1.2.3.4', '>', '1.2.3'],
  ])('%s %s %s', (a, order, b) => {
    expect(compareIn('semver', a, b)).toBe(sign[order]);
    expect(compareIn('semver', b, a)).toBe(0 - sign[order] || 0);
  });
});

describe('versions of Python', () => {
  it.each<[string, keyof typeof sign, string]>([
    ['1.0a1', '<', '1.0'],
    ['1.0b2', '<', '1.0rc1'],
    ['1.0a1', '<', '1.0b1'],
    ['1.0.post1', '>', '1.0'],
    ['1.0.dev1', '<', '1.0'],
    ['1.0~b2', '<', '1.0'],
  ])('%s %s %s', (a, order, b) => {
    expect(compareIn('python', a, b)).toBe(sign[order]);
    expect(compareIn('python', b, a)).toBe(0 - sign[order] || 0);
  });
});

describe('the other schemes', () => {
  it('compare as dpkg and as rpm do', () => {
    expect(compareIn('debian', '1.2-1+deb13u1', '1.2-1')).toBe(1);
    expect(compareIn('debian', '1.2-1~deb13u1', '1.2-1')).toBe(-1);
    expect(compareIn('rpm', '1:1.0-1', '2.0-1')).toBe(1);
    expect(compareIn('rpm', '5.2-3.wl4', '5.2-10.wl4')).toBe(-1);
    expect(compareIn('rpm', 'not(a)version', '1')).not.toBe(0);
  });
});

describe('isInRange', () => {
  const range = (text: string): VersionRange => JSON.parse(text) as VersionRange;
  it.each<[string, string, boolean]>([
    ['{}', '1', true],
    ['{"fixed":"5.3"}', '5.2.37', true],
    ['{"fixed":"5.3"}', '5.3', false],
    ['{"fixed":"5.3"}', '5.3.1', false],
    ['{"lastAffected":"5.3"}', '5.3', true],
    ['{"lastAffected":"5.3"}', '5.3.1', false],
    ['{"introduced":"5.0"}', '5.0', true],
    ['{"introduced":"5.0","isAfter":true}', '5.0', false],
    ['{"introduced":"5.0","isAfter":true}', '5.0.1', true],
    ['{"introduced":"5.0"}', '4.9', false],
    ['{"introduced":"3.0.0","fixed":"3.0.7"}', '3.0.7', false],
    ['{"introduced":"3.0.0","fixed":"3.0.7"}', '3.0.6', true],
    ['{"introduced":"3.0.0","fixed":"3.0.7"}', '1.1.1w', false],
    ['{"fixed":"2.0"}', '2.0~rc1', true],
  ])('%s of %s is %s', (text, version, expected) => {
    expect(isInRange('upstream', version, range(text))).toBe(expected);
  });

  const version = fc
    .array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('.'));
  const schemes: readonly VersionScheme[] = ['upstream', 'python', 'semver', 'debian', 'rpm'];

  it.each(schemes)('splits all versions in two by a fixed one (%s)', (scheme) => {
    fc.assert(
      fc.property(version, version, (ours, fixed) => {
        const isOlder = isInRange(scheme, ours, { fixed });
        expect(isInRange(scheme, ours, { introduced: fixed })).toBe(!isOlder);
        expect(isInRange(scheme, ours, { lastAffected: fixed })).toBe(isOlder || compareIn(scheme, ours, fixed) === 0);
      }),
    );
  });

  it.each(schemes)('holds for a range exactly if it holds for both of its bounds (%s)', (scheme) => {
    fc.assert(
      fc.property(version, version, version, (ours, introduced, fixed) => {
        const both = isInRange(scheme, ours, { introduced }) && isInRange(scheme, ours, { fixed });
        expect(isInRange(scheme, ours, { introduced, fixed })).toBe(both);
      }),
    );
  });

  it.each(schemes)('is monotonic: if a version is not below the fix, no newer one is (%s)', (scheme) => {
    fc.assert(
      fc.property(version, version, version, (a, b, fixed) => {
        const [older, newer] = compareIn(scheme, a, b) <= 0 ? [a, b] : [b, a];
        if (!isInRange(scheme, older, { fixed })) expect(isInRange(scheme, newer, { fixed })).toBe(false);
      }),
    );
  });
});

describe('versionOfTag', () => {
  it.each([
    ['v1.2.3', '1.2.3'],
    ['openssl-3.0.1', '3.0.1'],
    ['curl-8_0_1', '8.0.1'],
    ['R_2_4_1', '2.4.1'],
    ['1.2', '1.2'],
    ['release/5.3-rc1', '5.3-rc1'],
    ['main', 'main'],
  ])('of %s is %s', (tag, version) => {
    expect(versionOfTag(tag)).toBe(version);
  });
});

describe('rangeWords', () => {
  it('names the bounds', () => {
    expect(rangeWords({})).toBe('all versions');
    expect(rangeWords({ fixed: '5.3' })).toBe('< 5.3');
    expect(rangeWords({ introduced: '3.0', lastAffected: '3.1' })).toBe('>= 3.0, <= 3.1');
    expect(rangeWords({ introduced: '3.0', isAfter: true })).toBe('> 3.0');
  });
});
