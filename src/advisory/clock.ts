import type { Advisory, AdvisoryEvent, EventType, Severity } from './record.ts';
import { momentOf } from './record.ts';
import { severities } from './schema.ts';
import { componentStates, standings } from './state.ts';

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

const decisions = componentStates.filter((state) => state !== 'detected');

/**
 * The clock of a record: T0 public, T1 triaged, T2 patch merged, T3 built, T4 repository and advisory live, T5 the last image,
 * T6 the last image that a scanner found clean. If a fix was repeated, the last one counts.
 */
export function clockOf(record: Pick<Advisory, 'published' | 'events'>): Reached[] {
  const { events, published } = record;
  const first = (...types: readonly EventType[]) => events.find(({ type }) => types.includes(type));
  const last = (type: EventType) => events.findLast((event) => event.type === type);
  const images = events.filter((event) => event.type === 'image');
  const checked = new Set(events.flatMap((event) => (event.type === 'verified' ? [event.digest] : [])));
  const allChecked = images.length > 0 && images.every(({ digest }) => checked.has(digest));
  const found: readonly (Pick<AdvisoryEvent, 'at'> | undefined)[] = [
    { at: published },
    first(...decisions),
    last('fix-pending'),
    last('fixed'),
    last('published'),
    images.at(-1),
    allChecked ? last('verified') : undefined,
  ];
  return stages.map((stage, index) => {
    const at = found[index]?.at;
    const name = `T${index}`;
    return at === undefined ? { stage, name } : { stage, name, at, seconds: momentOf(at) - momentOf(published) };
  });
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
          standings(record).some(({ state }) => !['fixed', 'not-affected', 'exception', 'disputed'].includes(state)),
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
