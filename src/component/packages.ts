import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { checkAfterBoot } from '../build/after-boot.ts';
import { logFolder } from '../build/buildroot.ts';
import type { ActionResult, Engine } from '../engine/action.ts';
import { uncheckedBlobPath } from '../engine/store.ts';
import { findComponent } from '../project/select.ts';
import { packagePath, type RepoPackage } from '../repo/metadata.ts';
import { inputsStage } from '../workspace/inputs.ts';
import { signingKey } from '../workspace/keys.ts';
import { toolboxStage, type Workspace } from '../workspace/workspace.ts';
import { type BuildOptions, buildStage } from './build.ts';
import { type ComponentResult, resultOf } from './outcome.ts';

/** The outcome of a component, with its packages as files. */
export interface BuiltFiles extends Omit<ComponentResult, 'component'> {
  readonly name: string;
  readonly cached: boolean;
  /** Binary and debug packages, unsigned: publishing signs them. */
  readonly packages: readonly string[];
}

/**
 * Builds the named components and, before them, only the components that they wait for. Nothing is signed or published; the packages
 * stay in the cache until something else is built.
 * @returns the named components, then those that they waited for
 * @throws WeirError `unknown-component` and the errors of the stages; ComponentsError if a component could not be built
 */
export async function buildSelected(
  workspace: Workspace,
  names: readonly string[],
  options: Omit<BuildOptions, 'only'> = {},
): Promise<BuiltFiles[]> {
  for (const name of names) findComponent(workspace.project, name);
  await checkAfterBoot(workspace.cache, workspace.engine);
  const toolbox = await toolboxStage(workspace, 'core');
  const key = await signingKey(workspace, toolbox);
  const inputs = await inputsStage(workspace, toolbox);
  const building = buildStage(workspace, toolbox, inputs, key, { ...options, only: names });
  const { outcomes, source } = await building.finally(() => inputs.lock());
  return [...outcomes].map(([name, outcome]) => {
    const { component: _, ...result } = resultOf(name, outcome);
    const packages = outcome.state === 'built' ? outcome.built.packages : [];
    return {
      ...{ name, ...result, cached: result.state === 'cached' },
      packages: packages.map((pkg: RepoPackage) => join(source.dir, packagePath(pkg))),
    };
  });
}

/** The log of a component's last build. */
export interface BuildLog {
  readonly path: string;
  readonly failed: boolean;
}

/** Finds the log of a component's last build, successful or not. @throws WeirError `no-log` */
export async function lastBuildLog(workspace: Workspace, name: string): Promise<BuildLog> {
  findComponent(workspace.project, name);
  const failed = join(logFolder(workspace.cache), `${name}.failed.log`);
  const failedAt = (await stat(failed).catch(() => undefined))?.mtimeMs ?? 0;
  const good = await lastGoodBuild(workspace.engine, name);
  if (good !== undefined && good.at > failedAt) return { path: good.log, failed: false };
  if (failedAt > 0) return { path: failed, failed: true };
  throw new WeirError('no-log', `component ${name} has not been built yet`, { hint: `weir component build ${name}` });
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
