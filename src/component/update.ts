import { join, resolve } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists, mapLimit } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { inStage } from '../base/progress.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import {
  type ComponentLock,
  formatLock,
  hasLocks,
  lockAt,
  lockFolder,
  lockNames,
  readLock,
  removeLock,
  resolutionInputHash,
  writeLock,
} from '../sources/component-lock.ts';
import type { SourceContext } from '../sources/fetch.ts';
import { readTogether } from '../sources/git-readers.ts';
import { resolveCommit } from '../sources/git-revision.ts';
import { openGitStore } from '../sources/git-store.ts';
import { defaultPinFolder, pinNames, pinPath, readPin, removePin, writePin } from '../sources/pins.ts';
import { ofComponent, openDistGit, upstreamAddress, upstreamOf } from '../sources/upstream.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { commitByHand, type LoadsConfiguration } from './commit-by-hand.ts';

export interface UpdateOptions {
  /** Increments the rebuild counter of every component instead; does not ask upstream. */
  readonly bump?: boolean;
  /** Writes nothing. */
  readonly checkOnly?: boolean;
  /** Asks upstream even if the commit can't have changed. */
  readonly force?: boolean;
  /** These are all components of the project: locks of others are removed. */
  readonly prune?: boolean;
  /** Writes pins into this folder, relative to the project, and no locks. */
  readonly pinFolder?: string;
  /** The configuration with its files. Without it, a commit in a component's own file is taken for that of its pin. */
  readonly configuration?: LoadsConfiguration;
}

/** The result for one component. */
export interface UpdatedComponent {
  readonly component: string;
  /**
   * `new` had no lock; `changed` has another commit; `bumped` will be built again; `removed` no longer has an upstream, so
   * its lock names none; `skipped` has no upstream that could be locked.
   */
  readonly state: 'new' | 'changed' | 'bumped' | 'removed' | 'unchanged' | 'skipped' | 'failed';
  readonly commit?: string;
  readonly previous?: string;
  readonly manualBump?: number;
  /** Why it was skipped. */
  readonly reason?: string;
  readonly error?: WeirError;
}

export interface UpdateReport {
  readonly kept: 'locks' | 'pins';
  /** The folder of the locks or pins. */
  readonly folder: string;
  /** Sorted by name. */
  readonly components: readonly UpdatedComponent[];
  /** Locks without a component; removed, unless `checkOnly` is set or a component failed. */
  readonly orphans: readonly string[];
  /** Whether anything was, or with `checkOnly` would be, written or removed. */
  readonly stale: boolean;
}

/** How commits are stored: as locks or as pins. */
interface Keeper {
  readonly kind: 'locks' | 'pins';
  readonly folder: string;
  /** The result, if it is known without asking upstream. */
  readonly known: (component: ResolvedComponent) => Promise<UpdatedComponent | undefined>;
  readonly resolve: (component: ResolvedComponent) => Promise<UpdatedComponent>;
  readonly names: () => Promise<readonly string[]>;
  /** Whether a component of this name may have a lock or pin. */
  readonly belongs: (name: string) => boolean;
  /** @throws WeirError if this tool would not have written such a file */
  readonly read: (name: string) => Promise<unknown>;
  readonly remove: (name: string) => Promise<void>;
}

/**
 * Finds the upstream commit of every component and stores it: in locks, or, if the project has a folder of pins and no lock,
 * in pins. A component that fails does not stop the others. Only files whose content changes are written.
 * @throws WeirError `no-lock` (exit 2) for `bump` on an upstream component that was never updated
 */
