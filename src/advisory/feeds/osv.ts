import { isoTime } from '../../base/time.ts';
import { formatEvr, parseEvr } from '../../rpm/version.ts';
import { isCve } from '../../upstream/cve.ts';
import type { Advisory } from '../record.ts';
import type { StatedPackage, Statement } from '../statements.ts';
import { descriptionOf, type FeedContext, jsonText, packageUrlOf, referencesOf, type Told } from './context.ts';

/**
 * A vulnerability as OSV (https://ossf.github.io/osv-schema/, version 1.7); undefined without an affected version. OSV cannot say
 * that a package is not affected or is under investigation.
 *
 * IDs of unregistered databases begin with `x_`. Unregistered ecosystems have no such form: the schema knows only those in its list. Of these,
 * only `Linux` belongs to no other distribution.
 */
export function osv(context: FeedContext, told: Told): { readonly id: string; readonly text: string } | undefined {
  const affected = told.statements.flatMap((statement) => affectedOf(context, statement));
  if (affected.length === 0) return undefined;
  const { record } = told;
  const id = `x_${context.distribution.id}-${record.id}`;
  return {
    id,
    text: jsonText({
      schema_version: '1.7.0',
      id,
      modified: isoTime(told.updated),
      published: isoTime(told.first),
      upstream: [record.id, ...(record.aliases ?? [])],
      summary: record.title,
      details: descriptionOf(record),
      ...severityOf(record),
      affected,
      references: referencesOf(record).map((url, index) => ({
        type: index === 0 && isCve(record.id) ? 'ADVISORY' : 'WEB',
        url,
      })),
      database_specific: { severity: record.severity, ...(record.cwe === undefined ? {} : { cwe_ids: record.cwe }) },
    }),
  };
}

/** The ecosystem of the distribution's packages. */
export function ecosystemOf({ distribution: { id, version } }: FeedContext): string {
  return `Linux:${id}:${version}`;
}

function severityOf({ cvss }: Advisory): object {
  if (cvss === undefined) return {};
  return { severity: [{ type: cvss.startsWith('CVSS:4') ? 'CVSS_V4' : 'CVSS_V3', score: cvss }] };
}

function affectedOf(context: FeedContext, { status, component, range, packages }: Statement): object[] {
  if (status !== 'fixed' && status !== 'affected') return [];
  return byName(packages).map(({ pkg, fixedIn }) => ({
    package: {
      ecosystem: ecosystemOf(context),
      name: pkg.name,
      purl: packageUrlOf(context, pkg, undefined),
    },
    ranges: [
      {
        type: 'ECOSYSTEM',
        events: [
          { introduced: range?.first === undefined ? '0' : formatEvr(parseEvr(range.first)) },
          ...(fixedIn === undefined ? [] : [{ fixed: formatEvr(fixedIn) }]),
          ...(fixedIn !== undefined || range?.last === undefined ? [] : [{ last_affected: range.last }]),
        ],
      },
    ],
    ecosystem_specific: { component },
  }));
}

/** One package of each name: OSV knows no architectures. Binary packages first, because they are what is installed. */
function byName(packages: readonly StatedPackage[]): StatedPackage[] {
  const binaryFirst = [...packages.filter(({ pkg }) => pkg.arch !== 'src'), ...packages];
  const names = new Map<string, StatedPackage>();
  for (const each of binaryFirst) if (!names.has(each.pkg.name)) names.set(each.pkg.name, each);
  return [...names.values()];
}
