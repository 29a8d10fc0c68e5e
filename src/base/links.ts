import { readlink, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { systemCode, WeirError } from './errors.ts';

/**
 * Resolves the symbolic links of a path in the project. Links may lead anywhere within the project; a link that leads out of it
 * would copy files of this machine into published packages.
 * @param root the project's folder; for a path outside of it, links must stay in the path's own folder
 * @throws WeirError `link-out`; the system's error if the target does not exist
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
  throw new WeirError('link-out', `${from} leads out of ${resolve(home)} through a symbolic link`, {
    where: { file: from },
    hint: 'replace the link with the file itself: its target may differ between machines or be private',
    exit: 2,
  });
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** The path without links, as far as it exists; `missing` is the error if a part of it does not. */
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
    // A link that is dangling on this machine may have a target on another.
    return target === undefined
      ? { path: own, missing }
      : { ...(await meantBy(resolve(folder.path, target), depth - 1)), missing };
  }
}
