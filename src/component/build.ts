import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { mapLimit } from '../base/files.ts';
import { byName } from '../base/order.ts';
import { inStage } from '../base/progress.ts';
import { type BuildContext, planBuildroot } from '../build/buildroot.ts';
import { type Built, buildComponent } from '../build/rpmbuild.ts';
import { querySpec } from '../build/specquery.ts';
import { cachedRepository } from '../repo/cached-repository.ts';
import { type ListedSource, listedSource } from '../repo/source.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import type { SeedRepository } from '../workspace/seed.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { ReadyComponent } from './ready.ts';
import { type BuildSteps, buildInOrder, neededFor } from './schedule.ts';

/** All built components, and the folder in the cache with their repository. */
export interface BuiltComponents {
  readonly components: readonly Built[];
  readonly ready: ReadonlyMap<string, ReadyComponent>;
  readonly source: ListedSource;
}

/**
 * Builds components, each as soon as what it needs is built, and puts their packages into a repository in the cache.
 * @param only names; if given, only these and what they wait for are built
 * @throws WeirError `build-failed`, `build-cycle`
 */
export async function buildStage(
  workspace: Workspace,
  toolbox: Toolbox,
  seed: SeedRepository,
  all: readonly ReadyComponent[],
  only?: readonly string[],
): Promise<BuiltComponents> {
  const allByName = new Map(all.map((each) => [each.component.name, each]));
  const steps = buildSteps(workspace, toolbox, seed, allByName);
  const needed = only === undefined ? undefined : await neededFor(only, [...allByName.keys()], steps);
  const ready = all.filter(({ component }) => needed?.has(component.name) !== false);
  return inStage(workspace.progress, 'packages', async (stage) => {
    let begun = 0;
    const names = ready.map(({ component }) => component.name);
    const { built, facts } = await buildInOrder(names, {
      ...steps,
      build: (name, root, visible) => {
        stage.update(`${begun++} of ${names.length}, building ${name}`);
        return steps.build(name, root, visible);
      },
    });
    for (const [name, { unapplied }] of facts) {
      if (unapplied.length > 0) stage.note(`${name}: never applied: ${unapplied.join(', ')}`);
    }
    const components = names.map((name) => built.get(name)!);
    const source = await builtSource(workspace, toolbox, components);
    const fresh = components.filter((each) => !each.cached).map((each) => each.component);
    const which = fresh.length === 0 || fresh.length > 5 ? '' : ` (${fresh.join(', ')})`;
    return {
      result: { components, ready: new Map(ready.map((each) => [each.component.name, each])), source },
      summary: `${source.packages.length} packages of ${components.length} components, ${fresh.length} built${which}`,
      cached: fresh.length === 0,
    };
  });
}

/** The steps with the real tools: dnf5 resolves roots from the seed and from what is built; specs are read and built in them. */
function buildSteps(
  workspace: Workspace,
  toolbox: Toolbox,
  seed: SeedRepository,
  ready: ReadonlyMap<string, ReadyComponent>,
): BuildSteps {
  const { engine, cache, arch, clock, release } = workspace;
  const context: BuildContext = { engine, toolbox, cache, arch, clock };
  const plan = async (root: readonly string[], visible: readonly Built[], purpose: string) => {
    const built = visible.length === 0 ? [] : [await builtSource(workspace, toolbox, visible)];
    return planBuildroot(context, [seed.source, ...built], root, purpose);
  };
  return {
    buildRoot: release.buildRoot,
    inInputs: (name) => seed.source.names.has(name),
    query: async (names, root, visible) => {
      const buildroot = await plan(root, visible, 'the buildroot');
      const facts = await mapLimit(names, 4, async (name) => {
        return [name, await querySpec(context, buildroot, ready.get(name)!.input)] as const;
      });
      return new Map(facts);
    },
    build: async (name, root, visible) => {
      const buildroot = await plan(root, visible, `building ${name}`);
      return buildComponent(context, buildroot, ready.get(name)!.input);
    },
  };
}

/** The packages of built components as a repository in the cache. */
async function builtSource(workspace: Workspace, toolbox: Toolbox, built: readonly Built[]): Promise<ListedSource> {
  const packages = built.flatMap((each) => each.packages).sort(byName);
  const digest = valueDigest(packages.map((pkg) => pkg.rpm)).slice(0, 16);
  const dir = join(workspace.cache, 'repos', `built-${digest}`);
  const check = await cachedRepository(workspace, toolbox, dir, packages);
  // A lower number than the seed's has priority: the distribution's package hides the seed's of the same name.
  return listedSource({ id: 'built', dir, packages, priority: 10, check });
}
