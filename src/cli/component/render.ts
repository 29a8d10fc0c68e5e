import type { Command } from 'commander';
import { errorJson, formatError } from '../../base/errors.ts';
import { renderComponents } from '../../component/render/render.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface RenderCommandOptions extends SelectionOptions {
  readonly check?: boolean;
  readonly clean?: boolean;
  readonly skipLockValidation?: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command, 'components; default: all')
    .option('--check', 'write nothing; list stale files and exit 1 if there are any')
    .option('--clean', 'remove rendered folders without a component')
    .option('--skip-lock-validation', 'continue if a lock is missing or names another commit than the configuration')
    .addHelpText(
      'after',
      examples([
        'weir component render',
        'weir component render less gzip',
        "weir component render -p 'python-*' -g base",
        'weir component render --check',
      ]),
    )
    .action(async (names: string[], options: RenderCommandOptions) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const asked = selectionOf(names, options);
      const all = asked.all || isEmptySelection(asked);
      const components = selectComponents(workspace.project, { ...asked, all });
      const { check = false, clean = false, skipLockValidation = false } = options;
      const report = await renderComponents(workspace, components, { check, clean, all, skipLockValidation });
      const failed = report.failed.map(({ component, error }) => ({ component, ...errorJson(error) }));
      const gone = (state: string): boolean => state === 'extra' || state === 'orphan';
      const lines = report.changed.map(
        ({ path, state }) => `${check ? state : gone(state) ? 'removed' : 'wrote'} ${path}`,
      );
      printResult(settings, { ...report, failed }, lines.join('\n'));
      for (const { component, warning } of report.warnings) process.stderr.write(`warning: ${component}: ${warning}\n`);
      for (const { error } of report.failed) process.stderr.write(`${formatError(error)}\n`);
      if (report.failed.length > 1) {
        const list = report.failed.map(({ component }) => component).join(', ');
        process.stderr.write(`error: failed to render ${report.failed.length} components: ${list}\n`);
      }
      const stale = check && report.changed.length > 0;
      if (stale) {
        process.stderr.write(
          `error: ${report.changed.length} rendered files are stale\nhint: run weir component render --clean\n`,
        );
      }
      process.exitCode = stale || report.failed.length > 0 ? 1 : 0;
    });
}
