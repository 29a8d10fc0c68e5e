import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import type { RunResult } from '../base/process.ts';
import { type Engine, perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { scriptLimits } from '../engine/limits.ts';
import { claimTree, ownerMount, ownerMounts, ownerTool, releaseTree, runAsTreeOwner } from '../engine/tree-owner.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { rpmdbPath } from './finalise.ts';
import { packTree, queryCommand, traces } from './install.ts';
import { demandDone, isRpmdb, leftPackages } from './left-packages.ts';
import { readBack } from './read-back.ts';
import { treeTar } from './tar.ts';
import type { Tree } from './tree.ts';

export interface TreeScripts {
  /** Paths in the tree, in order. One that is not executable is run by the tree's bash. */
  readonly scripts: readonly { readonly path: string; readonly optional: boolean; readonly remove: boolean }[];
  readonly environment: Readonly<Record<string, string>>;
  /** Time of what the scripts write, in seconds since 1970; they see it as SOURCE_DATE_EPOCH. */
  readonly clock: number;
}

export interface Scripted {
  readonly tree: Tree;
  /** Whether the scripts left the RPM database in the tree; the one in `tree` is gone, to be written anew. */
  readonly hasRpmdb: boolean;
  /** One line a script. What they print may differ each time, so it is not kept. */
  readonly log: readonly string[];
}

/**
 * Runs scripts as root of a tree: in the sandbox of scriptlets, with ids of their own, without network and devices. /tmp and /run
 * are theirs alone. `packages` of the result are those that the scripts left: in the RPM database, or, if that is gone, those
 * with a file in the tree.
 * @throws WeirError `no-script`, `script-failed`
 */
export async function runTreeScripts(
  engine: Engine,
  toolbox: Toolbox,
  tree: Tree,
  { scripts, environment, clock }: TreeScripts,
): Promise<Scripted> {
  const result = await perform(engine, {
    kind: 'tree-scripts',
    code: codeDigest(import.meta.url),
    inputs: { tree: valueDigest(tree), toolbox: toolbox.digest, clock, scripts, environment },
    run: async (work) => {
      const done = await run(engine, toolbox, tree, { scripts, environment, clock }, work);
      await writeFile(join(work, 'tree.json'), JSON.stringify(done));
      return { files: { tree: join(work, 'tree.json') } };
    },
  });
  return JSON.parse(await readOutput(engine, result, 'tree')) as Scripted;
}

async function run(
  engine: Engine,
  toolbox: Toolbox,
  before: Tree,
  { scripts, environment, clock }: TreeScripts,
  work: string,
): Promise<Scripted> {
  const { jail } = toolbox;
  const [tree, input, out] = ['tree', 'in', 'out'].map((name) => join(work, name)) as [string, string, string];
  for (const folder of [tree, input, out]) await mkdir(folder, { mode: 0o755 });
  for (const folder of [tree, out]) await claimTree(jail, folder);
  const limits = { ...scriptLimits, ...toolbox.limits };
  const env = { ...environment, SOURCE_DATE_EPOCH: String(clock) };
  const common = { tree, tools: toolbox.root, limits };
  const log: string[] = [];
  try {
    await writeFile(
      join(input, 'tree.tar'),
      treeTar(engine.store, before, { epoch: clock, xattrs: { capabilities: true } }),
    );
    const unpacked = await runAsTreeOwner(jail, { ...common, folders: { in: { from: input } }, argv: unpackCommand() });
    demandDone('cannot lay out the tree', unpacked);
    for (const { path, optional, remove } of scripts) {
      const mode = await modeIn(path);
      if (mode === undefined) {
        if (optional) continue;
        throw new WeirError('no-script', `the image has no script ${path}`, {
          hint: 'add it by setup.files, or set optional = true',
          exit: 2,
        });
      }
      const argv = mode === 'executable' ? [path] : ['/bin/bash', path];
      const outcome = await runAsTreeOwner(jail, { ...common, env, argv });
      demandDone(`the script ${path} failed`, outcome);
      log.push(`script: ${path}`);
      if (!remove) continue;
      const removed = await runAsTreeOwner(jail, { ...common, argv: [...ownerTool('rm'), '-f', path] });
      demandDone(`cannot remove the script ${path}`, removed);
    }
    // For a query rpm makes no new database, but it does fail.
    const query = (await test('-e', `${rpmdbPath}/rpmdb.sqlite`))
      ? await runAsTreeOwner(jail, { ...common, argv: queryCommand() })
      : undefined;
    demandDone('cannot read the tree', await packTree(jail, common, out));
    const isMount = (path: string): boolean =>
      ownerMounts.some((mount) => path === mount || path.startsWith(`${mount}/`));
    const after = await readBack(engine, before, join(out, 'tree.tar'), isMount, clock, refuseSpecial);
    return finish(before, after, query, log);
  } finally {
    await releaseTree(jail, common);
  }

  async function modeIn(path: string): Promise<'executable' | 'plain' | undefined> {
    if (!(await test('-f', path))) return undefined;
    return (await test('-x', path)) ? 'executable' : 'plain';
  }

  async function test(flag: string, path: string): Promise<boolean> {
    return (await runAsTreeOwner(jail, { ...common, argv: [...ownerTool('test'), flag, path] })).code === 0;
  }
}

function unpackCommand(): string[] {
  return [
    ...[...ownerTool('tar'), '--extract', '--numeric-owner', '--same-permissions', '--same-owner'],
    ...['--xattrs', '--xattrs-include=security.capability', '--directory=/'],
    // The sandbox's own mounts.
    ...['--anchored', ...ownerMounts.map((mount) => `--exclude=${mount.slice(1)}`)],
    `--file=${ownerMount}/in/tree.tar`,
  ];
}

/** The tree without the old database, with the packages that are left. @param query what the database lists, if it is there */
function finish(before: Tree, after: Tree, query: RunResult | undefined, log: readonly string[]): Scripted {
  const packages = leftPackages(before, after, query);
  const kept = new Set(packages.map(({ name }) => name));
  const entries = after.entries
    .filter(({ path }) => !isRpmdb(path) && !traces.has(path))
    .map((entry) => ({ ...entry, packages: entry.packages.filter((name) => kept.has(name)) }));
  const removed = before.packages.length - packages.length;
  const more = removed === 0 ? [] : [`the scripts removed ${removed} packages`];
  return { tree: { entries, packages }, hasRpmdb: query !== undefined, log: [...log, ...more] };
}

function refuseSpecial(path: string, kind: string): never {
  throw new WeirError('script-failed', `the scripts made ${path}, a ${kind}: an image has no such files`, {
    hint: 'let the running system make it: by a line in /usr/lib/tmpfiles.d',
  });
}
