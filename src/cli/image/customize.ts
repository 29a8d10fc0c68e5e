import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { type Customization, readCustomization } from '../../release/custom/customization.ts';
import { type CustomOutput, customizeImage, imageOfFile } from '../../release/custom/customize.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { addBuildOptions, type BuildCommandOptions, buildOptionsOf, withResults } from '../build-options.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

interface Options extends BuildCommandOptions {
  readonly imageFile?: string;
  readonly imageConfig: string;
  readonly outputPath?: string;
  readonly outputImageFormat?: string;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addBuildOptions(command.argument('[image]', 'name of the image to derive from'))
    .option('--image-file <file>', 'a file of a built image of the project, instead of its name')
    .requiredOption('--image-config <file>', 'what to change, as YAML')
    .option('--output-path <path>', 'file (.raw, .qcow2, .vhd, .vhdx, .wsl) or new folder to write')
    .option(
      '--output-image-format <format>',
      "raw, qcow2, vhd, vhd-fixed, vhdx, oci or wsl; default: by the path's ending",
    )
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      `
Of Image Customizer's configuration: os.packages, additionalFiles,
additionalDirs, users, groups, services, kernelCommandLine.extraCommandLine,
hostname and selinux.mode. Anything else is an error with its line.

The new image is built from the packages of the release, with SBOM and
provenance beside it in PATH.evidence. The given file is not changed.
${examples([
  'weir image customize vm-base --image-config web.yaml --output-path web.qcow2',
  'weir image customize --image-file out/images/vm-base/vm-base.raw --image-config web.yaml --output-path web.vhd',
  'weir image customize container-base --image-config tools.yaml --output-path tools/',
])}`,
    )
    .action(async (name: string | undefined, options: Options) => {
      const settings = globals();
      const custom = await readCustomization(resolve(options.imageConfig));
      const path = options.outputPath === undefined ? custom.output.path : resolve(options.outputPath);
      if (path === undefined) {
        throw new WeirError('bad-option', 'missing --output-path', {
          hint: 'or set output.image.path in the file',
          exit: 2,
        });
      }
      const opened = await workspaceFor(settings, progressFor(settings), options.out);
      const workspace = { ...opened, repositories: options.repo ?? [] };
      const from = await baseOf(workspace, name, options, custom);
      if (custom.update.length > 0) {
        const what = 'packages.update needs nothing: every package comes from the newest snapshot of the release';
        process.stderr.write(settings.quiet ? '' : `note: ${what}\n`);
      }
      await withResults(settings, async () => {
        const output = outputOf(path, options, custom);
        const { record, ...made } = await customizeImage(workspace, from, custom, output, buildOptionsOf(options));
        const here = (each: string): string => relative(process.cwd(), each) || '.';
        const lines = [
          `image     ${here(made.path)}  (${record.packages.length} packages)`,
          ...(made.evidence === made.path ? [] : [`evidence  ${here(made.evidence)}`]),
        ];
        printResult(settings, { ...made, snapshot: record.snapshot, files: record.files }, lines.join('\n'));
      });
    });
}

/** The output, with the lines of the configuration for what no option names. */
function outputOf(path: string, { outputPath, outputImageFormat }: Options, custom: Customization): CustomOutput {
  const place = (key: string) => custom.placeOf(['output', 'image', key]);
  const places = {
    ...(outputPath === undefined ? { path: place('path') } : {}),
    ...(outputImageFormat === undefined ? { format: place('format') } : {}),
  };
  return { path, format: outputImageFormat ?? custom.output.format, places };
}

/** The image to derive from: the argument, or the one that a file was built as. */
async function baseOf(
  workspace: Workspace,
  name: string | undefined,
  { imageFile }: Options,
  { input }: Customization,
): Promise<string> {
  const file = imageFile === undefined ? (name === undefined ? input : undefined) : resolve(imageFile);
  if (name !== undefined && file !== undefined) {
    throw new WeirError('bad-option', 'an image and --image-file exclude each other', { exit: 2 });
  }
  if (file !== undefined) return imageOfFile(workspace, file);
  if (name !== undefined) return name;
  throw new WeirError('no-image', 'missing argument: image', { hint: 'name an image, or use --image-file', exit: 2 });
}
