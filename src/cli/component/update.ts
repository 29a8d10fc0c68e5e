import type { Command } from 'commander';
import { errorJson, formatError, WeirError } from '../../base/errors.ts';
import { sourceContext } from '../../component/sources.ts';
import { type UpdatedComponent, updateComponents } from '../../component/update.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  readonly bump?: boolean;
  readonly checkOnly?: boolean;
  readonly force?: boolean;
  readonly upstreamCommitsDir?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command)
    .option('--bump', 'increment the rebuild counter instead, so that the components get a new release')
    .option('--check-only', 'write nothing; exit 1 if a lock is stale')
    .option('--force', 'query upstream even if the commit is not expected to change')
    .option('--upstream-commits-dir <dir>', 'write pins to this folder of the project instead of locks')
    .addHelpText(
      'after',
      `
For each upstream component, finds the commit that its configuration selects
(upstream-commit, else the snapshot, else the head of the branch) and writes it
to locks/NAME.lock. From then on the component uses that commit. With -a, locks
of removed components are deleted.

A project with the folder base/upstream-commits and no locks keeps pins there
instead: NAME.toml, which the project includes before its components.
${examples([
  'weir component update -a',
  'weir component update curl',
  "weir component update -p 'python-*' --bump",
  'weir component update -a --check-only',
])}`,
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const selection = selectionOf(names, options);
      if (isEmptySelection(selection)) {
        throw new WeirError('no-selection', 'no component selected', {
          hint: 'name components, or use -p, -g or -a',
          exit: 2,
        });
      }
      if (options.bump === true && options.checkOnly === true) {
        throw new WeirError('usage', '--bump and --check-only exclude each other', { exit: 2 });
      }
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const components = selectComponents(workspace.project, selection);
      const report = await updateComponents(workspace, components, await sourceContext(workspace), {
        bump: options.bump === true,
        checkOnly: options.checkOnly === true,
        force: options.force === true,
        prune: selection.all && options.bump !== true,
        ...(options.upstreamCommitsDir === undefined ? {} : { pinFolder: options.upstreamCommitsDir }),
      });
      // Unchanged components would hide the others in a project with thousands of them.
      const shown = report.components.filter(({ state, reason }) => state !== 'unchanged' && reason === undefined);
      const rows = [
        ...shown.filter(({ state }) => state !== 'failed').map(row),
        ...report.orphans.map((name) => [name, options.checkOnly === true ? 'orphan' : 'pruned', '-', '']),
      ];
      const text = table(['COMPONENT', 'STATE', 'COMMIT', 'BEFORE'], rows, '');
      printResult(settings, { ...report, components: report.components.map(plain) }, text);
      const failed = report.components.flatMap(({ error }) => (error === undefined ? [] : [error]));
      for (const error of failed) process.stderr.write(`${formatError(error)}\n`);
      const stale = options.checkOnly === true && report.stale;
      if (stale) {
        process.stderr.write(`error: ${report.kept} are stale\nhint: run the command without --check-only\n`);
      }
      process.exitCode = stale || failed.length > 0 ? 1 : 0;
    });
}

function row({ component, state, commit, previous, manualBump }: UpdatedComponent): string[] {
  const before = manualBump === undefined ? (previous?.slice(0, 12) ?? '') : `manual-bump ${manualBump}`;
  return [component, state, commit?.slice(0, 12) ?? '-', before];
}

function plain({ error, ...rest }: UpdatedComponent): Record<string, unknown> {
  return error === undefined ? { ...rest } : { ...rest, ...errorJson(error) };
}
