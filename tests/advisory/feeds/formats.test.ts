import { expect, test } from 'vitest';
import { feedContext } from '../../../src/advisory/feeds/context.ts';
import { feedFiles } from '../../../src/advisory/feeds/write.ts';
import { statementsOf } from '../../../src/advisory/statements.ts';
import { parseXml } from '../../../src/kiwi/xml.ts';
import { event } from '../records.ts';
import { record } from '../snapshot.ts';
import { context, jsonOf, sampleFeeds, sampleRecords, sampleSnapshot, textOf } from './sample.ts';

const feeds = sampleFeeds();
const base = feeds.updateinfo.get('base')!;

test('every XML is well-formed, whatever a record says', () => {
  for (const text of [...feeds.updateinfo.values(), textOf(feeds, 'oval.xml'), textOf(feeds, 'atom.xml')])
    expect(() => parseXml('feed.xml', Buffer.from(text))).not.toThrow();
});

test('updateinfo has what dnf5 reads, with dates as dnf5 reads them', () => {
  expect(base).toContain('<issued date="2026-11-03 08:00:00"/>');
  expect(base).toContain('<severity>Critical</severity>');
  expect(base).toContain('id="CVE-2026-1001" title="CVE-2026-1001" type="cve"/>');
  expect(base).toContain('<package name="bash" epoch="0" version="5.2" release="2" arch="x86_64"');
  expect(base).toContain('<filename>bash-5.2-2.x86_64.rpm</filename>');
  const packages = base.split('<package ').slice(1);
  expect(packages.filter((each) => each.includes('<reboot_suggested>')).map((each) => each.slice(0, 18))).toEqual([
    'name="kernel-core"',
  ]);
});

test('updateinfo of a channel has its packages, and no others', () => {
  const sdk = feeds.updateinfo.get('sdk')!;
  expect(base).not.toContain('bash-devel');
  expect(sdk).toContain('name="bash-devel"');
  expect(sdk).not.toContain('kernel-core');
  const none = feedFiles(context, [], ['empty'], 'A'.repeat(40));
  expect(none.updateinfo.get('empty')).toContain('<updates/>');
});

test('OSV says from which version on a package has the fix', () => {
  expect(jsonOf(feeds, 'osv/x_testlinux-CVE-2026-1001.json')).toMatchObject({
    schema_version: '1.7.0',
    id: 'x_testlinux-CVE-2026-1001',
    published: '2026-11-02T12:00:00Z',
    modified: '2026-11-03T08:00:00Z',
    upstream: ['CVE-2026-1001', 'GHSA-aaaa-bbbb-cccc'],
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
    affected: [
      {
        package: { ecosystem: 'Linux:testlinux:4.0', name: 'bash', purl: 'pkg:rpm/testlinux/bash' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '5.2-2' }] }],
      },
      { package: { name: 'bash-devel' } },
    ],
  });
  expect(jsonOf(feeds, 'osv/x_testlinux-CVE-2026-1005.json')).toMatchObject({
    affected: [{ ranges: [{ events: [{ introduced: '0' }, { last_affected: '500' }] }] }],
  });
  expect(feeds.files.has('advisories/osv/x_testlinux-CVE-2025-20000.json')).toBe(false);
});

test('OpenVEX has package URLs without qualifiers, and what each status needs', () => {
  const { statements } = jsonOf(feeds, 'openvex.json') as { statements: Record<string, unknown>[] };
  const of = (name: string): Record<string, unknown>[] =>
    statements.filter(({ vulnerability }) => (vulnerability as { name: string }).name === name);
  expect(JSON.stringify(statements)).not.toMatch(/pkg:[^"]*\?/);
  expect(of('CVE-2026-1002')).toEqual([
    expect.objectContaining({ status: 'not_affected', justification: 'inline_mitigations_already_exist' }),
    expect.objectContaining({ status: 'affected', action_statement: 'Do not load the module.' }),
  ]);
  expect(of('CVE-2026-1003')[0]).toMatchObject({ action_statement: 'Not fixed until 2027-01-31: not reachable' });
  expect(of('GHSA-dddd-eeee-ffff')[0]).toMatchObject({ status: 'under_investigation', status_notes: 'works as meant' });
});

test('OVAL compares with the first version that has the fix, epoch included', () => {
  const oval = textOf(feeds, 'oval.xml');
  expect(oval).toContain('<evr datatype="evr_string" operation="less than">0:5.2-2</evr>');
  expect(oval).toContain('<evr datatype="evr_string" operation="less than">1:6.18-4</evr>');
  const ids = [...oval.matchAll(/ id="(oval:[^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^oval:testlinux:(def|tst|obj|ste):[1-9][0-9]*$/);
});

test('Atom has an entry a vulnerability, the last changed first', () => {
  const ids = [...textOf(feeds, 'atom.xml').matchAll(/<title>TESTLINUX-(.*?):/g)].map(([, id]) => id);
  expect(ids).toHaveLength(sampleRecords.length);
  expect(ids[0]).toBe('GHSA-dddd-eeee-0000');
});

test('the clock dates the generator, and nothing else', () => {
  const channels = sampleSnapshot.channels.map(({ name }) => name);
  const statements = statementsOf(sampleRecords, sampleSnapshot);
  const later = feedFiles({ ...context, clock: context.clock + 1 }, statements, channels, 'A'.repeat(40));
  const plain = (text: string): string =>
    text
      .replace(/<oval:timestamp>.*?</, '<')
      .replace(/"generator": \{\s*"date": "[^"]*"/, '')
      .replaceAll(/^[0-9a-f]{64,128} {2}/gm, '');
  expect([...later.updateinfo]).toEqual([...feeds.updateinfo]);
  expect([...later.files].map(([path, text]) => [path, plain(text)])).toEqual(
    [...feeds.files].map(([path, text]) => [path, plain(text)]),
  );
});

test('without settings, links lead to hosts under .invalid', () => {
  const advisories = { path: '/advisories', publisher: {} };
  expect(feedContext({ lifecycle: undefined, advisories }, '4.0', 0)).toMatchObject({
    publisher: { name: 'Linux', namespace: 'https://linux.invalid' },
    snapshotUrl: 'https://linux.invalid/4.0/latest',
  });
});

test('a component that has left the distribution has no statement', () => {
  const gone = record('CVE-2026-0001', [
    event('not-affected', { component: 'gone', justification: 'component_not_present' }),
  ]);
  const { files } = feedFiles(context, statementsOf([gone], sampleSnapshot), ['base'], 'A'.repeat(40));
  expect([...files.keys()]).toEqual([
    'advisories/csaf/index.txt',
    'advisories/csaf/changes.csv',
    'advisories/csaf/provider-metadata.json',
    'advisories/atom.xml',
  ]);
});
