import type { Command } from 'commander';
import { buildSelected } from '../../component/packages.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<names...>', 'names of components')
    .option('--skip-lock-validation', 'continue if a lock is missing or names another commit than the configuration')
    .addHelpText('after', examples(['weir component build less', 'weir component build less gzip --json']))
    .action(async (names: string[], { skipLockValidation = false }: { skipLockValidation?: boolean }) => {
      const settings = globals();
      const workspace = await workspaceFor(settings, progressFor(settings));
      const built = await buildSelected({ ...workspace, skipLockValidation }, names);
      const lines = built.flatMap((each) => [...each.packages, `${each.log} (log)`]);
      printResult(settings, built, lines.join('\n'));
    });
}
