import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import type { Dialect } from './model.ts';

/**
 * The dialect of a project. The files of azldev's do not name the version that they are for; the file `.azldev-version`, by
 * which azldev's users pin the tool, may tell. Where it does not, the newer rules hold: they read every project of the older
 * ones alike, as those have no two tables of one component. Lock files tell nothing: 1.0 keeps them too, where it is not told
 * to keep pins.
 */
export function dialectOf(rootFile: string): Dialect {
  if (basename(rootFile) !== 'azldev.toml') return { name: 'weir', because: 'the root file is weir.toml' };
  const pinned = pinnedVersion(join(dirname(rootFile), '.azldev-version'));
  if (pinned === undefined) return { name: 'azldev 1.0', because: 'no .azldev-version names an older one' };
  const [major, minor] = pinned.split('.').map(Number);
  const old = major === 0 && minor! < 4;
  return { name: old ? 'azldev 0.3' : 'azldev 1.0', because: `.azldev-version says ${pinned}` };
}

/** Major and minor version, or undefined where the file is not there or names a commit or a branch. */
function pinnedVersion(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw unreadable(error, path);
  }
  return /^v?(\d+\.\d+)(\.|$)/.exec(text.trim())?.[1];
}

function unreadable(error: unknown, path: string): WeirError {
  const where = { file: path };
  return new WeirError('unreadable', `this can't be read (${systemCode(error)})`, { where, exit: 2, cause: error });
}
