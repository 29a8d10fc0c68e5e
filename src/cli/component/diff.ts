import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { diffComponent } from '../../component/render/render.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command)
    .option('--skip-lock-validation', 'continue if a lock is missing or names another commit than the configuration')
    .addHelpText('after', examples(['weir component diff less', "weir component diff -p 'python-*' | less"]))
    .action(async (names: string[], options: SelectionOptions & { skipLockValidation?: boolean }) => {
      const settings = globals();
      const selection = selectionOf(names, options);
      if (isEmptySelection(selection)) {
        throw new WeirError('no-selection', 'no component selected', {
          hint: 'name components, or use -a for all',
          exit: 2,
        });
      }
      const opened = await projectWorkspaceFor(settings, progressFor(settings));
      const workspace = { ...opened, skipLockValidation: options.skipLockValidation === true };
      const chosen = selectComponents(workspace.project, selection);
      const diffs: { component: string; diff: string }[] = [];
      for (const component of chosen) {
        diffs.push({ component: component.name, diff: await diffComponent(workspace, component) });
      }
      printResult(
        settings,
        diffs,
        diffs
          .map(({ diff }) => diff)
          .join('')
          .trimEnd(),
      );
    });
}
