import type { Command } from 'commander';
import { pruneInputs } from '../../release/prune-inputs.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .description('drop packages from inputs.lock that neither components nor images need; builds what is not built yet')
    .addHelpText('after', examples(['weir inputs prune']))
    .action(async () => {
      const settings = globals();
      const dropped = await pruneInputs(await workspaceFor(settings, progressFor(settings)));
      printResult(settings, { dropped }, `${dropped} packages dropped from inputs.lock`);
    });
}
