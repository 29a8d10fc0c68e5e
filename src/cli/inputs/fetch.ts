import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { fetchInputs } from '../../workspace/inputs-commands.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir inputs fetch && weir --offline build'])).action(async () => {
    const settings = globals();
    const fetched = await fetchInputs(await workspaceFor(settings, progressFor(settings)));
    printResult(settings, fetched, `${fetched.packages} packages (${megabytes(fetched.size)}) are in the cache`);
  });
}
