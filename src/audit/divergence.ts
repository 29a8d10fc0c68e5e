import { relative } from 'node:path';
import { didYouMean, WeirError } from '../base/errors.ts';
import { tableCell } from '../base/markdown.ts';
import { byName, compareText } from '../base/order.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { Project } from '../project/model/project.ts';
import type { Origin } from '../toml/place.ts';

/** Ways in which a component can differ from upstream. */
export const divergenceKinds = {
  overlay: 'overlays',
  'build-option': 'build options',
  'check-skip': 'skipped tests',
  source: 'own or replaced sources',
  local: 'local components',
} as const satisfies Record<string, string>;

export type DivergenceKind = keyof typeof divergenceKinds;

/** One difference from upstream. */
export interface Divergence {
  readonly component: string;
  readonly kind: DivergenceKind;
  /** An overlay's position among the component's, from 1. */
  readonly number?: number;
  /** An overlay's type. */
  readonly type?: Overlay['type'];
  /** The reason; for a build option, the option. May be empty in azldev projects. */
  readonly description: string;
  /** Undefined for an overlay without metadata, and for anything but overlays. */
  readonly category?: string;
  readonly upstreamStatus?: string;
  readonly commits?: readonly string[];
  readonly bugs?: readonly string[];
  /** file:line, relative to the project. */
  readonly place: string;
  /** When an overlay was added to the project, in seconds since 1970; undefined if git does not know. */
  readonly since?: number | 'uncommitted';
  readonly ageDays?: number;
}

export type Totals = Readonly<Record<string, number>>;

/** All differences from upstream in a set of components. */
export interface DivergenceLedger {
  /** Number of components checked, and of those that differ. */
  readonly components: number;
  readonly diverging: number;
  /** By component: its overlays in order, then the rest. */
  readonly entries: readonly Divergence[];
  readonly totals: {
    readonly kind: Totals;
    /** Number of overlays per category. This and the following totals count overlays only. */
    readonly category: Totals;
    readonly upstreamStatus: Totals;
    readonly type: Totals;
    readonly age: Totals;
  };
}

export interface LedgerOptions {
  /** Seconds since 1970. */
  readonly now: number;
  readonly introduced: ReadonlyMap<Overlay, number | 'uncommitted'>;
  /** Only overlays of these categories; `none` means without metadata. Empty: no filter. */
  readonly categories?: readonly string[];
  readonly upstreamStatuses?: readonly string[];
}

const day = 86_400;

/** Lists the differences of components from upstream. */
export function divergenceOf(
  project: Pick<Project, 'root'>,
  components: readonly ResolvedComponent[],
  options: LedgerOptions,
): DivergenceLedger {
  const { categories = [], upstreamStatuses = [] } = options;
  const wanted = (entry: Divergence): boolean =>
    (categories.length === 0 || (entry.kind === 'overlay' && categories.includes(entry.category ?? 'none'))) &&
    (upstreamStatuses.length === 0 ||
      (entry.kind === 'overlay' && upstreamStatuses.includes(entry.upstreamStatus ?? 'none')));
  const entries = components
    .toSorted(byName)
    .flatMap((component) => entriesOf(project, component, options))
    .filter(wanted);
  const overlays = entries.filter((entry) => entry.kind === 'overlay');
  return {
    components: components.length,
    diverging: new Set(entries.map((entry) => entry.component)).size,
    entries,
    totals: {
      kind: countBy(entries, (entry) => entry.kind),
      category: countBy(overlays, (entry) => entry.category ?? 'none'),
      upstreamStatus: countBy(overlays, (entry) => entry.upstreamStatus ?? 'none'),
      type: countBy(overlays, (entry) => entry.type ?? ''),
      age: inOrder(countBy(overlays, ageBand)),
    },
  };
}

