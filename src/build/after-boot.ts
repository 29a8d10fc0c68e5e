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
 * Removes files that lost their content in a power cut, at the first build after a boot: blobs of the store, and repositories and
 * buildroots, which are folders of links. All of these are renamed into place before their bytes are on the disk, so a power cut can
 * damage them. A later build that needed a damaged blob would fail; after its removal, the build creates it again.
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
  // If this file cannot be written, the next run only repeats the check.
  await writeAtomic(note, boot).catch(() => undefined);
}

async function folders(dir: string): Promise<string[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return found.filter((each) => each.isDirectory() && !isTemporary(each.name)).map(({ name }) => join(dir, name));
}
