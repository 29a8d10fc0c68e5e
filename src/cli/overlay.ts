import type { Command } from 'commander';
import { findComponent } from '../project/select.ts';
import { overlayRows } from '../release/describe.ts';
import { examples, type GlobalOptions, printResult, table } from './program.ts';
import { projectFor } from './workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command.addHelpText('after', examples(['weir overlay list', 'weir overlay list chrony --json']));
  command
    .command('list')
    .description('list overlays with their reasons, in the order in which they apply')
    .argument('[components...]', 'components; all where none is named')
    .addHelpText('after', examples(['weir overlay list', 'weir overlay list chrony less']))
    .action(async (names: string[]) => {
      const settings = globals();
      const project = await projectFor(settings);
      const components =
        names.length === 0 ? [...project.components.values()] : names.map((name) => findComponent(project, name));
      const rows = overlayRows(project, components);
      const cells = rows.map((row) => [
        row.component,
        String(row.number),
        row.type,
        row.category ?? '-',
        row.description,
      ]);
      const heading = ['COMPONENT', 'NO', 'TYPE', 'CATEGORY', 'REASON'];
      printResult(settings, rows, table(heading, cells, 'no overlays'));
    });
}
