import { type Command, Option } from 'commander';
import { errorJson, formatError, WeirError } from '../../base/errors.ts';
import { sourceContext } from '../../component/sources.ts';
import { type UpdatedComponent, updateComponents } from '../../component/update.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { configurationFor, projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  readonly bump?: boolean;
  readonly check?: boolean;
  readonly checkOnly?: boolean;
  readonly force?: boolean;
  readonly upstreamCommitsDir?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command)
    .option('--bump', 'increment the rebuild counter instead, so that the components get a new release')
    .option('--check', 'write nothing; exit 1 if a lock or pin is stale, or belongs to no component')
    .addOption(new Option('--check-only', 'the same as --check').hideHelp())
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
instead: NAME.toml, which the project includes before its components. A commit
in the component's own file wins, and is what the pin then says.
${examples([
  'weir component update -a',
  'weir component update curl',
  "weir component update -p 'python-*' --bump",
  'weir component update -a --check',
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
      const checkOnly = options.check === true || options.checkOnly === true;
      if (options.bump === true && checkOnly) {
        throw new WeirError('usage', '--bump and --check exclude each other', { exit: 2 });
      }
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const components = selectComponents(workspace.project, selection);
      const report = await updateComponents(workspace, components, await sourceContext(workspace), {
        bump: options.bump === true,
        checkOnly,
        force: options.force === true,
        configuration: () => configurationFor(settings),
        prune: selection.all && options.bump !== true,
        ...(options.upstreamCommitsDir === undefined ? {} : { pinFolder: options.upstreamCommitsDir }),
      });
      // Unchanged components would hide the others in a project with thousands of them.
      const shown = report.components.filter(({ state, reason }) => state !== 'unchanged' && reason === undefined);
      const rows = [
        ...shown.filter(({ state }) => state !== 'failed').map(row),
        ...report.orphans.map((name) => [name, checkOnly ? 'orphan' : 'pruned', '-', '']),
      ];
      const text = table(['COMPONENT', 'STATE', 'COMMIT', 'BEFORE'], rows, '');
      printResult(settings, { ...report, components: report.components.map(plain) }, text);
      const failed = report.components.flatMap(({ error }) => (error === undefined ? [] : [error]));
      for (const error of failed) process.stderr.write(`${formatError(error)}\n`);
      const stale = checkOnly && report.stale;
      if (stale) {
        process.stderr.write(`error: ${report.kept} are stale\nhint: run the command without --check\n`);
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
