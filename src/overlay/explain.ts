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

/** The change of a step to one file. */
export interface FileChange {
  /** Relative to the sources, or to the root of `archive`. */
  readonly path: string;
  /** The archive that contains it. */
  readonly archive?: string;
  readonly change: 'changed' | 'added' | 'removed' | 'renamed';
  /** The name before renaming. */
  readonly from?: string;
  /** Unified diff; empty for a file that is not text, and for one that was only renamed. */
  readonly diff: string;
}

/** One overlay, or an effect of another setting of the component. */
export interface ExplainedStep {
  readonly kind: PrepareStep['kind'];
  /** The overlay's position in the component's list, from 1. */
  readonly number?: number;
  /** Its type. */
  readonly type?: Overlay['type'];
  /** The reason; for a step that is not an overlay, its effect. May be empty in azldev projects. */
  readonly description: string;
  readonly metadata?: OverlayMetadata;
  /** Where it is defined. */
  readonly origin: Origin;
  /** Where the component inherits the overlay from; undefined for its own overlays. */
  readonly inheritedFrom?: string;
  readonly changes: readonly FileChange[];
}

export interface Explanation {
  readonly component: string;
  /** Steps in the order in which they apply. If a step fails, only the steps before it. */
  readonly steps: readonly ExplainedStep[];
  readonly warnings: readonly string[];
  readonly error?: WeirError;
}

/**
 * The effect of each overlay, and of each other setting that changes a spec, on upstream's sources. A failing overlay is
 * returned as `error`, not thrown.
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
  // Every rendered spec has the header, so it is not a difference.
  for (const step of seen) if (step.kind !== 'header') steps.push(await explained(component, step, files));
  return { component: component.name, steps, warnings, ...(error === undefined ? {} : { error }) };
}

/** Authors of an overlay into an archive want to see its effect before they know its hash. */
function withoutOverlaidHashes(component: ResolvedComponent): ResolvedComponent {
  const sourceFiles = component.sourceFiles.map((file) => {
    const { hash: _hash, hashType: _type, ...rest } = file;
    return file.origin.type === 'overlay' ? rest : file;
  });
  return { ...component, sourceFiles };
}

/** @param files texts of configuration files that were already read */
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
    // If its file is missing, the overlay is still explained.
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

/** The differences between two states of a component's sources, the spec first, then files by name. */
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

/** Entries are compared by identity: an edit creates new ones for changed files only. */
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

/** The text of a file; undefined if it is not text. */
async function textOf(entry: SourceEntry | undefined): Promise<string | undefined> {
  if (entry === undefined) return '';
  if (entry.kind === 'link') return undefined;
  const bytes = await readEntry(entry);
  return bytes.includes(0) ? undefined : decodeText(bytes).text;
}
