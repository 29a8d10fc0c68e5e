import type { Engine } from '../../engine/action.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { type Finalised, type FinaliseOptions, finaliseTree } from '../../tree/finalise.ts';
import { without } from '../../tree/lay-over.ts';
import { runTreeScripts } from '../../tree/run-scripts.ts';
import type { Tree } from '../../tree/tree.ts';
import type { WithoutFiles } from '../../tree/without-files.ts';
import type { StoredSetup } from './setup.ts';
import { withUsers } from './users.ts';

/** Which files of packages setups leave out. */
export function leftOut(setups: readonly StoredSetup[]): WithoutFiles | undefined {
  const docs = setups.some(({ excludeDocs }) => excludeDocs);
  const languages = setups.findLast((setup) => setup.languages !== undefined)?.languages;
  if (!docs && languages === undefined) return undefined;
  return { docs, ...(languages === undefined ? {} : { languages }) };
}

/** Whether a script of a setup runs in the tree. */
function runsScripts({ scripts }: Pick<StoredSetup, 'scripts'>, tree: Tree): boolean {
  if (scripts.length === 0) return false;
  const paths = new Set(tree.entries.map(({ path }) => path));
  return scripts.some(({ path, optional }) => !optional || paths.has(path));
}

/**
 * Finalises a tree, with users and scripts of setups. They need the accounts and everything else of packages; when they are done,
 * the RPM database is written anew for the packages that are left, unless the scripts removed it, and labels are the last step.
 */
export async function finaliseWith(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  setups: readonly StoredSetup[],
  options: FinaliseOptions,
  tell: (text: string) => void,
): Promise<Finalised> {
  const temporary = setups.flatMap((setup) => setup.temporary);
  const hasScripts = setups.some((setup) => runsScripts(setup, tree));
  if (!hasScripts && setups.every(({ users, groups = [] }) => users.length + groups.length === 0)) {
    return finaliseTree(engine, toolbox, without(tree, temporary), options);
  }
  // Scripts may ask the database.
  const rpmdb = options.rpmdb && hasScripts;
  const first = await finaliseTree(engine, toolbox, tree, { ...options, rpmdb, selinux: false });
  const log = [...first.log];
  let last = first.tree;
  let keepsRpmdb = true;
  for (const setup of setups) {
    last = await withUsers(engine.store, last, setup, options.clock);
    if (!runsScripts(setup, last)) continue;
    tell('running its scripts');
    const { scripts, environment } = setup;
    const scripted = await runTreeScripts(engine, toolbox, last, { scripts, environment, clock: options.clock });
    log.push(...scripted.log);
    last = scripted.tree;
    keepsRpmdb &&= scripted.hasRpmdb;
  }
  const done = await finaliseTree(engine, toolbox, without(last, temporary), {
    ...options,
    again: true,
    rpmdb: options.rpmdb && keepsRpmdb,
    // Not beside a database: scanners read both, and count every package twice.
    rpmManifest: !keepsRpmdb,
  });
  return { tree: done.tree, log: [...log, ...done.log] };
}
