import { byId, loadAdvisories } from '../../advisory/load.ts';
import type { FeedCounts } from '../../advisory/match/feed.ts';
import type { Description, FeedEntry, Rating } from '../../advisory/match/feed-entry.ts';
import { badFeed } from '../../advisory/match/feed-fields.ts';
import { type Match, Matcher } from '../../advisory/match/matcher.ts';
import type { Advisory, AdvisoryEvent, Severity } from '../../advisory/record.ts';
import { cvssVector, vulnerabilityId } from '../../advisory/schema.ts';
import { standingOf } from '../../advisory/state.ts';
import { appendEvents, createRecord, type RecordHeader } from '../../advisory/write.ts';
import { didYouMean, WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import { inStage } from '../../base/progress.ts';
import { isoTime } from '../../base/time.ts';
import type { DownloadOptions } from '../../sources/download.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { readRelease } from '../published.ts';
import { type NamedFeed, readNamedFeed } from './feeds.ts';
import { evrOfFixed, type ShippedList, shippedBy } from './shipped.ts';

/**
 * What became of a finding:
 * - `new`: a record was opened
 * - `added`: a record that there was got a `detected` event for the component
 * - `known`: the record already names the component
 * - `handled`: the project itself deals with it, such as an overlay that names the CVE; nothing was opened
 */
export type FindingState = 'new' | 'added' | 'known' | 'handled';

/** A component that a vulnerability affects, by a feed. */
export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly component: string;
  /** Our EVR. */
  readonly ours: string;
  /** The first version that is not affected, in the feed's words. */
  readonly fixed?: string;
  readonly why: string;
  /** Name of the feed. */
  readonly feed: string;
  readonly state: FindingState;
  /** For `handled`: what deals with it; for `known`: the state in the record. */
  readonly reason?: string;
}

export interface ScanReport {
  /** Snapshot of the release that was checked; undefined if none was built. */
  readonly snapshot?: string;
  /** How many components, and source packages of the seed. */
  readonly checked: number;
  readonly notChecked: readonly string[];
  readonly feeds: readonly ({ readonly name: string } & FeedCounts)[];
  /** Sorted by vulnerability and component. */
  readonly findings: readonly Finding[];
  /** Files of records that were written, or that a run without --dry-run would write; sorted. */
  readonly records: readonly string[];
  readonly dryRun: boolean;
}

export interface ScanOptions {
  readonly feeds: readonly NamedFeed[];
  /** Only these components and source packages; all without. */
  readonly components?: readonly string[];
  readonly dryRun?: boolean;
  readonly download?: DownloadOptions;
  /** Seconds since 1970; by default the present. */
  readonly now?: number;
}

/** The author of events that a scan adds. */
const scanner = 'weir cve scan';

/**
 * Compares vulnerability feeds with the last release, and opens records for new vulnerabilities. A component that a record already
 * names is left alone, so a second run with the same feeds changes nothing.
 * @throws WeirError those of feeds, records and `unknown-component` (exit 2)
 */
export async function scanFeeds(
  workspace: Pick<ProjectWorkspace, 'project' | 'cache' | 'out' | 'progress'>,
  options: ScanOptions,
): Promise<ScanReport> {
  const { project, progress } = workspace;
  const folder = project.advisories.path;
  const records = await loadAdvisories(folder);
  const release = await readRelease(workspace);
  const list = selected(await shippedBy(project, release), options.components);
  const matcher = new Matcher(list.shipped, project.seed?.suite);
  const found = new Findings(options.feeds.length > 1);
  const feeds: (FeedCounts & { readonly name: string })[] = [];
  for (const feed of options.feeds) {
    const counts = await inStage(progress, `feed ${feed.name}`, async (stage) => {
      const before = found.count;
      const say = (message: string): void => stage.note(message);
      const read = await readNamedFeed(
        feed,
        workspace.cache,
        (entry) => found.take(feed, entry, matcher.matches(entry)),
        { say, ...options.download },
      );
      const summary = `${read.entries} entries of ${read.formats.join(', ')}, ${found.count - before} match`;
      return { result: read, summary, cached: false };
    });
    feeds.push({ name: feed.name, ...counts });
  }
  const plan = planned(found, records, options.now ?? Math.floor(Date.now() / 1000));
  const written: string[] = [];
  for (const { record, id, header, events } of plan) {
    if (events.length === 0) continue;
    if (options.dryRun !== true) {
      if (record === undefined) await createRecord(folder, header, events);
      else await appendEvents(folder, record.id, events);
    }
    written.push(`${record?.id ?? id}.toml`);
  }
  return {
    ...(release === undefined ? {} : { snapshot: release.snapshot }),
    ...{ checked: list.shipped.length, notChecked: list.notChecked, feeds },
    findings: plan.flatMap(({ findings }) => findings),
    ...{ records: written, dryRun: options.dryRun === true },
  };
}

/** @throws WeirError `unknown-component` (exit 2) */
function selected({ shipped, notChecked }: ShippedList, names: readonly string[] | undefined): ShippedList {
  if (names === undefined || names.length === 0) return { shipped, notChecked };
  const known = new Set(shipped.map(({ component }) => component));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new WeirError('unknown-component', `the release ships no component or source package ${unknown}`, {
      hint: didYouMean(unknown, known) ?? 'run without --component to scan all',
      exit: 2,
    });
  }
  return { shipped: shipped.filter(({ component }) => names.includes(component)), notChecked };
}

