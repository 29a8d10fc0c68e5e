import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { exists, temporaryName } from '../../base/files.ts';
import { removeTree } from '../../engine/scratch.ts';
import { type Toolbox, tryTool } from '../../toolbox/tool.ts';

/** Makes two folders that lie beside each other change names in one step. @returns whether it could: else nothing has changed */
export type Exchange = (one: string, other: string) => Promise<boolean>;

/** By `mv --exchange` of coreutils 9.5, as Node does not have the call. Not every file system can do it. */
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
 * Makes a folder beside and puts it into place. What was there goes only when the new one is whole, and at no time is there
 * neither: a run that is killed leaves the one or the other. Where folders can't be exchanged there is a moment between.
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
