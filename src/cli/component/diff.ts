import type { Command } from 'commander';
import { diffComponent } from '../../release/render.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<name>', 'name of the component')
    .addHelpText('after', examples(['weir component diff less', 'weir component diff less | less']))
    .action(async (name: string) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const text = await diffComponent(workspace, name);
      printResult(settings, { component: name, diff: text }, text.trimEnd());
    });
}
