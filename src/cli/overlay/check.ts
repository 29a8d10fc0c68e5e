import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { parseDays } from '../../audit/divergence.ts';
import { didYouMean, WeirError } from '../../base/errors.ts';
import { checkOverlays } from '../../component/overlay-check.ts';
import { type FindingKind, findingKinds } from '../../overlay/check.ts';
import { selectComponents } from '../../project/select.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { addSelection, type SelectionOptions, selectionOrAll } from '../selection.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options extends SelectionOptions {
  /** False with `--no-sources`, true without either option. */
  readonly sources: string | boolean;
  readonly olderThan?: string;
  readonly failOn?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  const kinds = Object.entries(findingKinds).map(([kind, means]) => `  ${kind.padEnd(16)}${means}`);
  addSelection(command, 'components; default: all')
    .option('--sources <dir>', 'folder with the upstream sources, instead of fetching them')
    .option('--no-sources', 'check only the configuration')
    .option('--older-than <age>', 'report backports older than this, such as 180d, 26w or 1y')
    .option('--fail-on <kinds>', 'exit 1 if one of these (comma-separated) is found')
    .addHelpText('after', `\nFindings:\n${kinds.join('\n')}`)
    .addHelpText(
      'after',
      examples([
        'weir overlay check',
        'weir overlay check chrony --older-than 180d',
        'weir overlay check --no-sources --fail-on no-description,no-metadata',
        'weir overlay check --fail-on fails,no-effect,taken-in',
      ]),
    )
    .action(async (names: string[], options: Options) => {
      const settings = globals();
      const failOn = kindsOf(options.failOn);
      const olderThanDays = daysOf(options.olderThan);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const { project } = workspace;
      const chosen = selectComponents(project, selectionOrAll(names, options));
      const report = await checkOverlays(workspace, chosen, {
        withoutSources: options.sources === false,
        ...(typeof options.sources === 'string' ? { sources: resolve(options.sources) } : {}),
        ...(olderThanDays === undefined ? {} : { olderThanDays }),
      });
      const findings = report.findings.map(({ origin, ...finding }) => ({
        ...finding,
        place: `${relative(project.root, origin.file)}:${origin.line}`,
      }));
      const cells = findings.map((one) => [
        one.kind,
        one.component,
        one.overlay === undefined ? '-' : String(one.overlay),
        one.place,
        `${one.message}: ${one.advice}`,
      ]);
      const heading = ['FINDING', 'COMPONENT', 'NO', 'PLACE', 'WHAT TO DO'];
      printResult(settings, { ...report, findings }, table(heading, cells, 'no findings'));
      for (const warning of report.warnings) process.stderr.write(`warning: ${warning}\n`);
      const failed = findings.filter(({ kind }) => failOn.has(kind));
      if (failed.length === 0) return;
      const found = [...failOn].filter((kind) => failed.some((one) => one.kind === kind));
      const findingWord = failed.length === 1 ? 'finding' : 'findings';
      process.stderr.write(`error: ${failed.length} ${findingWord} matching --fail-on: ${found.join(', ')}\n`);
      process.exitCode = 1;
    });
}

function kindsOf(text: string | undefined): Set<FindingKind> {
  const known = Object.keys(findingKinds);
  const names = text === undefined ? [] : text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (Object.hasOwn(findingKinds, name)) continue;
    throw new WeirError('unknown-finding', `unknown finding "${name}"`, {
      hint: didYouMean(name, known) ?? `use one of: ${known.join(', ')}`,
      exit: 2,
    });
  }
  return new Set(names as FindingKind[]);
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = parseDays(text);
  if (days !== undefined) return days;
  throw new WeirError('bad-age', `invalid age ${text}`, { hint: 'write it as in 180d, 26w or 1y', exit: 2 });
}
