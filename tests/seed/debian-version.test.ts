import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDebianVersions } from '../../src/seed/debian-version.ts';

const sign = { '<': -1, '=': 0, '>': 1 } as const;

describe('compareDebianVersions', () => {
  it.each<[string, keyof typeof sign, string]>([
    ['1.0', '<', '1.1'],
    ['1.9', '<', '1.10'],
    ['1.0', '=', '1.00'],
    ['1.0', '=', '1.0-0'],
    ['1.0', '<', '1.0-1'],
    ['0:1.0', '=', '1.0'],
    ['1:0.1', '>', '9.9'],
    ['1.0~rc1', '<', '1.0'],
    ['1.0~~', '<', '1.0~'],
    ['1.0~~a', '<', '1.0~'],
    ['1.0-1~deb13u1', '<', '1.0-1'],
    ['1.0-1+deb13u1', '>', '1.0-1'],
    ['1.0-1+deb13u2', '<', '1.0-1+deb13u10'],
    ['1.0a', '<', '1.0+'],
    ['1.0-1+b2', '>', '1.0-1'],
    ['1.0-1', '<', '1.0-1.1'],
    ['5.2.37-2', '<', '5.2.37-2+b8'],
    ['1.2-3-1', '>', '1.2-2-9'],
    ['2.41-12', '<', '2.41-12+deb13u1'],
    ['1.0.', '>', '1.0'],
  ])('%s %s %s', (a, order, b) => {
    expect(compareDebianVersions(a, b)).toBe(sign[order]);
    expect(compareDebianVersions(b, a)).toBe(0 - sign[order] || 0);
  });

  const version = fc
    .tuple(
      fc.option(fc.integer({ min: 0, max: 2 })),
      fc.array(fc.constantFrom('0', '1', '2', '10', 'a', 'rc', '~', '+', '.', 'Z'), { maxLength: 5 }),
      fc.option(fc.array(fc.constantFrom('0', '1', '2', 'a', '~', '+', '.'), { minLength: 1, maxLength: 4 })),
    )
    .map(([epoch, upstream, revision]) => {
      const before = epoch === null ? '' : `${epoch}:`;
      return `${before}0${upstream.join('')}${revision === null ? '' : `-${revision.join('')}`}`;
    });

  it('is a total order', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareDebianVersions(a, b)).toBe(0 - compareDebianVersions(b, a) || 0);
        if (compareDebianVersions(a, b) <= 0 && compareDebianVersions(b, c) <= 0) {
          expect(compareDebianVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  const hasDpkg = spawnSync('dpkg', ['--version']).status === 0;

  it.skipIf(!hasDpkg)('agrees with dpkg', { timeout: 60_000 }, () => {
    const pairs = fc.sample(fc.tuple(version, version), 300);
    const script = pairs
      .map(
        ([a, b]) =>
          `if dpkg --compare-versions '${a}' lt '${b}'; then echo -1; elif dpkg --compare-versions '${a}' gt '${b}'; then echo 1; else echo 0; fi`,
      )
      .join('\n');
    const said = execFileSync('sh', { input: script, encoding: 'utf8' }).trim().split('\n').map(Number);
    expect(pairs.map(([a, b]) => [a, b, compareDebianVersions(a, b)])).toEqual(
      pairs.map(([a, b], index) => [a, b, said[index]]),
    );
  });
});
