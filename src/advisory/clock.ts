import type { Advisory, AdvisoryEvent, EventOf, Severity } from './record.ts';
import { momentOf } from './record.ts';
import { severities } from './schema.ts';
import { type ComponentState, eventsAbout, isDeciding, standings } from './state.ts';

/** The stages from a vulnerability's publication to images that a scanner finds clean. */
export const stages = ['public', 'triaged', 'merged', 'built', 'live', 'images', 'verified'] as const;
export type ClockStage = (typeof stages)[number];

/** A stage that a record has reached. */
export interface Reached {
  readonly stage: ClockStage;
  /** T0 to T6. */
  readonly name: string;
  /** RFC 3339; undefined if the stage was not reached. */
  readonly at?: string;
  /** From T0, in seconds; negative if it was known before it was public. */
  readonly seconds?: number;
}

/**
 * The clock of a record: T0 public, T1 triaged, T2 patch merged, T3 built, T4 repository and advisory live, T5 the last image,
 * T6 the last image that a scanner found clean.
 *
 * A stage is reached when each component has reached it that is not unaffected, disputed or excepted. Of a component that was
 * affected or got another patch after a fix, only what happened since counts. T4 to T6 come after the last fix.
 */
export function clockOf(record: Pick<Advisory, 'published' | 'events'>): Reached[] {
  const { events, published } = record;
  const components = standings(record);
  const counted = components.filter(({ state }) => !withoutFix.includes(state)).map(({ component }) => component);
  const fixes = counted.map((component) => fixOf(events, component));
  const built = latest(fixes.map(({ fixed }) => fixed));
  const current = built === undefined ? [] : currentImages(events, Math.min(...fixes.map(({ fixed }) => fixed!)));
  // Images from before the last of the fixes may lack it.
  const made = current.some((index) => index > built!) ? latest(current) : undefined;
  const found: readonly (number | undefined)[] = [
    latest(decided(record, counted.length > 0 ? counted : components.map(({ component }) => component))),
    latest(fixes.map(({ pending }) => pending)),
    built,
    latest(fixes.map(({ live }) => live)),
    made,
    made === undefined ? undefined : latest(current.map((index) => verifiedAfter(events, index))),
  ];
  return stages.map((stage, index) => {
    const event = index === 0 ? undefined : found[index - 1];
    const at = index === 0 ? published : event === undefined ? undefined : events[event]!.at;
    const name = `T${index}`;
    return at === undefined ? { stage, name } : { stage, name, at, seconds: momentOf(at) - momentOf(published) };
  });
}

/** States of components that get no fix, so that no stage waits for them. */
const withoutFix: readonly ComponentState[] = ['not-affected', 'disputed', 'exception'];

/** The last of events, by their indexes; undefined if one has not happened, or there are none. */
function latest(indexes: readonly (number | undefined)[]): number | undefined {
  return indexes.length === 0 || indexes.includes(undefined) ? undefined : Math.max(...(indexes as readonly number[]));
}

/** When each component was first decided about; of a record without components, when it was triaged. */
function decided(record: Pick<Advisory, 'events'>, components: readonly string[]): (number | undefined)[] {
  const index = (event: AdvisoryEvent | undefined) => (event === undefined ? undefined : record.events.indexOf(event));
  if (components.length === 0) return [index(record.events.find((one) => isDeciding(one) && one.type !== 'detected'))];
  return components.map((component) => index(eventsAbout(record, component).find(({ type }) => type !== 'detected')));
}

/** The stages of a component's last fix, as indexes of events. */
interface FixStages {
  readonly pending?: number;
  readonly fixed?: number;
  readonly live?: number;
}

function fixOf(events: readonly AdvisoryEvent[], component: string): FixStages {
  let stages: FixStages = {};
  for (const [index, event] of events.entries()) {
    if (!('component' in event) || event.component !== component) continue;
    const { pending, fixed, live } = stages;
    if (event.type === 'affected' && fixed !== undefined) stages = {};
    else if (event.type === 'fix-pending') stages = { pending: index };
    else if (event.type === 'fixed') stages = { ...(pending === undefined ? {} : { pending }), fixed: index };
    else if (event.type === 'published' && fixed !== undefined && live === undefined) {
      stages = { ...stages, live: index };
    }
  }
  return stages;
}

/** The last event of each image since the first of the fixes; older digests of an image are superseded. */
function currentImages(events: readonly AdvisoryEvent[], from: number): number[] {
  const current = new Map<string, number>();
  for (const [index, event] of events.entries())
    if (index > from && event.type === 'image') current.set(event.image, index);
  return [...current.values()];
}

/** When an image was first found clean. */
function verifiedAfter(events: readonly AdvisoryEvent[], image: number): number | undefined {
  const { digest } = events[image] as EventOf<'image'>;
  const index = events.findIndex((event, at) => at > image && event.type === 'verified' && event.digest === digest);
  return index < 0 ? undefined : index;
}

/** How long records of one severity took to a stage. */
export interface StageFigures {
  readonly stage: ClockStage;
  readonly count: number;
  /** Seconds from T0. */
  readonly median?: number;
  readonly worst?: { readonly id: string; readonly seconds: number };
}

export interface ClockFigures {
  readonly severity: Severity;
  readonly records: number;
  /** Records in which a component is not fixed, excepted or unaffected yet. */
  readonly open: number;
  readonly stages: readonly StageFigures[];
}

/** Medians and worst by severity, the worst severity first; severities without records are left out. */
export function clockFigures(records: readonly Advisory[]): ClockFigures[] {
  return severities.flatMap((severity) => {
    const own = records.filter((record) => record.severity === severity);
    if (own.length === 0) return [];
    const clocks = own.map((record) => ({ id: record.id, reached: clockOf(record) }));
    return [
      {
        severity,
        records: own.length,
        open: own.filter((record) =>
          standings(record).some(({ state }) => state !== 'fixed' && !withoutFix.includes(state)),
        ).length,
        stages: stages.slice(1).map((stage) => figuresOf(stage, clocks)),
      },
    ];
  });
}

function figuresOf(
  stage: ClockStage,
  clocks: readonly { readonly id: string; readonly reached: readonly Reached[] }[],
): StageFigures {
  const times = clocks.flatMap(({ id, reached }) => {
    const seconds = reached.find((one) => one.stage === stage)?.seconds;
    return seconds === undefined ? [] : [{ id, seconds }];
  });
  const worst = times.toSorted((a, b) => a.seconds - b.seconds).at(-1);
  if (worst === undefined) return { stage, count: 0 };
  return { stage, count: times.length, median: median(times.map(({ seconds }) => seconds)), worst };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : Math.round((sorted[middle - 1]! + sorted[middle]!) / 2);
}

/** A time span in its two largest units: `3 d 4 h`, `12 min`, `-2 d` if it was before. */
export function spanWords(seconds: number): string {
  const sign = seconds < 0 ? '-' : '';
  const minutes = Math.floor(Math.abs(seconds) / 60);
  const parts = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'min'],
  ] as const;
  const from = parts.findIndex(([count]) => count > 0);
  if (from < 0) return seconds === 0 ? '0' : `${sign}${Math.abs(seconds)} s`;
  const shown = parts.slice(from, from + 2).filter(([count], index) => index === 0 || count > 0);
  return sign + shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
