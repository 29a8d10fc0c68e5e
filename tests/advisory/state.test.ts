import { expect, test } from 'vitest';
import { isExpired, packageStatus, standingOf, standings, type VersionedPackage } from '../../src/advisory/state.ts';
import { event } from './records.ts';

const bash = (version: string, release = '1', more: Partial<VersionedPackage> = {}): VersionedPackage => ({
  name: 'bash',
  epoch: 0,
  version,
  release,
  arch: 'x86_64',
  sourceRpm: `bash-${version}-${release}.src.rpm`,
  ...more,
});

const detected = event('detected', { component: 'bash' });
const affected = event('affected', { component: 'bash' });
const fixed = event('fixed', { component: 'bash', in: ['bash-5.2-2.x86_64', 'bash-5.2-2.src'] });
const foreign = event('fixed', { component: 'bash', in: ['less-9-1.x86_64', 'less-9-1.src'] });
const disputed = event('disputed', { reason: 'no fault' });
const unaffected = event('not-affected', { component: 'bash', justification: 'vulnerable_code_not_present' });
const exception = event('exception', { component: 'bash', owner: 'x', reason: 'y', expires: '2027-01-01' });

test.each([
  ['a feed only', [detected], 'detected'],
  ['a look', [detected, event('triaged', {})], 'triaged'],
  ['a decision', [detected, affected], 'affected'],
  ['a feed after a decision', [affected, detected, event('triaged', { component: 'bash' })], 'affected'],
  ['a fix', [affected, event('fix-pending', { component: 'bash' }), fixed], 'fixed'],
  ['what follows a fix', [fixed, event('published', { component: 'bash', snapshot: 's' })], 'fixed'],
  ['a dispute of the whole record', [affected, event('disputed', { reason: 'no fault' })], 'disputed'],
] as const)('after %s', (_, events, state) => {
  expect(standingOf({ events }, 'bash')?.state).toBe(state);
});

test('each component has its own state', () => {
  const events = [
    detected,
    event('not-affected', { component: 'dash', justification: 'vulnerable_code_not_present' }),
    affected,
  ];
  expect(standings({ events }).map(({ component, state }) => [component, state])).toEqual([
    ['bash', 'affected'],
    ['dash', 'not-affected'],
  ]);
  expect(standingOf({ events }, 'zsh')).toBeUndefined();
});

const statusAfter = (events: Parameters<typeof standingOf>[0]['events'], pkg: VersionedPackage) =>
  packageStatus(standingOf({ events }, 'bash')!, pkg);

test.each([
  ['older than the fix', [affected, fixed], bash('5.2', '1'), 'affected'],
  ['the fix', [affected, fixed], bash('5.2', '2'), 'fixed'],
  ['newer than the fix', [affected, fixed], bash('5.10', '1'), 'fixed'],
  ['an older build of a higher epoch', [affected, fixed], bash('5.1', '1', { epoch: 1 }), 'fixed'],
  ['another package of the build', [affected, fixed], bash('5.2', '1', { name: 'bash-devel' }), 'affected'],
  [
    'before the range',
    [event('affected', { component: 'bash', first: '5.1-1', last: '5.2-1' })],
    bash('5.0'),
    'not-affected',
  ],
  ['in the range', [event('affected', { component: 'bash', first: '5.1-1', last: '5.2-1' })], bash('5.2'), 'affected'],
  [
    'after the range',
    [event('affected', { component: 'bash', first: '5.1-1', last: '5.2-1' })],
    bash('5.3'),
    'not-affected',
  ],
  [
    'affected again after the fix',
    [fixed, event('affected', { component: 'bash', first: '5.3-1' })],
    bash('5.3'),
    'affected',
  ],
  ['not of the fix, which names another component', [affected, foreign], bash('5.2', '2'), 'affected'],
  ['the fix of a component that is disputed since', [affected, fixed, disputed], bash('5.2', '2'), 'fixed'],
  ['older than the fix of one that is disputed since', [affected, fixed, disputed], bash('5.2'), 'under-investigation'],
  ['the fix of a component that is unaffected since', [fixed, unaffected], bash('5.2', '2'), 'fixed'],
  ['older than the fix of one that is unaffected since', [fixed, unaffected], bash('5.2'), 'not-affected'],
  ['the fix of a component with an exception since', [fixed, exception], bash('5.2', '2'), 'fixed'],
  ['older than the fix of one with an exception since', [fixed, exception], bash('5.2'), 'affected'],
  ['of a release that names no sources', [affected, fixed], bash('5.2', '2', { name: 'sh', sourceRpm: '' }), 'fixed'],
  ['only detected', [detected], bash('5.2'), 'under-investigation'],
  [
    'an exception',
    [event('exception', { component: 'bash', owner: 'x', reason: 'y', expires: '2027-01-01' })],
    bash('5.2'),
    'affected',
  ],
  ['a fix that is pending', [affected, event('fix-pending', { component: 'bash' })], bash('5.2'), 'affected'],
] as const)('a package that is %s', (_, events, pkg, status) => {
  expect(statusAfter(events, pkg)).toBe(status);
});

test('a subpackage with its own version is compared with the fixed package of its name', () => {
  const own = event('fixed', {
    component: 'bash',
    in: ['bash-5.2-2.src', 'bash-5.2-2.x86_64', 'libreadline-8.3-2.x86_64'],
  });
  const readline = bash('8.2', '9', { name: 'libreadline', sourceRpm: 'bash-5.2-2.src.rpm' });
  expect(statusAfter([own], readline)).toBe('affected');
  expect(statusAfter([own], { ...readline, version: '8.3' })).toBe('fixed');
});

test('the last day of an exception counts', () => {
  const at = (text: string) => Date.parse(text) / 1000;
  expect(isExpired({ expires: '2026-11-28' }, at('2026-11-28T23:59:59Z'))).toBe(false);
  expect(isExpired({ expires: '2026-11-28' }, at('2026-11-29T00:00:00Z'))).toBe(true);
});
