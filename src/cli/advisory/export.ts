import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { plural } from '../../base/plural.ts';
import { type ScannerDatabases, writeScannerDatabases } from '../../release/service/scanner-databases.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';
import { refuseEmptyOptions, secondsOption } from './who.ts';

interface Options {
  readonly grypeDb?: string;
  readonly trivyDb?: string;
  readonly at?: string;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .option('--grype-db <file>', 'database for Grype; its name ends in .db')
    .option('--trivy-db <folder>', 'cache folder for Trivy, with a database')
    .option('--at <date>', 'creation time of the databases, a day or moment; default: now')
    .option('--out <folder>', 'folder of the build; default: that of the project')
    .addHelpText(
      'after',
      `
Writes what the last release says about vulnerabilities as databases of Grype and
Trivy, which need no changes. Grype refuses a database older than five days.
docs/scanners.md has the commands that read them.
${examples([
  'weir advisory export --grype-db vulnerability.db',
  'weir advisory export --trivy-db trivy-cache',
  'weir advisory export --grype-db vulnerability.db --at 2026-11-28T12:00:00Z',
])}`,
    )
    .action(async (options: Options, self: Command) => {
      refuseEmptyOptions(self);
      const settings = globals();
      const { grypeDb, trivyDb } = options;
      if (grypeDb === undefined && trivyDb === undefined) {
        throw new WeirError('missing-option', 'nothing to export', {
          hint: 'add --grype-db FILE or --trivy-db FOLDER',
          exit: 2,
        });
      }
      if (grypeDb !== undefined && !grypeDb.endsWith('.db')) {
        throw new WeirError('bad-name', `Grype would read ${JSON.stringify(grypeDb)} as an archive`, {
          hint: 'give the file a name that ends in .db',
          exit: 2,
        });
      }
      const built = secondsOption(options.at);
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const to = {
        ...(grypeDb === undefined ? {} : { grypeDb: resolve(grypeDb) }),
        ...(trivyDb === undefined ? {} : { trivyDb: resolve(trivyDb) }),
      };
      const written = await writeScannerDatabases(workspace, to, built);
      printResult(settings, written, () => words(written));
    });
}

function words({ advisories, snapshot, grype, trivy }: ScannerDatabases): string {
  const what = `${plural(advisories, 'record')} of ${snapshot}`;
  const shown = (path: string): string => relative(process.cwd(), path) || '.';
  return [
    ...(grype === undefined ? [] : [`${shown(grype.file)}: ${what}, for grype db import`]),
    ...(trivy === undefined
      ? []
      : [
          `${shown(trivy.dir)}: ${what}, for trivy --cache-dir with --distro ${trivy.distro}`,
          ...trivy.wider.map((one) => `  ${one.id}: Trivy reports ${one.package} in more versions than are affected`),
        ]),
  ].join('\n');
}
