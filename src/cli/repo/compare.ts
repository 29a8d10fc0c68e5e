import { type Command, Option } from 'commander';
import { plural } from '../../base/plural.ts';
import type { Architecture } from '../../project/model/release.ts';
import { compareRepositories, type RepositoryComparison } from '../../release/repo-compare.ts';
import { type ChangedName, type NameChange, nameChanges } from '../../repo/compare.ts';
import { examples, type GlobalOptions, printResult, progressFor, table } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface Options {
  readonly left: string;
  readonly right: string;
  readonly arch?: readonly Architecture[];
  readonly template?: string;
  readonly missingFromRight?: boolean;
  readonly stat?: boolean;
  readonly debuginfo: boolean;
  readonly srpms: boolean;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .requiredOption('--left <repo>', 'URL, folder, repository or repository set of the project, or snapshot')
    .requiredOption('--right <repo>', 'the same')
    .addOption(
      new Option('--arch <arch...>', 'architectures; default: the first of the project').choices(['x86_64', 'aarch64']),
    )
    .option('--template <name>', 'URLs are bases of this layout of repositories, such as azl-standard')
    .option('--missing-from-right', 'list only packages that the right side does not have in any version')
    .option('--stat', 'print only the numbers')
    .option('--no-debuginfo', 'omit debug packages')
    .option('--no-srpms', 'omit source packages')
    .option('--out <dir>', 'output folder of the build, for snapshots')
    .addHelpText(
      'after',
      `
Compares names, epochs, versions, releases and architectures, not what is in the
packages. The exit code is 0 whether there are differences or not.
${examples([
  'weir repo compare --left 20261101-1a2b3c4d --right latest',
  'weir repo compare --left upstream --right https://repo.example.org/4.0/base/x86_64 --stat',
  'weir repo compare --left fedora-set --right out/repo/4.0/latest --missing-from-right --no-srpms',
])}`,
    )
    .action(async (options: Options) => {
      const settings = globals();
      const workspace = await projectWorkspaceFor(settings, progressFor(settings), options.out);
      const { packages, ...compared } = await compareRepositories(workspace, options.left, options.right, {
        arches: options.arch ?? [workspace.arch],
        debuginfo: options.debuginfo,
        sources: options.srpms,
        template: options.template,
      });
      const shown = packages.filter(({ change }) => options.missingFromRight !== true || change === 'missing');
      if (options.stat === true) printResult(settings, compared, () => statText(compared));
      else printResult(settings, { ...compared, packages: shown }, () => changesText(shown));
    });
}

function statText({ left, right, counts }: Omit<RepositoryComparison, 'packages'>): string {
  const sides = [left, right].map(({ asked, packages, repositories }, index) => [
    index === 0 ? 'left' : 'right',
    asked,
    `${packages} packages of ${plural(repositories.length, 'repository')}`,
  ]);
  const rows = (Object.keys(nameChanges) as NameChange[]).map((change) => [
    change,
    String(counts[change]),
    nameChanges[change],
  ]);
  return [
    table(['SIDE', 'WHAT', 'PACKAGES'], sides, ''),
    '',
    table(['NAMES', 'COUNT', ''], [['same', String(counts.same), 'no difference'], ...rows], ''),
  ].join('\n');
}

function changesText(packages: readonly ChangedName[]): string {
  const cells = packages.map(({ name, type, change, left, right }) => [
    name,
    type,
    change,
    left.map((id) => id.slice(name.length + 1)).join(' ') || '-',
    right.map((id) => id.slice(name.length + 1)).join(' ') || '-',
  ]);
  return table(['PACKAGE', 'TYPE', 'CHANGE', 'LEFT', 'RIGHT'], cells, 'no differences');
}
