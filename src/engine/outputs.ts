import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';

/**
 * Files with an ending below folders that an untrusted step has written, sorted.
 * @throws WeirError `bad-output` for anything that is neither a file nor a folder (a link would make Weir read whatever it
 *   points to on the host), for two files of the same name, and for more than `limit` bytes in total
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
        const hint = 'a build must leave its packages as regular files, not as links, devices or sockets';
        throw bad(`the step left ${name}, which is neither a file nor a folder`, path, hint);
      } else if (name.endsWith(ending)) {
        // A sparse file takes no space until it is copied.
        size += info.size;
        if (size > limit) throw bad(`the step left more than ${limit} bytes of output`, path, 'see [toolbox] limits');
        if (names.has(name)) throw bad(`the step left two files called ${name}`, path, 'keep one file per package');
        names.add(name);
        found.push(path);
      }
    }
  };
  for (const folder of folders) {
    // The step could have replaced the folder itself with a link.
    if (lstatSync(folder).isDirectory()) walk(folder);
    else
      throw bad('the step replaced its output folder', folder, 'write into the folder; do not replace it with a link');
  }
  return found.sort();
}

function bad(message: string, file: string, hint: string): WeirError {
  return new WeirError('bad-output', message, { where: { file }, hint });
}
