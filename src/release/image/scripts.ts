import type { Engine } from '../../engine/action.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { type Finalised, type FinaliseOptions, finaliseTree } from '../../tree/finalise.ts';
import { without } from '../../tree/lay-over.ts';
import { runTreeScripts } from '../../tree/run-scripts.ts';
import type { Tree } from '../../tree/tree.ts';
import type { WithoutFiles } from '../../tree/without-files.ts';
import { type StoredSetup, withUsers } from './setup.ts';

/** Which files of packages a setup leaves out. */
export function leftOut(setup: StoredSetup | undefined): WithoutFiles | undefined {
  if (setup === undefined || (!setup.excludeDocs && setup.languages === undefined)) return undefined;
  return { docs: setup.excludeDocs, ...(setup.languages === undefined ? {} : { languages: setup.languages }) };
}

export function hasRpm(tree: Tree): boolean {
  return tree.entries.some((entry) => entry.path === '/usr/bin/rpm');
}

/** Whether a setup changes the tree once it is finalised: users need the accounts of packages, scripts need everything. */
export function changesAgain({ users, scripts }: StoredSetup, tree: Tree): boolean {
  if (users.length > 0) return true;
  const paths = new Set(tree.entries.map(({ path }) => path));
  return scripts.some(({ path, optional }) => !optional || paths.has(path));
}

/**
 * Finalises a tree, adds its users and runs its scripts. Afterwards the RPM database is written anew for the packages that are
 * left, unless the scripts removed it; labels are the last step.
 */
export async function withScripts(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  setup: StoredSetup,
  options: FinaliseOptions,
  tell: (text: string) => void,
): Promise<Finalised> {
  const first = await finaliseTree(engine, toolbox, tree, { ...options, selinux: false, rpmManifest: false });
  const peopled = await withUsers(engine, first.tree, setup, options.clock);
  tell('running its scripts');
  const { scripts, environment } = setup;
  const scripted = await runTreeScripts(engine, toolbox, peopled, { scripts, environment, clock: options.clock });
  const last = await finaliseTree(engine, toolbox, without(scripted.tree, setup.temporary), {
    ...options,
    again: true,
    rpmdb: scripted.hasRpmdb,
    rpmManifest: !hasRpm(scripted.tree),
  });
  return { tree: last.tree, log: [...first.log, ...scripted.log, ...last.log] };
}
