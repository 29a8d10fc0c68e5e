import { copyFile, cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { archiveOf } from '../overlay/apply.ts';
import { readEntry, type SourceTree } from '../overlay/files.ts';
import { type PreparedComponent, prepareComponent } from '../overlay/render.ts';
import { unifiedDiff } from '../overlay/unified-diff.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { FetchedSources } from '../sources/fetch.ts';
import { decodeText } from '../spec/lines.ts';
import { printSpec } from '../spec/parse.ts';
import { renderTools } from '../workspace/render-tools.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';

/** Whether two ways lead to the same sources. */
export type Effect =
  | { readonly state: 'same' }
  /** With the difference, from the sources of today. */
  | { readonly state: 'differs'; readonly diff: string }
  | { readonly state: 'not-checked'; readonly reason: string };

/** A checkout of the dist-git with a series applied. */
export interface AppliedSeries {
  readonly checkout: string;
  /** Paths of the files that the series changes. */
  readonly changed: Iterable<string>;
  /** The spec's name in it. */
  readonly spec: string;
}

/**
 * Compares a component with all of its overlays with what it will be once upstream has a series: upstream's sources with the
 * series, and the other overlays. Overlays into archives are left out, and release numbers are not raised.
 * @param given numbers of the overlays that the series replaces
 * @param before upstream's sources without the series
 * @param work a folder for a copy of the sources
 */
export async function sameEffect(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  given: readonly number[],
  before: FetchedSources,
  series: AppliedSeries,
  work: string,
): Promise<Effect> {
  const after = await withSeries(before, series, join(work, 'given'));
  const rest = component.overlays.filter((_, index) => !given.includes(index + 1));
  const today = await prepared(workspace, component, before);
  if ('reason' in today) return { state: 'not-checked', reason: `with all overlays: ${today.reason}` };
  const then = await prepared(workspace, { ...component, overlays: rest }, after);
  if ('reason' in then)
    return { state: 'differs', diff: `with the series, and without these overlays: ${then.reason}\n` };
  const diff = await difference(component.name, today, then);
  return diff === '' ? { state: 'same' } : { state: 'differs', diff };
}

/** A copy of the sources with the files that the series changes. */
async function withSeries(before: FetchedSources, series: AppliedSeries, dir: string): Promise<FetchedSources> {
  await cp(before.dir, dir, { recursive: true });
  const specPath = join(dir, before.specPath.slice(before.dir.length + 1));
  for (const name of series.changed) {
    const target = name === series.spec ? specPath : join(dir, name);
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { force: true });
    await copyFile(join(series.checkout, name), target).catch((error: NodeJS.ErrnoException) => {
      // The series removes it.
      if (error.code !== 'ENOENT') throw error;
    });
  }
  return { ...before, dir, specPath };
}

async function prepared(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  fetched: FetchedSources,
): Promise<PreparedComponent | { readonly reason: string }> {
  const overlays = component.overlays.filter((overlay) => archiveOf(overlay) === undefined);
  const plain = { ...component, overlays, release: { calculation: 'manual' } as const };
  // Without its history: a commit of upstream's raises the release number, whatever it changes.
  const { repository: _, ...origin } = fetched.origin;
  try {
    return await prepareComponent(plain, { ...fetched, origin }, { tools: renderTools(workspace) });
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    return { reason: [error.message, ...error.details].join('; ') };
  }
}

async function difference(name: string, before: PreparedComponent, after: PreparedComponent): Promise<string> {
  const labels = (path: string): [string, string] => [`today/${path}`, `then/${path}`];
  let text = unifiedDiff(printSpec(before.spec), printSpec(after.spec), labels(`${name}.spec`));
  for (const path of [...new Set([...before.files.keys(), ...after.files.keys()])].sort()) {
    const [old, fresh] = [await content(before.files, path), await content(after.files, path)];
    if (old === fresh) continue;
    text += unifiedDiff(old ?? '', fresh ?? '', labels(path)) || `Only modes differ: ${path}\n`;
  }
  return text;
}

/** A file as text, byte by byte if it is not UTF-8, with a mark for an executable one; undefined if there is none. */
async function content(tree: SourceTree, path: string): Promise<string | undefined> {
  const entry = tree.get(path);
  if (entry === undefined || entry.kind === 'link') return undefined;
  const { text } = decodeText(await readEntry(entry));
  return entry.executable ? `${text}\n(executable)\n` : text;
}
