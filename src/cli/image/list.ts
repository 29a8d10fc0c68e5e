import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { megabytes } from '../../base/progress.ts';
import { imageShape } from '../../release/describe.ts';
import { asWeirImage } from '../../release/image/kiwi.ts';
import { imageFolder, readImage } from '../../release/published.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--out <dir>', 'output folder of the build')
    .addHelpText('after', examples(['weir image list', 'weir image list --json']))
    .action(async (options: { out?: string }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const rows = [];
      for (const image of workspace.project.images.values()) {
        const record = await readImage(workspace, image.name);
        const made = asWeirImage(workspace, image);
        const unread = made instanceof WeirError ? { notChecked: made.message } : {};
        const { kind, formats } = imageShape(made instanceof WeirError ? image : made);
        const { name, description } = image;
        const built = record && {
          snapshot: record.snapshot,
          packages: record.packages.length,
          installedSize: record.installedSize,
          dir: imageFolder(workspace, name),
        };
        rows.push({ name, description, kind, formats, ...unread, built });
      }
      const cells = rows.map(({ name, kind, formats, notChecked, built }) => [
        name,
        kind,
        notChecked === undefined ? formats.join(' ') : `not checked: ${notChecked}`,
        built === undefined ? 'not built' : `${built.packages} packages, ${megabytes(built.installedSize)}`,
      ]);
      printResult(settings, rows, table(['IMAGE', 'KIND', 'FORMATS', 'BUILT'], cells, 'no images'));
    });
}
