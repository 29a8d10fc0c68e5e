import { packageUrl } from '../../audit/identity.ts';
import { isoTime } from '../../base/time.ts';
import { nevra, type RepoPackage } from '../../repo/metadata.ts';
import { compareEvr, type Evr } from '../../rpm/version.ts';
import { isCve } from '../../upstream/cve.ts';
import { type AdvisoryEvent, momentOf } from '../record.ts';
import { evrOf, type PackageStatus } from '../state.ts';
import type { Statement } from '../statements.ts';
import {
  advisoryId,
  descriptionOf,
  distributionName,
  type FeedContext,
  feedUrl,
  referencesOf,
  severityWord,
  sortedJsonText,
  type Told,
} from './context.ts';

/** A CSAF document: its path in the folder of CSAF, and what the folder's index says of it. */
export interface CsafDocument {
  readonly path: string;
  /** RFC 3339. */
  readonly updated: string;
  readonly text: string;
}

/** CSAF's names of the states, in `product_status`. */
const statusNames = {
  fixed: 'fixed',
  affected: 'known_affected',
  'not-affected': 'known_not_affected',
  'under-investigation': 'under_investigation',
} as const satisfies Record<PackageStatus, string>;

/**
 * A vulnerability as CSAF 2.0 with the profile VEX (https://docs.oasis-open.org/csaf/csaf/v2.0/csaf-v2.0.html, 4.5). Each event is a
 * revision. Products are packages of the snapshot, and the first ones with a fix: scanners match their package URLs directly, but not
 * through relationships to a distribution.
 */
export function csaf(context: FeedContext, told: Told): CsafDocument {
  const { record, statements } = told;
  const id = advisoryId(context, record);
  const path = csafPath(context, told);
  const revisions = revisionsOf(told.events);
  const { number: version, date: updated } = revisions.at(-1)!;
  const document = {
    category: 'csaf_vex',
    csaf_version: '2.0',
    lang: 'en',
    title: record.title,
    distribution: { tlp: { label: 'WHITE' } },
    aggregate_severity: { text: severityWord(record) },
    publisher: publisherOf(context),
    references: [{ category: 'self', summary: 'This document', url: feedUrl(context, `csaf/${path}`) }],
    tracking: {
      id,
      status: 'final',
      version,
      initial_release_date: revisions[0]!.date,
      current_release_date: updated,
      revision_history: revisions,
      generator: { date: isoTime(context.clock), engine: { name: 'Weir' } },
    },
  };
  return {
    path,
    updated,
    text: sortedJsonText({
      document,
      product_tree: productTree(context, statements),
      vulnerabilities: [vulnerability(context, told)],
    }),
  };
}

/** File names are the ID in lower case, in a folder for the year of the first release (CSAF 2.0, 5.1 and 7.1.11). */
export function csafPath(context: FeedContext, { record, first }: Told): string {
  const name = advisoryId(context, record)
    .toLowerCase()
    .replace(/[^+\-a-z0-9]+/g, '_');
  return `${new Date(first * 1000).getUTCFullYear()}/${name}.json`;
}

export function publisherOf({ publisher: { name, namespace, contact } }: FeedContext): object {
  return { category: 'vendor', name, namespace, ...(contact === undefined ? {} : { contact_details: contact }) };
}

/** One revision a moment. */
function revisionsOf(
  events: readonly AdvisoryEvent[],
): { readonly number: string; readonly date: string; readonly summary: string }[] {
  const byMoment = Map.groupBy(events, ({ at }) => momentOf(at));
  return [...byMoment]
    .sort(([a], [b]) => a - b)
    .map(([moment, those], index) => ({
      number: String(index + 1),
      date: isoTime(moment),
      summary: those.map(eventText).join('; '),
    }));
}

function eventText(event: AdvisoryEvent): string {
  const about = 'component' in event && event.component !== undefined ? `${event.component}: ` : '';
  return `${about}${event.type.replaceAll('-', ' ')}`;
}

/** A package in one version; its NEVRA is the ID. */
interface Product {
  /** The package of the snapshot, in this version or a newer one. */
  readonly pkg: RepoPackage;
  readonly evr: Evr;
}

function productId({ pkg: { name, arch }, evr }: Product): string {
  return nevra({ name, arch, epoch: evr.epoch, version: evr.version, release: evr.release ?? '' });
}

function own({ packages }: Statement): Product[] {
  return packages.map(({ pkg }) => ({ pkg, evr: evrOf(pkg) }));
}

function firstFixed({ packages }: Statement): Product[] {
  return packages.flatMap(({ pkg, fixedIn }) => (fixedIn === undefined ? [] : [{ pkg, evr: fixedIn }]));
}

/**
 * The package URL that scanners make of the installed package, the same as in SBOMs: Grype compares it as one text, Trivy requires each of
 * its qualifiers.
 */
