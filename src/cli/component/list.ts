import type { Command } from 'commander';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { componentRows } from '../../release/describe.ts';
import { examples, type GlobalOptions, printResult, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components; all where none is named')
    .addHelpText(
      'after',
      examples([
        'weir component list',
        "weir component list -p 'python-*'",
        "weir component list --json | jq '.[].name'",
      ]),
    )
    .action(async (names: string[], options: SelectionOptions) => {
      const settings = globals();
      const project = await projectFor(settings);
      const selection = selectionOf(names, options);
      const chosen = isEmptySelection(selection)
        ? [...project.components.values()]
        : selectComponents(project, selection);
      const rows = componentRows(project, chosen);
      const cells = rows.map((row) => [row.name, row.spec, String(row.overlays), row.channel ?? '-']);
      printResult(settings, rows, table(['COMPONENT', 'SPEC', 'OVERLAYS', 'CHANNEL'], cells, 'no components'));
    });
}
