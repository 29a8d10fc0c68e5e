import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { fileReader, type ReadAt } from '../archive/read-at.ts';
import { systemCode } from '../base/errors.ts';
import { atMost } from './expansion.ts';
import type { Files } from './files.ts';
import { isBlindness, notCheckable, unreadable } from './rule.ts';
import { tarFiles } from './tar-files.ts';
import type { OpenArchive } from './wsl-facts.ts';

/** Whether a file is an archive rather than a disk, by its first bytes, else by its name. */
export function isArchive(path: string, first: Buffer): boolean {
  return compression(first) !== undefined || first.toString('latin1', 257, 262) === 'ustar' || path.endsWith('.wsl');
}

function compression(first: Buffer): OpenArchive['compression'] {
  const magic = first.toString('hex', 0, 6);
  if (magic.startsWith('1f8b')) return 'gzip';
  if (magic === 'fd377a585a00') return 'xz';
  return magic.startsWith('28b52ffd') ? 'zstd' : undefined;
}

/**
 * Opens a WSL root file system for the duration of `work`. Faults of a file with the suffix .wsl are left to the
 * rules. @param scratch a folder for exclusive use
 * @throws WeirError `unknown-format` if another file is compressed but not an archive
 */
export async function withArchive<T>(
  path: string,
  first: Buffer,
  scratch: string,
  work: (archive: OpenArchive) => Promise<T>,
): Promise<T> {
  const packed = compression(first);
  const plain = packed === 'gzip' ? join(scratch, 'root.tar') : path;
  if (packed === 'gzip') {
    try {
      await pipeline(createReadStream(path), createGunzip(), atMost(), createWriteStream(plain));
    } catch (error) {
      if (isBlindness(error)) return work({ compression: packed, problem: error.message, root: unreadableRoot });
      if (!/^Z_/.test(systemCode(error) ?? '')) throw error;
      return work({ compression: packed, problem: 'it cannot be decompressed', root: unreadableRoot });
    }
  }
  const handle = await open(plain);
  try {
    if (packed === 'xz' || packed === 'zstd') return await work({ compression: packed, root: unreadableRoot });
    const opened = openRoot(fileReader(handle.fd));
    if (typeof opened === 'string' && !path.endsWith('.wsl')) {
      throw notCheckable(path, `not a root file system: ${opened}`);
    }
    return await work(
      typeof opened === 'string'
        ? { compression: packed, problem: opened, root: unreadableRoot }
        : { compression: packed, root: () => opened },
    );
  } finally {
    await handle.close();
  }
}

/** Reads the files of an archive. @returns the files, or why the archive is invalid */
function openRoot(read: ReadAt): Files | string {
  try {
    return tarFiles([read]);
  } catch (error) {
    if (!isBlindness(error)) throw error;
    return error.message;
  }
}

function unreadableRoot(): never {
  throw unreadable('cannot read the archive');
}
