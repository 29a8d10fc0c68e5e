import { chmodSync, copyFileSync, linkSync, mkdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { valueDigest } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import { diskError, exists, temporaryName } from '../base/files.ts';
import type { Engine } from '../engine/action.ts';
import { removeTree } from '../engine/sandbox.ts';
import { blobPath, type Store } from '../engine/store.ts';
import type { Entry, Tree } from './tree.ts';

/**
 * A tree as a folder for sandboxes: files are hard links into the content store, so it costs names but no space. All is
 * owned by whoever runs Weir, and modes keep only what a sandbox needs (readable, executable or not): owners, setuid
 * and the rest live in the tree. The folder must not be written to: use it under an overlay.
 */
export async function materialise(engine: Engine, tree: Tree, cache: string): Promise<string> {
  const digest = treeDigest(tree);
  const root = join(cache, 'roots', digest.slice(0, 24));
  if (await exists(root)) return root;
  await mkdir(join(cache, 'roots'), { recursive: true });
  const temporary = temporaryName(root);
  try {
    lay(engine.store, tree.entries, temporary);
    await rename(temporary, root);
  } catch (error) {
    await removeTree(temporary);
    if (await exists(root)) return root;
    throw diskError(error, root);
  }
  return root;
}

/** Digest over every path, attribute and content. */
export function treeDigest(tree: Tree): string {
  return valueDigest(tree.entries);
}

/** Lays entries out under `root`, synchronously: tens of thousands of tiny calls are fastest so. */
export function lay(store: Store, entries: readonly Entry[], root: string): void {
  for (const entry of entries) {
    const path = join(root, entry.path);
    switch (entry.kind) {
      case 'directory':
        mkdirSync(path, { recursive: entry.path === '/', mode: 0o755 });
        break;
      case 'symlink':
        symlinkSync(entry.target, path);
        break;
      case 'file':
        linkBlob(store, entry.digest, path, (entry.mode & 0o111) !== 0);
        break;
    }
  }
}

/** Blobs are 0444; those that some tree runs have a twin with the same bytes that is 0555. */
function linkBlob(store: Store, digest: string, path: string, executable: boolean): void {
  let from = blobPath(store, digest);
  if (executable) {
    const twin = `${from}.x`;
    if (!present(twin)) {
      const temporary = temporaryName(twin);
      copyFileSync(from, temporary);
      chmodSync(temporary, 0o555);
      renameSync(temporary, twin);
    }
    from = twin;
  }
  try {
    linkSync(from, path);
  } catch (error) {
    if (systemCode(error) !== 'EMLINK' && systemCode(error) !== 'EXDEV') throw error;
    copyFileSync(from, path);
  }
}

function present(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
