import type { Command } from 'commander';
import { formatError, WeirError } from '../../base/errors.ts';
import { plural } from '../../base/plural.ts';
import { changedComponents, changedText } from '../../history/component-changes.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOrAll } from '../selection.ts';
import { loadOptions, projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  readonly from: string;
  readonly to: string;
  readonly includeUnchanged?: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components; default: all')
    .requiredOption('--from <ref>', 'commit of the project to compare from; . is the working tree')
    .option('--to <ref>', 'commit to compare to; . is the working tree', 'HEAD')
    .option('--include-unchanged', 'list unchanged components, too')
    .addHelpText(
      'after',
      examples([
        'weir component changed --from HEAD~1',
        'weir component changed --from origin/main --to .',
        "weir component changed --from v1 --to v2 -p 'python-*' --include-unchanged",
        "weir component changed --from v1 --json | jq '.components[] | select(.sourcesChanged).component'",
      ]),
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const report = await changedComponents(workspace.project, workspace.engine.scratch, {
        from: options.from,
        to: options.to,
        selection: selectionOrAll(names, options),
        unchanged: options.includeUnchanged === true,
        load: loadOptions(settings, workspace.project.root),
      });
      printResult(settings, report, changedText(report));
      const drifted = report.components.filter((each) => each.drifted).map((each) => each.component);
      if (drifted.length === 0) return;
      process.stderr.write(`${formatError(driftError(drifted))}\n`);
      process.exitCode = 1;
    });
}

function driftError(names: readonly string[]): WeirError {
  return new WeirError(
    'drifted',
    `the rendered sources of ${plural(names.length, 'component')} changed without a change of their inputs`,
    {
      details: names,
      hint: 'they may have been edited by hand: run weir component render and commit the result',
    },
  );
}
