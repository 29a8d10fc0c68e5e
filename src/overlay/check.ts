import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { WeirError } from '../base/errors.ts';
import type { Origin, Overlay, ResolvedComponent } from '../project/model.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import { decodeText } from '../spec/lines.ts';
import { printSpec, type Spec } from '../spec/parse.ts';
import { fileNameOf, patches, sectionsOf, tags } from '../spec/query.ts';
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
import { changesBetween } from './explain.ts';
import { nameMatcher, readEntry } from './files.ts';

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

/** A commit of the upstream history that the pinned one ends. */
export interface UpstreamCommit {
  readonly id: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  /** The whole message. */
  readonly message: string;
}

/** What an overlay is held against. What is not there is not looked at. */
export interface CheckEvidence {
  readonly fetched?: FetchedSources;
  /** Newest first: the first is the pinned commit. */
  readonly history?: readonly UpstreamCommit[];
  /** When the overlay came into the project, in seconds since 1970. */
  readonly introduced?: (overlay: Overlay) => number | undefined;
  /** The archive among the unpacked sources that has the change of a patch already. */
  readonly patchedArchive?: (patch: Uint8Array) => Promise<string | undefined>;
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

function dateOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** Whether upstream has the change, and by what that is known. */
async function takenIn(
  overlay: Overlay,
  upstream: ComponentSources,
  evidence: CheckEvidence,
): Promise<string | undefined> {
  const patch = overlay.type === 'patch-add' ? await readPatch(overlay.source) : undefined;
  const commits = new Set((overlay.metadata?.commits ?? []).flatMap(commitOfUrl));
  for (const id of patch === undefined ? [] : commitsOfPatch(patch)) commits.add(id);
  for (const id of commits) {
    const found = evidence.history?.find((one) => one.id.startsWith(id) || mentions(one.message, id));
    if (found !== undefined) {
      const how = found.id.startsWith(id) ? 'is' : 'is named in';
      return `commit ${id.slice(0, 12)} ${how} ${found.id.slice(0, 12)} of the dist-git, from ${dateOf(found.time)}`;
    }
  }
  for (const [name, entry] of upstream.files) {
    if (entry.kind === 'link' || !/\.(patch|diff)$/.test(name)) continue;
    const bytes = await readEntry(entry);
    if (patch !== undefined && Buffer.from(bytes).equals(patch)) return `upstream's ${name} is the same patch`;
    const id = [...commits].find((wanted) => commitsOfPatch(bytes).some((one) => sameCommit(one, wanted)));
    if (id !== undefined) return `upstream's ${name} brings commit ${id.slice(0, 12)}`;
  }
  if (patch === undefined || evidence.patchedArchive === undefined) return undefined;
  const archive = await evidence.patchedArchive(patch);
  return archive === undefined ? undefined : `${archive} has what the patch changes already`;
}

function readPatch(path: string): Promise<Buffer | undefined> {
  // That it is missing is told by the overlay, which fails.
  return readFile(path).catch(() => undefined);
}

/** The commit that a URL of a forge is about. */
export function commitOfUrl(url: string): string[] {
  const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/\.(patch|diff)$/, '');
  const words = path.match(/(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z])/g) ?? [];
  // A number of seven digits is one of a bug or a merge request.
  return words.filter((word) => word.length >= 12 || /[a-f]/.test(word)).slice(-1);
}

/** The commits that a patch says it is, or was picked from. */
export function commitsOfPatch(patch: Uint8Array): string[] {
  const { text } = decodeText(patch);
  const found = [...text.matchAll(/^From ([0-9a-f]{40}) |\(cherry picked from commit ([0-9a-f]{7,40})\)/gm)];
  return [...new Set(found.map((match) => (match[1] ?? match[2])!))].filter((id) => !/^0+$/.test(id));
}

