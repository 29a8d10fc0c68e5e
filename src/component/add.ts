import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { didYouMean, WeirError } from '../base/errors.ts';
import { exists, writeAtomic } from '../base/files.ts';
import { checkNew, fileForComponents, homeOf, minimalSpec, type NewComponent, withComponents } from '../project/add.ts';
import type { Project } from '../project/model/project.ts';
import type { Configuration } from '../project/resolve.ts';

/** A component that was added: its configuration file and, for a local one, its spec. */
export interface AddedComponent {
  readonly name: string;
  readonly file: string;
  readonly spec?: string;
}

/** What to add. */
export interface AddRequest {
  readonly names: readonly string[];
  /** Absolute path of the configuration file; by default the one with the most components without settings. */
  readonly file?: string;
  /** Where the components come from; `local` creates a folder with a minimal spec for each. */
  readonly spec?: NewComponent['spec'] | 'local';
}

/**
 * Adds components to the project's configuration.
 * @throws WeirError `not-a-file-of-the-project`, `file-exists`, and the errors of `checkNew`; after an error, nothing is written
 */
export async function addComponents(configuration: Configuration, request: AddRequest): Promise<AddedComponent[]> {
  const { names, spec } = request;
  checkNew(configuration, names);
  const file = request.file ?? fileForComponents(configuration);
  checkFile(configuration, file);
  if (spec === 'local') return addLocal(configuration, file, names, request.file !== undefined);
  return addTo(
    file,
    names.map((name) => ({ name, ...(spec === undefined ? {} : { spec }) })),
  );
}

/** Checks `name` or `name/version` against the project's distros. @throws WeirError `wrong-options` */
export function checkDistro({ distros }: Project, distro: string): void {
  const wrong = (message: string, word: string, known: Iterable<string>): WeirError =>
    new WeirError('wrong-options', message, {
      hint: didYouMean(word, known) ?? `use one of: ${[...known].join(', ') || 'none'}`,
      exit: 2,
    });
  const [name = '', version] = distro.split('/');
  const found = distros.get(name);
  if (found === undefined) throw wrong(`unknown distro ${name}`, name, distros.keys());
  if (version !== undefined && !found.versions.has(version)) {
    throw wrong(`${name} has no version ${version}`, version, found.versions.keys());
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

async function addTo(file: string, components: readonly NewComponent[]): Promise<AddedComponent[]> {
  const text = await readFile(file, 'utf8');
  const { mode } = await stat(file);
  await writeAtomic(file, withComponents(file, text, components), mode & 0o777);
  return components.map(({ name }) => ({ name, file }));
}

/** Checks everything before writing, and writes specs first: a configuration file's spec must exist. */
async function addLocal(
  configuration: Configuration,
  file: string,
  names: readonly string[],
  fixed: boolean,
): Promise<AddedComponent[]> {
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
  const component = ({ name, file: home, spec }: AddedComponent & { readonly spec: string }): NewComponent => ({
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
