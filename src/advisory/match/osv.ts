import { compareIn } from './compare.ts';
import {
  type Affected,
  type Description,
  type FeedEntry,
  isAnyCaseCve,
  type Rating,
  type VersionRange,
  type VersionScheme,
} from './feed-entry.ts';
import {
  type FeedPlace,
  type Fields,
  field,
  fieldsAt,
  isFields,
  maybeText,
  momentAt,
  tablesAt,
  textAt,
  textsAt,
} from './feed-fields.ts';
import { textsOf, webAddresses } from './feed-text.ts';
import { severityOfVector, severityOfWord } from './severity.ts';
import { nameOfPurl, repositoryOf } from './upstream-name.ts';

/**
 * OSV's ecosystems (schema 1.7, "Defined Ecosystems") whose packages can be a component's upstream, with the type of their package
 * URL. All others are distributions with builds and fixes of their own, whose versions say nothing about ours.
 */
const ecosystems: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ PyPI: 'pypi', npm: 'npm', 'crates.io': 'cargo', RubyGems: 'gem', Go: 'golang', Maven: 'maven', Hex: 'hex' },
    ...{ Packagist: 'composer', NuGet: 'nuget', Pub: 'pub', CRAN: 'cran', Hackage: 'hackage', CPAN: 'cpan' },
    ...{ SwiftURL: 'swift', ConanCenter: 'conan', Julia: 'julia', opam: 'opam' },
  }),
);

/** Ecosystems of projects by their plain names. */
const plainEcosystems: ReadonlySet<string> = new Set(['OSS-Fuzz', 'Bitnami']);

/**
 * An entry of OSV (schema 1.7), once for each CVE that it is about. Withdrawn ones give nothing.
 * @throws WeirError `bad-feed`
 */
export function osvEntries(raw: Fields, place: FeedPlace): FeedEntry[] {
  const own = textAt(field(raw, 'id'), place, 'id');
  if (maybeText(field(raw, 'withdrawn'), place, 'withdrawn') !== undefined) return [];
  const names = [own, ...textsAt(field(raw, 'aliases'), place, 'aliases')];
  const upstream = textsAt(field(raw, 'upstream'), place, 'upstream');
  const affected = tablesAt(field(raw, 'affected'), place, 'affected');
  const affects = affected.flatMap((each, index) => affectedThings(each, place, index));
  const cves = [...new Set([...names, ...upstream].filter(isAnyCaseCve).map((each) => each.toUpperCase()))];
  const shared = {
    ...{ affects, source: 'OSV', place },
    rating: () => ratingOf(raw, affected, place),
    description: () => descriptionOf(own, raw, place),
  };
  return (cves.length === 0 ? [own] : cves).map((id) => ({
    id,
    // Other CVEs of the same advisory are no names of this one.
    aliases: [...new Set(names)].filter((name) => name !== id && !isAnyCaseCve(name)).slice(0, 20),
    ...shared,
  }));
}

function descriptionOf(id: string, raw: Fields, place: FeedPlace): Description {
  const details = maybeText(field(raw, 'details'), place, 'details');
  const summary = maybeText(field(raw, 'summary'), place, 'summary');
  const references = tablesAt(field(raw, 'references'), place, 'references').flatMap(
    (each, index) => maybeText(field(each, 'url'), place, 'references', index, 'url') ?? [],
  );
  return {
    ...textsOf(id, summary, details),
    cwe: weaknessesOf(raw),
    references: webAddresses(references),
  };
}

function affectedThings(raw: Fields, place: FeedPlace, index: number): Affected[] {
  const at = ['affected', index] as const;
  const ranges = tablesAt(field(raw, 'ranges'), place, ...at, 'ranges');
  const versions = textsAt(field(raw, 'versions'), place, ...at, 'versions');
  const repositories = ranges.flatMap(
    (range, r) => repositoryRange(range, versions, place, [...at, 'ranges', r]) ?? [],
  );
  const raws = field(raw, 'package');
  if (raws === undefined) return repositories;
  const named = packageOf(fieldsAt(raws, place, ...at, 'package'), place, [...at, 'package']);
  if (named === undefined || isUnimportant(raw)) return repositories;
  const own = ranges.flatMap((range, r) => {
    const type = textAt(field(range, 'type'), place, ...at, 'ranges', r, 'type');
    if (type === 'GIT') return [];
    const scheme: VersionScheme = type === 'SEMVER' ? 'semver' : named.scheme;
    return [{ scheme, ranges: rangesOf(field(range, 'events'), scheme, place, [...at, 'ranges', r, 'events']) }];
  });
  // A range of each scheme, and the exact versions once.
  const schemes = [...new Set([...own.map(({ scheme }) => scheme), ...(own.length === 0 ? [named.scheme] : [])])];
  return [
    ...schemes.map((scheme, n) => ({
      ...named,
      scheme,
      ranges: own.filter((each) => each.scheme === scheme).flatMap((each) => each.ranges),
      versions: n === 0 ? versions : [],
    })),
    ...repositories,
  ];
}

type Thing = Omit<Affected, 'ranges' | 'versions'>;

