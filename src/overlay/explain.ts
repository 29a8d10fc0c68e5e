import { readFile } from 'node:fs/promises';
import { WeirError } from '../base/errors.ts';
import { byPath } from '../base/order.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay, OverlayMetadata } from '../project/model/overlay.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import { decodeText } from '../spec/lines.ts';
import { printSpec } from '../spec/parse.ts';
import { tagValue } from '../spec/query.ts';
import type { Origin } from '../toml/place.ts';
import { archiveDrift, archiveOf, type ComponentSources } from './apply.ts';
import { readEntry, type SourceEntry, type SourceTree } from './files.ts';
import { inheritedFrom } from './inherited.ts';
import { macrosFileName, type PrepareStep, prepareComponent, type RenderOptions } from './render.ts';
import { unifiedDiff } from './unified-diff.ts';

/** What a step does to one file. */
export interface FileChange {
  /** Relative to the sources, or to the root of `archive`. */
  readonly path: string;
  /** The archive that it is in. */
  readonly archive?: string;
  readonly change: 'changed' | 'added' | 'removed' | 'renamed';
  /** The name before it was renamed. */
  readonly from?: string;
  /** Unified; empty for a file that is not text, and for one that was renamed only. */
  readonly diff: string;
}

/** One overlay, or what follows from another setting of the component. */
export interface ExplainedStep {
  readonly kind: PrepareStep['kind'];
  /** The overlay's place among the component's, from 1. */
  readonly number?: number;
  /** Its type. */
  readonly type?: Overlay['type'];
  /** The reason; for what is no overlay, what is done. May be empty in projects of azldev's. */
  readonly description: string;
  readonly metadata?: OverlayMetadata;
  /** Where it is written. */
  readonly origin: Origin;
  /** What the component has it from, where it is not its own. */
  readonly inheritedFrom?: string;
  readonly changes: readonly FileChange[];
}

export interface Explanation {
  readonly component: string;
  /** In the order in which they apply. Where one fails, those before it. */
  readonly steps: readonly ExplainedStep[];
  readonly warnings: readonly string[];
  readonly error?: WeirError;
}

/**
 * What each overlay, and each other setting that changes a spec, does to upstream's sources. An overlay that fails is
 * `error`, no exception.
 */
export async function explainComponent(
  component: ResolvedComponent,
  fetched: FetchedSources,
  options: Omit<RenderOptions, 'observe'> = {},
): Promise<Explanation> {
  const seen: PrepareStep[] = [];
  const warnings: string[] = [];
  let error: WeirError | undefined;
  try {
    const observed = { ...options, observe: (step: PrepareStep) => seen.push(step) };
    const prepared = await prepareComponent(withoutOverlaidHashes(component), fetched, observed);
    warnings.push(...prepared.warnings);
    for (const archive of new Set(component.overlays.map(archiveOf))) {
      const drift = archive === undefined ? undefined : await archiveDrift(component, archive, prepared.files);
      if (drift !== undefined) warnings.push(`${component.name}: ${drift}`);
    }
  } catch (thrown) {
    if (!(thrown instanceof WeirError) || thrown.code === 'interrupted') throw thrown;
    error = thrown;
  }
  const files = new Map<string, string>();
  const steps: ExplainedStep[] = [];
  // The header is on every rendered spec and differs from nothing.
  for (const step of seen) if (step.kind !== 'header') steps.push(await explained(component, step, files));
  return { component: component.name, steps, warnings, ...(error === undefined ? {} : { error }) };
}

/** Who writes an overlay into an archive wants to see what it does before its hash is known. */
function withoutOverlaidHashes(component: ResolvedComponent): ResolvedComponent {
  const sourceFiles = component.sourceFiles.map((file) => {
    const { hash: _hash, hashType: _type, ...rest } = file;
    return file.origin.type === 'overlay' ? rest : file;
  });
  return { ...component, sourceFiles };
}

