import type { Command } from 'commander';
import { plural } from '../../base/plural.ts';
import { verifyRelease } from '../../release/verify.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--out <dir>', 'output folder of the build')
    .addHelpText('after', examples(['weir release verify', "weir release verify --json | jq -r '.faults[].path'"]))
    .action(async (options: { out?: string }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const result = await verifyRelease(workspace);
      const { images, packages, files, feeds, faults } = result;
      const lines = faults.map(({ path, fault, message }) => `${fault.padEnd(7)}  ${path}: ${message}`);
      const sum = `${files} files of ${images} images and ${packages} packages:`;
      lines.push(faults.length === 0 ? `${sum} all unchanged` : `${sum} ${plural(faults.length, 'fault')}`);
      if (feeds !== undefined) {
        const counts = Object.entries(feeds).map(([name, count]) => `${name} ${count}`);
        lines.push(`statements in feeds: ${counts.join(', ')}`);
      }
      printResult(settings, result, lines.join('\n'));
      if (!result.ok) process.exitCode = 1;
    });
}
