import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { writeGrypeDatabase } from '../../../src/advisory/export/grype-db.ts';
import type { ScannerAdvisory } from '../../../src/advisory/export/scanner-advisory.ts';
import { distribution, scannerAdvisory, scannerPackage } from './advisories.ts';

const built = 1_795_000_000;

function written(advisories: readonly ScannerAdvisory[], options: { version?: string; like?: readonly string[] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-grype-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'vulnerability.db');
  const { version = '4.0', like = ['fedora'] } = options;
  writeGrypeDatabase(path, advisories, { distribution: { ...distribution, version }, like, built });
  const db = new DatabaseSync(path, { readOnly: true });
  onTestFinished(() => db.close());
  return {
    path,
    rows: (query: string) =>
      db
        .prepare(query)
        .all()
        .map((row) => ({ ...row })),
  };
}

const bash = scannerPackage('bash', { fixed: '0:5.3-5' });

test('the database says its schema, its time and who made it', () => {
  const { rows } = written([]);
  expect(rows('SELECT * FROM db_metadata')).toEqual([
    { build_timestamp: '2026-11-18 11:06:40+00:00', model: 6, revision: 1, addition: 7 },
  ]);
  expect(rows('SELECT id, processor FROM providers')).toEqual([{ id: 'weir', processor: 'weir' }]);
});

test('a distribution that Grype does not know is stored as those of its ID_LIKE, with its own version', () => {
  const { rows } = written([], { version: '04.0.1', like: ['rhel', 'fedora'] });
  expect(rows('SELECT name, release_id, major_version, minor_version, eol_date FROM operating_systems')).toEqual([
    { name: 'weir', release_id: 'weir', major_version: '4', minor_version: '0', eol_date: '2028-11-20 23:59:59+00:00' },
  ]);
  expect(rows('SELECT alias, version, replacement FROM operating_system_specifier_overrides ORDER BY rowid')).toEqual([
    { alias: 'redhat', version: '4.0', replacement: 'weir' },
    { alias: 'fedora', version: '4.0', replacement: 'weir' },
  ]);
});

test('each package is affected in the versions that the advisory says', () => {
  const { rows } = written([
    scannerAdvisory('CVE-2026-0001', [
      bash,
      scannerPackage('b'),
      scannerPackage('c', { first: '0:1-1', last: '1:2-1', exception: true }),
      scannerPackage('d', { status: 'possible', first: '0:1-1', fixed: '0:2-1' }),
      scannerPackage('e', { status: 'possible', last: '0:2' }),
      scannerPackage('f', { status: 'not-affected' }),
    ]),
  ]);
  const ranges = (table: string): unknown[] =>
    rows(`SELECT packages.name, ecosystem, operating_systems.name AS os, vulnerability_handles.name AS id, blobs.value FROM ${table}
      JOIN packages ON packages.id = package_id JOIN blobs ON blobs.id = ${table}.blob_id
      JOIN operating_systems ON operating_systems.id = operating_system_id
      JOIN vulnerability_handles ON vulnerability_handles.id = vulnerability_id`).map(({ value, ...row }) => {
      const { ranges, qualifiers } = JSON.parse(String(value));
      expect(row).toMatchObject({ ecosystem: 'rpm', os: 'weir', id: 'CVE-2026-0001' });
      expect(qualifiers).toEqual({ architecture: 'binary-no-arch-specified' });
      expect(ranges).toHaveLength(1);
      expect(ranges[0].version.type).toBe('rpm');
      return [row.name, ranges[0].version.constraint, ranges[0].fix.state, ranges[0].fix.version];
    });
  expect(ranges('affected_package_handles')).toEqual([
    ['b', '', 'not-fixed', undefined],
    ['bash', '< 0:5.3-5', 'fixed', '0:5.3-5'],
    ['c', '>= 0:1-1, <= 1:2-1', 'wont-fix', undefined],
    ['d', '>= 0:1-1, < 0:2-1', 'fixed', '0:2-1'],
    // Every release of version 2 is affected.
    ['e', '< 0:2.A', '', undefined],
  ]);
  expect(ranges('unaffected_package_handles')).toEqual([['f', '', 'not-affected', undefined]]);
});

test('the vulnerability has its severity, vector, references and other IDs', () => {
  const cvss = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';
  const { rows } = written([
    scannerAdvisory('CVE-2026-0001', [bash], {
      cvss,
      aliases: ['GHSA-aaaa-bbbb-cccc'],
      references: ['https://example.org/1'],
    }),
  ]);
  const [row] = rows(
    'SELECT name, status, published_date, modified_date, provider_id, value FROM vulnerability_handles JOIN blobs ON blobs.id = blob_id',
  );
  const { value, ...handle } = row!;
  expect(handle).toEqual({
    name: 'CVE-2026-0001',
    status: 'active',
    published_date: '2026-11-01 00:00:00+00:00',
    modified_date: '2026-11-03 10:00:00+00:00',
    provider_id: 'weir',
  });
  expect(JSON.parse(String(value))).toEqual({
    id: 'CVE-2026-0001',
    description: 'a fault in CVE-2026-0001',
    refs: [{ url: 'https://example.org/1' }],
    aliases: ['GHSA-aaaa-bbbb-cccc'],
    severities: [
      { scheme: 'CHMLN', value: 'high', source: 'weir', rank: 1 },
      { scheme: 'CVSS', value: { vector: cvss, version: '3.1' }, rank: 2 },
    ],
  });
  expect(rows('SELECT * FROM vulnerability_aliases')).toEqual([
    { name: 'CVE-2026-0001', alias: 'GHSA-aaaa-bbbb-cccc' },
  ]);
});

test('equal advisories give equal bytes, and packages and texts are stored once', () => {
  const advisories = ['CVE-2026-0001', 'CVE-2026-0002'].map((id) => scannerAdvisory(id, [bash], { title: 'the same' }));
  const one = written(advisories);
  const two = written(advisories);
  expect(readFileSync(one.path).equals(readFileSync(two.path))).toBe(true);
  expect(one.rows('SELECT name FROM packages')).toEqual([{ name: 'bash' }]);
});
