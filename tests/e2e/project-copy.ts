import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { installRoot } from '../../src/base/paths.ts';

/** Changes to files of a project, paths relative to the checkout; a file that is not there starts as ''. */
export type Edits = Readonly<Record<string, (text: string) => string>>;

/** Copies what a build reads of the checkout into a folder and edits it. @returns the project's folder, for -C */
export async function copyProjectTo(folder: string, edits: Edits = {}): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const part of ['distro', 'seed', 'toolbox.lock']) {
    await cp(join(installRoot, part), join(folder, part), { recursive: true });
  }
  for (const [path, edit] of Object.entries(edits)) {
    const file = join(folder, path);
    const before = await readFile(file, 'utf8').catch(() => '');
    const after = edit(before);
    if (after === before) throw new Error(`the edit of ${path} changes nothing`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, after);
  }
  return join(folder, 'distro');
}
