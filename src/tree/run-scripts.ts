import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { lastLines } from '../base/process.ts';
import { type Engine, perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import { scriptLimits } from '../engine/limits.ts';
import { claimTree, ownerMount, ownerMounts, ownerTool, releaseTree, runAsTreeOwner } from '../engine/tree-owner.ts';
import { nvra } from '../repo/metadata.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { rpmdbPath } from './finalise.ts';
import { packTree, traces } from './install.ts';
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
    if (unpacked.code !== 0) throw failed('cannot lay out the tree', unpacked);
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
      if (outcome.code !== 0) throw failed(`the script ${path} failed`, outcome);
      log.push(`script: ${path}`);
      if (remove) await runAsTreeOwner(jail, { ...common, argv: [...ownerTool('rm'), '-f', path] });
    }
    const query = await runAsTreeOwner(jail, { ...common, argv: queryCommand() });
    const packed = await packTree(jail, common, out);
    if (packed.code !== 0) throw failed('cannot read the tree', packed);
    const isMount = (path: string): boolean =>
      ownerMounts.some((mount) => path === mount || path.startsWith(`${mount}/`));
    const after = await readBack(engine, before, join(out, 'tree.tar'), isMount, clock);
    return finish(before, after, query.code === 0 ? query.stdout.split('\n') : [], log);
  } finally {
    await releaseTree(jail, common);
  }

  async function modeIn(path: string): Promise<'executable' | 'plain' | undefined> {
    const test = async (flag: string): Promise<boolean> =>
      (await runAsTreeOwner(jail, { ...common, argv: [...ownerTool('test'), flag, path] })).code === 0;
    if (!(await test('-f'))) return undefined;
    return (await test('-x')) ? 'executable' : 'plain';
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

/** Fails where the scripts removed the database: rpm makes no new one for a query. */
function queryCommand(): string[] {
  const exists = `test -e ${rpmdbPath}/rpmdb.sqlite`;
  const query = `exec ${ownerTool('rpm').join(' ')} --noplugins --dbpath ${rpmdbPath} -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\\n'`;
  return [...ownerTool('dash'), '-c', `${exists} && ${query}`];
}

/** The tree without the old database, with the packages that are left. @param installed what the database lists, or nothing */
function finish(before: Tree, after: Tree, installed: readonly string[], log: readonly string[]): Scripted {
  const hasRpmdb = after.entries.some(({ path }) => path === `${rpmdbPath}/rpmdb.sqlite`);
  const owners = new Set<string>();
  for (const { kind, packages } of after.entries)
    if (kind !== 'directory') for (const name of packages) owners.add(name);
  const hadFiles = new Set<string>();
  for (const { kind, packages } of before.entries)
    if (kind !== 'directory') for (const name of packages) hadFiles.add(name);
  const listed = new Set(installed);
  const packages = before.packages.filter((pkg) =>
    hasRpmdb ? listed.has(nvra(pkg)) : owners.has(pkg.name) || !hadFiles.has(pkg.name),
  );
  const kept = new Set(packages.map(({ name }) => name));
  const entries = after.entries
    .filter(({ path }) => !path.startsWith(`${rpmdbPath}/`) && !traces.has(path))
    .map((entry) => ({ ...entry, packages: entry.packages.filter((name) => kept.has(name)) }));
  const removed = before.packages.length - packages.length;
  const more = removed === 0 ? [] : [`the scripts removed ${removed} packages`];
  return { tree: { entries, packages }, hasRpmdb, log: [...log, ...more] };
}

function failed(
  what: string,
  outcome: { readonly code: number; readonly stdout: string; readonly stderr: string },
): WeirError {
  return new WeirError('script-failed', `${what}: exit code ${outcome.code}`, {
    details: lastLines(`${outcome.stdout}\n${outcome.stderr}`, 20),
  });
}
