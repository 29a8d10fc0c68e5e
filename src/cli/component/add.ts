import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { didYouMean, WeirError } from '../../base/errors.ts';
import { exists, writeAtomic } from '../../base/files.ts';
import {
  checkNew,
  fileForComponents,
  homeOf,
  minimalSpec,
  type NewComponent,
  withComponents,
} from '../../project/add.ts';
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
      checkNew(configuration, wanted);
      const file = options.file === undefined ? fileForComponents(configuration) : resolve(options.file);
      checkFile(configuration, file);
      const added =
        options.local === true
          ? await addLocal(configuration, file, wanted, options.file !== undefined)
          : await addTo(
              file,
              wanted.map((name) => ({ name, ...upstreamSpec(options) })),
            );
      const lines = added.map(({ name, file: path, spec }) => {
        const place = relative(process.cwd(), path);
        return spec === undefined ? `${name}: ${place}` : `${name}: ${place}, ${relative(process.cwd(), spec)}`;
      });
      printResult(settings, added, lines.join('\n'));
    });
}

interface Added {
  readonly name: string;
  readonly file: string;
  readonly spec?: string;
}

function checkOptions({ project }: Configuration, names: readonly string[], options: AddOptions): void {
  const wrong = (message: string, hint?: string): WeirError =>
    new WeirError('wrong-options', message, { exit: 2, ...(hint === undefined ? {} : { hint }) });
  const { local, distro, upstreamName, commit } = options;
  const upstream = distro !== undefined || upstreamName !== undefined || commit !== undefined;
  if (local === true && upstream) throw wrong('--local excludes --distro, --upstream-name and --commit');
  if (names.length > 1 && (upstreamName !== undefined || commit !== undefined)) {
    throw wrong('--upstream-name and --commit allow only one component');
  }
  if (commit !== undefined && !commitPattern.test(commit)) throw wrong(commitRule);
  if (distro === undefined) return;
  const [name = '', version] = distro.split('/');
  const found = project.distros.get(name);
  const hint = (word: string, known: Iterable<string>): string => {
    return didYouMean(word, known) ?? `use one of: ${[...known].join(', ') || 'none'}`;
  };
  if (found === undefined) throw wrong(`unknown distro ${name}`, hint(name, project.distros.keys()));
  if (version !== undefined && !found.versions.has(version)) {
    throw wrong(`${name} has no version ${version}`, hint(version, found.versions.keys()));
  }
}

function checkFile({ project }: Configuration, file: string): void {
  if (project.files.includes(file)) return;
  throw new WeirError('not-a-file-of-the-project', 'not a configuration file of this project', {
    where: { file },
    hint: 'run: weir config show --files',
    exit: 2,
  });
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

async function addTo(file: string, components: readonly NewComponent[]): Promise<Added[]> {
  const text = await readFile(file, 'utf8');
  const { mode } = await stat(file);
  await writeAtomic(file, withComponents(file, text, components), mode & 0o777);
  return components.map(({ name }) => ({ name, file }));
}

/** Checks everything before writing, and writes specs first: a file that names a spec must find it. */
async function addLocal(
  configuration: Configuration,
  file: string,
  names: readonly string[],
  fixed: boolean,
): Promise<Added[]> {
  const planned = names.map((name) => {
    const home = fixed ? file : homeOf(configuration, file, name);
    const spec = join(home === file ? join(dirname(file), name) : dirname(home), `${name}.spec`);
    return { name, file: home, spec };
  });
  for (const path of planned.flatMap((one) => (one.file === file ? [one.spec] : [one.spec, one.file]))) {
    if (!(await exists(path))) continue;
    throw new WeirError('file-exists', 'the file exists already', {
      where: { file: path },
      hint: 'add the component to the configuration by hand, or move the file away',
      exit: 2,
    });
  }
  const component = ({ name, file: home, spec }: Added & { readonly spec: string }): NewComponent => ({
    name,
    spec: { type: 'local', path: relative(dirname(home), spec) },
  });
  const shared = planned.filter((one) => one.file === file);
  const text = await readFile(file, 'utf8');
  const edited = withComponents(file, text, shared.map(component));
  for (const one of planned) await writeAtomic(one.spec, minimalSpec(one.name));
  for (const one of planned) {
    if (one.file !== file) await writeAtomic(one.file, withComponents(one.file, '', [component(one)]));
  }
  if (shared.length > 0) await writeAtomic(file, edited, (await stat(file)).mode & 0o777);
  return planned;
}
