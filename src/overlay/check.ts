import type { WeirError } from '../base/errors.ts';
import type { Origin, Overlay, ResolvedComponent } from '../project/model.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import {
  applyArchiveOverlays,
  applyPlainOverlays,
  archiveDrift,
  archiveOf,
  type ComponentSources,
  type OverlayStep,
  readSources,
} from './apply.ts';
import type { ArchiveTools } from './compression.ts';
import { alreadyThere, withoutEffect } from './effect.ts';
import { dateOf, takenIn, type UpstreamEvidence } from './taken-in.ts';

/** What can be said of an overlay, with what it means. */
export const findingKinds = {
  'no-description': 'nothing says why it is there',
  'no-metadata': 'it has no category and no upstream status',
  'unknown-status': 'whether upstream could take it is not known yet',
  fails: 'it does not apply to the pinned sources',
  'no-effect': 'it changes nothing, or what it does is upstream already',
  'taken-in': 'the commit or patch that it brings is in the pinned sources',
  'moved-since': 'upstream has it, and the component has moved since it was written',
  'update-due': 'upstream has it, but the component has not moved since it was written',
  'old-backport': 'it is a backport older than asked for',
  'archive-hash': 'the changed archive has another hash than the project names',
  unchecked: 'the sources could not be had',
} as const satisfies Record<string, string>;

export type FindingKind = keyof typeof findingKinds;

export interface Finding {
  readonly kind: FindingKind;
  readonly component: string;
  /** The overlay's place among the component's, from 1; undefined where the whole component is meant. */
  readonly overlay?: number;
  readonly type?: Overlay['type'];
  readonly origin: Origin;
  /** What was found. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

/** What an overlay is held against. What is not there is not looked at. */
export interface CheckEvidence extends UpstreamEvidence {
  readonly fetched?: FetchedSources;
  /** When the overlay came into the project, in seconds since 1970. */
  readonly introduced?: (overlay: Overlay) => number | undefined;
}

export interface CheckOptions {
  /** Seconds since 1970. */
  readonly now: number;
  /** Backports older than this many days are findings. */
  readonly olderThanDays?: number;
  readonly tools?: ArchiveTools;
}

const day = 86_400;

/** Everything that is to say about a component's overlays, in their order. */
export async function checkComponent(
  component: ResolvedComponent,
  evidence: CheckEvidence,
  options: CheckOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = (number: number, overlay: Overlay, kind: FindingKind, message: string, advice: string): void => {
    const { type, origin } = overlay;
    findings.push({ kind, component: component.name, overlay: number, type, origin, message, advice });
  };
  for (const [index, overlay] of component.overlays.entries()) {
    checkWords(overlay, evidence, options, (...finding) => add(index + 1, overlay, ...finding));
  }
  if (evidence.fetched !== undefined) {
    await checkEffects(component, evidence.fetched, evidence, options, add, findings);
  }
  return findings.sort((a, b) => (a.overlay ?? 0) - (b.overlay ?? 0));
}

type Report = (kind: FindingKind, message: string, advice: string) => void;

/** What the configuration alone tells. */
function checkWords(overlay: Overlay, evidence: CheckEvidence, options: CheckOptions, report: Report): void {
  const { description, metadata } = overlay;
  if (description === '') report('no-description', 'no reason is given', 'add description = "…"');
  if (metadata === undefined) {
    report(
      'no-metadata',
      'no category and no upstream status are given',
      'add metadata = { category, upstream-status }',
    );
    return;
  }
  if (metadata.upstreamStatus === 'unknown') {
    report('unknown-status', 'its upstream status is "unknown"', 'find out whether upstream has it or could take it');
  }
  const since = evidence.introduced?.(overlay);
  const limit = options.olderThanDays;
  if (metadata.category === 'upstream-backport' && limit !== undefined && since !== undefined) {
    const age = Math.floor((options.now - since) / day);
    if (age > limit) {
      report(
        'old-backport',
        `this backport is ${age} days old`,
        'move to an upstream version that has it, and remove it',
      );
    }
  }
}

async function checkEffects(
  component: ResolvedComponent,
  fetched: FetchedSources,
  evidence: CheckEvidence,
  options: CheckOptions,
  add: (number: number, overlay: Overlay, ...finding: Parameters<Report>) => void,
  findings: Finding[],
): Promise<void> {
  const upstream = await readSources(fetched.dir, fetched.specPath);
  const steps: OverlayStep[] = [];
  const failures: { readonly number: number; readonly overlay: Overlay; readonly error: WeirError }[] = [];
  // What a failing overlay was to see: the sources as the one before it left them.
  let current: ComponentSources = upstream;
  const seen = new Map<number, ComponentSources>();
  const apply = {
    ...(options.tools === undefined ? {} : { tools: options.tools }),
    observe: (step: OverlayStep) => {
      steps.push(step);
      current = step.after;
    },
    failed: (number: number, overlay: Overlay, error: WeirError) => {
      failures.push({ number, overlay, error });
      seen.set(number, current);
    },
  };
  const archives = await applyArchiveOverlays(upstream, component, apply);
  current = archives;
  await applyPlainOverlays(archives, component, apply);
  for (const archive of new Set(component.overlays.map(archiveOf))) {
    const drift = archive === undefined ? undefined : await archiveDrift(component, archive, archives.files);
    if (drift === undefined) continue;
    const first = component.overlays.findIndex((overlay) => archiveOf(overlay) === archive);
    add(first + 1, component.overlays[first]!, 'archive-hash', drift, 'write the new hash into the source-files entry');
  }
  const told = new Set<number>();
  for (const { number, overlay } of numbered(component)) {
    const taken = await takenIn(overlay, upstream, evidence);
    if (taken === undefined) continue;
    told.add(number);
    add(number, overlay, 'taken-in', taken, 'remove the overlay');
  }
  for (const { number, overlay, error } of failures) {
    if (told.has(number)) continue;
    told.add(number);
    const already = await alreadyThere(overlay, seen.get(number) ?? upstream, error);
    if (already !== undefined) add(number, overlay, 'no-effect', already, 'remove the overlay');
    else
      add(number, overlay, 'fails', [error.message, ...error.details].join('; '), error.hint ?? 'change the overlay');
  }
  for (const step of steps) {
    if (told.has(step.number)) continue;
    const reason = await withoutEffect(step, component.name);
    if (reason === undefined) continue;
    told.add(step.number);
    add(step.number, step.overlay, 'no-effect', reason, 'remove the overlay');
  }
  for (const { number, overlay } of numbered(component)) {
    if (told.has(number) || overlay.metadata?.upstreamStatus !== 'upstreamed') continue;
    const since = evidence.introduced?.(overlay);
    const pinned = evidence.history?.[0]?.time;
    if (since !== undefined && pinned !== undefined && pinned > since) {
      add(
        number,
        overlay,
        'moved-since',
        `upstream has it, and the component has moved to ${dateOf(pinned)} since it was written on ${dateOf(since)}`,
        'see whether the sources have it now, and remove it or correct its upstream status',
      );
    } else {
      const from = pinned === undefined ? '' : `, from ${dateOf(pinned)}`;
      add(
        number,
        overlay,
        'update-due',
        `upstream has it, the pinned sources${from} do not`,
        'move the component to an upstream version that has it, and remove it',
      );
    }
  }
  // Those of one overlay stand together, whatever found them.
  findings.sort((a, b) => (a.overlay ?? 0) - (b.overlay ?? 0));
}

function numbered(component: ResolvedComponent): { readonly number: number; readonly overlay: Overlay }[] {
  return component.overlays.map((overlay, index) => ({ number: index + 1, overlay }));
}
