import { relative } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../base/errors.ts';
import { buildRelease } from '../release/build.ts';
import { checkImageName } from '../release/published.ts';
import { addBuildOptions, type BuildCommandOptions, buildOptionsOf, withResults } from './build-options.ts';
import { examples, type GlobalOptions, printResult, progressFor } from './program.ts';
import { workspaceFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  addBuildOptions(command)
    .option('--image <name...>', 'build only these images')
    .option('--no-images', 'stop after the repository')
    .option('--out <dir>', 'output folder (default: out in the parent folder of the project)')
    .addHelpText('after', examples(['weir build', 'weir build --image vm-base', 'weir build --no-images --keep-going']))
    .action(async (options: BuildCommandOptions & { image?: string[]; images: boolean; out?: string }) => {
      const settings = globals();
      const opened = await workspaceFor(settings, progressFor(settings), options.out);
      const workspace = { ...opened, repositories: options.repo ?? [] };
      if (options.image !== undefined && !options.images) {
        throw new WeirError('bad-option', '--image and --no-images exclude each other', { exit: 2 });
      }
      for (const name of options.image ?? []) checkImageName(workspace.project, name);
      await withResults(settings, async () => {
        const release = await buildRelease(workspace, options.images ? options.image : [], buildOptionsOf(options));
        const here = (path: string): string => relative(process.cwd(), path) || '.';
        const lines = [
          `repository  ${here(release.repository.snapshot.dir)}`,
          ...release.images.map(({ record, dir }) => `image       ${here(dir)}  (${record.packages.length} packages)`),
          `evidence    ${here(workspace.out)}/release.json`,
        ];
        const value = {
          snapshot: release.repository.snapshot.name,
          repository: release.repository.snapshot.dir,
          images: release.images.map(({ record, dir, cached }) => ({
            name: record.name,
            dir,
            cached,
            files: record.files,
          })),
          components: release.built.components.map(({ component, cached }) => ({ name: component, cached })),
          stages: workspace.progress.finished,
        };
        printResult(settings, value, lines.join('\n'));
      });
    });
}
