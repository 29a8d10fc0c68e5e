import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { mapLimit } from '../base/files.ts';
import { byName } from '../base/order.ts';
import { cachePath } from '../base/paths.ts';
import { inStage, type Stage } from '../base/progress.ts';
import { type BuildContext, logFolder, planBuildroot } from '../build/buildroot.ts';
import { type Built, buildComponent } from '../build/rpmbuild.ts';
import { querySpec, type SpecFacts } from '../build/specquery.ts';
import { builtId } from '../inputs/input-repository.ts';
import { cachedRepository } from '../repo/cached-repository.ts';
import { type ListedSource, listedSource } from '../repo/source.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import type { SigningKey } from '../trust/gpg.ts';
import { hasPackage, type Inputs } from '../workspace/inputs.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { openLazyInputs } from './lazy-inputs.ts';
import { openMakers } from './makers.ts';
import { ComponentsError, type Failure, failedOutcome, failureOf, isFailure, type Outcome } from './outcome.ts';
import { type Prepared, prepareEach, type ReadyComponent, renderStage, writeEach } from './ready.ts';
import type { BuildSteps, Report, Schedule } from './run.ts';
import { buildInOrder } from './schedule.ts';

/** All built components, and the folder in the cache with their repository. */
export interface BuiltComponents {
  readonly components: readonly Built[];
  readonly ready: ReadonlyMap<string, ReadyComponent>;
  /** What rpm says of each component's spec. */
  readonly facts: ReadonlyMap<string, SpecFacts>;
  readonly source: ListedSource;
  /** The outcome of every component that was to be built. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

export interface BuildOptions {
  /** Builds only these components and their dependencies; default: all. */
  readonly only?: readonly string[];
  /** How many components are built at the same time; 2 by default. */
  readonly jobs?: number;
  /** After a failure, builds all components that do not wait for the failed one. */
  readonly keepGoing?: boolean;
  /** Skips `%check` of every component. */
  readonly noCheck?: boolean;
  /**
   * Whether a component's packages take precedence over the same packages in the inputs, so that builds that need them wait for that
   * component. Default: true for a seed, false for RPM repositories. If false, it still holds among the components in `only`.
   */
  readonly replacesInputs?: boolean;
}

/**
 * Renders and builds components, each as soon as its dependencies are built, and puts their packages into a repository in the cache.
 * @throws ComponentsError if a component could not be built; before that, all components that do not wait for it are built
 */
export async function buildStage(
  workspace: Workspace,
  toolbox: Toolbox,
  inputs: Inputs,
  key: SigningKey,
  options: BuildOptions = {},
): Promise<BuiltComponents> {
  const { project, progress } = workspace;
  const { only, jobs = 2, keepGoing = false } = options;
  const names = only ?? [...project.components.keys()];
  const shelf = await renderStage(workspace, key, only);
  return inStage(progress, 'packages', async (stage) => {
    const steps = buildSteps({ workspace, toolbox, inputs, key, shelf, options, stage });
    const stopped = keepGoing ? undefined : stoppedBy(shelf, steps);
    if (stopped !== undefined) throw new ComponentsError(stopped);
    const schedule = await buildInOrder(names, steps, { jobs, keepGoing, report: reportTo(stage, names.length) });
    noteFacts(stage, schedule);
    const outcomes = inOrderOf(names, schedule.outcomes);
    const states = [...outcomes.values()];
    if (states.some(isFailure)) throw new ComponentsError(outcomes);
    const components = states.flatMap((each) => (each.state === 'built' ? [each.built] : []));
    const source = await builtSource(workspace, toolbox, components);
    const fresh = components.filter((each) => !each.cached).map((each) => each.component);
    const which = fresh.length === 0 || fresh.length > 5 ? '' : ` (${fresh.join(', ')})`;
    const count = (state: Outcome['state'], word: string): string => {
      const number = states.filter((each) => each.state === state).length;
      return number === 0 ? '' : `, ${number} ${word}`;
    };
    const others = `${count('skipped', 'skipped')}${count('expected', 'failed as expected')}`;
    const ready = [...shelf].flatMap(([name, each]) => ('error' in each ? [] : [[name, each] as const]));
    return {
      result: { components, ready: new Map(ready), facts: schedule.facts, source, outcomes },
      summary: `${source.packages.length} packages of ${components.length} components, ${fresh.length} built${which}${others}`,
      cached: fresh.length === 0,
    };
  });
}

/** The outcomes if a component that could not be rendered stops the run before anything is built. */
function stoppedBy(shelf: ReadonlyMap<string, Prepared>, steps: BuildSteps): Map<string, Outcome> | undefined {
  const outcomes = new Map<string, Outcome>();
  for (const [name, each] of shelf) {
    outcomes.set(name, 'error' in each ? failedOutcome(each, steps.hints(name).expected) : { state: 'stopped' });
  }
  return [...outcomes.values()].some(({ state }) => state === 'failed') ? outcomes : undefined;
}

