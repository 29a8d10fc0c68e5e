import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { didYouMean, WeirError } from '../base/errors.ts';
import type { ConfigFile } from './model/project.ts';

/** Names of the root file. If a folder has both, the first one is used. */
export const rootFileNames = ['weir.toml', 'azldev.toml'] as const;

/** The root file of the project that contains `dir`. @throws WeirError `no-project` */
export function findRootFile(dir: string): string {
  const start = resolve(dir);
  for (let folder = start; ; folder = dirname(folder)) {
    for (const name of rootFileNames) {
      const path = join(folder, name);
      if (isThere(path)) return path;
    }
    if (folder === dirname(folder)) break;
  }
  throw new WeirError('no-project', `no ${rootFileNames.join(' or ')} in this folder or above`, {
    where: { file: start },
    hint: 'change to a project folder, or name one with -C DIR',
    exit: 2,
  });
}

/**
 * The user's own configuration files that exist, weakest first: azldev's, if the project is an azldev project, then
 * Weir's. They are searched as the XDG Base Directory Specification says.
 */
export function userConfigFiles(azldev: boolean, env: NodeJS.ProcessEnv): string[] {
  const absolute = (path: string | undefined): path is string => path?.startsWith('/') === true;
  const home = absolute(env.HOME) ? join(env.HOME, '.config') : undefined;
  const folder = absolute(env.XDG_CONFIG_HOME) ? env.XDG_CONFIG_HOME : home;
  if (folder === undefined) return [];
  return (azldev ? ['azldev', 'weir'] : ['weir']).map((name) => join(folder, name, 'config.toml')).filter(isFile);
}

/** Whether something of that name exists, of any kind: reading reports what is wrong with it. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * The configuration file of a project's profile: `profiles/NAME.toml` beside the root file.
 * @throws WeirError `no-project`, `no-profile` (exit 2)
 */
export function profileFile(dir: string, name: string): string {
  const folder = join(dirname(findRootFile(dir)), 'profiles');
  const path = join(folder, `${name}.toml`);
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name) && isFile(path)) return path;
  const names = existsSync(folder) ? readdirSync(folder).filter((each) => each.endsWith('.toml')) : [];
  const known = names.map((each) => each.slice(0, -'.toml'.length)).sort();
  throw new WeirError('no-profile', `the project has no profile ${name}`, {
    where: { file: path },
    hint: didYouMean(name, known) ?? (known.length === 0 ? 'it has none' : `it has: ${known.join(', ')}`),
    exit: 2,
  });
}

/** Options that select files of a project besides those below its own folder. */
export interface RootOptions {
  readonly configFiles?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** The files that loading starts from, in merge order; the first is the project's own. @throws WeirError `no-project` */
export function rootFiles(dir: string, options: RootOptions): readonly [ConfigFile, ...ConfigFile[]] {
  const file = findRootFile(dir);
  return [
    { path: file, from: 'root' },
    ...userConfigFiles(isAzldev(file), options.env ?? process.env).map((path) => ({ path, from: 'user' as const })),
    ...(options.configFiles ?? []).map((path) => ({ path: resolve(path), from: 'option' as const })),
  ];
}

/** Whether a root file is that of an azldev project. */
export function isAzldev(rootFile: string): boolean {
  return basename(rootFile) === 'azldev.toml';
}
