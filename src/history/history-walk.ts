import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import type { Configuration } from '../project/resolve.ts';
import type { ChangingCommit, ContentReader, TreeFile } from '../sources/repository.ts';
import {
  configurationOf,
  contextAt,
  isDocument,
  type Layout,
  layOut,
  loadLaidOut,
  type ProjectPlace,
  textAt,
} from './at-commit.ts';
import {
  type ComponentHistory,
  type ComponentState,
  digestLength,
  type ProjectCommit,
  upstreamOf,
} from './component-state.ts';
import { applyChanges, type Candidates, HistoryIndex } from './history-index.ts';
import { historiesOf, type Memory } from './history-memory.ts';
import type { InputContext } from './input-parts.ts';
import { placed } from './input-places.ts';
import { componentInputs } from './inputs.ts';

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
export class Walker {
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
      digest: inputs.digest.slice(0, digestLength),
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
