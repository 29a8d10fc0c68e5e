import { relative } from 'node:path';
import { type PlainError, shownError, WeirError } from '../base/errors.ts';
import { withLock } from '../base/file-lock.ts';
import { writeIfChanged } from '../base/files.ts';
import { type CommitByHand, commitByHand, type LoadsConfiguration } from '../component/commit-by-hand.ts';
import { renderComponents } from '../component/render/render.ts';
import type { Move } from '../component/render/render-one.ts';
import { pinFolderOf } from '../component/update.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import {
  type ComponentLock,
  formatLock,
  hasLocks,
  lockAt,
  lockFolder,
  lockPath,
  readLocks,
} from '../sources/component-lock.ts';
import type { SourceContext } from '../sources/fetch.ts';
import { formatPin, pinPath, readPin } from '../sources/pins.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { type StatusOptions, upstreamStatus } from './status.ts';
import type { ComponentStatus } from './status-model.ts';
import { journalPath, type PlannedMove, readJournal, removeJournal, writeJournal } from './update-journal.ts';

/** A component that stays at its commit. */
export interface LeftComponent {
  readonly component: string;
  readonly reason: string;
  readonly error?: PlainError;
  readonly status: ComponentStatus;
}

export interface UpstreamUpdate {
  readonly to?: string;
  readonly kept: 'locks' | 'pins';
  /** The folder of the locks or pins. */
  readonly folder: string;
  /** Now at their newest commit and rendered; sorted by name. */
  readonly moved: readonly ComponentStatus[];
  /** With newer commits, but left at theirs; sorted by name. */
  readonly left: readonly LeftComponent[];
  /** How many of those left could not be compared with upstream. */
  readonly failed: number;
  /** Components that already use the newest commit, or a newer one than asked for. */
  readonly current: number;
  /** Components without an upstream that has commits. */
  readonly skipped: number;
  readonly warnings: readonly string[];
}

/**
 * Moves the locks or pins of components to the newest commits of their branches and renders them again. A component that
 * cannot be rendered from its newest commit is left as it is. After a kill, the next update first finishes what was begun.
 * @throws WeirError `no-lock` (exit 2) in a project without locks and pins; `locked`
 */
export async function updateFromUpstream(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  context: SourceContext,
  options: Pick<StatusOptions, 'to' | 'configuration'> = {},
): Promise<UpstreamUpdate> {
  const keeper = await keeperOf(workspace.project, options.configuration);
  const path = journalPath(workspace.cache, workspace.project.root);
  return withLock(`${path}.lock`, async () => {
    const begun = await begunMoves(workspace.project, keeper, await readJournal(path));
    const wanted = withBegun(workspace.project, components, begun);
    const report = await upstreamStatus(workspace, wanted, context, { ...options, moves: begun });
    const due: ComponentStatus[] = [];
    const left: LeftComponent[] = [];
    for (const status of report.components) {
      const reason = await reasonToStay(status, keeper, workspace.project);
      if (reason !== undefined) left.push({ component: status.component, status, ...reason });
      else if (status.state === 'behind') due.push(status);
    }
    // A begun component that could not be looked at may have a new lock and an old folder: the next run has to finish it.
    const unread = report.components.flatMap(({ component, state }) =>
      state === 'failed' && begun.has(component) ? [begun.get(component)!] : [],
    );
    await writeJournal(path, [...due.map(plannedMove), ...unread]);
    const { failed, warnings } = await moveAll(workspace, keeper, due.map(plannedMove));
    // Its lock or pin was written before the kill: it goes back, with the folder.
    const back = [...failed.keys()].flatMap((name) => begun.get(name) ?? []);
    const { failed: stuck } = await moveAll(
      workspace,
      keeper,
      back.map(({ component, from, to }) => ({ component, from: to, to: from })),
    );
    const open = [...unread, ...back.filter(({ component }) => stuck.has(component))];
    if (open.length === 0) await removeJournal(path);
    else await writeJournal(path, open);
    for (const status of due) {
      const error = failed.get(status.component);
      if (error !== undefined)
        left.push({ component: status.component, reason: error.message, error: shownError(error), status });
    }
    const unfinished = new Set(open.map(({ component }) => component));
    const said = left.map((one) =>
      unfinished.has(one.component) ? { ...one, reason: `${one.reason}; ${unfinishedWords(keeper)}` } : one,
    );
    const count = (...states: readonly ComponentStatus['state'][]): number =>
      report.components.filter(({ state }) => states.includes(state)).length;
    return {
      ...(options.to === undefined ? {} : { to: options.to }),
      kept: keeper.kind,
      folder: keeper.folder,
      moved: due.filter(({ component }) => !failed.has(component)),
      left: said.sort((a, b) => (a.component < b.component ? -1 : 1)),
      failed: count('failed'),
      current: count('current', 'ahead'),
      skipped: count('skipped'),
      warnings: [...warnings, ...snapshotWarnings(workspace.project, keeper, due)],
    };
  });
}

/** How the project keeps commits. */
type Keeper =
  | { readonly kind: 'locks'; readonly folder: string; readonly locks: ReadonlyMap<string, ComponentLock> }
  | { readonly kind: 'pins'; readonly folder: string; readonly byHand: CommitByHand };

async function keeperOf(project: Project, configuration: LoadsConfiguration | undefined): Promise<Keeper> {
  if (await hasLocks(project)) {
    return { kind: 'locks', folder: lockFolder(project), locks: await readLocks(project) };
  }
  const folder = await pinFolderOf(project);
  if (folder !== undefined) return { kind: 'pins', folder, byHand: commitByHand(folder, configuration) };
  throw new WeirError('no-lock', 'the project has neither locks nor pins, so there is nothing to move', {
    where: { file: lockFolder(project) },
    hint: 'run weir component update -a first: it writes the commits that the components use now',
    exit: 2,
  });
}

