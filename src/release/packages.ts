import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { type BuildContext, logFolder, planBuildroot } from '../build/buildroot.ts';
import { buildOrder } from '../build/order.ts';
import { querySpec } from '../build/specquery.ts';
import type { ActionResult, Engine } from '../engine/action.ts';
import { uncheckedBlobPath } from '../engine/store.ts';
import { findComponent } from '../project/select.ts';
import { packagePath, type RepoPackage } from '../repo/metadata.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { renderStage, signingKey } from './build.ts';
import { buildStage, type ReadyComponent } from './components.ts';
import { type SeedRepository, seedStage } from './seed.ts';
import { toolboxStage, type Workspace } from './workspace.ts';

/** The packages of one component, as files. */
export interface BuiltFiles {
  readonly name: string;
  readonly cached: boolean;
  /** seconds that the build took when it was really done */
  readonly seconds: number;
  /** Binary and debug packages, unsigned: signing is publishing's. */
  readonly packages: readonly string[];
  readonly log: string;
}

/**
 * Builds the named components, and before them only what they wait for. Nothing is signed or published; the packages lie
 * in the cache until something else is built.
 * @throws WeirError `unknown-component` and those of the stages
 */
export async function buildSelected(workspace: Workspace, names: readonly string[]): Promise<BuiltFiles[]> {
  for (const name of names) findComponent(workspace.project, name);
  const toolbox = await toolboxStage(workspace, 'core');
  const key = await signingKey(workspace, toolbox);
  const seed = await seedStage(workspace, toolbox);
  const ready = await renderStage(workspace, key);
  const chosen = await withNeeds(workspace, toolbox, seed, ready, names);
  const { components, source } = await buildStage(workspace, toolbox, seed, chosen);
  return components
    .filter((each) => names.includes(each.component))
    .map((each) => ({
      name: each.component,
      cached: each.cached,
      seconds: each.seconds,
      packages: each.packages.map((pkg: RepoPackage) => join(source.dir, packagePath(pkg))),
      log: each.log,
    }));
}

/** The named components, those whose packages every buildroot has, and all that these wait for. */
async function withNeeds(
  workspace: Workspace,
  toolbox: Toolbox,
  seed: SeedRepository,
  ready: readonly ReadyComponent[],
  names: readonly string[],
): Promise<ReadyComponent[]> {
  const { engine, cache, arch, clock, release } = workspace;
  const context: BuildContext = { engine, toolbox, cache, arch, clock };
  const inSeed = new Set(seed.source.packages.map((pkg) => pkg.name));
  const roots = release.buildRoot.filter((name) => inSeed.has(name));
  const buildroot = await planBuildroot(context, [seed.source], roots, 'the buildroot');
  const facts = await mapLimit(ready, 4, async ({ input }) => ({
    ...(await querySpec(context, buildroot, input)),
    input,
  }));
  const waits = buildOrder(
    facts.map(({ input, buildRequires, provides }) => ({ name: input.name, needs: buildRequires, provides })),
  );
  const inRoot = new Set(release.buildRoot);
  const start = facts.filter((fact) => fact.packages.some((pkg) => inRoot.has(pkg))).map((fact) => fact.input.name);
  const chosen = new Set<string>();
  const visit = (name: string): void => {
    if (chosen.has(name)) return;
    chosen.add(name);
    for (const next of waits.get(name) ?? []) visit(next);
  };
  for (const name of [...start, ...names]) visit(name);
  return ready.filter((each) => chosen.has(each.component.name));
}

/** The log of a component's last build. */
export interface BuildLog {
  readonly path: string;
  readonly failed: boolean;
}

/** Finds it, whether the build went well or not. @throws WeirError `no-log` */
export async function lastBuildLog(workspace: Workspace, name: string): Promise<BuildLog> {
  findComponent(workspace.project, name);
  const failed = join(logFolder(workspace.cache), `${name}.failed.log`);
  const failedAt = (await stat(failed).catch(() => undefined))?.mtimeMs ?? 0;
  const good = await lastGoodBuild(workspace.engine, name);
  if (good !== undefined && good.at > failedAt) return { path: good.log, failed: false };
  if (failedAt > 0) return { path: failed, failed: true };
  throw new WeirError('no-log', `component ${name} was not built yet`, { hint: `weir component build ${name}` });
}

/** The newest action that wrote the component's source package. The cache is small: a few thousand short files. */
async function lastGoodBuild(engine: Engine, name: string): Promise<{ log: string; at: number } | undefined> {
  let last: { log: string; at: number } | undefined;
  const folders = await readdir(engine.results);
  await mapLimit(folders, 16, async (folder) => {
    for (const file of await readdir(join(engine.results, folder))) {
      const path = join(engine.results, folder, file);
      const text = await readFile(path, 'utf8');
      if (!text.startsWith('{"kind":"rpmbuild"')) continue;
      const { files } = JSON.parse(text) as Pick<ActionResult, 'files'>;
      const source = Object.keys(files).find((each) => each.endsWith('.src.rpm'));
      if (files.log === undefined || source?.replace(/-[^-]+-[^-]+\.src\.rpm$/, '') !== name) continue;
      const at = (await stat(path)).mtimeMs;
      if (last === undefined || at > last.at) last = { log: uncheckedBlobPath(engine.store, files.log.digest), at };
    }
  });
  return last;
}
