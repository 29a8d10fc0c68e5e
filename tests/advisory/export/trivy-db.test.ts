import { expect, test } from 'vitest';
import type { BoltBucket } from '../../../src/advisory/export/bolt.ts';
import type { ScannerAdvisory } from '../../../src/advisory/export/scanner-advisory.ts';
import { trivyDatabase } from '../../../src/advisory/export/trivy-db.ts';
import { distribution, scannerAdvisory, scannerPackage } from './advisories.ts';
import { readBolt } from './read-bolt.ts';

const built = 1_795_000_000;

/** The database's buckets, with values as JSON. */
function content(advisories: readonly ScannerAdvisory[]): Record<string, unknown> {
  const parsed = (bucket: BoltBucket): Record<string, unknown> =>
    Object.fromEntries(
      [...bucket].map(([key, value]) => [key, typeof value === 'string' ? JSON.parse(value) : parsed(value)]),
    );
  return parsed(readBolt(trivyDatabase(advisories, { ...distribution, url: 'https://weir.invalid/' }, built).database));
}

const libs = scannerPackage('audit-libs', { fixed: '1:4.1.2-2+b1' });

test('advisories are stored by package', () => {
  const found = content([
    scannerAdvisory('CVE-2026-0001', [libs, scannerPackage('audit', { fixed: '0:4.1.2-2' })]),
    scannerAdvisory('CVE-2026-0002', [scannerPackage('bash', { status: 'possible' })]),
    scannerAdvisory('CVE-2026-0003', [{ ...libs, status: 'not-affected' }]),
  ]);
  expect(found).toMatchObject({
    'Azure Linux 4.0': {
      audit: { 'CVE-2026-0001': { FixedVersion: '0:4.1.2-2' } },
      'audit-libs': { 'CVE-2026-0001': { FixedVersion: '1:4.1.2-2+b1' } },
      bash: { 'CVE-2026-0002': {} },
    },
    'data-source': { 'Azure Linux 4.0': { ID: 'weir', Name: 'Weir Linux advisories', URL: 'https://weir.invalid/' } },
    'vulnerability-id': { 'CVE-2026-0001': {}, 'CVE-2026-0002': {} },
  });
  expect(JSON.stringify(found)).not.toContain('CVE-2026-0003');
});

test('the vulnerability has what Trivy shows', () => {
  const cvss = 'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N';
  const advisory = scannerAdvisory('CVE-2026-0001', [libs], {
    severity: 'critical',
    cvss,
    cwe: ['CWE-787'],
    references: ['https://example.org/1'],
  });
  expect(content([advisory]).vulnerability).toEqual({
    'CVE-2026-0001': {
      Title: 'a fault in CVE-2026-0001',
      Severity: 'CRITICAL',
      CweIDs: ['CWE-787'],
      VendorSeverity: { weir: 4 },
      CVSS: { weir: { V40Vector: cvss } },
      References: ['https://example.org/1'],
      PublishedDate: '2026-11-01T00:00:00Z',
      LastModifiedDate: '2026-11-03T10:00:00Z',
    },
  });
});

test('ranges, which Trivy cannot say, are reported', () => {
  const { wider } = trivyDatabase(
    [
      scannerAdvisory('CVE-2026-0001', [libs]),
      scannerAdvisory('CVE-2026-0002', [scannerPackage('bash', { first: '0:5-1' }), libs]),
    ],
    distribution,
    built,
  );
  expect(wider).toEqual([{ id: 'CVE-2026-0002', package: 'bash' }]);
});

test.each([
  ['below the range, it is not reported', '0:9-1', '0:9-2', undefined],
  ['above the range, an update to it helps', '0:1-1', '0:1-1', { FixedVersion: '0:5-1' }],
  ['above a range without a release, too', '0:1', '0:4', { FixedVersion: '0:5-1' }],
])('a release %s', (_, first, last, told) => {
  const released = { version: '0:5-1', affected: false };
  const found = content([scannerAdvisory('CVE-2026-0001', [scannerPackage('bash', { first, last, released })])]);
  expect(found['Azure Linux 4.0']).toEqual(told === undefined ? {} : { bash: { 'CVE-2026-0001': told } });
});

test('the metadata has the schema and the times', () => {
  const { metadata } = trivyDatabase([], distribution, built);
  expect(JSON.parse(metadata)).toEqual({
    Version: 2,
    NextUpdate: '2026-11-19T11:06:40Z',
    UpdatedAt: '2026-11-18T11:06:40Z',
    DownloadedAt: '2026-11-18T11:06:40Z',
  });
});
