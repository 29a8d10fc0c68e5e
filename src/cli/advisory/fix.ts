import { relative, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { type Fix, fixVulnerability } from '../../release/service/fix.ts';
import { withResults } from '../build-options.ts';
import { examples, type GlobalOptions, gather, printResult, progressFor } from '../program.ts';
import { ownConfigurationFor, workspaceFor } from '../workspace.ts';
import { plainRecord } from './plain.ts';
import { now, refuseEmptyOptions, signature } from './who.ts';

interface FixCommandOptions {
  readonly component: string;
  readonly patch?: readonly string[];
  readonly commit?: readonly string[];
  readonly update?: boolean;
  /** False with `--no-images`. */
  readonly images: boolean;
  readonly by?: string;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<id>', 'the CVE, or another ID of it; its record must exist')
    .requiredOption('--component <name>', 'the component to fix')
    .option('--patch <file>', 'a patch for its sources (may be repeated)', gather)
    .option('--commit <url>', "upstream's commit that the patch is from (may be repeated)", gather)
    .addOption(new Option('--update', "move to upstream's newest commit instead").conflicts(['patch', 'commit']))
    .option('--no-images', 'stop after the repository')
    .option('--by <who>', "author of the events; default: git's author")
    .option('--out <dir>', 'output folder (default: out in the parent folder of the project)')
    .addHelpText(
      'after',
      `
Writes the patch and its overlay into the project, raises the release where the
version would stay the same, renders, builds, publishes a new snapshot with the
advisory in it, and rebuilds each image that contains a package of the
component. Every step is an event in the record. If the command is killed, run it
again: it continues. Commit the changed files of the project afterwards.
${examples([
  'weir advisory fix CVE-2026-1234 --component less --patch less-overflow.patch --commit https://github.com/gwsw/less/commit/1234567',
  'weir advisory fix CVE-2026-1234 --component curl --update',
])}`,
    )
    .action(async (id: string, options: FixCommandOptions, self: Command) => {
      refuseEmptyOptions(self);
      const settings = globals();
      const { project } = await ownConfigurationFor(settings);
      const { by } = await signature(project.root, options);
      const fix = fixOf(options);
      await withResults(settings, async () => {
        const result = await fixVulnerability({
          ...{ id, component: options.component, fix, by, now, images: options.images },
          open: () => workspaceFor({ ...settings, directory: project.root }, progressFor(settings), options.out),
        });
        const { record, ...rest } = result;
        const lines = [
          ...result.changed.map((file) => `changed     ${relative(process.cwd(), file)}`),
          `record      ${relative(process.cwd(), record.document.path)}`,
          ...result.packages.map((nevra) => `package     ${nevra}`),
          `snapshot    ${result.snapshot}`,
          ...result.images.map(({ name, digest }) => `image       ${name}  ${digest}`),
        ];
        printResult(settings, { ...rest, record: plainRecord(record) }, lines.join('\n'));
      });
    });
}

/** @throws WeirError `missing-option` (exit 2) */
function fixOf({ patch, commit, update }: FixCommandOptions): Fix {
  if (update === true) return { update: true };
  if (patch !== undefined) return { patches: patch.map((path) => resolve(path)), commits: commit ?? [] };
  throw new WeirError('missing-option', 'no fix is given', { hint: 'use --patch FILE or --update', exit: 2 });
}
