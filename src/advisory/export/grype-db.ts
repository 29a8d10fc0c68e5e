import { DatabaseSync } from 'node:sqlite';
import { compareText } from '../../base/order.ts';
import type { Severity } from '../record.ts';
import { grypeSchema, grypeTables } from './grype-schema.ts';
import {
  type ScannedDistribution,
  type ScannerAdvisory,
  type ScannerPackage,
  versionParts,
} from './scanner-advisory.ts';

export interface GrypeOptions {
  readonly distribution: ScannedDistribution;
  /**
   * ID_LIKE: Grype reports the system as one of these distributions, with this distribution's version. They never had that
   * version, so the pair identifies this distribution.
   */
  readonly like: readonly string[];
  /** When the database is made, in seconds since 1970: Grype refuses one that is older than five days. */
  readonly built: number;
}

/**
 * Writes a database of Grype's schema 6 to a new file, for `grype db import`. Equal advisories give equal content.
 * @param path ends in `.db`; must not exist
 */
export function writeGrypeDatabase(path: string, advisories: readonly ScannerAdvisory[], options: GrypeOptions): void {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA journal_mode = OFF; BEGIN');
    db.exec(grypeTables);
    fill(db, advisories, options);
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

function fill(db: DatabaseSync, advisories: readonly ScannerAdvisory[], options: GrypeOptions): void {
  const { distribution, like, built } = options;
  const { id } = distribution;
  const { model, revision, addition } = grypeSchema;
  const insert = inserter(db);
  insert('db_metadata', { build_timestamp: timestamp(built), model, revision, addition });
  insert('providers', { id, version: '1', processor: 'weir', date_captured: timestamp(built), input_digest: '' });
  const system = insertSystem(insert, distribution, like);
  const packages = new Map<string, number>();
  const packageRow = (name: string): number => {
    const known = packages.get(name);
    if (known !== undefined) return known;
    const row = insert('packages', { ecosystem: 'rpm', name });
    packages.set(name, row);
    return row;
  };
  const blobs = new Map<string, number>();
  const blob = (value: unknown): number => {
    const text = JSON.stringify(value);
    const known = blobs.get(text);
    if (known !== undefined) return known;
    const row = insert('blobs', { value: text });
    blobs.set(text, row);
    return row;
  };
  for (const advisory of advisories) {
    const vulnerability = insert('vulnerability_handles', {
      name: advisory.id,
      status: 'active',
      published_date: timestamp(Date.parse(advisory.published) / 1000),
      modified_date: timestamp(Date.parse(advisory.modified) / 1000),
      withdrawn_date: null,
      provider_id: id,
      blob_id: blob(vulnerabilityBlob(advisory, id)),
    });
    for (const alias of advisory.aliases) insert('vulnerability_aliases', { name: advisory.id, alias });
    const sorted = [...advisory.packages].sort((a, b) => compareText(a.name, b.name));
    for (const pkg of sorted) {
      insert(pkg.status === 'not-affected' ? 'unaffected_package_handles' : 'affected_package_handles', {
        vulnerability_id: vulnerability,
        operating_system_id: system,
        package_id: packageRow(pkg.name),
        blob_id: blob(packageBlob(pkg, advisory)),
      });
    }
  }
}

type Cell = string | number | null;
type Insert = (table: string, row: Readonly<Record<string, Cell>>) => number;

/** Inserts rows. @returns the row's number */
function inserter(db: DatabaseSync): Insert {
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  return (table, row) => {
    const columns = Object.keys(row);
    let statement = statements.get(table);
    if (statement === undefined) {
      const marks = columns.map(() => '?').join(', ');
      statement = db.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks})`);
      statements.set(table, statement);
    }
    return Number(statement.run(...Object.values(row)).lastInsertRowid);
  };
}

/** Grype does not know the ID: it reports the system as the first distribution of ID_LIKE that it knows, with an unchanged version. */
function insertSystem(insert: Insert, distribution: ScannedDistribution, like: readonly string[]): number {
  const { id, version, supportEnd } = distribution;
  const [major, minor] = versionParts(version);
  for (const other of like) {
    insert('operating_system_specifier_overrides', {
      alias: grypeNames[other] ?? other,
      version: minor === '' ? major : `${major}.${minor}`,
      version_pattern: '',
      codename: '',
      channel: '',
      replacement: id,
      rolling: 0,
      applicable_client_db_schemas: '',
    });
  }
  return insert('operating_systems', {
    name: id,
    release_id: id,
    major_version: major,
    minor_version: minor,
    label_version: '',
    codename: '',
    channel: '',
    eol_date: supportEnd === undefined ? null : timestamp(Date.parse(`${supportEnd}T23:59:59Z`) / 1000),
    eoas_date: null,
  });
}

/** Grype's names of distributions whose os-release has another ID. */
const grypeNames: Readonly<Record<string, string>> = {
  rhel: 'redhat',
  amzn: 'amazonlinux',
  ol: 'oraclelinux',
  rocky: 'rockylinux',
  'opensuse-leap': 'opensuseleap',
};

function vulnerabilityBlob(advisory: ScannerAdvisory, provider: string): unknown {
  const { id, title, description, aliases, references, severity, cvss } = advisory;
  const version = cvss === undefined ? undefined : /^CVSS:([0-9.]+)\//.exec(cvss)?.[1];
  return {
    id,
    description: description ?? title,
    ...(references.length === 0 ? {} : { refs: references.map((url) => ({ url })) }),
    ...(aliases.length === 0 ? {} : { aliases }),
    severities: [
      { scheme: 'CHMLN', value: severityWords[severity], source: provider, rank: 1 },
      ...(cvss === undefined ? [] : [{ scheme: 'CVSS', value: { vector: cvss, version }, rank: 2 }]),
    ],
  };
}

const severityWords: Readonly<Record<Severity, string>> = {
  critical: 'critical',
  important: 'high',
  moderate: 'medium',
  low: 'low',
  none: 'negligible',
};

/** The versions that are affected; for a package that is not affected, all that are not. */
function packageBlob(pkg: ScannerPackage, advisory: ScannerAdvisory): unknown {
  return {
    ...(advisory.id.startsWith('CVE-') ? { cves: [advisory.id] } : {}),
    // Without it, Grype would also compare the source package's version, which has no epoch, with a binary package's range.
    qualifiers: { architecture: 'binary-no-arch-specified' },
    ranges: [{ version: { type: 'rpm', constraint: constraintOf(pkg) }, fix: fixOf(pkg, advisory) }],
  };
}

function constraintOf({ status, first, last, fixed }: ScannerPackage): string {
  if (status === 'not-affected') return '';
  const parts = [
    ...(first === undefined ? [] : [`>= ${first}`]),
    ...(last === undefined ? [] : [upTo(last)]),
    ...(fixed === undefined ? [] : [`< ${fixed}`]),
  ];
  return parts.join(', ');
}

/** A version without a release stands for all its releases. The next one of Grype's order has one part more, and letters are the least. */
function upTo(last: string): string {
  return last.includes('-') ? `<= ${last}` : `< ${last}.A`;
}

function fixOf({ status, fixed, exception }: ScannerPackage, { modified }: ScannerAdvisory): unknown {
  if (status === 'not-affected') return { state: 'not-affected' };
  if (fixed === undefined) return { state: exception === true ? 'wont-fix' : status === 'possible' ? '' : 'not-fixed' };
  return {
    version: fixed,
    state: 'fixed',
    detail: { available: { date: modified.slice(0, 10), kind: 'advisory' } },
  };
}

/** As the database has moments: `2026-11-28 12:00:00+00:00`. */
function timestamp(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')}+00:00`;
}
