import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { pushImage } from '../../release/push.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<image>', 'name of a container image that was built')
    .argument('<reference>', 'where to: registry.example.org/folder/name, with a tag if not the release’s version')
    .option('--index', 'the tag is an index of several architectures: only its own is replaced in it')
    .option('--plain-http', 'the registry has no TLS (loopback needs no telling)')
    .option('--out <dir>', 'where the image was built to')
    .addHelpText(
      'after',
      examples([
        'weir image push container-base registry.example.org/weir/base',
        'weir image push container-base localhost:5000/weir/base:latest',
      ]),
    )
    .action(
      async (image: string, reference: string, options: { index?: boolean; plainHttp?: boolean; out?: string }) => {
        const settings = globals();
        const workspace = await workspaceFor(settings, progressFor(settings), options.out);
        const report = await pushImage(workspace, image, reference, {
          plainHttp: options.plainHttp === true,
          index: options.index === true,
        });
        const { uploaded, there, bytes } = report.blobs;
        const lines = [
          `pushed     ${report.pushed}`,
          `tag        ${report.tag}`,
          `blobs      ${uploaded} sent (${megabytes(bytes)}), ${there} were there`,
          `referrers  ${report.referrers.length}`,
          ...(report.architectures === undefined ? [] : [`index      ${report.architectures.join(', ')}`]),
        ];
        printResult(settings, report, lines.join('\n'));
      },
    );
}
