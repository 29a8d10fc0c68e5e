import { relative } from 'node:path';
import type { Command } from 'commander';
import { plainValue, projectSummary } from '../release/describe.ts';
import { examples, type GlobalOptions, printResult } from './program.ts';
import { projectFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir config show', 'weir -C my-distro config show']));
  command
    .command('show')
    .description('show the project in short; with --json all of it, as resolved')
    .addHelpText('after', examples(['weir config show', "weir config show --json | jq '.components | keys'"]))
    .action(async () => {
      const settings = globals();
      const project = await projectFor(settings);
      const summary = projectSummary(project);
      const counts = (values: Readonly<Record<string, number>>): string =>
        Object.entries(values)
          .map(([name, count]) => `${count} ${name}`)
          .join(', ') || 'none';
      const { release } = summary;
      const lines = [
        `project     ${relative(process.cwd(), summary.file)} (${summary.files} files)`,
        ...(summary.description === undefined ? [] : [`            ${summary.description}`]),
        release === undefined
          ? 'release     none'
          : `release     ${release.version}, snapshot ${release.snapshot}, ${release.architectures.join(' ')}`,
        `channels    ${release?.channels.join(', ') ?? 'none'}`,
        `components  ${summary.components.total}: ${counts(summary.components.bySource)}`,
        `overlays    ${summary.overlays.total}: ${counts(summary.overlays.byType)}`,
        `            ${counts(summary.overlays.byCategory)}`,
        `images      ${summary.images.join(', ') || 'none'}`,
        `inputs      ${summary.inputs.join(', ') || 'none'}`,
        `toolbox     ${summary.toolbox}`,
        `signing     ${summary.signing}`,
      ];
      printResult(settings, plainValue(project), lines.join('\n'));
    });
}
