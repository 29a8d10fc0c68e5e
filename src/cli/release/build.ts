import { relative } from 'node:path';
import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { checkedRelease } from '../../release/lint-release.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--out <dir>', 'output folder (default: out in the parent folder of the project)')
    .addHelpText('after', examples(['weir release build', 'weir release build --json | jq .images']))
    .action(async (options: { out?: string }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings), options.out);
      const { release, checks, ok } = await checkedRelease(workspace);
      const images = release.images.map(({ record, dir, cached }) => {
        const check = checks.get(record.name)!;
        const { name, kind, installedSize } = record;
        return { name, kind, dir, cached, packages: record.packages.length, installedSize, ...check };
      });
      const cells = images.map(({ name, kind, packages, installedSize, rules, broken, warnings }) => [
        name,
        kind,
        String(packages),
        megabytes(installedSize),
        `${rules - broken.length - warnings.length} of ${rules} rules pass`,
      ]);
      const lines = [
        `snapshot    ${release.repository.snapshot.name}`,
        `repository  ${relative(process.cwd(), release.repository.snapshot.dir) || '.'}`,
        `evidence    ${relative(process.cwd(), workspace.out) || '.'}/release.json`,
        '',
        table(['IMAGE', 'KIND', 'PACKAGES', 'SIZE', 'CHECKED'], cells, 'no images'),
      ];
      const value = { ok, snapshot: release.repository.snapshot.name, out: workspace.out, images };
      printResult(settings, value, lines.join('\n'));
      for (const { name, broken } of images) {
        for (const each of broken) process.stderr.write(`error: ${name}: ${each}\n`);
      }
      if (!ok) process.exitCode = 1;
    });
}
