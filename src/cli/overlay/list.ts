import type { Command } from 'commander';
import { selectComponents } from '../../project/select.ts';
import { overlayRows } from '../../release/describe.ts';
import { examples, type GlobalOptions, printResult, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOrAll } from '../selection.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components; default: all')
    .addHelpText(
      'after',
      examples(['weir overlay list', 'weir overlay list chrony less', "weir overlay list -p 'python-*' --json"]),
    )
    .action(async (names: string[], options: SelectionOptions) => {
      const settings = globals();
      const project = await projectFor(settings);
      const chosen = selectComponents(project, selectionOrAll(names, options));
      const rows = overlayRows(project, chosen);
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
