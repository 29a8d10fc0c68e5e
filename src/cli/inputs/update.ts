import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { lockManifest, updateInputs } from '../../workspace/inputs-commands.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { workspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('[repositories...]', 'ids of repositories (default: all)')
    .option('--manifest <file>', 'lock the packages that this package manifest of dnf5 lists, in the locked state')
    .addHelpText('after', examples(['weir inputs update', 'weir inputs update fedora updates']))
    .action(async (names: string[], { manifest }: { manifest?: string }) => {
      const settings = globals();
      if (manifest !== undefined) {
        if (names.length > 0) {
          throw new WeirError('bad-option', '--manifest names the repositories itself: leave out the ids', { exit: 2 });
        }
        const locked = await lockManifest(await workspaceFor(settings, progressFor(settings)), manifest);
        printResult(settings, locked, `${locked.packages} packages locked, ${locked.added} of them new`);
        return;
      }
      const updated = await updateInputs(await workspaceFor(settings, progressFor(settings)), names);
      const lines = updated.flatMap(({ id, before, revision, changed, packages }) => [
        changed ? `${id}: ${before ?? 'not locked'} → ${revision}` : `${id}: unchanged (${revision})`,
        ...packages.map((pkg) => `  ${pkg.name} ${pkg.before} → ${pkg.after ?? 'gone'}`),
      ]);
      printResult(settings, updated, lines.join('\n'));
    });
}
