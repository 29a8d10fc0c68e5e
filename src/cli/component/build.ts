import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { type BuiltFiles, buildSelected } from '../../component/packages.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import {
  addBuildOptions,
  type BuildCommandOptions,
  buildOptionsOf,
  resultTable,
  withResults,
} from '../build-options.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { workspaceFor } from '../workspace.ts';

interface ComponentBuildOptions extends SelectionOptions, BuildCommandOptions {
  readonly check: boolean;
  readonly preferInputs?: boolean;
  readonly skipLockValidation?: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addBuildOptions(addSelection(command))
    .option('--no-check', 'skip %check')
    .option('--prefer-inputs', 'take packages from a seed too if a component makes them, as from RPM repositories')
    .option('--skip-lock-validation', 'continue if a lock is missing or names another commit than the configuration')
    .addHelpText(
      'after',
      examples([
        'weir component build less',
        'weir component build less gzip --json',
        "weir component build -p 'python-*' --keep-going --jobs 4",
      ]),
    )
    .action(async (names: string[], options: ComponentBuildOptions) => {
      const settings = globals();
      const selection = selectionOf(names, options);
      if (isEmptySelection(selection)) {
        throw new WeirError('no-selection', 'no component selected', {
          hint: 'name components, or use -p GLOB, -g GROUP or -a',
          exit: 2,
        });
      }
      const { skipLockValidation = false } = options;
      const build = {
        ...buildOptionsOf(options),
        noCheck: !options.check,
        ...(options.preferInputs === true ? { replacesInputs: false } : {}),
      };
      await withResults(settings, async () => {
        const workspace = await workspaceFor(settings, progressFor(settings));
        const selected = selectComponents(workspace.project, selection).map(({ name }) => name);
        const built = await buildSelected(
          { ...workspace, skipLockValidation, repositories: options.repo ?? [] },
          selected,
          build,
        );
        printResult(settings, built, () => text(built));
      });
    });
}

/** The table, unless one component alone was built; then the packages' paths, each component's with its log. */
function text(built: readonly BuiltFiles[]): string {
  const isPlain = built.length === 1 && built[0]!.why === undefined;
  const table = isPlain ? [] : [resultTable(built.map(({ name, ...rest }) => ({ component: name, ...rest }))), ''];
  const paths = built.flatMap((each) => [...each.packages, ...(each.log === undefined ? [] : [`${each.log} (log)`])]);
  return [...table, ...paths].join('\n').trimEnd();
}
