import type { Command } from 'commander';
import { mergedTables } from '../../project/dump.ts';
import { printTables } from '../../project/toml.ts';
import { plain } from '../../project/trace.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { configurationFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--origins', 'show for each value where it comes from and which values it overrides')
    .addHelpText(
      'after',
      `
Prints all files of the project as one: with built-in values and defaults, but
without what components inherit from these, which "config resolve" shows. A
file with this text in the project's folder loads as the same project. Of what
the project includes, it names only the folder of pins.
${examples(['weir config dump', 'weir config dump --origins', "weir config dump --json | jq '.distros | keys'"])}`,
    )
    .action(async (options: { origins?: boolean }) => {
      const settings = globals();
      const configuration = await configurationFor(settings);
      const tables = mergedTables(configuration);
      const print = { origins: options.origins === true, root: configuration.project.root };
      printResult(settings, plain(tables), () => printTables(tables, print));
    });
}
