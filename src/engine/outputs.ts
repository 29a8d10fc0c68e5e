import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';

/**
 * Files with an ending below folders that an untrusted step has written, sorted.
 * @throws WeirError `bad-output` at anything there that is neither a file nor a folder: a link would make Weir read whatever
 *   on the host it points to
 */
export function outputFiles(folders: readonly string[], ending: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const info = lstatSync(path);
      if (info.isDirectory()) walk(path);
      else if (!info.isFile()) {
        throw new WeirError('bad-output', `the step left ${name}, which is neither a file nor a folder`, {
          where: { file: path },
          hint: 'a build leaves packages as plain files, not as links, devices or sockets',
        });
      } else if (name.endsWith(ending)) found.push(path);
    }
  };
  for (const folder of folders) {
    // The step could have put a link in the folder's own place.
    if (lstatSync(folder).isDirectory()) walk(folder);
    else throw new WeirError('bad-output', 'the step replaced its output folder', { where: { file: folder } });
  }
  return found.sort();
}
