import type { Command } from 'commander';
import { manifestOfInputs } from '../../workspace/inputs-commands.ts';
import { examples, type GlobalOptions, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir inputs manifest > packages.manifest.yaml'])).action(async () => {
    const settings = globals();
    process.stdout.write(await manifestOfInputs(await workspaceFor(settings, progressFor(settings))));
  });
}
