import { WeirError } from '../base/errors.ts';
import type { ProjectChange } from '../overlay/upstream-history.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import { readLocks } from '../sources/component-lock.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { type ComponentState, digestLength, type ProjectCommit, upstreamOf } from './component-state.ts';
import { fileDigests } from './file-digests.ts';
import { componentHistories, type HistoryOptions } from './history.ts';
import type { InputContext } from './input-parts.ts';
import { componentInputs } from './inputs.ts';

/** The commits that release numbers count, for the components that need one. */
export interface ReleaseChanges {
  /** Component → its commits, newest first. */
  readonly changes: ReadonlyMap<string, readonly ProjectChange[]>;
  /** Component → `shallow-history`: the clone is too shallow to count its commits. */
  readonly failed: ReadonlyMap<string, WeirError>;
  /** One sentence for the user. */
  readonly warning?: string;
}

/**
 * The commits that raise release numbers: those that changed a component's inputs since it has a lock, including the one that
 * added the lock. As in azldev, a component without a lock keeps the release number of its spec. Uncommitted changes count as
 * one more commit, by the project's `default-author-email`, at the time of the newest one.
 */
export async function releaseChanges(
  project: Project,
  components: Iterable<ResolvedComponent>,
  options: Pick<HistoryOptions, 'scratch' | 'cache' | 'onProgress'> & {
    /** With the project's locks; created if missing. */
    readonly context?: InputContext;
  },
): Promise<ReleaseChanges> {
  const all = [...components];
  // A few components do not need the locks of thousands.
  const names = all.length > 100 ? undefined : all.map(({ name }) => name);
  const { context = { project, locks: await readLocks(project, names), files: fileDigests() }, ...how } = options;
  const { locks = new Map() } = context;
  const counted = all.filter(({ name, release }) => release.calculation !== 'manual' && locks.has(name));
  const failed = new Map<string, WeirError>();
  if (counted.length === 0) return { changes: new Map(), failed };
  const histories = await componentHistories(project, {
    ...how,
    names: new Set(counted.map(({ name }) => name)),
  });
  if (histories === undefined) {
    const warning = 'the project is not in a git repository, so release numbers are those of upstream';
    return { changes: new Map(), failed, warning };
  }
  const changes = new Map<string, readonly ProjectChange[]>();
  for (const component of counted) {
    const history = histories.get(component.name);
    if (history?.cutOff === true) failed.set(component.name, shallowHistory(component));
    else changes.set(component.name, await countedChanges(component, history?.states ?? [], context));
  }
  return { changes, failed };
}

/** The parts of the project's history that rendering needs. */
export async function workspaceChanges(
  workspace: Pick<ProjectWorkspace, 'project' | 'engine' | 'cache'>,
  components: Iterable<ResolvedComponent>,
): Promise<ReleaseChanges> {
  const { project, engine, cache } = workspace;
  return releaseChanges(project, components, { scratch: engine.scratch, cache });
}

async function countedChanges(
  component: ResolvedComponent,
  states: readonly ComponentState[],
  context: InputContext,
): Promise<readonly ProjectChange[]> {
  const counts = (state: ComponentState, before: ComponentState | undefined): boolean =>
    state.digest !== undefined && state.locked && (state.digest !== before?.digest || !before?.locked);
  const found: ProjectChange[] = states
    .filter((state, index) => counts(state, states[index - 1]))
    .map(({ changedBy, upstream }) => ({ ...changedBy, ...(upstream === undefined ? {} : { upstream }) }));
  const inputs = await componentInputs(component, context);
  const upstream = upstreamOf(inputs);
  const now: ComponentState = {
    digest: inputs.digest.slice(0, digestLength),
    locked: context.locks?.has(component.name) === true,
    changedBy: uncommitted(context.project, states),
  };
  if (counts(now, states.at(-1))) found.push({ ...now.changedBy, ...(upstream === undefined ? {} : { upstream }) });
  return found.reverse();
}

/** Uncommitted changes as a commit. It has no time of its own, because that would differ in each rendering. */
function uncommitted(project: Project, states: readonly ComponentState[]): ProjectCommit {
  return {
    commit: '',
    time: states.at(-1)?.changedBy.time ?? 0,
    author: 'Uncommitted',
    email: project.project.defaultAuthorEmail ?? 'uncommitted@localhost',
    message: 'Changes that are not committed yet',
  };
}

function shallowHistory(component: ResolvedComponent): WeirError {
  return new WeirError(
    'shallow-history',
    `the clone is too shallow to count the commits that changed ${component.name}`,
    {
      where: { file: component.origin.file, line: component.origin.line, component: component.name },
      hint: 'run git fetch --unshallow, or set release.calculation = "manual", and the Release by a spec-set-tag overlay',
      exit: 2,
    },
  );
}