/** The commit in a component's lock or pin. */
async function keptCommit(keeper: Keeper, name: string): Promise<string | undefined> {
  return keeper.kind === 'locks' ? keeper.locks.get(name)?.upstreamCommit : readPin(keeper.folder, name);
}

/** The moves of a killed update that were made, if only in part. */
async function begunMoves(
  project: Project,
  keeper: Keeper,
  journal: readonly PlannedMove[],
): Promise<ReadonlyMap<string, PlannedMove>> {
  const begun = new Map<string, PlannedMove>();
  for (const move of journal) {
    if (!project.components.has(move.component)) continue;
    if ((await keptCommit(keeper, move.component)) === move.to) begun.set(move.component, move);
  }
  return begun;
}

function withBegun(
  project: Project,
  components: readonly ResolvedComponent[],
  begun: ReadonlyMap<string, PlannedMove>,
): ResolvedComponent[] {
  const chosen = new Map(components.map((component) => [component.name, component]));
  for (const name of begun.keys()) chosen.set(name, project.components.get(name)!);
  return [...chosen.values()];
}

function plannedMove({ component, pinned, newest }: ComponentStatus): PlannedMove {
  return { component, from: pinned!.commit, to: newest!.commit };
}

/** Why a component with news is not moved; undefined if it can be, or has none. */
async function reasonToStay(
  { component, state, pinned, between, error }: ComponentStatus,
  keeper: Keeper,
  project: Project,
): Promise<{ readonly reason: string; readonly error?: PlainError } | undefined> {
  if (state === 'failed') return { reason: error?.message ?? 'it failed', ...(error === undefined ? {} : { error }) };
  if (state === 'retired') {
    const words = between?.retired ?? '';
    return { reason: `upstream has retired it${words === '' ? '' : `: ${words.split('\n', 1)[0]}`}` };
  }
  if (state === 'apart') {
    return { reason: 'its commit is not in the history of the branch: select a commit with weir component update' };
  }
  if (state !== 'behind') return undefined;
  const resolved = project.components.get(component)!;
  const { spec } = resolved;
  if (spec?.type === 'upstream' && spec.commit !== undefined && pinned?.by !== 'pin') {
    const byHand = keeper.kind === 'pins' ? await keeper.byHand(resolved) : undefined;
    const { file, line } = byHand ?? resolved.origin;
    return {
      reason: `its upstream-commit is set in the configuration: change it there (${relative(project.root, file)}:${line})`,
    };
  }
  if (pinned?.by === 'lock' || pinned?.by === 'pin') return undefined;
  const what = keeper.kind === 'locks' ? 'lock' : 'pin';
  return { reason: `it has no ${what}: run weir component update ${component}` };
}

function unfinishedWords({ kind }: Keeper): string {
  const what = kind === 'locks' ? 'lock' : 'pin';
  return `an update that was killed has moved its ${what}, and maybe not its folder: run the command again`;
}

/** Renders and moves components. @returns errors by component */
async function moveAll(
  workspace: ProjectWorkspace,
  keeper: Keeper,
  due: readonly PlannedMove[],
): Promise<{ readonly failed: ReadonlyMap<string, WeirError>; readonly warnings: readonly string[] }> {
  if (due.length === 0) return { failed: new Map(), warnings: [] };
  const { project } = workspace;
  const moves = new Map<string, Move>();
  const moving = new Map<string, ResolvedComponent>();
  for (const { component: name, to: commit } of due) {
    const component = project.components.get(name)!;
    if (keeper.kind === 'locks') {
      const lock = lockAt(commit, keeper.locks.get(name), component, project);
      moves.set(name, { path: lockPath(project, name), text: formatLock(lock), lock });
      moving.set(name, component);
    } else {
      moves.set(name, { path: pinPath(keeper.folder, name), text: formatPin(name, commit) });
      moving.set(name, pinnedTo(component, commit));
    }
  }
  const components = new Map([...project.components].map(([name, one]) => [name, moving.get(name) ?? one]));
  const moved = { ...workspace, project: { ...project, components } };
  const report = await renderComponents(moved, [...moving.values()], {
    moves,
    skipLockValidation: workspace.skipLockValidation === true,
  });
  const failed = new Map(report.failed.map(({ component, error }) => [component, error]));
  // Rendered already, by a run that was killed or whose lock was put back: only the file is missing.
  for (const [name, { path, text }] of moves) if (!failed.has(name)) await writeIfChanged(path, text);
  return { failed, warnings: report.warnings.map(({ warning }) => warning) };
}

function pinnedTo(component: ResolvedComponent, commit: string): ResolvedComponent {
  const { spec } = component;
  return spec?.type === 'upstream' ? { ...component, spec: { ...spec, commit } } : component;
}

/** Pins that are newer than the snapshot: `component update` would move them back. */
function snapshotWarnings(project: Project, keeper: Keeper, due: readonly ComponentStatus[]): string[] {
  const snapshots = new Set<string>();
  for (const { component, newest } of due) {
    const { spec } = project.components.get(component)!;
    const snapshot = spec?.type === 'upstream' ? spec.distro.snapshot : undefined;
    if (snapshot !== undefined && newest!.time > Date.parse(snapshot) / 1000) snapshots.add(snapshot);
  }
  const command = keeper.kind === 'locks' ? 'weir component update --force' : 'weir component update';
  return [...snapshots]
    .sort()
    .map((snapshot) => `${command} would move components back to the snapshot ${snapshot}: raise it, too`);
}
