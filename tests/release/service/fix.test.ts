import { expect, test } from 'vitest';
import { raisedRelease } from '../../../src/release/service/fix.ts';
import { compareVersions } from '../../../src/rpm/version.ts';

test.each([
  ['2%{?dist}', '2%{?dist}.1'],
  ['2%{?dist}.1', '2%{?dist}.2'],
  ['2%{dist}.9', '2%{dist}.10'],
  ['%{baserelease}%{?dist}', '%{baserelease}%{?dist}.1'],
  ['0.3.rc1%{?dist}', '0.3.rc1%{?dist}.1'],
  ['7', '7.1'],
])('after %s comes %s, which upstream’s next release is newer than', (release, next) => {
  expect(raisedRelease(release)).toBe(next);
  const plain = (text: string) => text.replace(/%\{\??dist\}/, '.wl4').replace('%{baserelease}', '2');
  expect(compareVersions(plain(next), plain(release))).toBe(1);
  const upstream = plain(release).replace(/^(0\.)?(\d+)/, (_, zero = '', number) => `${zero}${Number(number) + 1}`);
  expect(compareVersions(upstream, plain(next))).toBe(1);
});

test.each(['%autorelease', '%{autorelease -b 3}', ''])('%j cannot be raised by hand', (release) => {
  expect(raisedRelease(release)).toBeUndefined();
});
