import type { Command } from 'commander';
import { type HistoryRow, historyReport, storyText } from '../../history/history-report.ts';
import { selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOrAll } from '../selection.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  readonly includeBare?: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components, default: all; for a single one, shows what each commit changed')
    .option('--include-bare', 'show components that only inherit settings, too')
    .addHelpText(
      'after',
      examples([
        'weir component history bash',
        "weir component history -p 'python-*'",
        "weir component history --json | jq '.[:10][] | [.component, .changes]'",
      ]),
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const components = selectComponents(workspace.project, selectionOrAll(names, options));
      const rows = await historyReport(workspace, components);
      const named = new Set(names);
      const shown = rows.filter(
        ({ component, customizations }) =>
          customizations.length > 0 || options.includeBare === true || named.has(component) || rows.length === 1,
      );
      const [row] = shown;
      const text = row?.commits === undefined ? rowsText(shown) : storyText(row, row.commits);
      printResult(settings, shown, text);
    });
}

function rowsText(rows: readonly HistoryRow[]): string {
  const cells = rows.map((row) => [
    row.component,
    `${row.changes}${row.cutOff ? ' or more' : ''}`,
    String(row.customizations.length),
    `${row.tomlCommits}${row.tomlShared ? ' (shared)' : ''}`,
    row.last?.slice(0, 10) ?? '-',
  ]);
  const heading = ['COMPONENT', 'CHANGES', 'CUSTOMIZATIONS', 'TOML COMMITS', 'LAST'];
  return table(heading, cells, 'no component has settings of its own (--include-bare lists all)');
}
