import { type Command, Option } from 'commander';
import { WeirError } from '../../base/errors.ts';
import type { Architecture } from '../../project/model/release.ts';
import { queryRepositories, type RepositoryChoice } from '../../release/repo-query.ts';
import { examples, type GlobalOptions, progressFor } from '../program.ts';
import { projectWorkspaceFor } from '../workspace.ts';

interface QueryWords {
  readonly distroVersion?: string;
  readonly useCase: 'rpm-build' | 'image-build';
  readonly repoPrefix?: readonly string[];
  readonly template: string;
  readonly arch?: readonly Architecture[];
  readonly debuginfo: boolean;
  readonly srpms: boolean;
  readonly out?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  const arches = ['x86_64', 'aarch64'];
  const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
  command
    .argument('<words...>', 'arguments for dnf, after --')
    .usage('[options] -- <words...>')
    .option('--distro-version <name>', "query the inputs of this version of the project's default distro")
    .addOption(
      new Option('--use-case <use>', 'use of the inputs, with --distro-version')
        .choices(['rpm-build', 'image-build'])
        .default('rpm-build'),
    )
    .option('--repo-prefix <url>', 'query the repositories below this URL (may be repeated)', collect)
    .option('--template <name>', 'layout of the repositories, with --repo-prefix', 'azl-standard')
    .addOption(new Option('--arch <arch...>', 'architectures; default: the first of the project').choices(arches))
    .option('--no-debuginfo', 'omit repositories of debug packages')
    .option('--no-srpms', 'omit repositories of source packages')
    .option('--out <dir>', 'output folder of the build')
    .addHelpText(
      'after',
      examples([
        'weir repo query -- repoquery --requires openssh-server',
        'weir repo query --distro-version 4.0 -- list --available kernel',
        'weir repo query --repo-prefix https://repo.example.org/4.0 -- repoquery --whatprovides /usr/bin/vi',
      ]),
    )
    .action(async (words: string[], options: QueryWords) => {
      const settings = globals();
      const progress = progressFor({ ...settings, quiet: true });
      const workspace = await projectWorkspaceFor(settings, progress, options.out);
      process.exitCode = await queryRepositories(
        workspace,
        choiceOf(options),
        { arches: options.arch ?? [workspace.arch], debuginfo: options.debuginfo, sources: options.srpms },
        words,
      );
    });
}

function choiceOf(options: QueryWords): RepositoryChoice {
  if (options.distroVersion !== undefined && options.repoPrefix !== undefined) {
    throw new WeirError('bad-option', '--distro-version and --repo-prefix exclude each other', {
      exit: 2,
    });
  }
  if (options.repoPrefix !== undefined) {
    return { from: 'prefix', prefixes: options.repoPrefix, template: options.template };
  }
  return options.distroVersion === undefined
    ? { from: 'release' }
    : { from: 'project', version: options.distroVersion, use: options.useCase };
}
