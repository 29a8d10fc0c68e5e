import type { Command } from 'commander';
import { configuredPackages } from '../../release/describe.ts';
import { builtRelease } from '../../release/published.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectFor, projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--channel <name>', 'only packages of this channel')
    .option('--own', 'only packages built by components')
    .option(
      '--configured',
      'packages that components and groups name, with their channels; default for a project without [release]',
    )
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      examples([
        'weir package list --own',
        'weir package list --configured',
        'weir package list --channel base --json',
      ]),
    )
    .action(async (options: { channel?: string; own?: boolean; configured?: boolean; out?: string }) => {
      const settings = globals();
      const workspace =
        options.configured === true
          ? undefined
          : await projectWorkspaceFor(settings, progressFor(settings), options.out);
      // A project of azldev's has no release: what it names is all that can be listed.
      if (workspace?.project.release === undefined) {
        const rows = configuredPackages(workspace?.project ?? (await projectFor(settings))).filter(
          (row) => options.channel === undefined || row.channel === options.channel,
        );
        const cells = rows.map((row) => [row.package, row.channel ?? 'none', row.component ?? '-', row.group ?? '-']);
        printResult(settings, rows, table(['PACKAGE', 'CHANNEL', 'COMPONENT', 'GROUP'], cells, 'no packages'));
        return;
      }
      const release = await builtRelease(workspace);
      const rows = release.channels
        .filter((channel) => options.channel === undefined || channel.name === options.channel)
        .flatMap((channel) => channel.packages.map((pkg) => ({ ...pkg, channel: channel.name })))
        .filter((pkg) => options.own !== true || pkg.origin !== 'seed');
      const cells = rows.map((row) => [row.nevra, row.channel, row.origin, row.debian ?? '']);
      printResult(settings, rows, table(['PACKAGE', 'CHANNEL', 'FROM', 'DEBIAN SOURCE'], cells, 'no packages'));
    });
}
