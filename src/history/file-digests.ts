// Digests of files that are inputs of components.

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, fileDigest, sha256 } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { compareText } from '../base/order.ts';

/** Digests of files, each read once; a missing file has the digest `missing`. */
export interface FileDigests {
  /** Digest of the content and the executable bit. */
  readonly file: (path: string) => Promise<Digest>;
  /** Paths relative to the folder → digests, of the files of a local component's folder that rendering uses. */
  readonly folder: (dir: string, spec: string) => Promise<ReadonlyMap<string, Digest>>;
  /** Whether a file or folder exists. */
  readonly has: (path: string) => Promise<boolean>;
}

/** File digests for one run: a file that changes during the run keeps its first digest. */
export function fileDigests(): FileDigests {
  const files = new Map<string, Promise<Digest>>();
  const folders = new Map<string, Promise<ReadonlyMap<string, Digest>>>();
  const once = <T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> => {
    let found = known.get(key);
    if (found === undefined) {
      found = make();
      known.set(key, found);
    }
    return found;
  };
  const file = (path: string): Promise<Digest> => once(files, path, () => digestOf(path));
  return {
    file,
    folder: (dir, spec) => once(folders, `${dir}\0${spec}`, () => digestFolder(dir, spec, file)),
    has: exists,
  };
}

async function digestOf(path: string): Promise<Digest> {
  try {
    const info = await stat(path);
    // A device could be endless.
    if (!info.isFile()) return 'missing';
    const { size, mode } = info;
    // Small files in one read, which is faster.
    const digest = size < 65_536 ? sha256(await readFile(path)) : await fileDigest(path);
    return inputDigest(digest, (mode & 0o100) !== 0);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return 'missing';
    throw error;
  }
}

/** The digest of a file as an input. @param content SHA-256 */
export function inputDigest(content: Digest, executable: boolean): Digest {
  return executable ? sha256(`executable ${content}`) : content;
}

/** Whether rendering uses a file of a local component's folder: not git's, not the project's TOML, not another spec. */
export function isTaken(path: string, spec: string): boolean {
  if (path.split('/').some((part) => part === '.git' || part.endsWith('.toml'))) return false;
  return !path.endsWith('.spec') || path === spec;
}

async function digestFolder(
  dir: string,
  spec: string,
  file: (path: string) => Promise<Digest>,
): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>();
  const visit = async (below: string): Promise<void> => {
    const entries = await readdir(join(dir, below), { withFileTypes: true }).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    for (const entry of entries.sort((a, b) => compareText(a.name, b.name))) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (!isTaken(path, spec)) continue;
      if (entry.isDirectory()) await visit(path);
      else found.set(path, await file(join(dir, path)));
    }
  };
  await visit('');
  return found;
}
