import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporary, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import type { Engine } from '../engine/action.ts';
import { removeTree } from '../engine/scratch.ts';
import { bootId } from '../engine/stamps.ts';
import { isWholeRepository } from '../repo/cached-repository.ts';
import { isWholeRoot, listingFile } from '../tree/materialise.ts';

/**
 * Removes repositories and buildroots that lost content in a power cut, at the first build after the machine was started. They
 * are folders of links, renamed into place before their files were on the disk, and a build that needs none of them would leave
 * them as they are. The next build that needs one creates it again.
 */
export async function checkAfterBoot(cache: string, { store }: Engine): Promise<void> {
  const note = cachePath(cache, 'store', 'boot');
  const boot = `${bootId()}\n`;
  if ((await readFile(note, 'utf8').catch(() => '')) === boot) return;
  const removed = async (path: string): Promise<void> => {
    store.tell(`${path} is damaged, perhaps by a power cut: removed; the next build that needs it makes it again`);
    await removeTree(path);
  };
  for (const dir of await folders(cachePath(cache, 'repos')))
    if (!(await isWholeRepository(store, dir))) await removed(dir);
  for (const root of await folders(cachePath(cache, 'roots'))) {
    if (await isWholeRoot(store, root)) continue;
    await removed(root);
    await rm(listingFile(root), { force: true });
  }
  // Failing to write it only costs the same check in the next run.
  await writeAtomic(note, boot).catch(() => undefined);
}

async function folders(dir: string): Promise<string[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return found.filter((each) => each.isDirectory() && !isTemporary(each.name)).map(({ name }) => join(dir, name));
}
