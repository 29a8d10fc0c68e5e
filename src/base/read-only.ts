import { tmpdir } from 'node:os';
import { sep } from 'node:path';
import { WeirError } from './errors.ts';
import { cacheRoot } from './paths.ts';

/** The variable that keeps a run from writing anywhere but in the cache and the folder of temporary files; child processes inherit it. */
export const readOnlyVariable = 'WEIR_READ_ONLY';

const guarded = new Set<string>();

/** From now on a read-only run does not write below this folder, even if it is in the folder of temporary files. */
export function guardFolder(path: string): void {
  guarded.add(path);
}

/**
 * Call this before writing a file that may belong to a project. @param path absolute
 * @throws WeirError `read-only` in a read-only run, unless the path is in the cache, or in the folder of temporary files but in no guarded one
 */
export function refuseReadOnly(path: string): void {
  const said = process.env[readOnlyVariable] ?? '';
  if (said === '' || said === '0') return;
  const isBelow = (folder: string): boolean => path.startsWith(folder + sep);
  if (isBelow(cacheRoot()) || (isBelow(tmpdir()) && ![...guarded].some(isBelow))) return;
  throw new WeirError('read-only', 'this file would have to be written, but this run only reads', {
    where: { file: path },
    hint: 'run the command itself once, outside of the server',
  });
}
