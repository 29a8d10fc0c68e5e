import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { lastLines, type RunResult } from '../base/process.ts';
import { type Engine, perform, readOutput } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import type { Jail } from '../engine/jail.ts';
import { scriptLimits } from '../engine/limits.ts';
import { blobFile, withLinks } from '../engine/store.ts';
import {
  claimTree,
  ownerMount,
  ownerMounts,
  ownerTool,
  ownerTools,
  releaseTree,
  runAsTreeOwner,
  type TreeOwnerStep,
} from '../engine/tree-owner.ts';
import { nvra, type RepoPackage } from '../repo/metadata.ts';
import { stripScripts } from '../rpm/strip-scripts.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { composeTree } from './compose.ts';
import { rpmdbPath } from './finalise.ts';
import { readBack } from './read-back.ts';
import { classifyScript, isRunByRpm, runsAtInstall } from './scriptlets.ts';
import type { Tree, TreePackage } from './tree.ts';

export interface InstallOptions {
  /** Time of files that scriptlets write, in seconds since 1970; programs see it as SOURCE_DATE_EPOCH. */
  readonly clock: number;
}

export interface Installed {
  readonly tree: Tree;
  /** What was done with each scriptlet, one line each. */
  readonly log: readonly string[];
  /** Scriptlets whose failure rpm only warns about. */
  readonly warnings: readonly string[];
}

/**
 * The tree of these packages with the effects of their scriptlets, before finalising. If no scriptlet has to run, the tree is composed
 * from the packages' files; otherwise, rpm installs the packages into an empty root in a sandbox.
 * @throws WeirError `file-conflict`; `scriptlet-failed` for a scriptlet whose failure stops its package
 */
export async function installTree(
  engine: Engine,
  toolbox: Toolbox,
  packages: readonly RepoPackage[],
  options: InstallOptions,
): Promise<Installed> {
  const composed = await composeTree(engine, packages);
  const isRun = composed.packages.some((pkg) => pkg.scriptlets.some((script) => script.class === 'run'));
  const log = composed.packages.flatMap((pkg) => scriptletLines(pkg, isRun));
  if (!isRun) return { tree: composed, log, warnings: [] };
  const result = await perform(engine, {
    kind: 'install-tree',
    code: codeDigest(import.meta.url),
    inputs: { tree: valueDigest(composed), toolbox: toolbox.digest, clock: options.clock },
    run: async (work) => {
      const installed = await runRpm(engine, toolbox, composed, options.clock, work);
      await writeFile(join(work, 'tree.json'), JSON.stringify(installed));
      return { files: { tree: join(work, 'tree.json') } };
    },
  });
  const { tree, warnings } = JSON.parse(await readOutput(engine, result, 'tree')) as Omit<Installed, 'log'>;
  return { tree, log: [...log, ...warnings.map((warning) => `warning: ${warning}`)], warnings };
}

/** @param isRun whether rpm installs the tree */
function scriptletLines(pkg: TreePackage, isRun: boolean): string[] {
  const words = { run: 'run', finaliser: 'skipped', refused: 'refused' } as const;
  return pkg.scriptlets.map((script) => {
    const done = isRun && isRunByRpm(script) ? 'run' : words[script.class];
    return `scriptlet ${done}: ${pkg.name} %${script.name} (${script.reason})`;
  });
}

/** Files that an installation leaves behind and that do not depend on the packages. */
export const traces: ReadonlySet<string> = new Set([
  '/etc/.pwd.lock',
  '/etc/passwd-',
  '/etc/group-',
  '/etc/shadow-',
  '/etc/gshadow-',
  '/etc/.updated',
]);

async function runRpm(
  engine: Engine,
  toolbox: Toolbox,
  composed: Tree,
  clock: number,
  work: string,
): Promise<Omit<Installed, 'log'>> {
  const { jail } = toolbox;
  const [tree, out, rpms] = ['tree', 'out', 'rpms'].map((name) => join(work, name)) as [string, string, string];
  for (const folder of [tree, out, rpms]) await mkdir(folder, { mode: 0o755 });
  for (const folder of [tree, out]) await claimTree(jail, folder);
  const limits = { ...scriptLimits, ...toolbox.limits };
  const env = { SOURCE_DATE_EPOCH: String(clock), RPM_CONFIGDIR: `${ownerTools}/lib/rpm` };
  const common = { tree, tools: toolbox.root, limits, env };
  try {
    const links = await preparePackages(engine, composed.packages, rpms);
    const outcome = await withLinks(engine.store, rpms, links, () =>
      runAsTreeOwner(jail, {
        ...common,
        folders: { rpms: { from: rpms } },
        argv: rpmCommand(composed.packages),
      }),
    );
    const warnings = judge(outcome);
    const listed = await runAsTreeOwner(jail, { ...common, argv: queryCommand() });
    const names = new Set(listed.stdout.split('\n'));
    const missing = composed.packages.find((pkg) => !names.has(nvra(pkg)));
    if (missing !== undefined) throw failed(`rpm did not install ${nvra(missing)}`, outcome);
    const packed = await packTree(jail, common, out);
    if (packed.code !== 0) throw failed('cannot read the installed tree', packed);
    const isMount = (path: string): boolean =>
      ownerMounts.some((mount) => path === mount || path.startsWith(`${mount}/`));
    const installed = await readBack(engine, composed, join(out, 'tree.tar'), isMount, clock);
    return {
      tree: { ...installed, entries: installed.entries.filter(({ path }) => isWanted(composed, path)) },
      warnings,
    };
  } finally {
    await releaseTree(jail, common);
  }
}

