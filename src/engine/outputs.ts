import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';

/**
 * Files with an ending below folders that an untrusted step has written, sorted.
 * @throws WeirError `bad-output` at anything there that is neither a file nor a folder: a link would make Weir read whatever
 *   on the host it points to; at two of one name, and at more bytes than `limit` in all
 */
export function outputFiles(folders: readonly string[], ending: string, limit: number): string[] {
  const found: string[] = [];
  const names = new Set<string>();
  let size = 0;
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const info = lstatSync(path);
      if (info.isDirectory()) walk(path);
      else if (!info.isFile()) {
        const hint = 'a build leaves packages as plain files, not as links, devices or sockets';
        throw bad(`the step left ${name}, which is neither a file nor a folder`, path, hint);
      } else if (name.endsWith(ending)) {
        // A file with holes takes no space until it is copied.
        size += info.size;
        if (size > limit) throw bad(`the step left more than ${limit} bytes`, path, 'see [toolbox] limits');
        if (names.has(name)) throw bad(`the step left two files called ${name}`, path, 'a package has one file');
        names.add(name);
        found.push(path);
      }
    }
  };
  for (const folder of folders) {
    // The step could have put a link in the folder's own place.
    if (lstatSync(folder).isDirectory()) walk(folder);
    else throw bad('the step replaced its output folder', folder, 'it may write into it, and not put a link there');
  }
  return found.sort();
}

function bad(message: string, file: string, hint: string): WeirError {
  return new WeirError('bad-output', message, { where: { file }, hint });
}
