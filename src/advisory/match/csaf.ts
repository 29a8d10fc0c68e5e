import type { Severity } from '../record.ts';
import { compareIn } from './compare.ts';
import { type CsafProduct, productsOf } from './csaf-products.ts';
import {
  type Affected,
  type Description,
  type FeedEntry,
  isAnyCaseCve,
  type Rating,
  type VersionRange,
} from './feed-entry.ts';
import {
  badFeed,
  type FeedPlace,
  type Fields,
  field,
  fieldsAt,
  isFields,
  maybeText,
  momentAt,
  scoreAt,
  tablesAt,
  textAt,
  textsAt,
} from './feed-fields.ts';
import { textsOf, webAddresses } from './feed-text.ts';
import { severityOfScore, severityOfWord } from './severity.ts';

/**
 * The vulnerabilities of a CSAF document (2.0, profile VEX or security advisory). A product is affected if its status is
 * `known_affected`, `first_affected` or `last_affected`; what is under investigation gives nothing.
 * @throws WeirError `bad-feed`
 */
export function csafEntries(raw: Fields, place: FeedPlace): FeedEntry[] {
  const document = fieldsAt(field(raw, 'document'), place, 'document');
  const version = textAt(field(document, 'csaf_version'), place, 'document', 'csaf_version');
  if (!version.startsWith('2.'))
    throw badFeed(place, ['document', 'csaf_version'], `CSAF ${version.slice(0, 20)} is not supported`);
  const products = productsOf(field(raw, 'product_tree'), place);
  const tracking = fieldsAt(field(document, 'tracking') ?? {}, place, 'document', 'tracking');
  const released = (): string | undefined =>
    momentAt(field(tracking, 'initial_release_date'), place, 'document', 'tracking', 'initial_release_date');
  const title = (): string | undefined => maybeText(field(document, 'title'), place, 'document', 'title');
  const overall = (): string | undefined => {
    const rated = field(document, 'aggregate_severity');
    return isFields(rated)
      ? maybeText(field(rated, 'text'), place, 'document', 'aggregate_severity', 'text')
      : undefined;
  };
  const vulnerabilities = tablesAt(field(raw, 'vulnerabilities'), place, 'vulnerabilities');
  return vulnerabilities.flatMap((each, index) => {
    const at: FeedPlace = { ...place, pointer: `${place.pointer}/vulnerabilities/${index}` };
    const id = maybeText(field(each, 'cve'), at, 'cve')?.toUpperCase();
    if (id !== undefined && !isAnyCaseCve(id)) throw badFeed(at, ['cve'], `'${id.slice(0, 40)}' is not a CVE number`);
    const ids = tablesAt(field(each, 'ids'), at, 'ids').flatMap(
      (one, n) => maybeText(field(one, 'text'), at, 'ids', n, 'text') ?? [],
    );
    const name = id ?? ids.find(isAnyCaseCve)?.toUpperCase() ?? ids[0];
    const affects = affectsOf(each, products, at);
    if (name === undefined || affects.length === 0) return [];
    return [
      {
        ...{ id: name, aliases: ids.filter((other) => other !== name), affects, source: 'CSAF', place: at },
        rating: () => {
          const published = momentAt(field(each, 'release_date'), at, 'release_date') ?? released();
          return { ...ratingOf(each, overall(), at), ...(published === undefined ? {} : { published }) };
        },
        description: () => descriptionOf(name, each, title(), at),
      },
    ];
  });
}

function descriptionOf(id: string, raw: Fields, title: string | undefined, place: FeedPlace): Description {
  const description = noteOf(raw, place);
  const heading = maybeText(field(raw, 'title'), place, 'title') ?? title;
  const weakness = field(raw, 'cwe');
  const cwe = isFields(weakness) ? maybeText(field(weakness, 'id'), place, 'cwe', 'id') : undefined;
  return {
    ...textsOf(id, heading, description),
    cwe: cwe === undefined || !/^CWE-\d{1,6}$/.test(cwe) ? [] : [cwe],
    references: webAddresses(
      tablesAt(field(raw, 'references'), place, 'references').flatMap(
        (one, n) => maybeText(field(one, 'url'), place, 'references', n, 'url') ?? [],
      ),
    ),
  };
}

function affectsOf(raw: Fields, products: ReadonlyMap<string, CsafProduct>, place: FeedPlace): Affected[] {
  const status = fieldsAt(field(raw, 'product_status') ?? {}, place, 'product_status');
  const of = (...lists: readonly string[]): CsafProduct[] =>
    lists.flatMap((list) =>
      textsAt(field(status, list), place, 'product_status', list).map((id, index) => {
        const product = products.get(id);
        if (product !== undefined) return product;
        throw badFeed(place, ['product_status', list, index], `the product tree has no '${id.slice(0, 100)}'`);
      }),
    );
  const fixed = of('fixed', 'first_fixed');
  const found = new Map<string, { thing: Affected; ranges: VersionRange[]; versions: string[] }>();
  for (const { thing, version, ranges } of of('known_affected', 'first_affected', 'last_affected')) {
    if (thing === undefined) continue;
    const key = keyOf(thing);
    const group = found.get(key) ?? { thing, ranges: [], versions: [] };
    found.set(key, group);
    if (version !== undefined) group.versions.push(version);
    else if (ranges !== undefined) group.ranges.push(...ranges);
    else {
      // All versions are affected, up to the last of those that are called fixed.
      const ends = fixed.flatMap((one) =>
        one.thing !== undefined && one.version !== undefined && keyOf(one.thing) === key ? [one.version] : [],
      );
      const end = ends.reduce<string | undefined>(
        (last, one) => (last === undefined || compareIn(thing.scheme, last, one) < 0 ? one : last),
        undefined,
      );
      group.ranges.push(end === undefined ? {} : { fixed: end });
    }
  }
  return [...found.values()].map(({ thing, ranges, versions }) => ({ ...thing, ranges, versions }));
}

function keyOf({ kind, name }: Affected): string {
  return `${kind} ${name}`;
}

function noteOf(raw: Fields, place: FeedPlace): string | undefined {
  const notes = tablesAt(field(raw, 'notes'), place, 'notes');
  const index = ['description', 'summary', 'general']
    .map((category) => notes.findIndex((note) => field(note, 'category') === category))
    .find((at) => at >= 0);
  return index === undefined ? undefined : maybeText(field(notes[index]!, 'text'), place, 'notes', index, 'text');
}

function ratingOf(raw: Fields, overall: string | undefined, place: FeedPlace): Rating {
  let severity: Severity | undefined;
  let cvss: string | undefined;
  for (const [index, score] of tablesAt(field(raw, 'scores'), place, 'scores').entries()) {
    const key = field(score, 'cvss_v3') === undefined ? 'cvss_v4' : 'cvss_v3';
    const rated = field(score, key);
    if (rated === undefined) continue;
    const fields = fieldsAt(rated, place, 'scores', index, key);
    const base = scoreAt(field(fields, 'baseScore'), place, 'scores', index, key, 'baseScore');
    const vector = maybeText(field(fields, 'vectorString'), place, 'scores', index, key, 'vectorString');
    if (base !== undefined) severity = severityOfScore(base);
    if (vector?.startsWith('CVSS:') === true) cvss = vector;
    break;
  }
  severity ??= severityOfWord(overall);
  return { ...(severity === undefined ? {} : { severity }), ...(cvss === undefined ? {} : { cvss }) };
}
