import { isCve } from '../../upstream/cve.ts';
import type { Severity } from '../record.ts';
import type { FeedPlace } from './feed-fields.ts';

/**
 * How versions of a range compare:
 * - `upstream`: by rpm's rules, with words such as `rc` before the release that they lead to
 * - `python`: the same, with the single letters of PEP 440 for such words
 * - `semver`: as semantic versions
 * - `debian`: by dpkg's rules
 * - `rpm`: epoch, version and release by rpm's rules
 */
export type VersionScheme = 'upstream' | 'python' | 'semver' | 'debian' | 'rpm';

/** Affected versions: all from a bound on, up to a bound. A bound that is missing is open. */
export interface VersionRange {
  readonly introduced?: string;
  /** Only versions above `introduced`, not it itself. */
  readonly isAfter?: true;
  /** The first version that is not affected. */
  readonly fixed?: string;
  /** The last version that is affected. */
  readonly lastAffected?: string;
}

/** Something that a feed calls affected. It is affected in the ranges, and in each of the versions. */
export interface Affected {
  /**
   * - `purl`: a package URL without version and qualifiers, such as `pkg:pypi/requests`
   * - `cpe`: `VENDOR:PRODUCT`
   * - `debian-source`: a Debian source package
   * - `repository`: a source repository as `HOST/PATH`, such as `github.com/owner/name`
   * - `name`: an upstream project's name
   */
  readonly kind: 'purl' | 'cpe' | 'debian-source' | 'repository' | 'name';
  readonly name: string;
  /** The package URL of a product that is written for one language only: its name alone means nothing. */
  readonly purl?: string;
  /** The feed's own name of the product, for explanations. */
  readonly shown: string;
  readonly scheme: VersionScheme;
  readonly ranges: readonly VersionRange[];
  /** Exact versions. Those of a repository are tags, such as `v1.2` or `curl-8_0_0`. */
  readonly versions: readonly string[];
  /** Codename of Debian's release that this is about; undefined for all. */
  readonly debianRelease?: string;
}

/** How bad a vulnerability is, and since when it is public. */
export interface Rating {
  readonly severity?: Severity;
  /** A CVSS vector, such as `CVSS:3.1/AV:N/…`. */
  readonly cvss?: string;
  /** RFC 3339, UTC, seconds. */
  readonly published?: string;
}

/** What a vulnerability is, for readers. */
export interface Description {
  /** One line. */
  readonly title: string;
  readonly description?: string;
  /** `CWE-…` */
  readonly cwe: readonly string[];
  /** http and https URLs. */
  readonly references: readonly string[];
}

/**
 * A vulnerability in a form that is common to all feeds. Rating and description are read on demand, because most entries concern
 * nothing that is shipped; both can throw `bad-feed`.
 */
export interface FeedEntry {
  /** A CVE number, in capitals; the feed's own name if there is none. */
  readonly id: string;
  /** Further names. */
  readonly aliases: readonly string[];
  readonly affects: readonly Affected[];
  /** @param debianRelease whose rating counts, if the feed rates for each release of Debian */
  readonly rating: (debianRelease?: string) => Rating;
  readonly description: () => Description;
  /** `NVD`, `OSV`, `CSAF` or `Debian`. */
  readonly source: string;
  readonly place: FeedPlace;
}

/** Whether a feed's text is a CVE ID; feeds may have it in lower case. */
export function isAnyCaseCve(text: string): boolean {
  return isCve(text.toUpperCase());
}
