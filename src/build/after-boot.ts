import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporary, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import type { Engine } from '../engine/action.ts';
import { removeTree } from '../engine/scratch.ts';
import { bootId } from '../engine/stamps.ts';
import { dropDamaged } from '../engine/store.ts';
import { isWholeRepository } from '../repo/cached-repository.ts';
import { isWholeRoot, listingFile } from '../tree/materialise.ts';

/**
 * Removes what lost its content in a power cut, at the first build after the machine was started: blobs of the store, and repositories
 * and buildroots, which are folders of links. All were renamed into place before their bytes were on the disk. A build that needs none of
 * them would leave them as they are; one that needs a blob would fail. The next build that needs one creates it again.
 */
export async function checkAfterBoot(cache: string, { store }: Engine): Promise<void> {
  const note = cachePath(cache, 'store', 'boot');
  const boot = `${bootId()}\n`;
  if ((await readFile(note, 'utf8').catch(() => '')) === boot) return;
  const removed = async (path: string): Promise<void> => {
    store.tell(`${path} is damaged, perhaps by a power cut: removed; the next build that needs it makes it again`);
    await removeTree(path);
  };
  const blobs = dropDamaged(store);
  if (blobs > 0) {
    store.tell(
      `${blobs} files of ${store.dir} are damaged, perhaps by a power cut: removed; the next build that needs them makes them again`,
    );
  }
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
