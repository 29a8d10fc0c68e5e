import { mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, temporaryName } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { removeTree, withScratch } from '../engine/scratch.ts';
import { overlayTimes } from '../history/overlay-age.ts';
import { readSources } from '../overlay/apply.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Overlay } from '../project/model/overlay.ts';
import { type Author, projectAuthor } from '../sources/author.ts';
import { fetchSources, type SourceContext, specAmong } from '../sources/fetch.ts';
import { readCommit } from '../sources/git-readers.ts';
import { resolveCommit } from '../sources/git-revision.ts';
import type { GitRepository } from '../sources/git-run.ts';
import { listTree } from '../sources/tree-changes.ts';
import { openDistGit, upstreamOf } from '../sources/upstream.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { type Effect, sameEffect } from './effect.ts';
import { applyChosen, overlayCommit, subjectOf } from './overlay-commits.ts';
import { applySeries, commitSeries, formatPatches, scratchRepository, treeOf } from './series.ts';

export interface GiveBackOptions {
  /** The folder of the patches; it does not exist yet, or is empty. */
  readonly folder: string;
  /** Numbers of overlays, from 1; by default those whose upstream status is `upstreamable`. */
  readonly overlays?: readonly number[];
  /** By default the one of the project's git. */
  readonly author?: Author;
}

/** An overlay as a patch. */
export interface GivenOverlay {
  readonly overlay: number;
  readonly type: Overlay['type'];
  /** Its name in the folder. */
  readonly file: string;
  readonly subject: string;
}

export interface KeptOverlay {
  readonly overlay: number;
  readonly type: Overlay['type'];
  /** file:line, relative to the project. */
  readonly place: string;
  /** Why it is not in the series. */
  readonly reason: string;
}

export interface GiveBack {
  readonly component: string;
  /** The address of the dist-git. */
  readonly upstream: string;
  readonly branch?: string;
  /** The commit that the series applies to: the newest of the branch. */
  readonly base: string;
  /** Absolute. */
  readonly folder: string;
  readonly patches: readonly GivenOverlay[];
  /** Options that `git am` needs. */
  readonly am: readonly string[];
  /** Overlays that were asked for, or whose status is `upstreamable`, and that are not in the series. */
  readonly kept: readonly KeptOverlay[];
  /** Whether upstream with the series, and without these overlays, renders to the same as today. */
  readonly effect: Effect;
}

/**
 * Writes overlays of a component as a series of patches against the newest commit of its dist-git's branch, and checks that
 * the series applies and has the effect of the overlays.
 * @throws WeirError `nothing-to-give`, `no-upstream`, `no-overlay`, `no-author`, `not-empty` (exit 2), and those of `fetchSources`
 */
export async function giveBack(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  context: SourceContext,
  options: GiveBackOptions,
): Promise<GiveBack> {
  const { project, progress, engine } = workspace;
  const chosen = chooseOverlays(component, options.overlays);
  const folder = await checkFolder(options.folder);
  const author = options.author ?? (await projectAuthor(project.root, '--author'));
  return inStage(progress, 'give-back', () =>
    withScratch(engine.scratch, async (work) => {
      const place = await openBranch(workspace, component, context);
      const { repository, base, branch } = place;
      const locks = new Map([[component.name, { manualBump: 0, upstreamCommit: base }]]);
      const at = { ...context, locks, skipLockValidation: true, withLookaside: false };
      const fetched = await fetchSources(component, project, at, join(work, 'sources'));
      const read = await readSources(fetched.dir, fetched.specPath);
      const { steps, failed } = await applyChosen(component, chosen, read, fetched.root);
      const kept = failed.map(({ number, reason }) => keptOverlay(component, number, reason, project.root));
      if (steps.length === 0) throw nothingToGive(component, kept);
      const times = await overlayTimes(project.root, [component]);
      const commits = await Promise.all(
        steps.map(async (step) => overlayCommit(step, component, place.spec, times.get(step.overlay))),
      );
      const scratch = await scratchRepository(repository, join(work, 'series.git'), author);
      const tip = await commitSeries(scratch, base, commits);
      const fresh = temporaryName(folder);
      try {
        await mkdir(fresh, { recursive: true });
        const files = await formatPatches(scratch, base, tip, fresh);
        const { am, checkout } = await checkSeries(fresh, files, place, author, await treeOf(scratch, tip), work);
        const given = steps.map(({ number }) => number);
        const changed = new Set(commits.flatMap(({ changes }) => [...changes.keys()]));
        const series = { checkout, changed, spec: place.spec };
        const effect = await sameEffect(workspace, component, given, fetched, series, work);
        await rmdir(folder).catch(() => {});
        await rename(fresh, folder);
        const patches = steps.map(({ number, overlay }, index) => ({
          overlay: number,
          type: overlay.type,
          file: files[index]!,
          subject: subjectOf(overlay, component),
        }));
        const upstream = repository.url;
        const report = {
          component: component.name,
          upstream,
          ...(branch === undefined ? {} : { branch }),
          base,
          folder,
        };
        const result: GiveBack = { ...report, patches, am, kept, effect };
        return { result, summary: `${patches.length} patches for ${component.name}`, cached: false };
      } catch (error) {
        throw diskError(error, folder);
      } finally {
        await removeTree(fresh);
      }
    }),
  );
}

