import type { Severity } from '../record.ts';

/** What scanners are told of one vulnerability. */
export interface ScannerAdvisory {
  readonly id: string;
  readonly title: string;
  readonly description?: string;
  readonly severity: Severity;
  readonly cvss?: string;
  readonly cwe: readonly string[];
  readonly aliases: readonly string[];
  readonly references: readonly string[];
  /** RFC 3339: when it became public, and when its record last changed. */
  readonly published: string;
  readonly modified: string;
  readonly packages: readonly ScannerPackage[];
}

/**
 * What scanners are told of a package and a vulnerability. Versions are `epoch:version-release`, always with an epoch; those of a range
 * may lack the release.
 */
export interface ScannerPackage {
  /** Name of the binary package. */
  readonly name: string;
  /**
   * `affected`: the versions of the range below. `possible`: the same, but nobody has decided yet. `not-affected`: no version is.
   */
  readonly status: 'affected' | 'possible' | 'not-affected';
  readonly first?: string;
  readonly last?: string;
  /** First version with the fix. */
  readonly fixed?: string;
  /** It stays affected for now, by an exception. */
  readonly exception?: boolean;
  /** The version that the release has, and whether it is one of those. */
  readonly released: { readonly version: string; readonly affected: boolean };
}

/** The distribution, as os-release has it. */
export interface ScannedDistribution {
  /** ID */
  readonly id: string;
  /** NAME */
  readonly name: string;
  /** VERSION_ID */
  readonly version: string;
  readonly supportEnd?: string;
}

/** The first two parts of a VERSION_ID, without leading zeros: `4.0` of `4.0.1`, `4` of `4`. */
export function versionParts(version: string): readonly [major: string, minor: string] {
  const [major = '', minor = ''] = version.split('.').map((part) => part.replace(/^0+(?=.)/, ''));
  return [major, minor];
}
