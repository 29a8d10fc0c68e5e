import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { builtRelease } from '../../release/published.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--out <dir>', 'output folder of the build')
    .addHelpText('after', examples(['weir release show', "weir release show --json | jq '.images[].packages'"]))
    .action(async (options: { out?: string }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const release = await builtRelease(workspace);
      const channels = release.channels.map(({ name, packages }) => `${packages.length} ${name}`).join(', ');
      const cells = release.images.map(({ name, kind, packages, installedSize }) => [
        name,
        kind,
        String(packages.length),
        megabytes(installedSize),
      ]);
      const lines = [
        `version     ${release.version}`,
        `snapshot    ${release.snapshot}`,
        `packages    ${channels}`,
        `components  ${release.components.length}`,
        '',
        table(['IMAGE', 'KIND', 'PACKAGES', 'SIZE'], cells, 'no images'),
      ];
      printResult(settings, release, lines.join('\n'));
    });
}
