import { type PlainError, plainError, WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { inStage } from '../base/progress.ts';
import { inLots } from '../component/update.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { type ComponentLock, readLocks } from '../sources/component-lock.ts';
import type { SourceContext } from '../sources/fetch.ts';
import { openGitStore, type RevisionSpec, readCommit, readTogether, resolveCommit } from '../sources/git.ts';
import type { CommitData } from '../sources/git-objects.ts';
import type { GitRepository } from '../sources/git-run.ts';
import { ofComponent, openDistGit, type Upstream, upstreamAddress, upstreamOf } from '../sources/upstream.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { type Between, between } from './between.ts';
import { type OverlayFinding, overlayFindings } from './overlay-findings.ts';

export interface StatusOptions {
  /** RFC 3339: up to the last commit of the branch that is not younger. By default its newest. */
  readonly to?: string;
  /** Does not check overlays. */
  readonly withoutOverlays?: boolean;
}

/** A commit of a dist-git. */
export interface CommitPlace {
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
}

/**
 * How a component stands to its upstream. `behind`: the branch has newer commits. `ahead`: the pinned commit is newer than
 * the one asked for. `apart`: the pinned commit is not in the branch's history. `retired`: the branch has no spec any more.
 * `skipped`: it has no upstream with commits.
 */
export type FollowState = 'current' | 'behind' | 'ahead' | 'apart' | 'retired' | 'skipped' | 'failed';

export interface ComponentStatus {
  readonly component: string;
  readonly state: FollowState;
  /** The address of the dist-git. */
  readonly upstream?: string;
  readonly branch?: string;
  readonly pinned?: CommitPlace & {
    /** What names the commit. `branch`: nothing does, so it is always the newest. */
    readonly by: 'lock' | 'configuration' | 'snapshot' | 'branch';
  };
  readonly newest?: CommitPlace;
  /** Undefined if both are the same commit. */
  readonly between?: Between;
  /** Overlays that do not do their work on the newest commit. */
  readonly overlays: readonly OverlayFinding[];
  /** Why it was skipped. */
  readonly reason?: string;
  readonly error?: PlainError;
}

export interface StatusReport {
  /** The time asked for. */
  readonly to?: string;
  /** Sorted by name. */
  readonly components: readonly ComponentStatus[];
}

/** Compares each component's pinned commit with the newest of its branch. One that fails does not stop the others. */
export async function upstreamStatus(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  context: SourceContext,
  options: StatusOptions = {},
): Promise<StatusReport> {
  const { project, progress } = workspace;
  const locks = await readLocks(project);
  return inStage(progress, 'upstream', async (stage) => {
    const found: ComponentStatus[] = [];
    await mapLimit(inLots(components, 16), 2, async (lot) => {
      const git = readTogether(
        openGitStore(context.cache),
        lot.flatMap((component) => upstreamAddress(component, project)),
      );
      try {
        await mapLimit(lot, 8, async (component) => {
          found.push(await oneStatus(workspace, component, locks.get(component.name), context, options));
          stage.update(`${found.length} of ${components.length}`);
        });
      } finally {
        git.done();
      }
    });
    const report: StatusReport = {
      ...(options.to === undefined ? {} : { to: options.to }),
      components: found.toSorted((a, b) => compareText(a.component, b.component)),
    };
    return { result: report, summary: countsOf(report), cached: false };
  });
}

/** How many components are in which state, in words. */
export function countsOf({ components }: StatusReport): string {
  const states: readonly FollowState[] = ['behind', 'current', 'ahead', 'apart', 'retired', 'skipped', 'failed'];
  const counts = states.flatMap((state) => {
    const count = components.filter((one) => one.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  return [`${components.length} components`, ...counts].join(', ');
}

async function oneStatus(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  lock: ComponentLock | undefined,
  context: SourceContext,
  options: StatusOptions,
): Promise<ComponentStatus> {
  const base = { component: component.name, overlays: [] };
  try {
    const upstream = upstreamOf(component, workspace.project, lock);
    if (upstream === undefined) return { ...base, state: 'skipped', reason: "its spec is the project's own" };
    const distGit = await openDistGit(upstream, context.cache);
    if (distGit.kind === 'folder') {
      return { ...base, state: 'skipped', reason: 'its dist-git is a plain folder, which has no commits' };
    }
    return await followed(workspace, component, upstream, distGit.repository, lock, context, options);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    return { ...base, state: 'failed', error: plainError(ofComponent(error, component)) };
  }
}

async function followed(
  workspace: ProjectWorkspace,
  component: ResolvedComponent,
  upstream: Upstream,
  repository: GitRepository,
  lock: ComponentLock | undefined,
  context: SourceContext,
  options: StatusOptions,
): Promise<ComponentStatus> {
  const { revision } = upstream;
  const target = newestOf(revision, options.to);
  // The newest first: what is fetched for it has the history of the pinned one, too.
  const newest = await readWhole(repository, await resolveCommit(repository, target, { ...context, fresh: true }));
  const by = pinnedBy(revision, lock);
  const pinned =
    by === 'branch' ? newest : await readWhole(repository, await resolveCommit(repository, revision, context));
  const status = {
    component: component.name,
    upstream: repository.url,
    ...(revision.branch === undefined ? {} : { branch: revision.branch }),
    pinned: { commit: pinned.id, time: pinned.time, by },
    newest: { commit: newest.id, time: newest.time },
    overlays: [],
  };
  if (pinned.id === newest.id) return { ...status, state: 'current' };
  const what = await between(repository, pinned, newest, `${upstream.name}.spec`, context);
  const state = stateOf(what);
  const isChecked = state === 'behind' || state === 'apart';
  const overlays =
    isChecked && options.withoutOverlays !== true
      ? await overlayFindings(workspace, component, context, { pinned: pinned.id, newest: newest.id })
      : [];
  return { ...status, state, between: what, overlays };
}

function stateOf({ relation, retired }: Between): FollowState {
  if (relation === 'older') return 'ahead';
  if (retired !== undefined) return 'retired';
  return relation === 'apart' ? 'apart' : 'behind';
}

function newestOf({ branch }: RevisionSpec, to: string | undefined): RevisionSpec {
  return { ...(branch === undefined ? {} : { branch }), ...(to === undefined ? {} : { snapshot: to }) };
}

function pinnedBy(
  revision: RevisionSpec,
  lock: ComponentLock | undefined,
): NonNullable<ComponentStatus['pinned']>['by'] {
  if (lock?.upstreamCommit !== undefined) return 'lock';
  if (revision.commit !== undefined) return 'configuration';
  return revision.snapshot === undefined ? 'branch' : 'snapshot';
}

async function readWhole(repository: GitRepository, id: string): Promise<CommitData> {
  const commit = await readCommit(repository, id);
  if (commit !== undefined) return commit;
  throw new WeirError('git-failed', `${repository.url} lacks the commit ${id}`);
}
