import { createHash } from 'node:crypto';
import { createWriteStream, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, sha256 } from '../base/digest.ts';
import { systemCode } from '../base/errors.ts';
import { diskError, exists, temporaryName } from '../base/files.ts';

/**
 * Content-addressed store: one read-only file a blob, named by the SHA-256 of its bytes. Blobs are written to a
 * temporary name and renamed, so any number of processes share a store and a kill leaves no wrong blob.
 */
export interface Store {
  readonly dir: string;
}

export interface Blob {
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
}

export async function openStore(dir: string): Promise<Store> {
  await mkdir(join(dir, 'tmp'), { recursive: true });
  // All 256 fan-out folders at once, so that no later write has to look for its parent.
  if (!(await exists(join(dir, 'ff')))) {
    for (let i = 0; i < 256; i++) await mkdir(join(dir, i.toString(16).padStart(2, '0')), { recursive: true });
  }
  return { dir };
}

/** Where a blob lies; says nothing about whether it is there. */
export function blobPath(store: Store, digest: Digest): string {
  return join(store.dir, digest.slice(0, 2), digest);
}

export function hasBlob(store: Store, digest: Digest): Promise<boolean> {
  return exists(blobPath(store, digest));
}

/** Stores a stream's bytes while they pass; nothing is held in memory. */
export async function putStream(store: Store, input: Readable): Promise<Blob> {
  const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
  const hash = createHash('sha256');
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(input, measure, createWriteStream(temporary, { mode: 0o444, highWaterMark: 1 << 20 }));
    const digest = hash.digest('hex');
    await rename(temporary, blobPath(store, digest));
    return { digest, size };
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, store.dir);
  }
}

export async function putBytes(store: Store, bytes: string | Uint8Array): Promise<Blob> {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const digest = sha256(buffer);
  const path = blobPath(store, digest);
  if (!(await exists(path))) {
    const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
    try {
      await writeFile(temporary, buffer, { mode: 0o444 });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw diskError(error, store.dir);
    }
  }
  return { digest, size: buffer.length };
}

/** Like `putBytes`, for bytes whose digest is known, and synchronous: for the many small files of a package. */
export function putBytesNow(store: Store, bytes: Uint8Array, digest: Digest): Blob {
  const path = blobPath(store, digest);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
    try {
      writeFileSync(temporary, bytes, { mode: 0o444 });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw diskError(error, store.dir);
    }
  }
  return { digest, size: bytes.length };
}

/** Copies a file into the store. */
export async function putFile(store: Store, path: string): Promise<Blob> {
  const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
  const hash = createHash('sha256');
  let size = 0;
  const from = await open(path);
  try {
    // One buffer for the whole file, where a stream makes a new one a chunk.
    const buffer = Buffer.allocUnsafeSlow(Math.min(1 << 20, Math.max(4096, (await from.stat()).size)));
    const to = await open(temporary, 'wx', 0o444);
    try {
      for (;;) {
        const { bytesRead } = await from.read(buffer);
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        hash.update(bytes);
        await to.writeFile(bytes);
        size += bytesRead;
      }
    } finally {
      await to.close();
    }
    const digest = hash.digest('hex');
    await rename(temporary, blobPath(store, digest));
    return { digest, size };
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, store.dir);
  } finally {
    await from.close();
  }
}

/** A blob at `path`: a hard link where the file system allows it, else a copy. An existing file is replaced. */
export async function takeOut(store: Store, digest: Digest, path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await link(blobPath(store, digest), temporary);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw diskError(error, path);
    await copyFile(blobPath(store, digest), temporary).catch(async (failure: unknown) => {
      await rm(temporary, { force: true });
      throw diskError(failure, path);
    });
  }
  await rename(temporary, path);
}
