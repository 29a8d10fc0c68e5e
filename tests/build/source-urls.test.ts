import { expect, test } from 'vitest';
import { sourceUrls } from '../../src/build/specquery.ts';

test('addresses of sources and patches are found by the name of the file that rpm looks for', () => {
  const printed = `Name: less
Source0: https://www.greenwoodsoftware.com/less/less-668.tar.gz
Source1: weir-less.sh
Source2: https://example.invalid/get?id=7#/less-7.tar.gz
Patch0: HTTPS://example.invalid/patches/one.patch
Patch1: two.patch

%description
`;
  expect(sourceUrls(printed)).toEqual({
    'less-668.tar.gz': 'https://www.greenwoodsoftware.com/less/less-668.tar.gz',
    'less-7.tar.gz': 'https://example.invalid/get?id=7#/less-7.tar.gz',
    'one.patch': 'HTTPS://example.invalid/patches/one.patch',
  });
});

test('a spec that rpm could not print has none', () => {
  expect(sourceUrls('')).toEqual({});
});
