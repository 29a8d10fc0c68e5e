import { shownLine } from '../base/foreign-text.ts';
import { plural } from '../base/plural.ts';
import { isoDay } from '../base/time.ts';
import type { Between, BetweenCommit } from './between.ts';
import type { OverlayFinding } from './overlay-findings.ts';
import type { Change, ListChanges, MacroChange } from './spec-changes.ts';
import type { ComponentStatus, StatusReport } from './status-model.ts';

/** What changed, as lines with a label each. */
export interface Line {
  readonly label: string;
  readonly text: string;
}

/** What lies between two commits, line by line; the commits themselves are not among them. */
export function betweenLines({ spec, files, cves }: Between): Line[] {
  const lines: Line[] = [];
  const add = (label: string, ...texts: readonly string[]): void => {
    for (const text of texts) lines.push({ label, text });
  };
  if (spec !== undefined) {
    if (spec.version !== undefined) add('version', changeWords(spec.version));
    if (spec.release !== undefined) add('release', changeWords(spec.release));
    add('patches', ...listWords(spec.patches));
    add('sources', ...listWords(spec.sources));
    add('macros', ...spec.macros.map(macroWords));
  }
  const named = new Set(
    spec === undefined
      ? []
      : [spec.patches, spec.sources].flatMap((list) => [...list.added, ...list.removed, ...list.changed]),
  );
  const rest = (names: readonly string[]): string[] => names.filter((name) => !named.has(name));
  add('files', ...listWords({ added: rest(files.added), removed: rest(files.removed), changed: rest(files.changed) }));
  add('CVE', ...cves.map(({ id, in: places }) => `${id} (${places.join(', ')})`));
  return lines;
}

/** The old value and the new one. */
export function changeWords({ before, after }: Change): string {
  return `${before ?? 'none'} → ${after ?? 'none'}`;
}

function listWords({ added, removed, changed }: ListChanges): string[] {
  return [
    ...added.map((name) => `added ${name}`),
    ...removed.map((name) => `removed ${name}`),
    ...changed.map((name) => `changed ${name}`),
  ];
}

function macroWords({ before, after }: MacroChange): string {
  const shown = (texts: readonly string[]): string => texts.map((text) => text.split('\n', 1)[0]!).join('; ');
  if (before.length === 0) return `added ${shown(after)}`;
  if (after.length === 0) return `removed ${shown(before)}`;
  return `${shown(before)} → ${shown(after)}`;
}

/** The number of patches, sources and macros that changed, such as `2 patches, 1 macro`; empty for none. */
export function countWords({ spec }: Between): string {
  if (spec === undefined) return '';
  const size = ({ added, removed, changed }: ListChanges): number => added.length + removed.length + changed.length;
  const counts = { patch: size(spec.patches), source: size(spec.sources), macro: spec.macros.length };
  return Object.entries(counts)
    .flatMap(([word, count]) => (count === 0 ? [] : [plural(count, word)]))
    .join(', ');
}

/** `ID DATE SUBJECT` */
export function commitWords({ id, time, subject }: BetweenCommit): string {
  return `${id.slice(0, 12)} ${isoDay(time)} ${subject}`;
}

/** `fails overlay 2 (patch-add, FILE:LINE): why; what to do` */
export function findingWords({ kind, overlay, type, place, message, advice, already }: OverlayFinding): string {
  const which = overlay === undefined ? place : `overlay ${overlay} (${type}, ${place})`;
  return `${kind}${already ? ' (before, too)' : ''}: ${which}: ${message}: ${advice}`;
}

/** Component by component, what lies between; components that are up to date are left out. */
export function statusDetails(report: StatusReport): string {
  const shown = report.components.filter(({ state }) => state !== 'current' && state !== 'skipped');
  return shown.map(componentDetails).join('\n\n');
}

function componentDetails(status: ComponentStatus): string {
  const { component, state, pinned, newest, between, overlays } = status;
  const at = (place: { commit: string; time: number } | undefined): string =>
    place === undefined ? 'unknown' : `${place.commit.slice(0, 12)} (${isoDay(place.time)})`;
  const head = `${component}: ${state}${pinned === undefined ? '' : `, ${at(pinned)} → ${at(newest)}`}`;
  const lines: Line[] = between === undefined ? [] : betweenLines(between);
  if (state === 'retired') lines.unshift({ label: 'retired', text: between?.retired || 'the branch has no spec' });
  for (const finding of overlays) lines.push({ label: 'overlays', text: findingWords(finding) });
  for (const commit of between?.commits ?? []) lines.push({ label: 'commits', text: commitWords(commit) });
  let last = '';
  const body = lines.map(({ label, text }) => {
    const first = label === last ? '' : label;
    last = label;
    return `  ${first.padEnd(9)}${shownLine(text)}`;
  });
  return [head, ...body].join('\n');
}
