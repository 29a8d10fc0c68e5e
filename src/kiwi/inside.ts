import { lstatSync, realpathSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { fault } from './check.ts';
import type { XmlPlace } from './xml.ts';

/** What a path in the folder of a description leads to. */
export interface Inside {
  /** Without links below the folder. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/**
 * Follows a path in the folder of a description. Links may lead anywhere in the folder, not out of it.
 * @param dir absolute @param path relative to it @param place of what names the path; none if KIWI looks for it by its name
 * @returns undefined if there is nothing
 * @throws WeirError `invalid-kiwi` (exit 2)
 */
export function lookInside(dir: string, path: string, place?: XmlPlace): Inside | undefined {
  const named = join(dir, path);
  const where = place ?? { file: named };
  let real: string;
  try {
    real = realpathSync(named);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw fault(where, `cannot read ${path} (${code})`);
    if (lstatSync(named, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return undefined;
    throw fault(where, `${path} is a link that leads nowhere`, 'remove the link, or add what it names');
  }
  const inner = relative(realpathSync(dir), real);
  if (inner === '..' || inner.startsWith(`..${sep}`)) {
    throw fault(where, `${path} is outside of the description's folder: a link leads there`, 'use a copy instead');
  }
  const info = statSync(real);
  return { path: join(dir, inner), kind: info.isFile() ? 'file' : info.isDirectory() ? 'folder' : 'other' };
}

/** What KIWI takes from the folder by its name. @throws WeirError `invalid-kiwi` (exit 2) if it is there as something else */
export function takeByName(dir: string, name: string, kind: 'file' | 'folder'): string | undefined {
  const found = lookInside(dir, name);
  if (found === undefined || found.kind === kind) return found?.path;
  throw fault({ file: join(dir, name) }, `${name} is not a ${kind}`, `KIWI uses this ${kind} by its name; rename it`);
}
