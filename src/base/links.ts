import { readlink, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { systemCode, WeirError } from './errors.ts';

/**
 * The file or folder that a path of the project means, behind symbolic links. They may lead anywhere within the project; one
 * that leads out of it would bring files of this machine into what everybody gets.
 * @param root the project's folder; for a path outside of it, links must stay in the path's own folder
 * @throws WeirError `link-out`; the system's errors where there is nothing
 */
export async function behindLinks(path: string, root: string): Promise<string> {
  const from = resolve(path);
  const home = isBelow(from, resolve(root)) ? root : dirname(from);
  const top = await realpath(home);
  const meant = await meantBy(from, 10);
  if (meant.path === top || isBelow(meant.path, top)) {
    if (meant.missing !== undefined) throw meant.missing;
    return meant.path;
  }
  throw new WeirError('link-out', `${from} is or lies behind a symbolic link that leads out of ${resolve(home)}`, {
    where: { file: from },
    hint: 'put the file itself there: what is outside may be another one on each machine, or nobody else’s business',
    exit: 2,
  });
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** The path without links, as far as there is something; `missing` says why it is not there. */
async function meantBy(path: string, depth: number): Promise<{ readonly path: string; readonly missing?: unknown }> {
  try {
    return { path: await realpath(path) };
  } catch (missing) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(systemCode(missing) ?? '')) throw missing;
    const above = dirname(path);
    if (above === path || depth === 0) return { path, missing };
    const folder = await meantBy(above, depth);
    const target = await readlink(path).catch(() => undefined);
    const own = join(folder.path, path.slice(above === sep ? 1 : above.length + 1));
    // A link to what is not there on this machine may lead to something on the next.
    return target === undefined
      ? { path: own, missing }
      : { ...(await meantBy(resolve(folder.path, target), depth - 1)), missing };
  }
}
