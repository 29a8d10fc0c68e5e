import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError, isAbandoned, isTemporary } from '../base/files.ts';
import { cacheParts, cachePath } from '../base/paths.ts';
import type { Engine } from './action.ts';
import { removeTree } from './scratch.ts';
import { openStore } from './store.ts';

/**
 * Opens the engine under a cache root, after removing what killed runs left behind.
 * @param tell receives warnings about damage in the cache that is being repaired
 * @throws WeirError `not-writable`, `no-space`
 */
export async function openEngine(cache: string, tell: (text: string) => void = () => {}): Promise<Engine> {
  // Blob modes end up in packages, and tools inherit the umask: outputs must not depend on the user's shell.
  process.umask(0o022);
  try {
    const store = await openStore(cachePath(cache, 'store'), tell);
    const results = cachePath(cache, 'actions');
    const scratch = cachePath(cache, 'scratch');
    await mkdir(results, { recursive: true });
    await mkdir(scratch, { recursive: true });
    const folders = [...Object.keys(cacheParts), 'store/tmp', 'store/stamps'];
    await sweep(folders.map((folder) => join(cache, folder)));
    return { store, results, scratch, counts: { ran: 0, cached: 0, doubted: 0 }, running: new Map() };
  } catch (error) {
    throw diskError(error, cache);
  }
}

/** Removes the temporary files that killed runs left in these folders. */
export async function sweep(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (!isTemporary(name)) continue;
      const info = await stat(join(folder, name)).catch(() => undefined);
      if (info !== undefined && isAbandoned(name, info.mtimeMs)) await removeTree(join(folder, name));
    }
  }
}
