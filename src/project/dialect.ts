import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { type DiskInputs, noteFile } from '../toml/disk-inputs.ts';
import type { Dialect } from './model/project.ts';

/**
 * The dialect of a project. azldev's project files do not name the version that they are for, but the file `.azldev-version`,
 * with which azldev's users pin the tool, may. Without it the newer rules apply: they read every older project the same way,
 * because those never have two tables of one component. Lock files prove nothing: 1.0 writes them too, unless it is told to
 * keep pins.
 */
export function dialectOf(rootFile: string, inputs?: DiskInputs): Dialect {
  if (basename(rootFile) !== 'azldev.toml') return { name: 'weir', because: 'the root file is weir.toml' };
  const pinned = pinnedVersion(join(dirname(rootFile), '.azldev-version'), inputs);
  if (pinned === undefined) return { name: 'azldev 1.0', because: 'no .azldev-version pins an older version' };
  const [major, minor] = pinned.split('.').map(Number);
  const old = major === 0 && minor! < 4;
  return { name: old ? 'azldev 0.3' : 'azldev 1.0', because: `.azldev-version pins ${pinned}` };
}

/** Major and minor version, or undefined if the file does not exist or names a commit or a branch. */
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
  return new WeirError('unreadable', `cannot read the file (${systemCode(error)})`, { where, exit: 2, cause: error });
}
