import type { Command } from 'commander';
import { checkRecords } from '../../advisory/check.ts';
import { loadAdvisories } from '../../advisory/load.ts';
import { rewrittenSince } from '../../advisory/since.ts';
import { errorJson, formatError } from '../../base/errors.ts';
import { plural } from '../../base/plural.ts';
import { readRelease } from '../../release/published.ts';
import { releasedPackages } from '../../release/service/released.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';
import { secondsOption } from './who.ts';

interface CheckOptions {
  readonly since?: string;
  readonly at?: string;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--since <commit>', 'also prove that since this commit, events were only added')
    .option('--at <date>', 'check as of this day or moment; default: now')
    .option('--out <folder>', 'folder of the build; default: that of the project')
    .addHelpText(
      'after',
      `
Finds records that do not fit the schema, two records of one vulnerability,
unknown components, dates in the future, events out of order, fixes that are not
newer than the affected versions or that the repository does not have, and
exceptions that have expired. Exit code 1 if there are any.
${examples(['weir advisory check', 'weir advisory check --since origin/main', 'weir advisory check --at 2027-06-30'])}`,
    )
    .action(async (options: CheckOptions) => {
      const settings = globals();
      const now = secondsOption(options.at);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const { project } = workspace;
      const records = await loadAdvisories(project.advisories.path);
      const release = await readRelease(workspace);
      const { problems, notChecked } = checkRecords(records, {
        now,
        components: project.components,
        ...(release === undefined ? {} : { released: releasedPackages(release, project) }),
      });
      const history =
        options.since === undefined ? undefined : await rewrittenSince(project.root, records, options.since);
      const found = [...problems, ...(history?.problems ?? [])];
      const json = {
        records: records.length,
        ...(history === undefined ? {} : { since: options.since, compared: history.compared }),
        problems: found.map((error) => errorJson(error).error),
        notChecked,
      };
      printResult(settings, json, () => {
        const past =
          history === undefined ? '' : `; ${plural(history.compared, 'record')} of ${options.since} compared`;
        return `${plural(records.length, 'record')}, ${plural(found.length, 'problem')}${past}`;
      });
      for (const error of settings.json ? [] : found) process.stderr.write(`${formatError(error)}\n`);
      for (const what of settings.json || settings.quiet ? [] : notChecked)
        process.stderr.write(`not checked: ${what}\n`);
      if (found.length > 0) process.exitCode = 1;
    });
}