function entriesOf(project: Pick<Project, 'root'>, component: ResolvedComponent, options: LedgerOptions): Divergence[] {
  const { name, build, spec, origin } = component;
  const place = (at: Origin): string => `${relative(project.root, at.file)}:${at.line}`;
  const overlays = component.overlays.map((overlay, index): Divergence => {
    const since = options.introduced.get(overlay);
    const { metadata } = overlay;
    return {
      component: name,
      kind: 'overlay',
      number: index + 1,
      type: overlay.type,
      description: overlay.description,
      ...(metadata === undefined
        ? {}
        : {
            category: metadata.category,
            upstreamStatus: metadata.upstreamStatus,
            commits: metadata.commits,
            bugs: metadata.bugs,
          }),
      place: place(overlay.origin),
      ...(since === undefined ? {} : { since }),
      ...(typeof since === 'number' ? { ageDays: Math.max(0, Math.floor((options.now - since) / day)) } : {}),
    };
  });
  const other = (kind: DivergenceKind, description: string): Divergence => ({
    component: name,
    kind,
    description,
    place: place(origin),
  });
  return [
    ...overlays,
    ...(spec?.type === 'local' ? [other('local', relative(project.root, spec.path))] : []),
    ...build.with.map((option) => other('build-option', `with ${option}`)),
    ...build.without.map((option) => other('build-option', `without ${option}`)),
    ...Object.entries(build.defines).map(([key, value]) => other('build-option', `${key} = ${value}`)),
    ...build.undefines.map((macro) => other('build-option', `${macro} not defined`)),
    ...(build.check.skip ? [other('check-skip', build.check.skipReason ?? '')] : []),
    ...component.sourceFiles.map((source) => {
      const reason = source.replaceReason === undefined ? '' : `: ${source.replaceReason}`;
      return other('source', `${source.filename}, ${source.replaceUpstream ? 'replaced' : 'added'}${reason}`);
    }),
  ];
}

const bands = [
  [30, 'under 30 days'],
  [90, '30 to 90 days'],
  [180, '90 to 180 days'],
  [365, '180 days to a year'],
  [Number.POSITIVE_INFINITY, 'over a year'],
] as const;

/** The age band of an overlay, as used in the totals. */
export function ageBand(entry: Pick<Divergence, 'since' | 'ageDays'>): string {
  const { ageDays } = entry;
  if (ageDays === undefined) return entry.since === 'uncommitted' ? 'uncommitted' : 'unknown';
  return bands.find(([limit]) => ageDays < limit)![1];
}

function inOrder(totals: Totals): Totals {
  const order = ['uncommitted', ...bands.map(([, words]) => words), 'unknown'];
  return Object.fromEntries(order.filter((band) => totals[band] !== undefined).map((band) => [band, totals[band]!]));
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Totals {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || compareText(a, b)));
}

/** A condition on entries, with its text. */
export interface FailCondition {
  readonly words: string;
  readonly matches: (entry: Divergence) => boolean;
}

const conditionNames = ['no-metadata', 'no-description', 'category', 'upstream-status', 'older-than', 'kind', 'type'];

/**
 * Parses conditions such as `no-metadata,category=azl-temp-workaround+older-than=180d`: alternatives are separated by commas,
 * and all parts joined by `+` must match.
 * @throws WeirError `bad-condition` (exit 2)
 */
export function parseConditions(text: string): FailCondition[] {
  return text.split(',').map((words) => {
    const all = words.split('+').map((part) => condition(part.trim()));
    return { words: words.trim(), matches: (entry) => all.every((matches) => matches(entry)) };
  });
}

