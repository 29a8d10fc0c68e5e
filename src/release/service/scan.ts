import { loadAdvisories, parseAdvisory, recordPath } from '../../advisory/load.ts';
import type { FeedCounts } from '../../advisory/match/feed.ts';
import type { Rating } from '../../advisory/match/feed-entry.ts';
import { badFeed } from '../../advisory/match/feed-fields.ts';
import { lineOf } from '../../advisory/match/feed-text.ts';
import { type Match, Matcher } from '../../advisory/match/matcher.ts';
import type { AdvisoryEvent, Severity } from '../../advisory/record.ts';
import { cvssVector } from '../../advisory/schema.ts';
import { standingOf } from '../../advisory/state.ts';
import { appendEvents, createRecord, type RecordHeader, recordText, withEvents } from '../../advisory/write.ts';
import { didYouMean, WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import { inStage } from '../../base/progress.ts';
import { isoTime } from '../../base/time.ts';
import { sweep } from '../../engine/engine.ts';
import type { DownloadOptions } from '../../sources/download.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { readRelease } from '../published.ts';
import { type NamedFeed, readNamedFeed } from './feeds.ts';
import { Findings, type Vulnerability } from './findings.ts';
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
  const found = new Findings(options.feeds.length > 1, project.seed?.suite);
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
      const summary = `${read.entries} entries${read.formats.length === 0 ? '' : ` of ${read.formats.join(', ')}`}, ${found.count - before} match`;
      return { result: read, summary, cached: false };
    });
    feeds.push({ name: feed.name, ...counts });
  }
  const now = options.now ?? Math.floor(Date.now() / 1000);
  const plan = found.vulnerabilities(records).map((each) => planned(each, now));
  const changed = plan.filter(({ events }) => events.length > 0);
  for (const each of changed) check(folder, each);
  if (options.dryRun !== true) {
    await sweep([folder]);
    for (const { record, header, events } of changed) {
      if (record === undefined) await createRecord(folder, header, events, { known: records, now });
      else await appendEvents(folder, record.id, events);
    }
  }
  return {
    ...(release === undefined ? {} : { snapshot: release.snapshot }),
    ...{ checked: list.shipped.length, notChecked: [...list.notChecked, ...found.notChecked], feeds },
    findings: plan.flatMap(({ findings }) => findings),
    ...{ records: changed.map(({ id }) => `${id}.toml`), dryRun: options.dryRun === true },
  };
}

/** Checks what a scan would write, before it writes anything. @throws WeirError `bad-feed`, `event-order` (exit 2) */
function check(folder: string, { record, id, place, header, events }: Planned): void {
  if (record !== undefined) {
    withEvents(record, events);
    return;
  }
  try {
    parseAdvisory(recordPath(folder, id), recordText(header, events));
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    throw badFeed(place, [], `a record of ${id} cannot hold it: ${error.message}`, error);
  }
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

/** What to write about a vulnerability. */
interface Planned extends Pick<Vulnerability, 'id' | 'record' | 'place'> {
  readonly header: RecordHeader;
  readonly events: readonly AdvisoryEvent[];
  readonly findings: readonly Finding[];
}

/** @param now seconds since 1970 */
function planned(each: Vulnerability, now: number): Planned {
  const { id, record, names, place, rating, matches } = each;
  const at = isoTime(now);
  if (record === undefined && rating.published !== undefined && Date.parse(rating.published) > now * 1000) {
    throw badFeed(place, [], `${id} is published in the future, ${rating.published}`);
  }
  const severity = record?.severity ?? rating.severity ?? 'moderate';
  const events: AdvisoryEvent[] = [];
  const findings = [...matches]
    .sort(([a], [b]) => compareText(a, b))
    .map(([component, { match, feed }]): Finding => {
      const { shipped, why, fixed } = match;
      const standing = record === undefined ? undefined : standingOf(record, component);
      const handled = names.map((name) => shipped.handled.get(name)).find((reason) => reason !== undefined);
      const state: FindingState =
        standing !== undefined ? 'known' : handled !== undefined ? 'handled' : record === undefined ? 'new' : 'added';
      const reason = standing?.state ?? (state === 'handled' ? handled : undefined);
      if (state === 'new' || state === 'added')
        events.push(detected(match, feed, at, state === 'new' ? notesOf(rating) : ''));
      return {
        ...{ id, severity, component, ours: shipped.evr, why, feed: feed.name, state },
        ...(fixed === undefined ? {} : { fixed }),
        ...(reason === undefined ? {} : { reason }),
      };
    });
  return { id, record, place, header: headerOf(each, severity, at), events, findings };
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
  const below = evrOfFixed(shipped, fixed === undefined ? undefined : lineOf(fixed, 200));
  return {
    ...{ type: 'detected', at, by: scanner, component: shipped.component, feed: feed.name, why, version: shipped.evr },
    ...(below === undefined ? {} : { below }),
    ...(note === '' ? {} : { note }),
  };
}

function headerOf(
  { id, names, rating: { cvss, published }, title, description, cwe, references }: Vulnerability,
  severity: Severity,
  at: string,
): RecordHeader {
  return {
    ...{ id, title, severity, published: published ?? at },
    ...(cvss === undefined || !cvssVector.test(cvss) ? {} : { cvss }),
    ...(description === undefined ? {} : { description }),
    ...{ aliases: names.filter((name) => name !== id), references, cwe },
  };
}
