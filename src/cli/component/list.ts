import type { Command } from 'commander';
import { selectComponents } from '../../project/select.ts';
import { componentRows } from '../../release/describe.ts';
import { examples, type GlobalOptions, printResult, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOrAll } from '../selection.ts';
import { projectFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components; default: all')
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
      const chosen = selectComponents(project, selectionOrAll(names, options));
      const rows = componentRows(project, chosen);
      printResult(settings, rows, () => {
        const cells = rows.map((row) => [row.name, row.spec, String(row.overlays), row.channel ?? '-']);
        return table(['COMPONENT', 'SPEC', 'OVERLAYS', 'CHANNEL'], cells, 'no components');
      });
    });
}
