import { valueDigest } from '../base/digest.ts';
import { shownError, WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { inStage } from '../base/progress.ts';
import { type CommitByHand, commitByHand, type LoadsConfiguration } from '../component/commit-by-hand.ts';
import { inLots, pinFolderOf } from '../component/update.ts';
import { codeDigest } from '../engine/code-digest.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import { type ComponentLock, readLock } from '../sources/component-lock.ts';
import type { SourceContext } from '../sources/fetch.ts';
import type { CommitData } from '../sources/git-objects.ts';
import { isObjectId, readCommit, readTogether } from '../sources/git-readers.ts';
import { knownRevision, type RevisionSpec, resolveCommit } from '../sources/git-revision.ts';
import type { GitRepository } from '../sources/git-run.ts';
import { openGitStore } from '../sources/git-store.ts';
import { readPin } from '../sources/pins.ts';
import { ofComponent, openDistGit, type Upstream, upstreamAddress, upstreamOf } from '../sources/upstream.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { type Between, between } from './between.ts';
import { overlayFindings, overlaysDigest } from './overlay-findings.ts';
import type { ComponentStatus, FollowState, StatusReport } from './status-model.ts';
import { type StatusRecord, StatusRecords } from './status-record.ts';

export interface StatusOptions {
  /** RFC 3339: up to the last commit of the branch that is not younger. By default its newest. */
  readonly to?: string;
  /** Does not check overlays. */
  readonly withoutOverlays?: boolean;
  /** Tells a commit in a component's own file from that of its pin, which repeats it. */
  readonly configuration?: LoadsConfiguration;
  /** Components to compare between two given commits instead. */
  readonly moves?: ReadonlyMap<string, { readonly from: string; readonly to: string }>;
}

/** Compares each component's pinned commit with the newest of its branch. One that fails does not stop the others. */
export async function upstreamStatus(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  context: SourceContext,
  options: StatusOptions = {},
): Promise<StatusReport> {
  const { project, progress } = workspace;
  const pinFolder = await pinFolderOf(project);
  const pins =
    pinFolder === undefined ? undefined : { folder: pinFolder, byHand: commitByHand(pinFolder, options.configuration) };
  const records = await StatusRecords.open(workspace.cache, project.root);
  const run: Run = { workspace, context, options, records, ...(pins === undefined ? {} : { pins }) };
  return inStage(progress, 'upstream', async (stage) => {
    const found: ComponentStatus[] = [];
    const due: Due[] = [];
    await mapLimit(components, 32, async (component) => {
      const outcome = await attempt(component, () => known(run, component));
      if ('state' in outcome) found.push(outcome);
      else due.push(outcome);
    });
    // One git process for several repositories: with thousands of them, starting one for each takes longer than all else.
    await mapLimit(inLots(due, 16), 2, async (lot) => {
      const git = readTogether(
        openGitStore(context.cache),
        lot.flatMap(({ component }) => upstreamAddress(component, project)),
      );
      try {
        await mapLimit(lot, 8, async (one) => {
          found.push(await attempt(one.component, () => fresh(run, one), one.repository.url));
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
    await records.save();
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

type PinnedBy = NonNullable<ComponentStatus['pinned']>['by'];

/** Where a project without locks keeps commits. */
interface Pins {
  readonly folder: string;
  readonly byHand: CommitByHand;
}

interface Run {
  readonly workspace: ProjectWorkspace;
  readonly context: SourceContext;
  readonly options: StatusOptions;
  readonly pins?: Pins;
  readonly records: StatusRecords;
}

/** A component whose dist-git has to be read. */
interface Due {
  readonly component: ResolvedComponent;
  readonly upstream: Upstream;
  readonly repository: GitRepository;
  readonly by: PinnedBy;
  /** Digest of the question, for the record. */
  readonly asked: string;
  /** The state of the refs of a dist-git on this machine. */
  readonly refs: string | undefined;
}

async function attempt<T>(
  component: ResolvedComponent,
  work: () => Promise<T | ComponentStatus>,
  upstream?: string,
): Promise<T | ComponentStatus> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    const shown = shownError(ofComponent(error, component));
    const address = upstream === undefined ? {} : { upstream };
    return { component: component.name, state: 'failed', ...address, overlays: [], error: shown };
  }
}

/** What is known without git: that there is nothing to follow, or the status of an earlier run, as long as no ref has moved. */
async function known(run: Run, component: ResolvedComponent): Promise<ComponentStatus | Due> {
  const { records, options, context, pins, workspace } = run;
  const skipped = { component: component.name, state: 'skipped', overlays: [] } as const;
  const lock = await readLock(workspace.project, component.name);
  const upstream = upstreamOf(component, workspace.project, lock);
  if (upstream === undefined) return { ...skipped, reason: "its spec is the project's own" };
  const distGit = await openDistGit(upstream, context.cache);
  if (distGit.kind === 'folder') {
    return { ...skipped, reason: 'its dist-git is a plain folder, which has no commits' };
  }
  const { repository } = distGit;
  const { uri, name, revision } = upstream;
  const by = await pinnedBy(lock, pins, component, revision);
  const move = options.moves?.get(component.name);
  const asked = valueDigest([codeDigest(import.meta.url), uri, name, revision, by, options.to ?? '', move ?? '']);
  const { branch } = revision;
  const { refs } = knownRevision(openGitStore(context.cache), repository.url, branch === undefined ? {} : { branch });
  const record = records.get(component.name, asked);
  if (record !== undefined && refs !== undefined && record.refs === refs) {
    const status = await withOverlays(run, component, record);
    if (status !== undefined) return status;
  }
  return { component, upstream, repository, by, asked, refs };
}

/** Whether overlays are to be checked: there are any, and upstream has news for them. */
function hasOverlaysToCheck({ options }: Run, { overlays }: ResolvedComponent, { state }: ComponentStatus): boolean {
  return overlays.length > 0 && options.withoutOverlays !== true && (state === 'behind' || state === 'apart');
}

/** The recorded status with what it says about overlays; undefined if they have to be checked again. */
async function withOverlays(
  run: Run,
  component: ResolvedComponent,
  { status, checked }: StatusRecord,
): Promise<ComponentStatus | undefined> {
  if (!hasOverlaysToCheck(run, component, status)) return { ...status, overlays: [] };
  return checked !== undefined && checked === (await overlaysDigest(component)) ? status : undefined;
}

async function fresh(run: Run, due: Due): Promise<ComponentStatus> {
  const { component, asked, refs } = due;
  const { pinned, newest } = await commitsOf(run, due);
  const record = run.records.get(component.name, asked);
  const isSame = record?.status.pinned?.commit === pinned.id && record.status.newest?.commit === newest.id;
  const checked = isSame ? await withOverlays(run, component, record) : undefined;
  const note = (status: ComponentStatus, digest?: string): ComponentStatus => {
    const moved = refs === undefined ? {} : { refs };
    run.records.add({ asked, status, ...moved, ...(digest === undefined ? {} : { checked: digest }) });
    return status;
  };
  if (isSame && checked !== undefined) {
    if (record.refs !== refs) note(record.status, record.checked);
    return checked;
  }
  const status = isSame ? { ...record.status, overlays: [] } : await compared(run, due, pinned, newest);
  if (!hasOverlaysToCheck(run, component, status)) return note(status);
  const digest = await overlaysDigest(component);
  const overlays = await overlayFindings(run.workspace, component, run.context, {
    pinned: pinned.id,
    newest: newest.id,
  });
  // What could not be checked may be checked by the next run.
  const isWhole = overlays.every(({ kind }) => kind !== 'unchecked');
  if (digest !== undefined && isWhole) return note({ ...status, overlays }, digest);
  note(status);
  return { ...status, overlays };
}

async function commitsOf(
  { options, context }: Run,
  { component, upstream, repository, by }: Due,
): Promise<{ readonly pinned: CommitData; readonly newest: CommitData }> {
  const { branch } = upstream.revision;
  const move = options.moves?.get(component.name);
  const target: RevisionSpec = {
    ...(branch === undefined ? {} : { branch }),
    ...(options.to === undefined ? {} : { snapshot: options.to }),
    ...(move === undefined ? {} : { commit: move.to }),
  };
  // The newest first: what is fetched for it has the history of the pinned one, too.
  const newest = await readWhole(repository, await resolveCommit(repository, target, { ...context, fresh: true }));
  if (by === 'branch') return { pinned: newest, newest };
  const from = pinnedRevision(upstream, move);
  // Through the shared reader: to look a commit up in its own repository takes a git process for each.
  const id = from.commit?.toLowerCase();
  const read = id !== undefined && isObjectId(id) ? await readCommit(repository, id) : undefined;
  return { pinned: read ?? (await readWhole(repository, await resolveCommit(repository, from, context))), newest };
}

function pinnedRevision({ revision }: Upstream, move: { readonly from: string } | undefined): RevisionSpec {
  return move === undefined ? revision : { ...revision, commit: move.from };
}

async function compared(
  { context, options }: Run,
  { component, upstream, repository, by }: Due,
  pinned: CommitData,
  newest: CommitData,
): Promise<ComponentStatus> {
  const { branch } = upstream.revision;
  const status = {
    component: component.name,
    upstream: repository.url,
    ...(branch === undefined ? {} : { branch }),
    pinned: { commit: pinned.id, time: pinned.time, by },
    newest: { commit: newest.id, time: newest.time },
    overlays: [],
  };
  if (pinned.id === newest.id) return { ...status, state: 'current' };
  const what = await between(repository, pinned, newest, `${upstream.name}.spec`, context);
  // Not on the branch: then it may be a commit of another repository that is read together with this one.
  if (what.relation !== 'newer' && by !== 'snapshot') {
    await resolveCommit(repository, pinnedRevision(upstream, options.moves?.get(component.name)), context);
  }
  return { ...status, state: stateOf(what), between: what };
}

function stateOf({ relation, retired }: Between): FollowState {
  if (relation === 'older') return 'ahead';
  if (retired !== undefined) return 'retired';
  return relation === 'apart' ? 'apart' : 'behind';
}

/** What names the commit that a component uses. */
async function pinnedBy(
  lock: ComponentLock | undefined,
  pins: Pins | undefined,
  component: ResolvedComponent,
  revision: RevisionSpec,
): Promise<PinnedBy> {
  if (lock?.upstreamCommit !== undefined) return 'lock';
  if (revision.commit !== undefined) {
    if (pins === undefined || revision.commit !== (await readPin(pins.folder, component.name))) return 'configuration';
    return (await pins.byHand(component)) === undefined ? 'pin' : 'configuration';
  }
  return revision.snapshot === undefined ? 'branch' : 'snapshot';
}

async function readWhole(repository: GitRepository, id: string): Promise<CommitData> {
  const commit = await readCommit(repository, id);
  if (commit !== undefined) return commit;
  throw new WeirError('git-failed', `${repository.url} lacks the commit ${id}`);
}