interface Found extends Pick<FeedEntry, 'id' | 'place'>, Description {
  readonly rating: Rating;
  readonly aliases: Set<string>;
  /** By component. The first feed that has it counts. */
  readonly matches: Map<string, { readonly match: Match; readonly feed: NamedFeed }>;
}

/** Entries of feeds that affect a shipped component and, with several feeds, the ratings of all vulnerabilities. */
class Findings {
  readonly found = new Map<string, Found>();
  readonly #ratings: Map<string, Rating> | undefined;
  count = 0;

  constructor(hasSeveral: boolean) {
    this.#ratings = hasSeveral ? new Map() : undefined;
  }

  take(feed: NamedFeed, entry: FeedEntry, matches: readonly Match[]): void {
    const { id, place } = entry;
    const ratings = this.#ratings;
    const known = ratings?.get(id);
    if (ratings !== undefined && (known?.severity === undefined || known.published === undefined)) {
      ratings.set(id, { ...entry.rating(), ...known });
    }
    if (matches.length === 0 || !vulnerabilityId.test(id)) return;
    this.count++;
    const there = this.found.get(id) ?? {
      ...{ id, place, rating: entry.rating(), aliases: new Set(), matches: new Map() },
      ...entry.description(),
    };
    this.found.set(id, there);
    for (const alias of entry.aliases) if (vulnerabilityId.test(alias)) there.aliases.add(alias);
    for (const match of matches) {
      const { component } = match.shipped;
      if (!there.matches.has(component)) there.matches.set(component, { match, feed });
    }
  }

  /** What any feed says; the one that matched first counts first. */
  ratingOf({ id, rating }: Found): Rating {
    return { ...this.#ratings?.get(id), ...rating };
  }
}

interface Planned {
  readonly id: string;
  readonly record: Advisory | undefined;
  readonly header: RecordHeader;
  readonly events: readonly AdvisoryEvent[];
  readonly findings: readonly Finding[];
}

/** What to write, by vulnerability. @param now seconds since 1970 */
function planned(found: Findings, records: readonly Advisory[], now: number): Planned[] {
  const byName = new Map(records.flatMap((record) => [record.id, ...(record.aliases ?? [])].map((id) => [id, record])));
  const taken = new Set(byName.keys());
  const at = isoTime(now);
  const all = [...found.found.values()].sort(byId);
  const ids = new Set(all.map(({ id }) => id));
  return all.map((each) => {
    const { id, matches } = each;
    const record = [id, ...each.aliases].map((id) => byName.get(id)).find((one) => one !== undefined);
    const rating = found.ratingOf(each);
    if (record === undefined && rating.published !== undefined && Date.parse(rating.published) > now * 1000) {
      throw badFeed(each.place, [], `${id} is published in the future, ${rating.published}`);
    }
    const severity = record?.severity ?? rating.severity ?? 'moderate';
    const events: AdvisoryEvent[] = [];
    const findings = [...matches]
      .sort(([a], [b]) => compareText(a, b))
      .map(([component, { match, feed }]): Finding => {
        const { shipped, why, fixed } = match;
        const standing = record === undefined ? undefined : standingOf(record, component);
        const handled = shipped.handled.get(id);
        const state: FindingState =
          standing !== undefined ? 'known' : handled !== undefined ? 'handled' : record === undefined ? 'new' : 'added';
        const shared = {
          id: record?.id ?? id,
          severity,
          component,
          ours: shipped.evr,
          why,
          feed: feed.name,
          state,
        };
        const reason = standing?.state ?? (state === 'handled' ? handled : undefined);
        if (state === 'new' || state === 'added')
          events.push(detected(match, feed, at, state === 'new' ? notesOf(rating) : ''));
        return { ...shared, ...(fixed === undefined ? {} : { fixed }), ...(reason === undefined ? {} : { reason }) };
      });
    // Two records must not share an alias.
    const aliases = [...each.aliases].filter((alias) => !taken.has(alias) && !ids.has(alias));
    for (const alias of aliases) taken.add(alias);
    return { id, record, header: headerOf(each, rating, severity, aliases, at), events, findings };
  });
}

/** Assumptions of a new record, for its note. */
function notesOf({ severity, published }: Rating): string {
  return [
    severity === undefined ? 'no feed rates it: moderate until it is triaged' : '',
    published === undefined ? 'no feed says when it became public: this is the moment of the scan' : '',
  ]
    .filter((note) => note !== '')
    .join('; ');
}

function detected({ shipped, why, fixed }: Match, feed: NamedFeed, at: string, note: string): AdvisoryEvent {
  const below = evrOfFixed(shipped, fixed);
  return {
    ...{ type: 'detected', at, by: scanner, component: shipped.component, feed: feed.name, why, version: shipped.evr },
    ...(below === undefined ? {} : { below }),
    ...(note === '' ? {} : { note }),
  };
}

function headerOf(
  { id, title, description, cwe, references }: Found,
  { cvss, published }: Rating,
  severity: Severity,
  aliases: readonly string[],
  at: string,
): RecordHeader {
  return {
    ...{ id, title, severity, published: published ?? at },
    ...(cvss === undefined || !cvssVector.test(cvss) ? {} : { cvss }),
    ...(description === undefined ? {} : { description }),
    ...{ aliases, references, cwe },
  };
}
