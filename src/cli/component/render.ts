import type { Command } from 'commander';
import { errorJson, formatError } from '../../base/errors.ts';
import { renderComponents } from '../../release/render.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('[names...]', 'components; all where none is named')
    .option('--check', 'write nothing; exit 1 where a file is stale, and name it')
    .option('--clean', 'remove rendered folders that no component has any more')
    .addHelpText(
      'after',
      examples(['weir component render', 'weir component render less gzip', 'weir component render --check']),
    )
    .action(async (names: string[], options: { check?: boolean; clean?: boolean }) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const report = await renderComponents(workspace, names, options);
      const failed = report.failed.map(({ component, error }) => ({ component, ...errorJson(error) }));
      const gone = (state: string): boolean => state === 'extra' || state === 'orphan';
      const lines = report.changed.map(
        ({ path, state }) => `${options.check === true ? state : gone(state) ? 'removed' : 'wrote'} ${path}`,
      );
      printResult(settings, { ...report, failed }, lines.join('\n'));
      for (const { component, warning } of report.warnings) process.stderr.write(`warning: ${component}: ${warning}\n`);
      for (const { error } of report.failed) process.stderr.write(`${formatError(error)}\n`);
      if (options.check === true && report.changed.length > 0) {
        process.stderr.write(
          `error: ${report.changed.length} rendered files are stale\nhint: weir component render --clean writes them\n`,
        );
      }
      const stale = options.check === true && report.changed.length > 0;
      process.exitCode = stale || report.failed.length > 0 ? 1 : 0;
    });
}
