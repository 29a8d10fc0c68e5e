import type { Command } from 'commander';
import { megabytes } from '../../base/progress.ts';
import { listInputs } from '../../workspace/inputs-commands.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir inputs list', 'weir inputs list --json'])).action(async () => {
    const settings = globals();
    const rows = await listInputs(await workspaceFor(settings, progressFor(settings)));
    const cells = rows.map(({ id, address, checksSignatures, locked }) => [
      id,
      locked?.revision ?? 'not locked',
      locked === undefined ? '' : String(locked.packages),
      locked === undefined ? '' : megabytes(locked.size),
      checksSignatures ? 'checked' : 'not checked',
      address,
    ]);
    const heads = ['REPOSITORY', 'REVISION', 'USED', 'SIZE', 'SIGNATURES', 'ADDRESS'];
    printResult(settings, rows, table(heads, cells, 'none: the project builds from the seed'));
  });
}
