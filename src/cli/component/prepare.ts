import type { Command } from 'commander';
import { prepareFolder } from '../../component/prepare.ts';
import { sourceContext } from '../../component/sources.ts';
import { findComponent } from '../../project/select.ts';
import type { LookasideFile } from '../../sources/listing.ts';
import { examples, type GlobalOptions, printResult, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly output: string;
  readonly skipOverlays?: boolean;
  readonly skipSources?: boolean;
  readonly force?: boolean;
  readonly allowNoHashes?: boolean;
  readonly skipLockValidation?: boolean;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<name>', 'name of the component')
    .requiredOption('-o, --output <dir>', 'output folder; must be missing or empty')
    .option('--skip-overlays', 'write the upstream sources without overlays')
    .option('--skip-sources', 'only the files in dist-git: no archives, no overlays on archives')
    .option('--allow-no-hashes', 'accept source files without a hash, and print their hashes')
    .option('--skip-lock-validation', 'continue if the lock is missing or names another commit than the configuration')
    .option('--force', 'replace a folder written by this command')
    .addHelpText(
      'after',
      examples([
        'weir component prepare chrony -o /tmp/chrony',
        'weir component prepare chrony -o /tmp/chrony --force --skip-overlays',
        'rpmbuild -bs --define "_sourcedir /tmp/chrony" /tmp/chrony/chrony.spec',
      ]),
    )
    .action(async (name: string, options: Options) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings));
      const component = findComponent(workspace.project, name);
      const context = {
        ...(await sourceContext(workspace)),
        allowNoHashes: options.allowNoHashes === true,
        skipLockValidation: options.skipLockValidation === true,
      };
      const report = await prepareFolder(workspace, component, options.output, context, {
        skipOverlays: options.skipOverlays === true,
        skipSources: options.skipSources === true,
        force: options.force === true,
      });
      const lines = [...report.files.map((file) => `${report.folder}/${file}`), ...hashLines(name, report.computed)];
      printResult(settings, report, lines.join('\n'));
      for (const warning of report.warnings) process.stderr.write(`warning: ${warning}\n`);
    });
}

/** Configuration lines with the computed hashes. */
function hashLines(name: string, files: readonly LookasideFile[]): string[] {
  return files.flatMap(({ filename, hashType, hash }) => [
    '',
    `# in [[components.${name}.source-files]]`,
    `filename = "${filename}"`,
    `hash-type = "${hashType}"`,
    `hash = "${hash}"`,
  ]);
}
