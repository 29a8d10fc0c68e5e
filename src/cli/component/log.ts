import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { lastBuildLog } from '../../component/packages.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<name>', 'name of the component')
    .option('--path', 'print the path of the log instead')
    .addHelpText('after', examples(['weir component log less', 'weir component log less --path']))
    .action(async (name: string, options: { path?: boolean }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings));
      const found = await lastBuildLog(workspace, name);
      const text = options.path === true ? found.path : await readFile(found.path, 'utf8');
      printResult(settings, { component: name, ...found }, text.trimEnd());
    });
}
