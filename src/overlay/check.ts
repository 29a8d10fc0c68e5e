import type { WeirError } from '../base/errors.ts';
import { isoDay } from '../base/time.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import type { Origin } from '../toml/place.ts';
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
import { patchProblems } from './patch-checks.ts';
import { takenIn, type UpstreamEvidence } from './taken-in.ts';

/** All kinds of findings about an overlay, with their meaning. */
export const findingKinds = {
  'no-description': 'it has no description',
  'no-metadata': 'it has no category and no upstream status',
  'unknown-status': 'its upstream status is unknown',
  fails: 'it does not apply to the pinned sources',
  'no-effect': 'it changes nothing, or upstream already has the change',
  'taken-in': 'the commit or patch that it brings is in the pinned sources',
  'moved-since': 'upstream has it, and the component was updated since it was written',
  'update-due': 'upstream has it, but the component was not updated since it was written',
  'old-backport': 'it is a backport older than the limit',
  'archive-hash': 'the changed archive has a different hash than the project names',
  'not-applied': 'the patch that it adds is listed but never applied',
  'left-call': 'the patch that it removes is still applied somewhere',
  unchecked: 'the sources could not be fetched',
} as const satisfies Record<string, string>;

export type FindingKind = keyof typeof findingKinds;

export interface Finding {
  readonly kind: FindingKind;
  readonly component: string;
  /** The overlay's position in the component's list, from 1; undefined for a finding about the whole component. */
  readonly overlay?: number;
  readonly type?: Overlay['type'];
  readonly origin: Origin;
  /** The finding. */
  readonly message: string;
  /** The advice. */
  readonly advice: string;
}

/** The evidence that overlays are checked against. Checks whose evidence is missing are skipped. */
export interface CheckEvidence extends UpstreamEvidence {
  readonly fetched?: FetchedSources;
  /** When the overlay was added to the project, in seconds since 1970. */
  readonly introduced?: (overlay: Overlay) => number | undefined;
}

export interface CheckOptions {
  /** Seconds since 1970. */
  readonly now: number;
  /** Backports older than this number of days are findings. */
  readonly olderThanDays?: number;
  readonly tools?: ArchiveTools;
}

const day = 86_400;

/** All findings about a component's overlays, in their order. */
export async function checkComponent(
  component: ResolvedComponent,
  evidence: CheckEvidence,
  options: CheckOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const applied = evidence.fetched === undefined ? undefined : await applyAll(component, evidence.fetched, options);
  for (const [index, overlay] of component.overlays.entries()) {
    const { type, origin } = overlay;
    const report: Report = (kind, message, advice) => {
      findings.push({ kind, component: component.name, overlay: index + 1, type, origin, message, advice });
    };
    checkWords(overlay, evidence, options, report);
    if (applied === undefined) continue;
    await checkEffect(overlay, component.name, applied, applied.outcomes.get(index + 1), evidence, report);
    checkPatch(index + 1, applied.patches, report);
    const archive = archiveOf(overlay);
    const isFirst = component.overlays.findIndex((other) => archiveOf(other) === archive) === index;
    const drift = archive !== undefined && isFirst ? await archiveDrift(component, archive, applied.files) : undefined;
    if (drift !== undefined) report('archive-hash', drift, 'write the new hash into the source-files entry');
  }
  return findings;
}

type Report = (kind: FindingKind, message: string, advice: string) => void;

/** Findings from the configuration alone. */
function checkWords(overlay: Overlay, evidence: CheckEvidence, options: CheckOptions, report: Report): void {
  const { description, metadata } = overlay;
  if (description === '') report('no-description', 'it has no reason', 'add description = "…"');
  if (metadata === undefined) {
    report('no-metadata', 'it has no category and no upstream status', 'add metadata = { category, upstream-status }');
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
        'update to an upstream version that has the change, and remove the overlay',
      );
    }
  }
}

/** The result of an overlay: its effect, or its error and the sources after the preceding overlays. */
type Outcome =
  | { readonly step: OverlayStep; readonly error?: undefined }
  | { readonly error: WeirError; readonly on: ComponentSources };

interface Applied {
  readonly upstream: ComponentSources;
  /** After the overlays into archives. */
  readonly files: ComponentSources['files'];
  /** By the overlay's number. */
  readonly outcomes: ReadonlyMap<number, Outcome>;
  readonly patches: ReturnType<typeof patchProblems>;
}

/** Applies the overlays one after the other, skipping those that fail. */
async function applyAll(
  component: ResolvedComponent,
  fetched: FetchedSources,
  options: CheckOptions,
): Promise<Applied> {
  const upstream = await readSources(fetched.dir, fetched.specPath);
  const outcomes = new Map<number, Outcome>();
  let current: ComponentSources = upstream;
  const apply = {
    root: fetched.root,
    ...(options.tools === undefined ? {} : { tools: options.tools }),
    observe: (step: OverlayStep) => {
      outcomes.set(step.number, { step });
      current = step.after;
    },
    failed: (number: number, _overlay: Overlay, error: WeirError) => {
      outcomes.set(number, { error, on: current });
    },
  };
  const archives = await applyArchiveOverlays(upstream, component, apply);
  current = archives;
  const plain = await applyPlainOverlays(archives, component, apply);
  const patches = patchProblems(upstream.spec, plain.spec, plain.applied);
  return { upstream, files: archives.files, outcomes, patches };
}

/** Findings from the sources: the first that applies. */
async function checkEffect(
  overlay: Overlay,
  name: string,
  { upstream }: Applied,
  outcome: Outcome | undefined,
  evidence: CheckEvidence,
  report: Report,
): Promise<void> {
  const taken = await takenIn(overlay, upstream, evidence);
  if (taken !== undefined) return report('taken-in', taken, 'remove the overlay');
  if (outcome?.error !== undefined) {
    const { error, on } = outcome;
    const already = await alreadyThere(overlay, on, error);
    if (already !== undefined) return report('no-effect', already, 'remove the overlay');
    return report('fails', [error.message, ...error.details].join('; '), error.hint ?? 'change the overlay');
  }
  const nothing = outcome === undefined ? undefined : await withoutEffect(outcome.step, name);
  if (nothing !== undefined) return report('no-effect', nothing, 'remove the overlay');
  if (overlay.metadata?.upstreamStatus === 'upstreamed') checkPin(overlay, evidence, report);
}

/** How the patches of an overlay are applied, once all overlays have been applied. */
function checkPatch(number: number, { unapplied, left }: Applied['patches'], report: Report): void {
  for (const { error } of unapplied.filter((each) => each.number === number)) {
    report('not-applied', [error.message, ...error.details].join('; '), error.hint ?? 'apply it in %prep');
  }
  for (const { message } of left.filter((each) => each.number === number)) {
    report('left-call', message, 'remove the call with spec-search-replace, or remove the overlay');
  }
}

/** Findings about a change that upstream has and the pinned sources, as far as known, do not. */
function checkPin(overlay: Overlay, evidence: CheckEvidence, report: Report): void {
  const since = evidence.introduced?.(overlay);
  const pinned = evidence.history?.[0]?.time;
  if (since !== undefined && pinned !== undefined && pinned > since) {
    report(
      'moved-since',
      `upstream has it, and the component was updated to ${isoDay(pinned)} since it was written on ${isoDay(since)}`,
      'check whether the sources have it now, and remove it or correct its upstream status',
    );
  } else {
    report(
      'update-due',
      `upstream has it, the pinned sources${pinned === undefined ? '' : `, from ${isoDay(pinned)},`} do not`,
      'update the component to an upstream version that has the change, and remove the overlay',
    );
  }
}