function sameCommit(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function mentions(message: string, id: string): boolean {
  const words = message.match(/(?<![0-9a-z])[0-9a-f]{8,40}(?![0-9a-z])/g) ?? [];
  return words.some((word) => sameCommit(word, id));
}

/** For an overlay that failed: what it wanted to bring about, where that is so already. */
async function alreadyThere(
  overlay: Overlay,
  sources: ComponentSources,
  error: WeirError,
): Promise<string | undefined> {
  const { spec, files } = sources;
  if (error.code === 'overlay-exists' && (overlay.type === 'file-add' || overlay.type === 'patch-add')) {
    const entry = files.get(overlay.file);
    const own = await readPatch(overlay.source);
    if (entry === undefined || entry.kind === 'link' || own === undefined) return undefined;
    return own.equals(await readEntry(entry)) ? `upstream has the same ${overlay.file}` : undefined;
  }
  if (error.code !== 'overlay-no-match') return undefined;
  switch (overlay.type) {
    case 'spec-search-replace':
      if (overlay.replacement === '' && error.details.length === 0) return nothingToDelete;
      if (!tells(overlay.replacement)) return undefined;
      return scopeText(spec, overlay).includes(overlay.replacement) ? replacementThere : undefined;
    case 'file-search-replace': {
      if (overlay.replacement === '' && error.details.length === 0) return nothingToDelete;
      if (!tells(overlay.replacement) || overlay.archive !== undefined) return undefined;
      for (const [name, entry] of files) {
        if (entry.kind === 'link' || !error.message.includes(name)) continue;
        const { text } = decodeText(await readEntry(entry));
        if (text.includes(overlay.replacement)) return `its replacement is in ${name} already`;
      }
      return undefined;
    }
    case 'file-rename': {
      const name = overlay.replacement;
      return [...files.keys()].some((one) => basename(one) === name) ? `${name} is there already` : undefined;
    }
    case 'patch-remove': {
      const matches = nameMatcher(overlay.file);
      const listed = patches(spec).some((patch) => matches(fileNameOf(patch.value)));
      return listed ? undefined : `no patch is named ${overlay.file} any more`;
    }
    case 'spec-remove-tag':
    case 'spec-remove-section':
    case 'spec-remove-subpackage':
    case 'file-remove':
      return `what it removes is gone: ${[error.message, ...error.details].join('; ')}`;
    default:
      return undefined;
  }
}

/** Nothing is even like it: had upstream changed what was to be deleted, something would be. */
const nothingToDelete = 'what it deletes is gone';

function scopeText(spec: Spec, scope: { readonly section?: string; readonly package?: string }): string {
  return sectionsOf(spec, scope.section, scope.package)
    .map(({ start, end }) =>
      spec.lines
        .slice(start, end)
        .map((line) => line.text)
        .join('\n'),
    )
    .join('\n');
}

/** For an overlay that applied: why it need not have. */
async function withoutEffect(step: OverlayStep, name: string): Promise<string | undefined> {
  const { overlay, before, after, inside } = step;
  if (inside === undefined && (await changesBetween(name, before, after)).length === 0) {
    return 'it changes nothing';
  }
  switch (overlay.type) {
    case 'spec-add-tag':
    case 'spec-insert-tag': {
      const same = tags(before.spec, { name: overlay.tag, package: overlay.package ?? '' }).find(
        (tag) => words(tag.value) === words(overlay.value),
      );
      return same === undefined
        ? undefined
        : `line ${same.line + 1} of the spec has ${same.name}: ${same.value} already`;
    }
    case 'spec-append-lines':
    case 'spec-prepend-lines': {
      const wanted = overlay.lines.flatMap((line) => line.split('\n')).map((line) => line.trim());
      const text = scopeText(before.spec, { ...overlay, package: overlay.package ?? '' });
      const there = overlay.section === undefined ? printSpec(before.spec) : text;
      return hasLines(there, wanted) ? 'its lines are there already' : undefined;
    }
    case 'spec-search-replace':
      return addsNone(overlay.replacement, printSpec(before.spec), printSpec(after.spec));
    case 'file-search-replace': {
      const [old, fresh] = inside === undefined ? [before.files, after.files] : [inside.before, inside.after];
      const changed = [...fresh].filter(([path, entry]) => old.get(path) !== entry);
      for (const [path, entry] of changed) {
        const was = old.get(path);
        if (was === undefined || was.kind === 'link' || entry.kind === 'link') return undefined;
        const texts = [decodeText(await readEntry(was)).text, decodeText(await readEntry(entry)).text] as const;
        if (addsNone(overlay.replacement, ...texts) === undefined) return undefined;
      }
      return replacementThere;
    }
    default:
      return undefined;
  }
}

/**
 * Whether a replacement stood in the text before, as often as it does now: a search for `x` that puts `x and y` in its place
 * matches again where that was done already.
 */
function addsNone(replacement: string, before: string, after: string): string | undefined {
  const count = (text: string): number => text.split(replacement).length - 1;
  if (!tells(replacement) || count(before) === 0 || count(after) > count(before)) return undefined;
  return replacementThere;
}

const replacementThere = 'its replacement is there already';

/** Whether a text is long enough that its being there says something. */
function tells(text: string): boolean {
  return text.trim().length > 3;
}

function words(value: string): string {
  return value.replace(/\s+/g, ' ').trim();
}

/** Whether the lines stand in the text, one after the other; blank ones and comments alone say nothing. */
function hasLines(text: string, wanted: readonly string[]): boolean {
  if (!wanted.some((line) => line.length > 3 && !line.startsWith('#'))) return false;
  const lines = text.split('\n').map((line) => line.trim());
  return lines.some((_, at) => wanted.every((line, index) => lines[at + index] === line));
}