function productUrl({ distribution }: FeedContext, { pkg, evr: { epoch, version, release = '' } }: Product): string {
  const { name, arch, sourceRpm } = pkg;
  // An older version of the package was built from that version of its source, if they share versions.
  const own = `-${pkg.version}-${pkg.release}.src.rpm`;
  const isOwn = pkg.epoch === epoch && pkg.version === version && pkg.release === release;
  const source = isOwn
    ? sourceRpm
    : sourceRpm.endsWith(own)
      ? sourceRpm.replace(own, `-${version}-${release}.src.rpm`)
      : '';
  return packageUrl(distribution, { name, arch, epoch, version, release, sourceRpm: source });
}

function ids(products: readonly Product[]): string[] {
  return [...new Set(products.map(productId))].sort();
}

function productTree(context: FeedContext, statements: readonly Statement[]): object {
  const products = new Map<string, Product>();
  for (const statement of statements) {
    for (const product of [...own(statement), ...firstFixed(statement)]) products.set(productId(product), product);
  }
  const byArch = Map.groupBy(
    [...products].sort(([a], [b]) => (a < b ? -1 : 1)),
    ([, { pkg }]) => pkg.arch,
  );
  return {
    branches: [
      {
        category: 'vendor',
        name: context.publisher.name,
        branches: [
          {
            category: 'product_name',
            name: distributionName(context),
            branches: [...byArch]
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([arch, those]) => ({
                category: 'architecture',
                name: arch,
                branches: those.map(([id, product]) => ({
                  category: 'product_version',
                  name: id,
                  product: {
                    product_id: id,
                    name: `${id} of ${distributionName(context)}`,
                    product_identification_helper: { purl: productUrl(context, product) },
                  },
                })),
              })),
          },
        ],
      },
    ],
  };
}

function vulnerability(context: FeedContext, { record, statements }: Told): object {
  const of = (status: PackageStatus): Statement[] => statements.filter((each) => each.status === status);
  const productStatus: Record<string, readonly string[]> = {};
  for (const status of ['fixed', 'affected', 'not-affected', 'under-investigation'] as const) {
    const those = of(status).flatMap(own);
    if (those.length > 0) productStatus[statusNames[status]] = ids(those);
  }
  const first = of('fixed').flatMap(firstFixed);
  if (first.length > 0) productStatus.first_fixed = ids(first);
  const notes = [
    { category: 'description', title: 'Description', text: descriptionOf(record) },
    ...statements.flatMap(({ component, status, reason }) =>
      status === 'under-investigation' && reason !== undefined
        ? [{ category: 'other', title: `Disputed in ${component}`, text: reason }]
        : [],
    ),
  ];
  const flags = of('not-affected').map((each) => ({ label: each.justification!, product_ids: ids(own(each)) }));
  const remediations = [
    ...of('fixed').map((each) => vendorFix(context, record, each)),
    ...of('affected').flatMap(untilFixed),
    ...of('under-investigation').map((each) => ({
      category: 'none_available',
      details: 'Whether it is affected is being investigated.',
      product_ids: ids(own(each)),
    })),
  ];
  const threats = [
    ...of('not-affected').flatMap((each) =>
      each.reason === undefined ? [] : [{ category: 'impact', details: each.reason, product_ids: ids(own(each)) }],
    ),
    ...of('affected').map((each) => ({
      category: 'impact',
      details: severityWord(record),
      product_ids: ids(own(each)),
    })),
  ];
  const references = referencesOf(record).map((url) => ({ category: 'external', summary: url, url }));
  return {
    ...(isCve(record.id) ? { cve: record.id } : {}),
    ...otherIds([...(isCve(record.id) ? [] : [record.id]), ...(record.aliases ?? [])]),
    title: record.title,
    release_date: isoTime(momentOf(record.published)),
    notes,
    ...(references.length === 0 ? {} : { references }),
    product_status: productStatus,
    ...(flags.length === 0 ? {} : { flags }),
    ...(remediations.length === 0 ? {} : { remediations }),
    ...(threats.length === 0 ? {} : { threats }),
  };
}

function otherIds(all: readonly string[]): object {
  const named = all.filter((id) => !isCve(id)).map((text) => ({ system_name: text.split('-')[0]!, text }));
  return named.length === 0 ? {} : { ids: named };
}

function vendorFix(context: FeedContext, record: Told['record'], statement: Statement): object {
  const products = [...own(statement), ...firstFixed(statement)];
  const isNewer = statement.packages.some(({ pkg, fixedIn }) => compareEvr(evrOf(pkg), fixedIn!) > 0);
  return {
    category: 'vendor_fix',
    details: `Update to ${isNewer ? 'these versions or newer ones' : 'these versions'}: dnf5 upgrade --advisories=${advisoryId(context, record)}`,
    date: isoTime(statement.issued!),
    product_ids: ids(products),
  };
}

/** What the record advises, and that there is no fix. */
function untilFixed(statement: Statement): object[] {
  const products = ids(own(statement));
  const { mitigation, action } = statement;
  return [
    ...(mitigation === undefined ? [] : [{ category: 'mitigation', details: mitigation, product_ids: products }]),
    ...(mitigation === action ? [] : [{ category: 'none_available', details: action, product_ids: products }]),
  ];
}
