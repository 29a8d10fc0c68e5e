import { rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatError, revivedError, WeirError } from '../../base/errors.ts';
import { temporaryName, writeAtomic } from '../../base/files.ts';
import { shownLine } from '../../base/foreign-text.ts';
import { sourceContext } from '../../component/sources.ts';
import { isEmptySelection, selectComponents } from '../../project/select.ts';
import { updateMarkdown } from '../../upstream/report.ts';
import { type UpstreamUpdate, updateFromUpstream } from '../../upstream/update.ts';
import { changeWords } from '../../upstream/words.ts';
import { momentOption } from '../moment.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOf } from '../selection.ts';
import { configurationFor, projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  readonly to?: string;
  readonly report?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  addSelection(command)
    .option('--to <date>', 'move to the last commit up to this day or moment, instead of the newest')
    .option('--report <file>', 'write the report to this file and print a table')
    .addHelpText(
      'after',
      `
Moves the locks or pins of components to the newest commits of their branches,
renders them, and prints a report in Markdown, fit for a pull request. A
component that cannot be rendered from its newest commit stays as it is, with
the reason in the report; the exit code is then still 0. It is 1 if a component
could not be compared with upstream.

If the command is killed, every component has its old lock and rendered folder
or the new ones; run it again, and it finishes and reports the whole update.
${examples([
  'weir upstream update -a --report update.md',
  "weir upstream update -p 'python-*' --to 2026-08-01",
  "weir upstream update -a --json | jq -r '.left[] | [.component, .reason] | @tsv'",
])}`,
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const to = momentOption(options.to);
      const selection = selectionOf(names, options);
      if (isEmptySelection(selection)) {
        throw new WeirError('no-selection', 'no component selected', {
          hint: 'name components, or use -p, -g or -a',
          exit: 2,
        });
      }
      const file = options.report === undefined ? undefined : resolve(options.report);
      if (file !== undefined) await checkReport(file);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const components = selectComponents(workspace.project, selection);
      const context = await sourceContext(workspace);
      const update = await updateFromUpstream(workspace, components, context, {
        ...(to === undefined ? {} : { to }),
        configuration: () => configurationFor(settings),
      });
      const markdown = updateMarkdown(update);
      const lost = file === undefined ? undefined : await writeReport(file, markdown);
      const isWritten = file !== undefined && lost === undefined;
      printResult(settings, update, () => (isWritten ? updateTable(update) : markdown.trimEnd()));
      for (const warning of update.warnings) process.stderr.write(`warning: ${shownLine(warning)}\n`);
      if (lost !== undefined) process.stderr.write(`${formatError(lost)}\n`);
      for (const { status, error } of update.left)
        if (status.state === 'failed' && error !== undefined)
          process.stderr.write(`${formatError(revivedError(error))}\n`);
      if (lost !== undefined || update.failed > 0) process.exitCode = 1;
    });
}

/** Before anything moves: the report could not be made again. */
async function checkReport(file: string): Promise<void> {
  const temporary = temporaryName(file);
  await writeAtomic(temporary, '');
  await rm(temporary, { force: true });
  if ((await stat(file).catch(() => undefined))?.isDirectory() === true)
    throw new WeirError('not-a-file', 'the report cannot be written: this is a folder', { where: { file }, exit: 2 });
}

/** @returns why the report could not be written */
async function writeReport(file: string, text: string): Promise<WeirError | undefined> {
  try {
    await writeAtomic(file, text);
    return undefined;
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
}

function updateTable({ moved, left }: UpstreamUpdate): string {
  const rows = [
    ...moved.map(({ component, pinned, newest, between }) => {
      const version = between?.spec?.version;
      const commits = `${pinned?.commit.slice(0, 12)} → ${newest?.commit.slice(0, 12)}`;
      return [component, 'moved', version === undefined ? '-' : changeWords(version), commits];
    }),
    ...left.map(({ component, reason }) => [component, 'left', '-', reason]),
  ];
  return table(['COMPONENT', 'STATE', 'VERSION', 'COMMITS OR REASON'], rows, 'nothing to update');
}