export async function updateComponents(
  workspace: ProjectWorkspace,
  components: readonly ResolvedComponent[],
  context: SourceContext,
  options: UpdateOptions = {},
): Promise<UpdateReport> {
  const { project, progress } = workspace;
  const pinFolder = await pinFolderOf(project, options);
  const keeper =
    pinFolder === undefined ? locks(project, context, options) : pins(project, context, options, pinFolder);
  return inStage(progress, 'upstream', async (stage) => {
    const updated: UpdatedComponent[] = [];
    const due: ResolvedComponent[] = [];
    await mapLimit(components, 32, async (component) => {
      const outcome = await attempt(component, keeper.known);
      if (outcome === undefined) due.push(component);
      else updated.push(outcome);
    });
    await mapLimit(inLots(due, 16), 2, async (lot) => {
      const git = readTogether(
        openGitStore(context.cache),
        lot.flatMap((component) => upstreamAddress(component, project)),
      );
      try {
        await mapLimit(lot, 8, async (component) => {
          updated.push(await attempt(component, keeper.resolve));
          stage.update(`${updated.length} of ${components.length}`);
        });
      } finally {
        git.done();
      }
    });
    const failed = updated.filter(({ state }) => state === 'failed').length;
    const orphans: string[] = [];
    for (const name of options.prune === true ? await keeper.names() : []) {
      if (keeper.belongs(name)) continue;
      try {
        await keeper.read(name);
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        stage.note(`${name} belongs to no component and was not written by this command: left as it is`);
        continue;
      }
      orphans.push(name);
      // After a failure somebody must look anyway, and a component that seems to be gone may only have been misread.
      if (options.checkOnly !== true && failed === 0) await keeper.remove(name);
    }
    const moved = updated.filter(({ state }) => ['new', 'changed', 'bumped', 'removed'].includes(state)).length;
    const counts = [`${components.length} components, ${moved} ${options.checkOnly === true ? 'stale' : 'updated'}`];
    if (orphans.length > 0) counts.push(`${orphans.length} ${options.checkOnly === true ? 'orphans' : 'pruned'}`);
    if (failed > 0) counts.push(`${failed} failed`);
    return {
      result: {
        kept: keeper.kind,
        folder: keeper.folder,
        components: updated.toSorted((a, b) => compareText(a.component, b.component)),
        orphans,
        stale: moved + orphans.length > 0,
      },
      summary: counts.join(', '),
      cached: false,
    };
  });
}

/** The items in groups, in order: one git process reads for a whole group (`readTogether`). */
export function inLots<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, lot) => items.slice(lot * size, (lot + 1) * size));
}

async function attempt<T extends UpdatedComponent | undefined>(
  component: ResolvedComponent,
  work: (component: ResolvedComponent) => Promise<T>,
): Promise<T | UpdatedComponent> {
  try {
    return await work(component);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code === 'interrupted') throw error;
    return { component: component.name, state: 'failed', error: ofComponent(error, component) };
  }
}

/** Pins if they are requested, if the project includes their folder, or if it has their default folder and no lock. */
export async function pinFolderOf(
  project: Project,
  options: Pick<UpdateOptions, 'pinFolder'> = {},
): Promise<string | undefined> {
  if (options.pinFolder !== undefined) return resolve(project.root, options.pinFolder);
  if (project.project.pinFolder !== undefined) return project.project.pinFolder;
  const folder = join(project.root, defaultPinFolder);
  return (await exists(folder)) && !(await hasLocks(project)) ? folder : undefined;
}

/** The commit that follows from the configuration alone. @returns undefined if the dist-git is a folder without commits */
async function configuredCommit(
  component: ResolvedComponent,
  project: Project,
  context: SourceContext,
  fresh: boolean,
): Promise<string | undefined> {
  const upstream = upstreamOf(component, project, undefined);
  if (upstream === undefined) throw new TypeError('not an upstream component');
  const distGit = await openDistGit(upstream, context.cache);
  if (distGit.kind === 'folder') return undefined;
  return resolveCommit(distGit.repository, upstream.revision, { ...context, fresh });
}

const ownSpec = "its spec is the project's own";
const plainFolder = 'its dist-git is a plain folder, which has no commits';

