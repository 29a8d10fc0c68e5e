import type { Command } from 'commander';
import { updateInputs } from '../../workspace/inputs-commands.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('[repositories...]', 'ids of repositories (default: all)')
    .addHelpText('after', examples(['weir inputs update', 'weir inputs update fedora updates']))
    .action(async (names: string[]) => {
      const settings = globals();
      const updated = await updateInputs(await workspaceFor(settings, progressFor(settings)), names);
      const lines = updated.flatMap(({ id, before, revision, changed, packages }) => [
        changed ? `${id}: ${before ?? 'not locked'} → ${revision}` : `${id}: unchanged (${revision})`,
        ...packages.map((pkg) => `  ${pkg.name} ${pkg.before} → ${pkg.after ?? 'gone'}`),
      ]);
      printResult(settings, updated, lines.join('\n'));
    });
}
