import { expect, test } from 'vitest';
import { scannerAdvisories } from '../../../src/advisory/export/scanner-advisories.ts';
import type { AdvisoryEvent } from '../../../src/advisory/record.ts';
import { statementsOf } from '../../../src/advisory/statements.ts';
import type { RepoPackage } from '../../../src/repo/metadata.ts';
import { event } from '../records.ts';
import { pkg, record, snapshot } from '../snapshot.ts';

const bash = pkg('bash-5.3-5.x86_64', { origin: 'bash' });
const bashDoc = pkg('bash-doc-1:2-1.noarch', { origin: 'bash', sourceRpm: 'bash-5.3-5.src.rpm' });

/** What scanners are told of packages. */
function told(events: readonly AdvisoryEvent[], packages: readonly RepoPackage[] = [bash, bashDoc]) {
  const statements = statementsOf(
    [record('CVE-2026-0001', events)],
    snapshot({ base: packages, sdk: [pkg('bash-5.3-5.src')] }),
  );
  return scannerAdvisories(statements).flatMap((advisory) => advisory.packages);
}

test('a fix is told by package, with the version of each', () => {
  const fixed = event('fixed', {
    component: 'bash',
    in: ['bash-5.3-4.x86_64', 'bash-doc-1:1-9.noarch', 'bash-5.3-4.src'],
  });
  expect(told([event('affected', { component: 'bash' }), fixed])).toEqual([
    {
      name: 'bash',
      status: 'affected',
      fixed: '0:5.3-4',
      released: { version: '0:5.3-5', affected: false },
    },
    {
      name: 'bash-doc',
      status: 'affected',
      fixed: '1:1-9',
      released: { version: '1:2-1', affected: false },
    },
  ]);
});

test.each([
  ['nobody has decided', [event('detected', { component: 'bash' })], { status: 'possible' }],
  ['it is affected', [event('affected', { component: 'bash' })], { status: 'affected' }],
  [
    'it is an exception',
    [event('exception', { component: 'bash', owner: 'Jane', reason: 'r', expires: '2027-01-01' })],
    { status: 'affected', exception: true },
  ],
  [
    'it is disputed since the fix',
    [
      event('fixed', { component: 'bash', in: ['bash-5.3-4.x86_64', 'bash-5.3-4.src'] }),
      event('disputed', { component: 'bash', reason: 'no fault' }),
    ],
    { status: 'possible', fixed: '0:5.3-4', released: { affected: false } },
  ],
  [
    'the fix names another component',
    [event('fixed', { component: 'bash', in: ['less-5.3-4.x86_64', 'less-5.3-4.src'] })],
    { status: 'affected', released: { affected: true } },
  ],
  ['it is disputed', [event('disputed', { component: 'bash', reason: 'no fault' })], { status: 'possible' }],
  [
    'it is not affected',
    [event('not-affected', { component: 'bash', justification: 'vulnerable_code_not_present' })],
    { status: 'not-affected', released: { affected: false } },
  ],
  [
    'other versions are affected',
    [event('affected', { component: 'bash', first: '5.1', last: '2:5.2-1' })],
    { status: 'affected', first: '0:5.1', last: '2:5.2-1', released: { affected: true } },
  ],
  [
    'only older versions are affected',
    [event('affected', { component: 'bash', last: '5.2-1' })],
    { status: 'affected', last: '0:5.2-1', released: { affected: false } },
  ],
] as const)('%s', (_, events, expected) => {
  expect(told(events, [bash])).toMatchObject([{ name: 'bash', ...expected }]);
});

test('the advisory has the facts of the record, and the time of its last decision', () => {
  const events = [
    event('affected', { component: 'bash', at: '2026-11-05T01:00:00+01:00' }),
    event('verified', { image: 'base', digest: `sha256:${'0'.repeat(64)}`, scanner: 's', at: '2026-11-09T00:00:00Z' }),
  ];
  const facts = { aliases: ['GHSA-aaaa-bbbb-cccc'], cwe: ['CWE-787'], references: ['https://example.org/1'] };
  const statements = statementsOf([record('CVE-2026-0001', events, facts)], snapshot({ base: [bash] }));
  expect(scannerAdvisories(statements)).toMatchObject([
    {
      id: 'CVE-2026-0001',
      title: 'a fault in CVE-2026-0001',
      severity: 'important',
      published: '2026-11-01T00:00:00Z',
      modified: '2026-11-05T00:00:00Z',
      ...facts,
    },
  ]);
});
