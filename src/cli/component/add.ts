import { relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { WeirError } from '../../base/errors.ts';
import { addComponents, checkDistro } from '../../component/add.ts';
import type { NewComponent } from '../../project/add.ts';
import type { Configuration } from '../../project/resolve.ts';
import { commitPattern, commitRule } from '../../project/schema/words.ts';
import { examples, type GlobalOptions, printResult } from '../program.ts';
import { ownConfigurationFor } from '../workspace.ts';

interface AddOptions {
  readonly local?: boolean;
  readonly distro?: string;
  readonly upstreamName?: string;
  readonly commit?: string;
  readonly file?: string;
}

export function register(command: Command, globals: () => GlobalOptions): void {
  command
    .argument('<names...>', 'names of the new components')
    .option('--distro <name[/version]>', 'take the spec from this distro instead of the inherited one')
    .option('--upstream-name <name>', 'name of the component in the upstream distro')
    .option('--commit <commit>', 'take the spec from this commit')
    .option('--local', 'create a local component: a folder with a minimal spec')
    .option('--file <file>', 'configuration file to add to; default: the one with most components without settings')
    .addHelpText(
      'after',
      examples([
        'weir component add curl wget2',
        'weir component add gtk3 --upstream-name gtk+ --distro fedora/44',
        'weir component add my-release --local',
      ]),
    )
    .action(async (names: string[], options: AddOptions) => {
      const settings = globals();
      const configuration = await ownConfigurationFor(settings);
      const wanted = [...new Set(names)];
      checkOptions(configuration, wanted, options);
      const added = await addComponents(configuration, {
        names: wanted,
        ...(options.file === undefined ? {} : { file: resolve(options.file) }),
        ...(options.local === true ? { spec: 'local' } : upstreamSpec(options)),
      });
      const lines = added.map(({ name, file: path, spec }) => {
        const place = relative(process.cwd(), path);
        return spec === undefined ? `${name}: ${place}` : `${name}: ${place}, ${relative(process.cwd(), spec)}`;
      });
      printResult(settings, added, lines.join('\n'));
    });
}

function checkOptions({ project }: Configuration, names: readonly string[], options: AddOptions): void {
  const wrong = (message: string): WeirError => new WeirError('wrong-options', message, { exit: 2 });
  const { local, distro, upstreamName, commit } = options;
  const upstream = distro !== undefined || upstreamName !== undefined || commit !== undefined;
  if (local === true && upstream) throw wrong('--local excludes --distro, --upstream-name and --commit');
  if (names.length > 1 && (upstreamName !== undefined || commit !== undefined)) {
    throw wrong('--upstream-name and --commit allow only one component');
  }
  if (commit !== undefined && !commitPattern.test(commit)) throw wrong(commitRule);
  if (distro !== undefined) checkDistro(project, distro);
}

function upstreamSpec({ distro, upstreamName, commit }: AddOptions): Pick<NewComponent, 'spec'> {
  if (distro === undefined && upstreamName === undefined && commit === undefined) return {};
  const [name, version] = distro?.split('/') ?? [];
  return {
    spec: {
      type: 'upstream',
      ...(upstreamName === undefined ? {} : { 'upstream-name': upstreamName }),
      ...(name === undefined ? {} : { 'upstream-distro': version === undefined ? { name } : { name, version } }),
      ...(commit === undefined ? {} : { 'upstream-commit': commit }),
    },
  };
}