/** The outcomes of the selected components, then of the components that they waited for. */
function inOrderOf(names: readonly string[], outcomes: Schedule['outcomes']): Map<string, Outcome> {
  const selected = new Set(names);
  const others = [...outcomes.keys()].filter((name) => !selected.has(name)).sort();
  return new Map([...names, ...others].map((name) => [name, outcomes.get(name)!]));
}

function reportTo(stage: Stage, selected: number): Report {
  let settled = 0;
  return {
    started: (name) => stage.update(`${settled} of ${selected}, building ${name}`),
    settled: (name, outcome) => {
      settled++;
      if (outcome.state === 'failed') stage.note(`${name} failed (${outcome.class}): ${outcome.error.message}`);
      if (outcome.state === 'skipped') stage.note(`${name} skipped: ${outcome.why}`);
      if (outcome.state === 'built' && outcome.unexpected !== undefined) {
        stage.note(`${name} was expected to fail (${outcome.unexpected}), but built: remove build.failure.expected`);
      }
    },
    note: stage.note,
  };
}

function noteFacts(stage: Stage, { facts }: Schedule): void {
  for (const [name, { unapplied }] of facts) {
    if (unapplied.length > 0) stage.note(`${name}: never applied: ${unapplied.join(', ')}`);
  }
}

/** The context of the steps. Components that selected ones wait for are added to `shelf`. */
interface StepContext {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly inputs: Inputs;
  readonly key: SigningKey;
  readonly shelf: Map<string, Prepared>;
  readonly options: BuildOptions;
  readonly stage: Stage;
}

/** The steps with the real tools: dnf5 resolves buildroots from the inputs and the built packages; specs are parsed and built in them. */
function buildSteps({ workspace, toolbox, inputs, key, shelf, options, stage }: StepContext): BuildSteps {
  const { engine, cache, arch, clock, project } = workspace;
  const context: BuildContext = { engine, toolbox, cache, arch, clock, ...inputs.settings };
  const lazy = openLazyInputs(inputs);
  const plan = async (root: readonly string[], visible: readonly Built[], purpose: string, name?: string) => {
    const more = await lazy.sources(root, visible, name);
    const built = visible.length === 0 ? [] : [await builtSource(workspace, toolbox, visible)];
    return planBuildroot(context, [...inputs.sources, ...more, ...built], root, purpose);
  };
  const prepare = async (names: readonly string[]): Promise<void> => {
    const missing = names.filter((name) => !shelf.has(name));
    if (missing.length === 0) return;
    const prepared = await prepareEach(workspace, key, missing);
    for (const warning of writeEach(workspace, prepared).warnings) stage.note(warning);
    for (const [name, each] of prepared) shelf.set(name, each);
  };
  return {
    buildRoot: inputs.buildRoot,
    inInputs: (name) => hasPackage(inputs, name) || lazy.has(name),
    ...(lazy.grow === undefined ? {} : { grow: lazy.grow }),
    replacesInputs: options.replacesInputs ?? inputs.seed !== undefined,
    ...openMakers(workspace),
    hints: (name) => {
      const { expensive, failure } = project.components.get(name)!.build;
      return { expensive, ...(failure.expected ? { expected: failure.expectedReason ?? 'no reason given' } : {}) };
    },
    query: async (names, root, visible) => {
      await prepare(names);
      const buildroot = await plan(root, visible, 'the buildroot');
      const facts = await mapLimit(names, 4, async (name): Promise<readonly [string, SpecFacts | Failure]> => {
        const ready = shelf.get(name)!;
        if ('error' in ready) return [name, ready];
        try {
          return [name, await querySpec(context, buildroot, ready.input)];
        } catch (error) {
          const { error: known } = failureOf('query', error);
          return [name, { class: known.code === 'bad-spec' ? 'parse' : 'query', error: known }];
        }
      });
      return new Map(facts);
    },
    build: async (name, root, visible) => {
      const buildroot = await plan(root, visible, `building ${name}`, name);
      try {
        const { input } = shelf.get(name) as ReadyComponent;
        return await buildComponent(context, buildroot, input, {
          noCheck: options.noCheck === true || inputs.settings.noCheck,
        });
      } catch (error) {
        const failure = failureOf('build', error);
        const { code } = failure.error;
        const log = join(logFolder(cache), `${name}.failed.log`);
        if (code === 'build-failed') return { ...failure, log };
        if (code === 'missing-buildrequires') return { ...failure, class: 'buildrequires', log };
        return code === 'file-conflict' ? { ...failure, class: 'buildrequires' } : failure;
      }
    },
  };
}

/** The packages of built components as a repository in the cache. */
async function builtSource(workspace: Workspace, toolbox: Toolbox, built: readonly Built[]): Promise<ListedSource> {
  const packages = built.flatMap((each) => each.packages).sort(byName);
  const digest = valueDigest(packages.map((pkg) => pkg.rpm)).slice(0, 16);
  const dir = cachePath(workspace.cache, 'repos', `built-${digest}`);
  const check = await cachedRepository(workspace, toolbox, dir, packages);
  // A package of the distribution takes precedence over packages of the same name in every input.
  return listedSource({ id: builtId, dir, packages, priority: 0, check });
}
