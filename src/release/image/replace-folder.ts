import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { exists, temporaryName } from '../../base/files.ts';
import { removeTree } from '../../engine/scratch.ts';
import { type Toolbox, tryTool } from '../../toolbox/tool.ts';

/** Atomically swaps two folders. @returns false if that is not supported; then nothing has changed */
export type Exchange = (one: string, other: string) => Promise<boolean>;

/** Uses `mv --exchange` of coreutils 9.5, because Node has no such call. Not every file system supports it. */
export function exchangeBy(toolbox: Toolbox): Exchange {
  return async (one, other) => {
    const paths = [resolve(one), resolve(other)];
    const { code } = await tryTool(toolbox, {
      argv: ['mv', '--exchange', '--no-copy', '--no-target-directory', ...paths],
      binds: [{ from: dirname(paths[0]!), writable: true }],
    });
    return code === 0;
  };
}

/**
 * Builds a folder under a temporary name and moves it into place. The old one is removed only when the new one is complete,
 * and a killed run leaves one of the two. Without an atomic swap, there is a moment without either.
 */
export async function replaceFolder<T>(
  dir: string,
  exchange: Exchange,
  make: (temporary: string) => Promise<T>,
): Promise<T> {
  await mkdir(dirname(dir), { recursive: true });
  const temporary = temporaryName(dir);
  await mkdir(temporary);
  try {
    const result = await make(temporary);
    if (!(await exists(dir))) await rename(temporary, dir);
    else if (await exchange(temporary, dir)) await removeTree(temporary);
    else {
      const old = temporaryName(dir);
      await rename(dir, old);
      await rename(temporary, dir);
      await removeTree(old);
    }
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}
