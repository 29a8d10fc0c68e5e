import { resolve } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import type { Project } from '../../project/model/project.ts';
import { type LookedUpPackage, lookUpPackages, lookUpSourceMap, readSourceMap } from '../../release/package-lookup.ts';
import { builtRelease } from '../../release/published.ts';
import { examples, type GlobalOptions, gather, printResult, progressFor, table } from '../program.ts';
import { projectFor, projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly channel?: string;
  readonly own?: boolean;
  readonly all?: boolean;
  readonly configured?: boolean;
  readonly package?: readonly string[];
  readonly rpmFile?: string;
  readonly synthesizeDebugPackages?: boolean;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('[names...]', 'packages to look up in the configuration, built or not')
    .option('-p, --package <name>', 'the same (may be repeated)', gather)
    .option('-a, --all', 'packages that components and groups name; default for a project without [release]')
    .option('--configured', 'the same as --all')
    .option(
      '--rpm-file <file>',
      'packages of a JSON file, [{ "packageName": …, "sourcePackageName": … }], and their sources',
    )
    .option('--synthesize-debug-packages', 'add the debuginfo packages, and the debugsource package of each component')
    .option('--channel <name>', 'only packages of this channel')
    .option('--own', 'of the last release: only packages built by components')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Without names or options: the packages of the last release built. Names, -a and
--rpm-file look up what the configuration says of packages: their type, channel,
package group, component and its groups. That needs no build.
${examples([
  'weir package list --own',
  'weir package list curl libcurl',
  'weir package list -a --channel base --json',
  'weir package list --rpm-file rpms.json --json',
])}`,
    )
    .action(async (words: string[], options: Options) => {
      const settings = globals();
      const names = [...words, ...(options.package ?? [])];
      checkOptions(names, options);
      const all = options.all === true || options.configured === true;
      const looksUp = all || names.length > 0 || options.rpmFile !== undefined;
      const ofChannel = <T extends { readonly channel?: string | undefined }>(rows: readonly T[]): readonly T[] =>
        options.channel === undefined ? rows : inChannel(rows, options.channel);
      const workspace = looksUp ? undefined : await projectWorkspaceFor(settings, progressFor(settings), options.out);
      // A project of azldev's has no release: what it names is all that can be listed.
      if (workspace?.project.release === undefined) {
        const project = workspace?.project ?? (await projectFor(settings));
        const rows = ofChannel(await lookedUp(project, names, looksUp ? options : { ...options, all: true }));
        printResult(settings, rows, () => lookupTable(rows));
        return;
      }
      const release = await builtRelease(workspace);
      const rows = ofChannel(
        release.channels.flatMap((channel) => channel.packages.map((pkg) => ({ ...pkg, channel: channel.name }))),
      ).filter((pkg) => options.own !== true || pkg.origin !== 'seed');
      const cells = rows.map((row) => [row.nevra, row.channel, row.origin, row.debian ?? '']);
      printResult(settings, rows, table(['PACKAGE', 'CHANNEL', 'FROM', 'DEBIAN SOURCE'], cells, 'no packages'));
    });
}

/** The rows of a channel; without any, says which channels there are. */
function inChannel<T extends { readonly channel?: string | undefined }>(
  rows: readonly T[],
  name: string,
): readonly T[] {
  const found = rows.filter(({ channel }) => channel === name);
  const others = [...new Set(rows.flatMap(({ channel }) => channel ?? []))].sort(compareText);
  if (found.length === 0 && others.length > 0)
    process.stderr.write(`hint: no package is in the channel ${name}; those listed are in ${others.join(', ')}\n`);
  return found;
}

function checkOptions(names: readonly string[], options: Options): void {
  const all = options.all === true || options.configured === true;
  const debug = options.synthesizeDebugPackages === true;
  const wrong =
    options.rpmFile !== undefined && (all || names.length > 0 || debug)
      ? '--rpm-file excludes names, --all and --synthesize-debug-packages'
      : debug && !all && names.length === 0
        ? '--synthesize-debug-packages needs names or --all'
        : options.own === true && (all || names.length > 0 || options.rpmFile !== undefined)
          ? '--own is for the packages of a release, not for a look-up'
          : undefined;
  if (wrong !== undefined) throw new WeirError('bad-option', wrong, { hint: 'run with --help for usage', exit: 2 });
}

async function lookedUp(project: Project, names: readonly string[], options: Options): Promise<LookedUpPackage[]> {
  if (options.rpmFile === undefined) {
    const all = options.all === true || options.configured === true;
    return lookUpPackages(project, names, { all, debug: options.synthesizeDebugPackages === true });
  }
  const { rows, conflicts } = lookUpSourceMap(project, await readSourceMap(resolve(options.rpmFile)));
  for (const each of conflicts) process.stderr.write(`warning: listed for two sources, the first counts: ${each}\n`);
  return rows;
}

function lookupTable(rows: readonly LookedUpPackage[]): string {
  const cells = rows.map((row) => [
    row.package,
    row.type,
    row.channel ?? 'none',
    row.component ?? '-',
    row.packageGroups.join(' ') || '-',
    row.componentGroups.join(' ') || '-',
  ]);
  return table(['PACKAGE', 'TYPE', 'CHANNEL', 'COMPONENT', 'PACKAGE GROUP', 'COMPONENT GROUPS'], cells, 'no packages');
}