/** Whether an entry belongs to the tree: it is neither left behind by the installation nor a mount point that no package contains. */
function isWanted(composed: Tree, path: string): boolean {
  // rpm's working database; finalising writes the tree's own.
  if (path.startsWith(`${rpmdbPath}/`) || traces.has(path)) return false;
  // The machine ID of this installation; systemd creates one at first boot.
  return path !== '/etc/machine-id' || composed.entries.some((entry) => entry.path === path);
}

/** Writes copies of packages, without the scriptlets to skip, into a folder. @returns the other packages, to be linked there */
async function preparePackages(
  engine: Engine,
  packages: readonly TreePackage[],
  folder: string,
): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const pkg of packages) {
    const file = `${nvra(pkg)}.rpm`;
    // The triggers of seed packages are in the RPM file, but not in the list of scriptlets.
    const known = new Set(pkg.scriptlets.map((script) => script.name));
    const stripped = await stripScripts(
      await blobFile(engine.store, pkg.rpm),
      join(folder, file),
      (script) =>
        runsAtInstall(script.name) &&
        !(known.has(script.name) && isRunByRpm({ name: script.name, ...classifyScript(script) })),
    );
    if (!stripped) links.set(file, pkg.rpm);
  }
  return links;
}

function rpmCommand(packages: readonly TreePackage[]): string[] {
  return [
    ...ownerTool('rpm'),
    // Disables rpm plugins of a tree that contains rpm itself.
    '--noplugins',
    '--dbpath',
    rpmdbPath,
    '--define',
    '_pkgverify_level none',
    '--define',
    `__systemd_sysusers ${ownerTool('systemd-sysusers').join(' ')}`,
    '-i',
    '--nodeps',
    '--nosignature',
    '--nodigest',
    '--ignoresize',
    '--ignorearch',
    '--ignoreos',
    '--oldpackage',
    ...ownerMounts.map((mount) => `--excludepath=${mount}`),
    ...packages.map((pkg) => `${ownerMount}/rpms/${nvra(pkg)}.rpm`),
  ];
}

/** Lists the packages in the database, in the form of `nvra`. */
export function queryCommand(): string[] {
  const format = '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\\n';
  return [...ownerTool('rpm'), '--noplugins', '--dbpath', rpmdbPath, '-qa', '--qf', format];
}

/** Packs a claimed tree into `tree.tar` in a claimed folder, for `readBack`. */
export function packTree(
  jail: Jail,
  step: Pick<TreeOwnerStep, 'tree' | 'tools' | 'limits'>,
  out: string,
): Promise<RunResult> {
  return runAsTreeOwner(jail, { ...step, folders: { out: { from: out, writable: true } }, argv: tarCommand() });
}

function tarCommand(): string[] {
  return [
    ...ownerTool('tar'),
    '--create',
    '--format=posix',
    '--pax-option=delete=atime,delete=ctime',
    '--sort=name',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=security.capability',
    '--one-file-system',
    '--directory=/',
    `--file=${ownerMount}/out/tree.tar`,
    '.',
  ];
}

const fatal = /^error: (?:%(\w+)\(([^)]+)\) scriptlet failed.*|(\S+): install failed)$/gm;

/** The warnings of rpm about scriptlets. @throws WeirError `scriptlet-failed` if a package was not installed */
function judge(outcome: RunResult): string[] {
  const [first] = outcome.stderr.matchAll(fatal);
  if (first !== undefined) {
    const [, script, pkg, other] = first;
    const what = script === undefined ? `${other} cannot be installed` : `%${sectionName(script)} of ${pkg} failed`;
    throw new WeirError('scriptlet-failed', what, {
      where: { package: pkg ?? other! },
      details: lastLines(`${outcome.stdout}\n${outcome.stderr}`, 15),
      hint: 'rpm would not install the package either; weir package scriptlets shows what it runs',
    });
  }
  const warnings = [...outcome.stderr.matchAll(/^warning: (%\w+\([^)]+\) scriptlet failed.*)$/gm)].map(
    ([, text]) => text!,
  );
  if (outcome.code !== 0 && warnings.length === 0) throw failed('rpm cannot install the packages', outcome);
  return warnings;
}

/** rpm's internal names of script sections that have another name in specs. */
function sectionName(name: string): string {
  return { prein: 'pre', postin: 'post' }[name] ?? name;
}

function failed(what: string, outcome: RunResult): WeirError {
  return new WeirError('install-failed', `${what}: exit code ${outcome.code}`, {
    details: lastLines(`${outcome.stdout}\n${outcome.stderr}`, 15),
  });
}