/** The numbers of the overlays to give back. */
function chooseOverlays(component: ResolvedComponent, asked: readonly number[] | undefined): ReadonlySet<number> {
  const count = component.overlays.length;
  for (const number of asked ?? []) {
    if (number >= 1 && number <= count) continue;
    throw new WeirError('no-overlay', `${component.name} has no overlay ${number}, but ${count}`, {
      hint: `run weir overlay list ${component.name} for the numbers`,
      exit: 2,
    });
  }
  const upstreamable = component.overlays.flatMap(({ metadata }, index) =>
    metadata?.upstreamStatus === 'upstreamable' ? [index + 1] : [],
  );
  const chosen = new Set(asked ?? upstreamable);
  if (chosen.size === 0) throw nothingToGive(component, []);
  return chosen;
}

function nothingToGive(component: ResolvedComponent, kept: readonly KeptOverlay[]): WeirError {
  const message =
    kept.length === 0
      ? `no overlay of ${component.name} has the upstream status "upstreamable"`
      : `no overlay of ${component.name} can be given back`;
  return new WeirError('nothing-to-give', message, {
    where: { file: component.origin.file, line: component.origin.line, component: component.name },
    details: kept.map(({ overlay, type, reason }) => `overlay ${overlay} (${type}): ${reason}`),
    hint: 'set metadata.upstream-status = "upstreamable" where upstream could take the change, or choose with --overlay',
    exit: 2,
  });
}

async function checkFolder(path: string): Promise<string> {
  const folder = resolve(path);
  try {
    if ((await readdir(folder)).length === 0) return folder;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return folder;
    throw diskError(error, folder);
  }
  throw new WeirError('not-empty', 'the folder is not empty', {
    where: { file: folder },
    hint: 'name a folder that does not exist with --output',
    exit: 2,
  });
}

/** The newest commit of a component's branch. */
interface Branch {
  readonly repository: GitRepository;
  readonly branch: string | undefined;
  readonly base: string;
  /** The spec's name in the dist-git. */
  readonly spec: string;
}

async function openBranch(
  { project }: ProjectWorkspace,
  component: ResolvedComponent,
  context: SourceContext,
): Promise<Branch> {
  const upstream = upstreamOf(component, project, undefined);
  const distGit = upstream === undefined ? undefined : await openDistGit(upstream, context.cache);
  if (upstream === undefined || distGit?.kind !== 'git') {
    throw new WeirError('no-upstream', `${component.name} has no dist-git to give changes back to`, {
      where: { file: component.origin.file, line: component.origin.line, component: component.name },
      exit: 2,
    });
  }
  const { repository } = distGit;
  const { branch } = upstream.revision;
  const base = await resolveCommit(repository, branch === undefined ? {} : { branch }, { ...context, fresh: true });
  const commit = await readCommit(repository, base);
  const names = commit === undefined ? [] : (await listTree(repository, commit.tree)).keys();
  const spec = specAmong(names, `${upstream.name}.spec`) ?? `${upstream.name}.spec`;
  return { repository, branch, base, spec };
}

function keptOverlay(component: ResolvedComponent, number: number, reason: string, root: string): KeptOverlay {
  const { type, origin } = component.overlays[number - 1]!;
  return { overlay: number, type, place: `${relative(root, origin.file)}:${origin.line}`, reason };
}

/** Applies the series as its receiver would. @returns the options that it needs, and the folder of the result */
async function checkSeries(
  folder: string,
  files: readonly string[],
  { repository, base }: Branch,
  author: Author,
  tree: string,
  work: string,
): Promise<{ readonly am: readonly string[]; readonly checkout: string }> {
  const paths = files.map((file) => join(folder, file));
  let said = '';
  for (const keepCr of [false, true]) {
    const checkout = join(work, keepCr ? 'checkout-cr' : 'checkout');
    await mkdir(checkout);
    const applied = await applySeries(repository, author, base, paths, checkout, keepCr);
    if ('tree' in applied && applied.tree === tree) return { am: keepCr ? ['--keep-cr'] : [], checkout };
    said = 'said' in applied ? applied.said : 'the result differs from the overlays';
  }
  throw new WeirError('series-fails', 'git am cannot apply the patches', {
    details: said.trim().split('\n').slice(-5),
  });
}
