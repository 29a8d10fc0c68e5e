import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { injectFiles } from '../../release/custom/inject.ts';
import { readInjections } from '../../release/custom/inject-config.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly imageFile: string;
  readonly imageConfig: string;
  readonly outputPath: string;
  readonly outputImageFormat?: string;
}

/** FAT knows no earlier time. */
const earliest = 315_532_800;

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .requiredOption('--image-file <file>', 'the disk: raw, qcow2, VHD or VHDX')
    .requiredOption('--image-config <file>', 'files and partitions, as YAML')
    .requiredOption('--output-path <file>', 'the disk to write')
    .option(
      '--output-image-format <format>',
      "raw, qcow2, vhd, vhd-fixed or vhdx; default: by the path's ending, else as the input",
    )
    .addHelpText(
      'after',
      `
Puts files, such as signed boot loaders, into partitions of a disk. The file:

  injectFiles:
  - partition: { idType: part-uuid, id: b9f59ced-d1a6-44a7-91d9-4d623a39b032 }
    source: ./signed/BOOTX64.EFI
    destination: /EFI/BOOT/BOOTX64.EFI

idType is part-uuid, part-label or uuid. Partitions are FAT or ext4. The given
disk is not changed.
${examples(['weir image inject-files --image-file vm.raw --image-config signed.yaml --output-path signed.vhd'])}`,
    )
    .action(async (options: Options) => {
      const settings = globals();
      const injections = await readInjections(resolve(options.imageConfig));
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const output = { path: resolve(options.outputPath), format: options.outputImageFormat };
      const epoch = Math.max(earliest, workspace.project.release?.epoch ?? earliest);
      const made = await injectFiles(workspace, resolve(options.imageFile), injections, output, epoch);
      const rows = made.files.map((file) => [file.destination, `${file.partition} (${file.fileSystem})`, file.sha256]);
      printResult(settings, made, () =>
        [
          table(['FILE', 'PARTITION', 'SHA-256'], rows, 'no files'),
          '',
          `${relative(process.cwd(), made.path) || made.path} (${made.format})`,
        ].join('\n'),
      );
    });
}
