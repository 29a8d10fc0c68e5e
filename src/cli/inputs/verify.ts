import type { Command } from 'commander';
import { verifyInputs } from '../../workspace/inputs-commands.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir inputs verify', 'weir inputs verify --json'])).action(async () => {
    const settings = globals();
    const result = await verifyInputs(await workspaceFor(settings, progressFor(settings)));
    const lines = result.faults.map(({ repository, what, fault }) => `${repository}: ${what}: ${fault}`);
    const summary =
      result.faults.length === 0
        ? `${result.files} files: all in the cache and unchanged`
        : `${result.faults.length} of ${result.files} files are missing or changed`;
    printResult(settings, result, [...lines, summary].join('\n'));
    if (result.faults.length > 0) process.exitCode = 1;
  });
}
