import { compareText } from '../../base/order.ts';
import { compareEvr, parseEvr } from '../../rpm/version.ts';
import type { Severity } from '../record.ts';
import { type BoltBucket, boltFile } from './bolt.ts';
import {
  type ScannedDistribution,
  type ScannerAdvisory,
  type ScannerPackage,
  versionParts,
} from './scanner-advisory.ts';

/**
 * The family under which Trivy reads this database: its list of distributions is closed, and this one of it compares source packages
 * by rpm's rules and knows vulnerabilities without a fix. `trivy --distro azurelinux/VERSION` chooses it; its bucket has nothing
 * but the advisories of the distribution that wrote it.
 */
export const trivyFamily = 'azurelinux';

/** A Trivy database: the files of its folder `db`, and what it cannot say. */
export interface TrivyDatabase {
  /** `trivy.db` */
  readonly database: Buffer;
  /** `metadata.json` */
  readonly metadata: string;
  /** Vulnerabilities of source packages whose range of affected versions Trivy cannot express: it reports more versions. */
  readonly wider: readonly { readonly id: string; readonly source: string }[];
}

/**
 * A database of Trivy's schema 2. Equal advisories give equal bytes.
 * @param built when the database is made, in seconds since 1970
 */
export function trivyDatabase(
  advisories: readonly ScannerAdvisory[],
  distribution: ScannedDistribution & { readonly url?: string },
  built: number,
): TrivyDatabase {
  const { id, name, url } = distribution;
  const platform = `Azure Linux ${versionParts(distribution.version)
    .filter((part) => part !== '')
    .join('.')}`;
  const sources = new Map<string, Map<string, string>>();
  const details = new Map<string, string>();
  const wider: { readonly id: string; readonly source: string }[] = [];
  for (const advisory of advisories) {
    const bySource = affectedSources(advisory.packages);
    if (bySource.size === 0) continue;
    details.set(advisory.id, JSON.stringify(detailOf(advisory, id)));
    for (const [source, { fixed, exact }] of bySource) {
      const ofSource = sources.get(source) ?? new Map<string, string>();
      ofSource.set(advisory.id, JSON.stringify(fixed === undefined ? {} : { FixedVersion: fixed }));
      sources.set(source, ofSource);
      if (!exact) wider.push({ id: advisory.id, source });
    }
  }
  const ids = new Map([...details.keys()].map((each) => [each, '{}'] as const));
  const dataSource = { ID: id, Name: `${name} advisories`, ...(url === undefined ? {} : { URL: url }) };
  const root: BoltBucket = new Map<string, BoltBucket>([
    [platform, sources],
    ['data-source', new Map([[platform, JSON.stringify(dataSource)]])],
    ['vulnerability', details],
    ['vulnerability-id', ids],
  ]);
  return {
    database: boltFile(root),
    metadata: `${JSON.stringify({ Version: 2, NextUpdate: iso(built + 86_400), UpdatedAt: iso(built), DownloadedAt: iso(built) })}\n`,
    wider,
  };
}

interface AffectedSource {
  /** Of the source package; without it, every version is affected. */
  readonly fixed?: string;
  /** Whether that says the same as the advisory. */
  readonly exact: boolean;
}

/** By source package, whose version Trivy compares. */
function affectedSources(packages: readonly ScannerPackage[]): ReadonlyMap<string, AffectedSource> {
  const found = new Map<string, AffectedSource>();
  for (const pkg of packages.toSorted((a, b) => compareText(a.name, b.name))) {
    const next = affectedSource(pkg);
    const before = found.get(pkg.source);
    if (next === undefined) continue;
    if (before === undefined) found.set(pkg.source, next);
    else if (before.fixed !== next.fixed) found.set(pkg.source, { exact: false });
    else if (!next.exact) found.set(pkg.source, next);
  }
  return found;
}

function affectedSource({ status, first, last, fixedSource, released }: ScannerPackage): AffectedSource | undefined {
  if (status === 'not-affected') return undefined;
  const exact = first === undefined && last === undefined;
  if (fixedSource !== undefined) return { fixed: fixedSource, exact };
  if (released.affected) return { exact };
  // The release's version is outside of the range: above it, an update helps as a fix does; below it, there is nothing to report.
  const isAbove = last !== undefined && compareEvr(parseEvr(released.version), parseEvr(last)) > 0;
  return isAbove ? { fixed: released.source, exact } : undefined;
}

function detailOf(advisory: ScannerAdvisory, provider: string): unknown {
  const { title, description, severity, cvss, cwe, references, published, modified } = advisory;
  const level = levels[severity];
  const vector = cvss?.startsWith('CVSS:4') === true ? { V40Vector: cvss } : { V3Vector: cvss };
  return {
    Title: title,
    ...(description === undefined ? {} : { Description: description }),
    Severity: levelNames[level],
    ...(cwe.length === 0 ? {} : { CweIDs: cwe }),
    VendorSeverity: { [provider]: level },
    ...(cvss === undefined ? {} : { CVSS: { [provider]: vector } }),
    ...(references.length === 0 ? {} : { References: references }),
    PublishedDate: published,
    LastModifiedDate: modified,
  };
}

const levelNames = ['UNKNOWN', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const;
const levels: Readonly<Record<Severity, 0 | 1 | 2 | 3 | 4>> = {
  critical: 4,
  important: 3,
  moderate: 2,
  low: 1,
  none: 0,
};

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
