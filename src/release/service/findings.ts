import { byId } from '../../advisory/load.ts';
import type { Description, FeedEntry, Rating } from '../../advisory/match/feed-entry.ts';
import type { FeedPlace } from '../../advisory/match/feed-fields.ts';
import { lineOf } from '../../advisory/match/feed-text.ts';
import type { Match } from '../../advisory/match/matcher.ts';
import type { Advisory } from '../../advisory/record.ts';
import { vulnerabilityId } from '../../advisory/schema.ts';
import { isCve } from '../../upstream/cve.ts';
import type { NamedFeed } from './feeds.ts';
import { someOf } from './shipped.ts';

/** A component that is affected, and the feed that says so. */
export interface FoundMatch {
  readonly match: Match;
  readonly feed: NamedFeed;
}

/** What feeds say about an ID. */
interface Found extends Description {
  readonly id: string;
  readonly place: FeedPlace;
  readonly rating: Rating;
  readonly aliases: Set<string>;
  readonly matches: FoundMatch[];
}

/** A vulnerability that affects a shipped component, with all that feeds say about it under any of its names. */
export interface Vulnerability extends Description {
  /** That of its record, or else its CVE ID, or else the first name in the feeds. */
  readonly id: string;
  readonly record: Advisory | undefined;
  /** All its names, sorted; no two vulnerabilities share one. */
  readonly names: readonly string[];
  readonly place: FeedPlace;
  readonly rating: Rating;
  /** By component. The first feed that has it counts. */
  readonly matches: ReadonlyMap<string, FoundMatch>;
}

/** Entries of feeds that affect a shipped component and, with several feeds, the ratings of all vulnerabilities. */
export class Findings {
  readonly #found = new Map<string, Found>();
  readonly #unusable: string[] = [];
  readonly #ratings: Map<string, Rating> | undefined;
  readonly #debianRelease: string | undefined;
  count = 0;

  /** @param hasSeveral whether there are several feeds @param debianRelease whose ratings count */
  constructor(hasSeveral: boolean, debianRelease: string | undefined) {
    this.#ratings = hasSeveral ? new Map() : undefined;
    this.#debianRelease = debianRelease;
  }

  take(feed: NamedFeed, entry: FeedEntry, matches: readonly Match[]): void {
    const ratings = this.#ratings;
    const known = ratings?.get(entry.id);
    if (ratings !== undefined && (known?.severity === undefined || known.published === undefined)) {
      ratings.set(entry.id, { ...entry.rating(this.#debianRelease), ...known });
    }
    if (matches.length === 0) return;
    const usable = [entry.id, ...entry.aliases].filter((name) => vulnerabilityId.test(name));
    const [id] = usable;
    if (id === undefined) {
      const components = matches.map(({ shipped }) => shipped.component).join(', ');
      this.#unusable.push(`'${lineOf(entry.id, 100)}' of ${feed.name} (${components})`);
      return;
    }
    this.count++;
    const there = this.#found.get(id) ?? {
      ...{ id, place: entry.place, rating: entry.rating(this.#debianRelease), aliases: new Set(), matches: [] },
      ...entry.description(),
    };
    this.#found.set(id, there);
    // Two CVE IDs are two vulnerabilities, whatever an entry says.
    for (const name of usable) if (name !== id && !(isCve(id) && isCve(name))) there.aliases.add(name);
    for (const match of matches) there.matches.push({ match, feed });
  }

  /** What matches, but cannot become a record. */
  get notChecked(): string[] {
    const count = this.#unusable.length;
    return count === 0
      ? []
      : [`${count} matching entries with an ID that no record can have: ${someOf(this.#unusable)}`];
  }

  /** One vulnerability for all its names, in feeds and records; sorted by ID. */
  vulnerabilities(records: readonly Advisory[]): Vulnerability[] {
    const found = [...this.#found.values()];
    const order = new Map(found.map((each, index) => [each, index]));
    return [...grouped(found, records)].map((group) => this.#merged(group, order)).sort(byId);
  }

  #merged({ names, found, record }: Group, order: ReadonlyMap<Found, number>): Vulnerability {
    const inOrder = [...found].sort((a, b) => order.get(a)! - order.get(b)!);
    const first = inOrder[0]!;
    const matches = new Map<string, FoundMatch>();
    for (const each of inOrder.flatMap((one) => one.matches)) {
      const { component } = each.match.shipped;
      if (!matches.has(component)) matches.set(component, each);
    }
    const id = record?.id ?? [...names].find(isCve) ?? first.id;
    // What any feed says; the one that matched first counts first.
    const others = [...names].flatMap((name) => this.#ratings?.get(name) ?? []);
    const rating: Rating = Object.assign({}, ...[...inOrder.map((one) => one.rating), ...others].reverse());
    const { title, description, cwe, references, place } = first;
    return {
      ...{ id, record, names: [...names].sort(), place, rating, matches, title, cwe, references },
      ...(description === undefined ? {} : { description }),
    };
  }
}

/** Entries and a record that are about one vulnerability. */
interface Group {
  readonly record: Advisory | undefined;
  readonly names: Set<string>;
  readonly found: Set<Found>;
}

/** Groups entries by their names. Entries with a CVE ID come first: what has another name joins the first of them that has it, too. */
function grouped(order: readonly Found[], records: readonly Advisory[]): Set<Group> {
  const byName = new Map<string, Group>();
  const claim = (group: Group, names: Iterable<string>): void => {
    for (const name of names) {
      group.names.add(name);
      byName.set(name, group);
    }
  };
  const free = (names: Iterable<string>): string[] => [...names].filter((name) => !byName.has(name));
  const isNamed = ({ record, names }: Group): boolean => record !== undefined || [...names].some(isCve);
  for (const record of records) {
    claim({ record, names: new Set(), found: new Set() }, [record.id, ...(record.aliases ?? [])]);
  }
  const cves = order.filter(({ id }) => isCve(id)).sort(byId);
  for (const each of cves) {
    const other = [...each.aliases]
      .map((name) => byName.get(name))
      .find((group) => group && ![...group.names].some(isCve));
    const group = byName.get(each.id) ?? other ?? { record: undefined, names: new Set(), found: new Set() };
    group.found.add(each);
    claim(group, free([each.id, ...each.aliases]));
  }
  for (const each of order.filter(({ id }) => !isCve(id))) {
    const names = [each.id, ...each.aliases];
    const touched = new Set(names.flatMap((name) => byName.get(name) ?? []));
    const group = [...touched].find(isNamed) ??
      [...touched][0] ?? { record: undefined, names: new Set(), found: new Set() };
    for (const other of touched) {
      if (other === group || isNamed(other)) continue;
      for (const one of other.found) group.found.add(one);
      claim(group, other.names);
    }
    group.found.add(each);
    claim(group, free(names));
  }
  return new Set([...byName.values()].filter(({ found }) => found.size > 0));
}
