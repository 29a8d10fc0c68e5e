import { expect, test } from 'vitest';
import { disagreements, statementCounts, withoutMatch } from '../../../src/advisory/feeds/agree.ts';
import type { Claim } from '../../../src/advisory/feeds/read.ts';
import { statementsOf } from '../../../src/advisory/statements.ts';
import { formatEvr } from '../../../src/rpm/version.ts';
import { readBack, sampleFeeds, sampleRecords, sampleSnapshot } from './sample.ts';

const feeds = readBack(sampleFeeds());

test('all feeds say the same of each vulnerability, each as far as its format can', () => {
  expect(disagreements(feeds)).toEqual([]);
});

test('all feeds agree with the statements', () => {
  const line = ({ id, name, arch, version, status, fixedIn = '', justification = '' }: Claim): string =>
    [id, name, arch, version, status, fixedIn, justification].join(' ');
  const statements = statementsOf(sampleRecords, sampleSnapshot).flatMap(
    ({ record: { id }, status, justification, packages }) =>
      packages.map(({ pkg: { name, arch, version, release }, fixedIn }) =>
        line({
          ...{ id, name, arch, status, version: `${version}-${release}` },
          ...(fixedIn === undefined ? {} : { fixedIn: formatEvr(fixedIn) }),
          ...(justification === undefined ? {} : { justification }),
        }),
      ),
  );
  expect(feeds.csaf.map(line).sort()).toEqual(statements.sort());
});

test('every feed has statements', () => {
  expect(statementCounts(feeds)).toEqual({ csaf: 11, openvex: 11, osv: 6, oval: 3, updateinfo: 3 });
});

test.each([
  ['another version of the fix', 'updateinfo', { fixedIn: '5.2-1' }],
  ['another version of the fix', 'oval', { fixedIn: '5.2-1' }],
  ['another version of the fix', 'osv', { fixedIn: '5.2-1' }],
  ['another state', 'osv', { status: 'affected' }],
  ['another state', 'openvex', { status: 'not-affected' }],
  ['another package', 'openvex', { version: '5.2-4' }],
] as const)('%s in %s is found', (_, name, change) => {
  const claims = feeds[name].map((each) =>
    each.id === 'CVE-2026-1001' && each.name === 'bash' ? { ...each, ...change } : each,
  );
  const changed = { ...feeds, [name]: claims };
  expect(disagreements(changed)).toEqual([
    expect.stringMatching(`^${name} does not say: CVE-2026-1001 bash`),
    expect.stringMatching(`^only ${name} says: CVE-2026-1001 bash`),
  ]);
});

test('an empty feed is found', () => {
  expect(disagreements({ ...feeds, oval: [] })).toHaveLength(feeds.oval.length);
});

test('a package that the repository does not have is found', () => {
  const packages = new Set(
    sampleSnapshot.channels.flatMap((channel) =>
      channel.packages.map(({ name, version, release }) => `${name} ${version}-${release}`),
    ),
  );
  expect(withoutMatch(feeds.openvex, packages)).toEqual([]);
  packages.delete('bash 5.2-3');
  expect(withoutMatch(feeds.openvex, packages)).toEqual(['bash 5.2-3']);
});
