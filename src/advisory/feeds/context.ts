import { webUrl } from '../../audit/identity.ts';
import { canonicalJson } from '../../base/digest.ts';
import { packageUrlText } from '../../base/package-url.ts';
import { isoTime } from '../../base/time.ts';
import type { AdvisoriesConfig, Lifecycle } from '../../project/model/release.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import type { Evr } from '../../rpm/version.ts';
import { isCve } from '../../upstream/cve.ts';
import { type Advisory, type AdvisoryEvent, momentOf } from '../record.ts';
import { isDeciding } from '../state.ts';
import type { Statement } from '../statements.ts';

/** What all feeds of a release share. */
export interface FeedContext {
  /** ID, NAME and VERSION_ID of os-release. */
  readonly distribution: { readonly id: string; readonly name: string; readonly version: string };
  readonly publisher: { readonly name: string; readonly namespace: string; readonly contact?: string };
  /** URL of the newest snapshot, without a slash at its end. */
  readonly snapshotUrl: string;
  /** The release's clock, in seconds since 1970. */
  readonly clock: number;
}

/** How os-release names the distribution. */
export type OsIdentity = Pick<Lifecycle, 'id' | 'name' | 'version'>;

/**
 * Without `[advisories] url`, links lead to a host under `.invalid` (RFC 2606): formats require some.
 * @param version of the release, the folder of its snapshots
 */
export function feedContext(
  { lifecycle, advisories }: { readonly lifecycle: OsIdentity | undefined; readonly advisories: AdvisoriesConfig },
  version: string,
  clock: number,
): FeedContext {
  const { id = 'linux', name = 'Linux' } = lifecycle ?? {};
  const { publisher, url = `https://${id}.invalid` } = advisories;
  return {
    distribution: { id, name, version: lifecycle?.version ?? version },
    publisher: {
      name: publisher.name ?? name,
      namespace: publisher.namespace ?? url,
      ...(publisher.contact === undefined ? {} : { contact: publisher.contact }),
    },
    snapshotUrl: `${url}/${version}/latest`,
    clock,
  };
}

/** `Weir Linux 4.0` */
export function distributionName({ distribution: { name, version } }: FeedContext): string {
  return `${name} ${version}`;
}

/** The folder of the feeds in a snapshot. */
export const feedFolder = 'advisories';

export function feedUrl({ snapshotUrl }: FeedContext, path: string): string {
  return `${snapshotUrl}/${feedFolder}/${path}`;
}

/** The ID of an advisory, the same in all feeds: `WEIR-CVE-2026-1234`. */
export function advisoryId({ distribution }: FeedContext, { id }: Pick<Advisory, 'id'>): string {
  return `${distribution.id.toUpperCase()}-${id}`;
}

/** Where a vulnerability is described: the record of the CVE, then the record's references. */
export function referencesOf({ id, references = [] }: Pick<Advisory, 'id' | 'references'>): string[] {
  const own = isCve(id) ? [`https://www.cve.org/CVERecord?id=${id}`] : [];
  return [...new Set([...own, ...references.flatMap((url) => webUrl(url) ?? [])])];
}

/** What a vulnerability is, in a few sentences. */
export function descriptionOf({ title, description }: Pick<Advisory, 'title' | 'description'>): string {
  return description?.trim() ?? title;
}

/**
 * The package URL of a package, in the namespace that scanners give it. It has no qualifiers: to a scanner, a URL with a qualifier
 * that its own URL lacks is another package.
 */
export function packageUrlOf(
  { distribution: { id } }: FeedContext,
  { name }: Pick<RepoPackage, 'name'>,
  evr: Evr | undefined,
): string {
  const version = evr === undefined ? '' : `${evr.version}-${evr.release ?? ''}`;
  return packageUrlText({ type: 'rpm', namespace: id, name, version, qualifiers: {} });
}

/** The statements about one vulnerability, with the dates that feeds need. */
export interface Told {
  readonly record: Advisory;
  readonly statements: readonly Statement[];
  /** The events that the feeds depend on, in order of time. */
  readonly events: readonly AdvisoryEvent[];
  /** Seconds since 1970 of the first and the last of them. */
  readonly first: number;
  readonly updated: number;
  /** Grows with each event. */
  readonly revision: number;
}

/** The statements by vulnerability, in their order. */
export function toldOf(statements: readonly Statement[]): readonly Told[] {
  return [...Map.groupBy(statements, ({ record }) => record)].map(([record, those]) => {
    const events = record.events.filter(isDeciding);
    const moments = events.map(({ at }) => momentOf(at));
    const first = Math.min(...moments);
    return { record, statements: those, events, first, updated: Math.max(...moments), revision: events.length };
  });
}

/** The last event of all, or the release's clock without any: a feed's date. */
export function lastUpdate(told: readonly Told[], { clock }: FeedContext): string {
  return isoTime(told.length === 0 ? clock : Math.max(...told.map(({ updated }) => updated)));
}

/** Severity as updateinfo, CSAF and OVAL write it: `Important`. */
export function severityWord({ severity }: Pick<Advisory, 'severity'>): string {
  return `${severity[0]!.toUpperCase()}${severity.slice(1)}`;
}

/** JSON of a feed's file. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The same with sorted keys, as CSAF recommends (2.0, 6.2.13). */
export function sortedJsonText(value: unknown): string {
  return jsonText(JSON.parse(canonicalJson(value)));
}
