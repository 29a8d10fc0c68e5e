// The history of components: the project's commits that changed their inputs. Release numbers count these commits.

import { join } from 'node:path';
import { sha256, valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { readIfExists, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { withScratch } from '../engine/scratch.ts';
import type { ProjectChange } from '../overlay/upstream-history.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';
import { renderedSpecsDir } from '../project/paths.ts';
import type { Configuration } from '../project/resolve.ts';
import { readLocks } from '../sources/component-lock.ts';
import {
  type ChangingCommit,
  type ContentReader,
  changesUpTo,
  findRepository,
  headOf,
  openContents,
  type TreeFile,
} from '../sources/repository.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import {
  configurationOf,
  contextAt,
  isDocument,
  type Layout,
  layOut,
  loadLaidOut,
  type ProjectPlace,
  placeOf,
  textAt,
} from './at-commit.ts';
import { fileDigests } from './file-digests.ts';
import { applyChanges, type Candidates, HistoryIndex } from './history-index.ts';
import type { ComponentInputs, InputContext } from './input-parts.ts';
import { placed } from './input-places.ts';
import { componentInputs, inputsFormat } from './inputs.ts';

/** Author and time of a commit of the project. */
export interface ProjectCommit {
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  readonly author: string;
  readonly email: string;
  readonly message: string;
}

/** A component's state from a commit on. */
export interface ComponentState {
  /** Prefix of the inputs' digest; undefined if the component does not exist. */
  readonly digest?: string;
  /** Whether it had a lock. */
  readonly locked: boolean;
  /** The upstream revision: the commit, else the snapshot. */
  readonly upstream?: { readonly commit?: string; readonly snapshot?: string };
  readonly changedBy: ProjectCommit;
  /** Only if requested. */
  readonly inputs?: ComponentInputs;
}

export interface ComponentHistory {
  /** Oldest first; each differs from the previous one. */
  readonly states: readonly ComponentState[];
  /** Whether the component already existed where a shallow clone begins. */
  readonly cutOff: boolean;
}

export interface HistoryOptions {
  /** Folder for intermediate files. */
  readonly scratch: string;
  /** Folder of cached results. */
  readonly cache?: string;
  /** Names of components; by default all components that ever existed. */
  readonly names?: ReadonlySet<string> | undefined;
  /** Whether states have their inputs; such results are not cached. */
  readonly withInputs?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

const digits = 16;

/**
 * The first-parent history of components up to the checked-out commit. A commit at which the project does not load is
 * skipped: its changes count as those of the next commit that loads.
 * @returns undefined if the project is not in git, or has no commit
 */
export async function componentHistories(
  project: Project,
  options: HistoryOptions,
): Promise<ReadonlyMap<string, ComponentHistory> | undefined> {
  const repository = await findRepository(project.root);
  const head = repository === undefined ? undefined : await headOf(repository);
  if (repository === undefined || head === undefined) return undefined;
  const place = placeOf(project, repository.top, renderedSpecsDir(project));
  const { cache, names, withInputs = false } = options;
  const memory =
    cache === undefined || withInputs
      ? undefined
      : cachePath(cache, 'history', `${sha256(`${repository.gitDir}\0${valueDigest(place)}`).slice(0, 32)}.json`);
  const remembered = memory === undefined ? undefined : await recall(memory);
  const known = remembered !== undefined && knows(remembered, names) ? remembered : undefined;
  if (known?.head === head) return historiesOf(known, names);
  const commits = await changesUpTo(repository, head, place.except);
  const contents = openContents(repository);
  try {
    const made = await withScratch(options.scratch, async (top) => {
      // A request for few components of a cached history of many continues with all of them.
      const all = known === undefined ? names : namesOf(known);
      const walker = new Walker({ top, written: new Map() }, place, contents, { withInputs, names: all });
      const start = known === undefined ? 0 : commits.findIndex(({ commit }) => commit === known.head) + 1;
      // If the cached commit is not an ancestor, the cached history belongs to another branch.
      if (known !== undefined && start > 0) await walker.resume(commits.slice(0, start), known);
      for (const [at, commit] of commits.slice(start).entries()) {
        await walker.step(commit);
        options.onProgress?.(start + at + 1, commits.length);
      }
      const histories = walker.histories(repository.shallow ? commits[0]?.commit : undefined);
      return { histories, memory: pack(head, histories, all, walker.pending) };
    });
    const better = remembered === undefined || known !== undefined || covers(made.memory, remembered);
    if (memory !== undefined && better) await writeAtomic(memory, JSON.stringify(made.memory));
    return names === undefined ? made.histories : new Map([...made.histories].filter(([name]) => names.has(name)));
  } finally {
    contents.close();
  }
}

/** The project at a commit, or the part of it that was requested. */
interface Loaded {
  readonly configuration: Configuration;
  readonly context: InputContext;
  /** Whether a file, named as in the project, was loaded unmodified. */
  readonly isWhole: (file: string) => boolean;
}

interface WalkOptions {
  readonly names: ReadonlySet<string> | undefined;
  readonly withInputs: boolean;
}

/** Walks from commit to commit, and evaluates the components that each may have changed. */
class Walker {
  readonly #layout: Layout;
  readonly #place: ProjectPlace;
  readonly #contents: ContentReader;
  readonly #options: WalkOptions;
  readonly #tree = new Map<string, TreeFile>();
  readonly #index = new HistoryIndex();
  readonly #known = new Map<string, string>();
  readonly #states = new Map<string, ComponentState[]>();
  /** Components that may have changed in commits whose project does not load. */
  #pending: Candidates = new Set();

  constructor(layout: Layout, place: ProjectPlace, contents: ContentReader, options: WalkOptions) {
    this.#layout = layout;
    this.#place = place;
    this.#contents = contents;
    this.#options = options;
  }

  get pending(): Candidates {
    return this.#pending;
  }

  /** Starts at the last of these commits, with the states known there. */
  async resume(commits: readonly ChangingCommit[], memory: Memory): Promise<void> {
    for (const { changes } of commits) applyChanges(this.#tree, changes);
    await this.#advance(this.#tree);
    for (const [name, { states }] of historiesOf(memory, undefined)) this.#states.set(name, [...states]);
    this.#pending = memory.pending === 'all' ? 'all' : new Set(memory.pending);
  }

  async step(commit: ChangingCommit): Promise<void> {
    const { changes } = commit;
    applyChanges(this.#tree, changes);
    const touched = await this.#advance(changes);
    const candidates = this.#wanted(union(touched, this.#pending));
    if (candidates !== 'all' && candidates.size === 0) return;
    const loaded = await this.#load(candidates, commit);
    if (loaded === undefined) {
      this.#pending = candidates;
      return;
    }
    this.#pending = new Set();
    const { names } = this.#options;
    const evaluated =
      candidates === 'all'
        ? new Set([...loaded.context.project.components.keys(), ...this.#states.keys()])
        : candidates;
    for (const name of evaluated) {
      if (names !== undefined && !names.has(name)) continue;
      this.#note(name, await this.#stateOf(name, loaded, commit));
    }
  }

  /** Reads existing files of an ending that a configuration file includes for the first time in this commit. */
  async #advance(changes: ReadonlyMap<string, TreeFile | undefined>): Promise<Candidates> {
    let touched: Candidates = new Set();
    let rest = changes;
    while (rest.size > 0) {
      const endings = this.#index.endings();
      const paths = [...rest].flatMap(([path, file]) =>
        file !== undefined && isDocument(path, endings) ? [path] : [],
      );
      const read = await Promise.all(paths.map((path) => textAt(this.#tree, path, this.#contents)));
      const texts = new Map(paths.map((path, index) => [path, read[index]!]));
      touched = union(
        touched,
        this.#index.advance(rest, endings, (path) => texts.get(path) ?? ''),
      );
      const fresh = new Set([...this.#index.endings()].filter((ending) => !endings.has(ending)));
      rest = fresh.size === 0 ? new Map() : new Map([...this.#tree].filter(([path]) => isDocument(path, fresh)));
    }
    return touched;
  }

  histories(cutOffAt: string | undefined): Map<string, ComponentHistory> {
    return new Map(
      [...this.#states].map(([name, states]) => [
        name,
        { states, cutOff: cutOffAt !== undefined && states[0]?.changedBy.commit === cutOffAt },
      ]),
    );
  }

  #wanted(candidates: Candidates): Candidates {
    const { names } = this.#options;
    if (names === undefined) return candidates;
    return new Set(candidates === 'all' ? names : [...candidates].filter((name) => names.has(name)));
  }

  async #load(candidates: Candidates, { commit }: ProjectCommit): Promise<Loaded | undefined> {
    const whole = await configurationOf(this.#tree, this.#contents, this.#index.endings());
    await layOut(this.#layout, this.#index.restricted(whole, candidates));
    try {
      // The user's own configuration must not change the project's history.
      const configuration = await loadLaidOut(this.#layout, this.#place, commit, { env: {} });
      const options = { known: this.#known, ...(candidates === 'all' ? {} : { wanted: candidates }) };
      const context = await contextAt(this.#layout, configuration.project, this.#tree, this.#contents, options);
      const isWhole = (file: string): boolean => {
        const path = join(this.#place.folder, file);
        return whole.get(path) === this.#layout.written.get(path);
      };
      return { configuration, context, isWhole };
    } catch (error) {
      if (error instanceof WeirError && (error.code === 'project-at' || error.code === 'no-project-at'))
        return undefined;
      throw error;
    }
  }

  async #stateOf(name: string, loaded: Loaded, commit: ChangingCommit): Promise<ComponentState> {
    const { changes: _, ...changedBy } = commit;
    const { context, configuration, isWhole } = loaded;
    const component = context.project.components.get(name);
    if (component === undefined) return { locked: false, changedBy };
    const inputs = await componentInputs(component, context);
    const upstream = upstreamOf(inputs);
    return {
      digest: inputs.digest.slice(0, digits),
      locked: context.locks?.has(name) === true,
      changedBy,
      ...(upstream === undefined ? {} : { upstream }),
      ...(this.#options.withInputs
        ? { inputs: placed(inputs, configuration, component, context.locks?.get(name), { isWhole }) }
        : {}),
    };
  }

  #note(name: string, state: ComponentState): void {
    const states = this.#states.get(name);
    const last = states?.at(-1);
    if (last?.digest === state.digest && (last?.locked ?? false) === state.locked) return;
    if (states === undefined) this.#states.set(name, [state]);
    else states.push(state);
  }
}

function union(a: Candidates, b: Candidates): Candidates {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}

/** The parts of the inputs that determine the upstream revision. */
export function upstreamOf(inputs: ComponentInputs): ComponentState['upstream'] {
  const value = (name: string): string | undefined => inputs.parts.find((part) => part.name === name)?.value;
  const commit = value('upstream commit');
  if (commit !== undefined) return { commit };
  const snapshot = value('upstream snapshot');
  return snapshot === undefined || snapshot === 'the newest' ? undefined : { snapshot };
}

/** The cached states of components up to one commit. */
interface Memory {
  readonly format: number;
  readonly head: string;
  readonly pending: 'all' | readonly string[];
  /** Names of components; null for all that ever existed. */
  readonly names: readonly string[] | null;
  readonly commits: readonly ProjectCommit[];
  readonly upstreams: readonly NonNullable<ComponentState['upstream']>[];
  /** Per component: whether it is cut off, and its states: commit, digest or '', locked, upstream or -1. */
  readonly components: Readonly<
    Record<string, readonly [cutOff: boolean, states: readonly (readonly [number, string, boolean, number])[]]>
  >;
}

const format = 1000 + inputsFormat;

async function recall(path: string): Promise<Memory | undefined> {
  const text = await readIfExists(path);
  if (text === undefined) return undefined;
  try {
    const memory = JSON.parse(text) as Memory;
    return memory.format === format ? memory : undefined;
  } catch {
    // Written by another program, or damaged: computed again.
    return undefined;
  }
}

function namesOf({ names }: Memory): ReadonlySet<string> | undefined {
  return names === null ? undefined : new Set(names);
}

function knows(memory: Memory, names: ReadonlySet<string> | undefined): boolean {
  const known = namesOf(memory);
  return known === undefined || (names !== undefined && [...names].every((name) => known.has(name)));
}

/** Whether one history covers every component that the other covers. */
function covers(memory: Memory, other: Memory): boolean {
  return knows(memory, namesOf(other));
}

function historiesOf(memory: Memory, names: ReadonlySet<string> | undefined): Map<string, ComponentHistory> {
  const histories = new Map<string, ComponentHistory>();
  for (const [name, [cutOff, states]] of Object.entries(memory.components)) {
    if (names !== undefined && !names.has(name)) continue;
    histories.set(name, {
      cutOff,
      states: states.map(([commit, digest, locked, upstream]) => ({
        locked,
        changedBy: memory.commits[commit]!,
        ...(digest === '' ? {} : { digest }),
        ...(upstream < 0 ? {} : { upstream: memory.upstreams[upstream]! }),
      })),
    });
  }
  return histories;
}

function pack(
  head: string,
  histories: ReadonlyMap<string, ComponentHistory>,
  names: ReadonlySet<string> | undefined,
  pending: Candidates,
): Memory {
  const commits = new Map<string, { readonly at: number; readonly commit: ProjectCommit }>();
  const upstreams = new Map<
    string,
    { readonly at: number; readonly upstream: NonNullable<ComponentState['upstream']> }
  >();
  const commitAt = (commit: ProjectCommit): number => {
    const known = commits.get(commit.commit) ?? { at: commits.size, commit };
    commits.set(commit.commit, known);
    return known.at;
  };
  const upstreamAt = (upstream: ComponentState['upstream']): number => {
    if (upstream === undefined) return -1;
    const key = `${upstream.commit ?? ''} ${upstream.snapshot ?? ''}`;
    const known = upstreams.get(key) ?? { at: upstreams.size, upstream };
    upstreams.set(key, known);
    return known.at;
  };
  const components = Object.fromEntries(
    [...histories].map(([name, { cutOff, states }]) => [
      name,
      [
        cutOff,
        states.map(
          ({ changedBy, digest = '', locked, upstream }) =>
            [commitAt(changedBy), digest, locked, upstreamAt(upstream)] as const,
        ),
      ] as const,
    ]),
  );
  return {
    format,
    head,
    pending: pending === 'all' ? pending : [...pending],
    names: names === undefined ? null : [...names].sort(),
    commits: [...commits.values()].map(({ commit }) => commit),
    upstreams: [...upstreams.values()].map(({ upstream }) => upstream),
    components,
  };
}

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
    digest: inputs.digest.slice(0, digits),
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
