import { expect, test } from 'vitest';
import { type CheckContext, checkRecords, type ReleasedPackage } from '../../src/advisory/check.ts';
import { parseAdvisory } from '../../src/advisory/load.ts';
import type { AdvisoryEvent } from '../../src/advisory/record.ts';
import { recordText } from '../../src/advisory/write.ts';
import { event, header } from './records.ts';

const now = Date.parse('2026-11-28T12:00:00Z') / 1000;
const context: CheckContext = { now, components: new Map([['bash', 1]]) };

function found(events: readonly AdvisoryEvent[], more: Partial<CheckContext> = {}, fields = header()) {
  const record = parseAdvisory(`/p/${fields.id}.toml`, recordText(fields, events));
  const { problems, notChecked } = checkRecords([record], { ...context, ...more });
  return { codes: problems.map(({ code, where }) => `${code}:${where?.line}`), notChecked };
}

const component = 'bash';
const affected = event('affected', { component, last: '5.2-1' });
const exception = event('exception', { component, owner: 'x', reason: 'y', expires: '2026-11-27' });

test.each<[string, readonly AdvisoryEvent[], readonly string[]]>([
  ['all in order', [affected, event('fixed', { component, in: ['bash-5.2-2.src'] })], []],
  ['a date in the future', [event('triaged', { at: '2026-11-29T00:00:00Z' })], ['future-date:8']],
  ['events out of order', [affected, event('triaged', { at: '2026-11-01T00:00:00Z' })], ['event-order:15']],
  [
    'a fix older than what is affected',
    [affected, event('fixed', { component, in: ['bash-5.1-9.src'] })],
    ['fix-not-newer:18'],
  ],
  [
    'a fix as old as what is affected',
    [affected, event('fixed', { component, in: ['bash-5.2-1.src'] })],
    ['fix-not-newer:18'],
  ],
  [
    'a range that ends before it begins',
    [event('affected', { component, first: '5.2-1', last: '5.1-1' })],
    ['version-order:12'],
  ],
  ['an exception that has ended', [exception], ['exception-expired:13']],
  ['one that was fixed since', [exception, event('fixed', { component, in: ['bash-5.2-2.src'] })], []],
  ['one that still holds', [{ ...exception, expires: '2026-11-28' } as AdvisoryEvent], []],
])('%s', (_, events, codes) => expect(found(events).codes).toEqual(codes));

test('a record that is published in the future', () => {
  expect(found([], {}, header('CVE-2026-0001', { published: '2027-01-01T00:00:00Z' })).codes).toEqual([
    'future-date:4',
  ]);
});

const pkg = (version: string, name = 'bash'): ReleasedPackage => ({
  ...{ name, epoch: 0, version, release: '1', arch: 'x86_64', sourceRpm: 'bash-5.2-1.src.rpm', component: 'bash' },
});

test('a fix that the repository does not have', () => {
  const fixed = [event('fixed', { component, in: ['bash-5.2-1.src'] })];
  expect(found(fixed, { released: [pkg('5.1')] }).codes).toEqual(['advisory-ahead:11']);
  expect(found(fixed, { released: [pkg('5.2'), pkg('5.1', 'bash-devel')] }).codes).toEqual(['advisory-ahead:11']);
  expect(found(fixed, { released: [pkg('5.2')] }).codes).toEqual([]);
  expect(found(fixed)).toEqual({
    codes: [],
    notChecked: ['whether the repository has the fixes, and of the right packages: no release was built yet'],
  });
});

test('a fix that names packages of another component, or none of its own', () => {
  const released = [pkg('5.2'), { ...pkg('3', 'less'), sourceRpm: 'less-3-1.src.rpm', component: 'less' }];
  const names = (...list: string[]) => found([event('fixed', { component, in: list })], { released }).codes;
  expect(names('less-9-1.x86_64', 'less-9-1.src')).toEqual(['foreign-fix:11']);
  expect(names('bash-5.2-1.x86_64', 'less-9-1.x86_64')).toEqual(['foreign-fix:11']);
  expect(names('bsh-5.2-1.x86_64')).toEqual(['foreign-fix:11']);
  expect(names('bash-5.2-1.x86_64', 'bash-5.2-1.src', 'bash-new-5.2-1.x86_64')).toEqual([]);
});

test('a component without a package in the last release, which would stop a build', () => {
  const components = new Map([['bash', 1]]);
  const released = [{ ...pkg('3', 'less'), component: 'less' }];
  expect(found([affected], { components, released }).codes).toEqual(['advisory-without-package:10']);
  const gone = event('not-affected', { component, justification: 'component_not_present' });
  expect(found([affected, gone], { components, released }).codes).toEqual([]);
});

test('a component that is neither in the project nor published', () => {
  const other = [event('detected', { component: 'zsh' })];
  expect(found(other, { released: [pkg('5.1')] }).codes).toEqual(['unknown-component:10']);
  expect(found(other, { released: [{ ...pkg('5.1', 'zsh'), component: 'zsh' }] }).codes).toEqual([]);
  expect(found(other)).toEqual({ codes: [], notChecked: ['whether zsh is a package: no release was built yet'] });
});