function condition(text: string): (entry: Divergence) => boolean {
  const [name = '', value = ''] = text.split(/=(.*)/s);
  const bad = (message: string, hint: string): WeirError => new WeirError('bad-condition', message, { hint, exit: 2 });
  const overlay = (test: (entry: Divergence) => boolean) => (entry: Divergence) =>
    entry.kind === 'overlay' && test(entry);
  if (name === 'no-metadata' && value === '') return overlay((entry) => entry.category === undefined);
  if (name === 'no-description' && value === '') return (entry) => entry.description === '';
  if (name === 'category' && value !== '') return overlay((entry) => (entry.category ?? 'none') === value);
  if (name === 'upstream-status' && value !== '') return overlay((entry) => (entry.upstreamStatus ?? 'none') === value);
  if (name === 'type' && value !== '') return overlay((entry) => entry.type === value);
  if (name === 'kind' && value !== '') {
    if (Object.hasOwn(divergenceKinds, value)) return (entry) => entry.kind === value;
    throw bad(`unknown kind ${value}`, `use one of: ${Object.keys(divergenceKinds).join(', ')}`);
  }
  if (name === 'older-than') {
    const days = parseDays(value);
    if (days === undefined)
      throw bad(`invalid age ${value === '' ? '""' : value}`, 'write it as in older-than=180d, 26w or 1y');
    return overlay((entry) => entry.ageDays !== undefined && entry.ageDays > days);
  }
  throw bad(
    `unknown condition ${text}`,
    didYouMean(name, conditionNames) ?? `use one of: ${conditionNames.join(', ')}`,
  );
}

/** Days of an age such as `180d`, `26w`, `6m` or `1y`; undefined if invalid. */
export function parseDays(text: string): number | undefined {
  const match = /^(\d{1,5})([dwmy]?)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * { '': 1, d: 1, w: 7, m: 30, y: 365 }[match[2] as '' | 'd' | 'w' | 'm' | 'y'];
}

/** The ledger as a Markdown page. */
export function ledgerMarkdown(ledger: DivergenceLedger, title: string): string {
  const { totals, entries } = ledger;
  const lines = [
    `# ${title}`,
    '',
    `${ledger.diverging} of ${ledger.components} components differ from upstream, in ${entries.length} ways.`,
    '',
  ];
  const totalsTable = (heading: string, values: Totals): void => {
    if (Object.keys(values).length === 0) return;
    lines.push(`| ${heading} | |`, '| --- | ---: |');
    for (const [name, count] of Object.entries(values)) lines.push(`| ${tableCell(name)} | ${count} |`);
    lines.push('');
  };
  totalsTable('What', Object.fromEntries(Object.entries(totals.kind).map(([kind, n]) => [kindWords(kind), n])));
  totalsTable('Category', totals.category);
  totalsTable('Upstream status', totals.upstreamStatus);
  totalsTable('Age', totals.age);
  for (const [name, own] of byComponent(entries)) {
    lines.push(`## ${name}`, '', '| | Reason | Category | Upstream | Age |', '| --- | --- | --- | --- | --- |');
    for (const entry of own) {
      const what = entry.kind === 'overlay' ? `${entry.number}. ${entry.type}` : entry.kind;
      const links = [...(entry.commits ?? []), ...(entry.bugs ?? [])].map((url, index) => `[${index + 1}](${url})`);
      const reason = [entry.description, ...links].filter((part) => part !== '').join(' ');
      const age = entry.kind === 'overlay' ? ageWords(entry) : '';
      const cells = [what, reason, entry.category ?? '', entry.upstreamStatus ?? '', age];
      lines.push(`| ${cells.map(tableCell).join(' | ')} |`);
    }
    lines.push('');
  }
  return lines.join('\n').trimEnd();
}

function kindWords(kind: string): string {
  return divergenceKinds[kind as DivergenceKind];
}

/** The age in days, `uncommitted` or `unknown`. */
export function ageWords(entry: Pick<Divergence, 'since' | 'ageDays'>): string {
  return entry.ageDays === undefined ? (entry.since ?? 'unknown').toString() : `${entry.ageDays} d`;
}

/** Entries grouped by component, in order. */
export function byComponent(entries: readonly Divergence[]): Map<string, Divergence[]> {
  const found = new Map<string, Divergence[]>();
  for (const entry of entries) {
    const own = found.get(entry.component);
    if (own === undefined) found.set(entry.component, [entry]);
    else own.push(entry);
  }
  return found;
}