/** @param files texts of configuration files that were read already */
async function explained(
  component: ResolvedComponent,
  step: PrepareStep,
  files: Map<string, string>,
): Promise<ExplainedStep> {
  const changes = await changesBetween(component.name, step.before, step.after);
  if (step.kind !== 'overlay') {
    return { kind: step.kind, description: settingWords(component, step), origin: component.origin, changes };
  }
  const { number, overlay, inside } = step;
  const { type, description, origin, metadata } = overlay;
  if (inside !== undefined) changes.push(...(await treeChanges(inside.before, inside.after, inside.archive)));
  let text = files.get(origin.file);
  if (text === undefined) {
    // Without its file the overlay is still explained.
    text = await readFile(origin.file, 'utf8').catch(() => '');
    files.set(origin.file, text);
  }
  const from = inheritedFrom(text, origin);
  return {
    kind: 'overlay',
    number,
    type,
    description,
    ...(metadata === undefined ? {} : { metadata }),
    origin,
    ...(from === undefined ? {} : { inheritedFrom: from }),
    changes,
  };
}

function settingWords(component: ResolvedComponent, step: Exclude<PrepareStep, { kind: 'overlay' }>): string {
  if (step.kind === 'macros') return `build options, as macros in ${macrosFileName(component.name)}`;
  if (step.kind === 'check-skip') return `no %check: ${component.build.check.skipReason ?? 'no reason given'}`;
  const [before, after] = [tagValue(step.before.spec, 'Release'), tagValue(step.after.spec, 'Release')];
  return before === after ? 'release number and changelog' : `release ${before ?? 'none'} becomes ${after ?? 'none'}`;
}

/** What differs between two states of a component's sources, the spec first, then files by name. */
export async function changesBetween(
  name: string,
  before: ComponentSources,
  after: ComponentSources,
): Promise<FileChange[]> {
  const changes: FileChange[] = [];
  if (before.spec !== after.spec) {
    const path = `${name}.spec`;
    const diff = unifiedDiff(printSpec(before.spec), printSpec(after.spec), [`a/${path}`, `b/${path}`]);
    if (diff !== '') changes.push({ path, change: 'changed', diff });
  }
  if (before.files !== after.files) changes.push(...(await treeChanges(before.files, after.files)));
  return changes;
}

/** Entries are compared by identity: an edit makes new ones of those that it changes, and of no others. */
async function treeChanges(before: SourceTree, after: SourceTree, archive?: string): Promise<FileChange[]> {
  const changes: FileChange[] = [];
  const add = (change: Omit<FileChange, 'archive'>): void => {
    changes.push(archive === undefined ? change : { ...change, archive });
  };
  const label = (path: string): string => (archive === undefined ? path : `${archive}/${path}`);
  const added = [...after].filter(([path]) => !before.has(path));
  for (const [path, entry] of before) {
    const now = after.get(path);
    if (now === entry) continue;
    if (now !== undefined) {
      add({ path, change: 'changed', diff: await diffOf(entry, now, `a/${label(path)}`, `b/${label(path)}`) });
      continue;
    }
    const moved = added.findIndex(([, other]) => other === entry);
    if (moved >= 0) add({ path: added.splice(moved, 1)[0]![0], change: 'renamed', from: path, diff: '' });
    else add({ path, change: 'removed', diff: await diffOf(entry, undefined, `a/${label(path)}`, '/dev/null') });
  }
  for (const [path, entry] of added) {
    add({ path, change: 'added', diff: await diffOf(undefined, entry, '/dev/null', `b/${label(path)}`) });
  }
  return changes.sort(byPath);
}

async function diffOf(
  before: SourceEntry | undefined,
  after: SourceEntry | undefined,
  from: string,
  to: string,
): Promise<string> {
  const [old, fresh] = [await textOf(before), await textOf(after)];
  return old === undefined || fresh === undefined ? '' : unifiedDiff(old, fresh, [from, to]);
}

/** The text of a file; undefined where it is none. */
async function textOf(entry: SourceEntry | undefined): Promise<string | undefined> {
  if (entry === undefined) return '';
  if (entry.kind === 'link') return undefined;
  const bytes = await readEntry(entry);
  return bytes.includes(0) ? undefined : decodeText(bytes).text;
}
