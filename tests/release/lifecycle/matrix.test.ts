import { expect, test } from 'vitest';
import type { Lifecycle } from '../../../src/project/model/release.ts';
import { supportMatrix } from '../../../src/release/lifecycle/matrix.ts';

const lifecycle: Lifecycle = {
  id: 'weir',
  name: 'Weir Linux',
  version: '4.0',
  supportEnd: '2028-11-19',
  lts: false,
  exceptions: [
    { of: { channel: 'sdk' }, supportEnd: '2027-05-19', reason: 'it follows upstream' },
    { of: { package: 'nodejs22*' }, supportEnd: '2027-04-30', reason: 'upstream ends then' },
    { of: { package: 'nodejs*' }, supportEnd: '2030-01-01', reason: 'ours' },
    { of: { package: 'gone-*' }, supportEnd: '2027-01-01', reason: 'x' },
  ],
};
const pkg = (nevra: string) => ({ nevra, sha256: 'ab', origin: 'seed' });
const record = {
  channels: [
    { name: 'base', packages: ['bash-5.3-4.x86_64', 'nodejs22-22.1-1.x86_64', 'nodejs-docs-1-1.noarch'].map(pkg) },
    { name: 'sdk', packages: ['gcc-16-1.x86_64', 'gcc-15-1.x86_64', 'nodejs22-devel-22.1-1.x86_64'].map(pkg) },
  ],
};
const { channels, exceptions, packages } = supportMatrix(lifecycle, ['base', 'sdk', 'empty'], record, '2027-05-01');

test('channels end with the release, unless they have an exception', () => {
  expect(channels.map((each) => [each.name, each.packages, each.supportEnd, each.state, each.reason])).toEqual([
    ['base', 3, '2028-11-19', 'supported', undefined],
    ['sdk', 2, '2027-05-19', 'supported', 'it follows upstream'],
    ['empty', 0, '2028-11-19', 'supported', undefined],
  ]);
});

test('the exception of a package is stronger than that of its channel, and the first of several counts', () => {
  expect(packages.map((each) => [each.channel, each.name, each.supportEnd, each.state])).toEqual([
    ['base', 'bash', '2028-11-19', 'supported'],
    ['base', 'nodejs-docs', '2030-01-01', 'supported'],
    ['base', 'nodejs22', '2027-04-30', 'ended'],
    ['sdk', 'gcc', '2027-05-19', 'supported'],
    ['sdk', 'nodejs22-devel', '2027-04-30', 'ended'],
  ]);
});

test('an exception says what it matches', () => {
  expect(exceptions.map(({ package: glob, matches }) => [glob, matches])).toEqual([
    ['nodejs22*', ['nodejs22', 'nodejs22-devel']],
    ['nodejs*', ['nodejs-docs', 'nodejs22', 'nodejs22-devel']],
    ['gone-*', []],
  ]);
});

test('before the first build, packages are not listed', () => {
  const matrix = supportMatrix(lifecycle, ['base', 'sdk'], undefined, '2027-05-01');
  expect(matrix.packages).toEqual([]);
  expect(matrix.channels[0]).toEqual({ name: 'base', state: 'supported', supportEnd: '2028-11-19', daysLeft: 568 });
  expect(matrix.exceptions[2]).not.toHaveProperty('matches');
});
