import { relative } from 'node:path';
import type { Command } from 'commander';
import { builtRelease, channelFolder } from '../../release/published.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--out <dir>', 'output folder of the build')
    .addHelpText('after', examples(['weir repo list', "weir repo list --json | jq -r '.[].dir'"]))
    .action(async (options: { out?: string }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings), options.out);
      const release = await builtRelease(workspace);
      const rows = release.channels.map((channel) => ({
        name: channel.name,
        snapshot: release.snapshot,
        packages: channel.packages.length,
        own: channel.packages.filter((pkg) => pkg.origin !== 'seed').length,
        dir: channelFolder(workspace, release, channel.name),
      }));
      const cells = rows.map((row) => [
        row.name,
        String(row.packages),
        String(row.own),
        relative(process.cwd(), row.dir) || '.',
      ]);
      printResult(settings, rows, table(['REPOSITORY', 'PACKAGES', 'OWN', 'FOLDER'], cells, 'no repositories'));
    });
}
