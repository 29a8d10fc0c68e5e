import { type Command, Option } from 'commander';
import { WeirError } from '../../base/errors.ts';
import type { Architecture } from '../../project/model.ts';
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
    .argument('<words...>', "dnf's command line, after --")
    .usage('[options] -- <words...>')
    .option('--distro-version <name>', "ask the inputs of this version of the project's default distro")
    .addOption(
      new Option('--use-case <use>', 'with --distro-version: which inputs')
        .choices(['rpm-build', 'image-build'])
        .default('rpm-build'),
    )
    .option('--repo-prefix <url>', 'ask the repositories below this address (may be repeated)', collect)
    .option('--template <name>', 'with --repo-prefix: their layout', 'azl-standard')
    .addOption(new Option('--arch <arch...>', 'architectures, by default the project’s first').choices(arches))
    .option('--no-debuginfo', 'leave out repositories of debug packages')
    .option('--no-srpms', 'leave out repositories of source packages')
    .option('--out <dir>', 'where the release was built to')
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
    throw new WeirError('bad-option', '--distro-version and --repo-prefix are two ways to choose: take one', {
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
