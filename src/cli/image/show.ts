import { relative } from 'node:path';
import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { builtImage, imageFolder } from '../../release/published.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<name>', 'name of the image')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText('after', examples(['weir image show vm-base', "weir image show vm-base --json | jq '.files'"]))
    .action(async (name: string, options: { out?: string }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings), options.out);
      const record = await builtImage(workspace, name);
      const dir = imageFolder(workspace, name);
      const lines = [
        `image      ${record.name} (${record.kind})`,
        `folder     ${relative(process.cwd(), dir) || '.'}`,
        `system     ${record.osRelease.PRETTY_NAME ?? record.osRelease.NAME ?? 'unknown'}`,
        `snapshot   ${record.snapshot}`,
        `inputs     ${record.inputs}`,
        `installed  ${megabytes(record.installedSize)}, ${record.packages.length} packages`,
        ...Object.entries(record.details).map(([key, value]) => `${key.padEnd(10)} ${words(value)}`),
        '',
        table(
          ['FILE', 'SIZE', 'SHA-256'],
          record.files.map((file) => [file.path, megabytes(file.size), file.sha256]),
          'no files',
        ),
        '',
        table(
          ['PACKAGE', 'FROM'],
          record.packages.map((pkg) => [pkg.nevra, pkg.origin]),
          'no packages',
        ),
      ];
      printResult(settings, { ...record, dir }, lines.join('\n'));
    });
}

function words(value: unknown): string {
  if (Array.isArray(value)) return value.join(' ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
