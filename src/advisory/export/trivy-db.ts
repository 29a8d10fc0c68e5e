import { byName } from '../../base/order.ts';
import { isoTime } from '../../base/time.ts';
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
 * The family under which Trivy reads this database. Trivy's list of distributions is fixed; the entry for this one compares versions
 * by rpm's rules and supports vulnerabilities without a fix. `trivy --distro azurelinux/VERSION` chooses it; its bucket has nothing
 * but the advisories of the distribution that wrote it.
 */
export const trivyFamily = 'azurelinux';

/** A Trivy database: the files of its folder `db`, and what it cannot say. */
export interface TrivyDatabase {
  /** `trivy.db` */
  readonly database: Buffer;
  /** `metadata.json` */
  readonly metadata: string;
  /** Vulnerabilities of packages whose range of affected versions Trivy cannot express: it reports more versions. */
  readonly wider: readonly { readonly id: string; readonly package: string }[];
}

/**
 * A database of Trivy's schema 2. Equal advisories give equal bytes.
 *
 * Trivy looks advisories of this family up by the name of the source package, which it takes from an RPM database. In an SBOM of another
 * tool it takes each package for its own source: there the names and versions are those of binary packages, as in this database.
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
  const packages = new Map<string, Map<string, string>>();
  const details = new Map<string, string>();
  const wider: { readonly id: string; readonly package: string }[] = [];
  for (const advisory of advisories) {
    for (const pkg of advisory.packages.toSorted(byName)) {
      const told = toldOf(pkg);
      if (told === undefined) continue;
      details.set(advisory.id, JSON.stringify(detailOf(advisory, id)));
      const ofPackage = packages.get(pkg.name) ?? new Map<string, string>();
      ofPackage.set(advisory.id, JSON.stringify(told.fixed === undefined ? {} : { FixedVersion: told.fixed }));
      packages.set(pkg.name, ofPackage);
      if (!told.exact) wider.push({ id: advisory.id, package: pkg.name });
    }
  }
  const ids = new Map([...details.keys()].map((each) => [each, '{}'] as const));
  const dataSource = { ID: id, Name: `${name} advisories`, ...(url === undefined ? {} : { URL: url }) };
  const root: BoltBucket = new Map<string, BoltBucket>([
    [platform, packages],
    ['data-source', new Map([[platform, JSON.stringify(dataSource)]])],
    ['vulnerability', details],
    ['vulnerability-id', ids],
  ]);
  return {
    database: boltFile(root),
    metadata: `${JSON.stringify({ Version: 2, NextUpdate: isoTime(built + 86_400), UpdatedAt: isoTime(built), DownloadedAt: isoTime(built) })}\n`,
    wider,
  };
}

/** The version that has the fix; without one, every version is affected. `exact`: that says the same as the advisory. */
function toldOf(pkg: ScannerPackage): { readonly fixed?: string; readonly exact: boolean } | undefined {
  const { status, first, last, fixed, released } = pkg;
  if (status === 'not-affected') return undefined;
  const exact = first === undefined && last === undefined;
  if (fixed !== undefined) return { fixed, exact };
  if (released.affected) return { exact };
  // The release's version is outside of the range: above it, an update helps as a fix does; below it, there is nothing to report.
  const isAbove = last !== undefined && compareEvr(parseEvr(released.version), parseEvr(last)) > 0;
  return isAbove ? { fixed: released.version, exact } : undefined;
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
