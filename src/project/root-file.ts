import { lstatSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { WeirError } from '../base/errors.ts';
import type { ConfigFile } from './model.ts';

/** Names of the root file, the first one wins where a folder has both. */
export const rootFileNames = ['weir.toml', 'azldev.toml'] as const;

/** The root file of the project that `dir` is in. @throws WeirError `no-project` */
export function findRootFile(dir: string): string {
  const start = resolve(dir);
  for (let folder = start; ; folder = dirname(folder)) {
    for (const name of rootFileNames) {
      const path = join(folder, name);
      if (isThere(path)) return path;
    }
    if (folder === dirname(folder)) break;
  }
  throw new WeirError('no-project', `there is no ${rootFileNames.join(' or ')} here or in a folder above`, {
    where: { file: start },
    hint: "change to a project's folder, or name it with -C DIR",
    exit: 2,
  });
}

/**
 * The user's own configuration files that are there, weakest first: azldev's, where the project is one of azldev's, then
 * Weir's. They are looked for where the XDG Base Directory Specification says.
 */
export function userConfigFiles(azldev: boolean, env: NodeJS.ProcessEnv): string[] {
  const absolute = (path: string | undefined): path is string => path?.startsWith('/') === true;
  const home = absolute(env.HOME) ? join(env.HOME, '.config') : undefined;
  const folder = absolute(env.XDG_CONFIG_HOME) ? env.XDG_CONFIG_HOME : home;
  if (folder === undefined) return [];
  return (azldev ? ['azldev', 'weir'] : ['weir']).map((name) => join(folder, name, 'config.toml')).filter(isFile);
}

/** Whether something of that name is there, whatever it is: reading says what is wrong with it. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Options that say which files a project is read from beside those below its own folder. */
export interface RootOptions {
  readonly configFiles?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** The files that loading starts from, in the order in which they merge; the first is the project's own. @throws WeirError `no-project` */
export function rootFiles(dir: string, options: RootOptions): readonly [ConfigFile, ...ConfigFile[]] {
  const file = findRootFile(dir);
  return [
    { path: file, from: 'root' },
    ...userConfigFiles(isAzldev(file), options.env ?? process.env).map((path) => ({ path, from: 'user' as const })),
    ...(options.configFiles ?? []).map((path) => ({ path: resolve(path), from: 'option' as const })),
  ];
}

/** Whether a root file is one of azldev's. */
export function isAzldev(rootFile: string): boolean {
  return basename(rootFile) === 'azldev.toml';
}
