import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { type DiskInputs, noteFile } from '../toml/disk-inputs.ts';
import type { Dialect } from './model.ts';

/**
 * The dialect of a project. The files of azldev's do not name the version that they are for; the file `.azldev-version`, by
 * which azldev's users pin the tool, may tell. Where it does not, the newer rules hold: they read every project of the older
 * ones alike, as those have no two tables of one component. Lock files tell nothing: 1.0 keeps them too, where it is not told
 * to keep pins.
 */
export function dialectOf(rootFile: string, inputs?: DiskInputs): Dialect {
  if (basename(rootFile) !== 'azldev.toml') return { name: 'weir', because: 'the root file is weir.toml' };
  const pinned = pinnedVersion(join(dirname(rootFile), '.azldev-version'), inputs);
  if (pinned === undefined) return { name: 'azldev 1.0', because: 'no .azldev-version names an older one' };
  const [major, minor] = pinned.split('.').map(Number);
  const old = major === 0 && minor! < 4;
  return { name: old ? 'azldev 0.3' : 'azldev 1.0', because: `.azldev-version says ${pinned}` };
}

/** Major and minor version, or undefined where the file is not there or names a commit or a branch. */
function pinnedVersion(path: string, inputs: DiskInputs | undefined): string | undefined {
  let bytes: Buffer | undefined;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw unreadable(error, path);
  }
  noteFile(inputs, path, bytes);
  return /^v?(\d+\.\d+)(\.|$)/.exec(bytes?.toString('utf8').trim() ?? '')?.[1];
}

function unreadable(error: unknown, path: string): WeirError {
  const where = { file: path };
  return new WeirError('unreadable', `this can't be read (${systemCode(error)})`, { where, exit: 2, cause: error });
}
