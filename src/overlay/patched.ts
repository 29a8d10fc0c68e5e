import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../base/process.ts';
import { decodeText } from '../spec/lines.ts';
import { readEntry, type SourceTree } from './files.ts';

/** How many leading parts of the names in patches are dropped, like patch's `-p`. */
const strips = [1, 0, 2] as const;

/**
 * Whether files already contain the change of a patch: whether it can be reversed, its context unchanged.
 * @param scratch an existing folder, for copies of the files that the patch changes
 */
export async function isPatched(files: SourceTree, patch: Uint8Array, scratch: string): Promise<boolean> {
  const names = [...decodeText(patch).text.matchAll(/^(?:---|\+\+\+) ([^\t\n\r]+)/gm)].map((match) => match[1]!);
  for (const strip of strips) {
    const touched = new Set(
      names.map((name) => name.split('/').slice(strip).join('/')).filter((name) => files.has(name)),
    );
    if (touched.size === 0) continue;
    const dir = await mkdtemp(join(scratch, 'patched-'));
    for (const name of touched) {
      const entry = files.get(name)!;
      if (entry.kind === 'link') continue;
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), await readEntry(entry));
    }
    const { code } = await run(['git', 'apply', '--reverse', '--check', '--whitespace=nowarn', `-p${strip}`, '-'], {
      cwd: dir,
      input: patch,
      // Otherwise a repository around the folder would affect git.
      env: { PATH: process.env.PATH ?? '', GIT_CEILING_DIRECTORIES: scratch, LC_ALL: 'C' },
    });
    if (code === 0) return true;
  }
  return false;
}