function locks(project: Project, context: SourceContext, options: UpdateOptions): Keeper {
  const write = async (name: string, before: ComponentLock | undefined, after: ComponentLock): Promise<void> => {
    if (options.checkOnly === true) return;
    // Another tool's formatting is no reason to write.
    if (before === undefined || formatLock(before) !== formatLock(after)) await writeLock(project, name, after);
  };
  const bump = async (component: ResolvedComponent): Promise<UpdatedComponent> => {
    const { name } = component;
    const lock = await readLock(project, name);
    if (component.spec?.type === 'upstream' && lock?.upstreamCommit === undefined) {
      const what = lock === undefined ? 'has no lock' : 'has a lock without upstream-commit';
      throw new WeirError('no-lock', `${name} ${what}, so there is nothing to bump`, {
        where: { component: name },
        hint: `run weir component update ${name} first`,
        exit: 2,
      });
    }
    const manualBump = (lock?.manualBump ?? 0) + 1;
    await write(name, lock, { ...lock, manualBump });
    const commit = lock?.upstreamCommit;
    return { component: name, state: 'bumped', manualBump, ...(commit === undefined ? {} : { commit }) };
  };
  const known = async (component: ResolvedComponent): Promise<UpdatedComponent | undefined> => {
    const { name, spec } = component;
    const lock = await readLock(project, name);
    if (spec?.type !== 'upstream') return withoutUpstream(component, lock);
    const hash = resolutionInputHash(component, project);
    const commit = lock?.upstreamCommit;
    // A branch's head can move; everything else is determined by what the hash covers.
    const fixed = spec.commit !== undefined || spec.distro.snapshot !== undefined;
    const holds = fixed && lock?.resolutionInputHash === hash && options.force !== true;
    return commit !== undefined && holds ? { component: name, state: 'unchanged', commit } : undefined;
  };
  const resolve = async (component: ResolvedComponent): Promise<UpdatedComponent> => {
    const { name } = component;
    const lock = await readLock(project, name);
    const previous = lock?.upstreamCommit;
    const commit = await configuredCommit(component, project, context, options.force === true);
    if (commit === undefined) return { component: name, state: 'skipped', reason: plainFolder };
    await write(name, lock, lockAt(commit, lock, component, project));
    if (previous === commit) return { component: name, state: 'unchanged', commit };
    if (previous === undefined) return { component: name, state: 'new', commit };
    return { component: name, state: 'changed', commit, previous };
  };
  const withoutUpstream = async (
    component: ResolvedComponent,
    lock: ComponentLock | undefined,
  ): Promise<UpdatedComponent> => {
    const { name } = component;
    if (lock?.upstreamCommit === undefined) {
      const reason = component.spec === undefined ? 'it has no spec source' : ownSpec;
      return { component: name, state: 'skipped', reason };
    }
    const { upstreamCommit: previous, importCommit: _, resolutionInputHash: __, ...rest } = lock;
    await write(name, lock, rest);
    return { component: name, state: 'removed', previous };
  };
  return {
    kind: 'locks',
    folder: lockFolder(project),
    known: options.bump === true ? bump : known,
    resolve,
    names: () => lockNames(project),
    belongs: (name) => project.components.has(name),
    read: (name) => readLock(project, name),
    remove: (name) => removeLock(project, name),
  };
}

function pins(project: Project, context: SourceContext, options: UpdateOptions, folder: string): Keeper {
  if (options.bump === true) {
    throw new WeirError('no-lock', 'pins have no rebuild counter', {
      where: { file: folder },
      hint: 'change the component, or use locks',
      exit: 2,
    });
  }
  // A pin alone defines a component of its name, from what all components inherit.
  const isLeft = ({ name, origin, alsoIn }: ResolvedComponent): boolean =>
    origin.file === pinPath(folder, name) && alsoIn === undefined;
  const byHand = commitByHand(folder, options.configuration);
  return {
    kind: 'pins',
    folder,
    known: async (component) => {
      const { name, spec } = component;
      if (isLeft(component)) return { component: name, state: 'skipped', reason: 'only its pin is left' };
      if (spec?.type === 'upstream') return undefined;
      const previous = await readPin(folder, name);
      if (previous === undefined) return { component: name, state: 'skipped', reason: ownSpec };
      if (options.checkOnly !== true) await removePin(folder, name);
      return { component: name, state: 'removed', previous };
    },
    resolve: async (component) => {
      const { name, spec } = component;
      if (spec?.type !== 'upstream') throw new TypeError('not an upstream component');
      const previous = await readPin(folder, name);
      // The commit in the configuration may be the pin itself, which would then never change.
      const { commit: _, ...unpinned } = spec;
      const asked = (await byHand(component)) === undefined ? unpinned : spec;
      const commit = await configuredCommit({ ...component, spec: asked }, project, context, options.force === true);
      if (commit === undefined) return { component: name, state: 'skipped', reason: plainFolder };
      if (options.checkOnly !== true) await writePin(folder, name, commit);
      if (previous === commit) return { component: name, state: 'unchanged', commit };
      if (previous === undefined) return { component: name, state: 'new', commit };
      return { component: name, state: 'changed', commit, previous };
    },
    names: () => pinNames(folder),
    // A component with a local spec had its pin removed already.
    belongs: (name) => {
      const component = project.components.get(name);
      return component !== undefined && !isLeft(component);
    },
    read: (name) => readPin(folder, name),
    remove: (name) => removePin(folder, name),
  };
}
