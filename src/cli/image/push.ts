import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { pushImage } from '../../release/push.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<image>', 'name of a built container image')
    .argument(
      '<reference>',
      'target, such as registry.example.org/folder/name[:tag]; the tag defaults to the version of the release',
    )
    .option('--index', 'push to an index of several architectures and replace only the image’s own')
    .option('--plain-http', 'use HTTP without TLS (default for loopback addresses)')
    .option('--out <dir>', 'output folder of the build')
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
          `blobs      ${uploaded} sent (${megabytes(bytes)}), ${there} already present`,
          `referrers  ${report.referrers.length}`,
          ...(report.architectures === undefined ? [] : [`index      ${report.architectures.join(', ')}`]),
        ];
        printResult(settings, report, lines.join('\n'));
      },
    );
}