/** What an entry's package is for us; undefined for packages of other distributions. */
function packageOf(raw: Fields, place: FeedPlace, path: readonly (string | number)[]): Thing | undefined {
  const ecosystem = textAt(field(raw, 'ecosystem'), place, ...path, 'ecosystem');
  const name = textAt(field(raw, 'name'), place, ...path, 'name');
  const colon = ecosystem.indexOf(':');
  const [family, version] = colon < 0 ? [ecosystem, ''] : [ecosystem.slice(0, colon), ecosystem.slice(colon + 1)];
  const shown = `${family} ${name}`;
  if (family === 'Debian') {
    const release = version === '' ? {} : { debianRelease: version };
    return { kind: 'debian-source', name, shown: `${ecosystem} ${name}`, scheme: 'debian', ...release };
  }
  if (family === 'Linux') return { kind: 'cpe', name: 'linux:linux_kernel', shown, scheme: 'upstream' };
  if (plainEcosystems.has(family)) return { kind: 'name', name, shown, scheme: 'upstream' };
  const type = ecosystems.get(family);
  if (type === undefined) return undefined;
  const said = maybeText(field(raw, 'purl'), place, ...path, 'purl') ?? '';
  // Maven's names have a colon between group and artifact.
  const purl = nameOfPurl(said) ?? nameOfPurl(`pkg:${type}/${name.replace(':', '/')}`);
  if (purl === undefined) return undefined;
  return { kind: 'purl', name: purl, shown, scheme: type === 'pypi' ? 'python' : 'upstream' };
}

/** Commits cannot be compared with a version, but entries of a repository list its tags, and some the versions they came from. */
function repositoryRange(
  range: Fields,
  versions: readonly string[],
  place: FeedPlace,
  path: readonly (string | number)[],
): Affected | undefined {
  if (field(range, 'type') !== 'GIT') return undefined;
  const repo = maybeText(field(range, 'repo'), place, ...path, 'repo');
  const repository = repo === undefined ? undefined : repositoryOf(repo);
  if (repository === undefined) return undefined;
  const more = field(range, 'database_specific');
  const said = ['versions', 'extracted_events'].flatMap((key) => {
    const events = isFields(more) ? field(more, key) : undefined;
    return Array.isArray(events) ? rangesOf(events, 'upstream', place, [...path, 'database_specific', key]) : [];
  });
  return { kind: 'repository', name: repository, shown: repository, scheme: 'upstream', ranges: said, versions };
}

interface Event {
  readonly kind: 'introduced' | 'fixed' | 'last_affected' | 'limit';
  readonly version: string;
}

/** Turns a list of events into ranges, as OSV's evaluation algorithm reads it: in order of versions, whatever their order in the file. */
function rangesOf(
  raw: unknown,
  scheme: VersionScheme,
  place: FeedPlace,
  path: readonly (string | number)[],
): VersionRange[] {
  const events = tablesAt(raw, place, ...path).flatMap((each, index): Event[] => {
    // An event has one bound by the schema, but some feeds write two.
    const kinds = (['introduced', 'fixed', 'last_affected', 'limit'] as const).filter(
      (key) => field(each, key) !== undefined,
    );
    return kinds.map((kind) => {
      const version = textAt(field(each, kind), place, ...path, index, kind);
      return { kind, version: version === '0' ? '' : version };
    });
  });
  const inOrder = events.length < 3 ? events : events.toSorted((a, b) => compareIn(scheme, a.version, b.version));
  const ranges: VersionRange[] = [];
  let open: { readonly introduced?: string } | undefined;
  const first = inOrder.findIndex(({ kind }) => kind === 'introduced');
  // Two events can stand in any order, too.
  const turned = inOrder.length === 2 && first === 1 ? inOrder.toReversed() : inOrder;
  for (const { kind, version } of turned) {
    if (kind === 'introduced') open ??= version === '' ? {} : { introduced: version };
    else if (open !== undefined) {
      // A limit is a bound of commits; `*` is none.
      if (kind === 'limit' && version === '*') continue;
      ranges.push({ ...open, ...(kind === 'last_affected' ? { lastAffected: version } : { fixed: version }) });
      open = undefined;
    }
  }
  if (open !== undefined) ranges.push(open);
  return ranges;
}

/** Debian says so of issues without an effect on security. */
function isUnimportant(affected: Fields): boolean {
  const more = field(affected, 'ecosystem_specific');
  return isFields(more) && field(more, 'urgency') === 'unimportant';
}

function ratingOf(raw: Fields, affected: readonly Fields[], place: FeedPlace): Rating {
  const lists = [field(raw, 'severity'), ...affected.map((each) => field(each, 'severity'))];
  const vectors = lists
    .flatMap((list) => tablesAt(list, place, 'severity'))
    .flatMap((each) => {
      const score = field(each, 'score');
      return typeof score === 'string' && score.startsWith('CVSS:') ? [score] : [];
    });
  const cvss = vectors.find((each) => each.startsWith('CVSS:3.')) ?? vectors[0];
  const words = [raw, ...affected].flatMap((each) =>
    ['database_specific', 'ecosystem_specific'].flatMap((key) => {
      const more = field(each, key);
      if (!isFields(more)) return [];
      return [field(more, 'severity'), field(more, 'urgency')].filter((word) => typeof word === 'string');
    }),
  );
  const severity = severityOfVector(cvss) ?? words.map(severityOfWord).find((each) => each !== undefined);
  const published = momentAt(field(raw, 'published'), place, 'published');
  return {
    ...(severity === undefined ? {} : { severity }),
    ...(cvss === undefined ? {} : { cvss }),
    ...(published === undefined ? {} : { published }),
  };
}

function weaknessesOf(raw: Fields): string[] {
  const more = field(raw, 'database_specific');
  const ids = isFields(more) ? field(more, 'cwe_ids') : undefined;
  return Array.isArray(ids)
    ? [...new Set(ids)].filter((each) => typeof each === 'string' && /^CWE-\d{1,6}$/.test(each))
    : [];
}
