import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  createWriteStream,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { copyFile, lstat, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, fileDigest, sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, temporaryName } from '../base/files.ts';
import { openSeal, type Seal } from './seal.ts';
import { Stamps } from './stamps.ts';

/**
 * Content-addressed store: one read-only file a blob, named by the SHA-256 of its bytes. Blobs are written to a
 * temporary name and renamed, so any number of processes share a store and a kill leaves no wrong blob.
 *
 * Nothing leaves the store unseen: whoever wants a blob's bytes gets them by a function here that knows them to be those of its name,
 * by a stamp (`Stamps`) or by hashing them. A blob that is another is removed, and the error says so: then what it came from
 * is done or fetched again.
 */
export interface Store {
  readonly dir: string;
  /** What the cache marks its own records with. */
  readonly seal: Seal;
  readonly stamps: Stamps;
  /** Tells the user what was found wrong and put right. */
  readonly tell: (text: string) => void;
}

export interface Blob {
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
}

const blobMode = 0o444n;
/** Of a twin that is to be executable; see `runnableTwin`. */
const twinMode = 0o555n;

export async function openStore(dir: string, tell: (text: string) => void = () => {}): Promise<Store> {
  mkdirSync(join(dir, 'tmp'), { recursive: true });
  // All 256 fan-out folders at once, so that no later write has to look for its parent; also those that somebody removed.
  const there = new Set(readdirSync(dir));
  for (let i = 0; i < 256; i++) {
    const name = i.toString(16).padStart(2, '0');
    if (!there.has(name)) mkdirSync(join(dir, name), { recursive: true });
  }
  const seal = openSeal(join(dir, 'key'));
  return { dir, seal, stamps: new Stamps(join(dir, 'stamps'), seal), tell };
}

/** Where a blob lies, whatever is there: for messages and for the store's own upkeep, never for reading. */
export function uncheckedBlobPath(store: Pick<Store, 'dir'>, digest: Digest): string {
  return join(store.dir, digest.slice(0, 2), digest);
}

export async function hasBlob(store: Store, digest: Digest): Promise<boolean> {
  return (await blobSize(store, digest)) !== undefined;
}

/** Bytes of a blob, undefined where it is not there. They are not looked at. */
export async function blobSize(store: Store, digest: Digest): Promise<number | undefined> {
  try {
    const info = await lstat(uncheckedBlobPath(store, digest));
    return info.isFile() ? info.size : undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The path of a blob whose bytes are those of its name, for reading. @throws WeirError `bad-blob`, `missing-blob` */
export async function blobFile(store: Store, digest: Digest): Promise<string> {
  const path = uncheckedBlobPath(store, digest);
  const info = statNow(path);
  if (info === undefined) throw missingBlob(store, digest);
  if (isKnown(store, info, digest, blobMode)) return path;
  judge(store, path, digest, info, info.isFile() ? await fileDigest(path) : '');
  return path;
}

/** The same, synchronous: for many small files. */
export function blobFileNow(store: Store, digest: Digest): string {
  const path = uncheckedBlobPath(store, digest);
  const info = statNow(path);
  if (info === undefined) throw missingBlob(store, digest);
  if (!isKnown(store, info, digest, blobMode)) checkNow(store, path, digest);
  return path;
}

/** A blob open for reading; the caller closes it. @throws WeirError `bad-blob`, `missing-blob` */
export function openBlobNow(store: Store, digest: Digest): number {
  const path = uncheckedBlobPath(store, digest);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw missingBlob(store, digest, error);
    checkNow(store, path, digest);
    throw error;
  }
  try {
    // Of the open file: what is read then is what was looked at.
    if (!isKnown(store, fstatSync(fd, { bigint: true }), digest, blobMode)) checkNow(store, path, digest);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A blob's bytes, for small ones. @throws WeirError `bad-blob`, `missing-blob` */
export async function readBlob(store: Store, digest: Digest): Promise<Buffer> {
  const bytes = await readFile(await blobFile(store, digest));
  // They are in memory anyway.
  if (sha256(bytes) !== digest) throw badBlob(store, uncheckedBlobPath(store, digest), digest);
  return bytes;
}

/** The same as text. */
export async function readBlobText(store: Store, digest: Digest): Promise<string> {
  return (await readBlob(store, digest)).toString('utf8');
}

/**
 * A second file with a blob's bytes that may be executed, for folders that programs are run from: blobs themselves are 0444.
 * @returns its path
 */
export function runnableTwin(store: Store, digest: Digest): string {
  const twin = `${uncheckedBlobPath(store, digest)}.x`;
  const info = statNow(twin);
  if (info !== undefined) {
    if (isKnown(store, info, digest, twinMode)) return twin;
    if (info.isFile() && (info.mode & 0o7777n) === twinMode && digestNow(twin) === digest) {
      store.stamps.add(info, digest);
      return twin;
    }
  }
  const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
  try {
    copyFileSync(blobFileNow(store, digest), temporary, constants.COPYFILE_FICLONE);
    chmodSync(temporary, Number(twinMode));
    keep(store, temporary, twin, digest);
  } finally {
    rmSync(temporary, { force: true });
  }
  return twin;
}

/**
 * A blob at `path` as a hard link, for folders that are only ever mounted read-only; a copy where the file system has no more links.
 * @param executable the link's mode is then 0555, else 0444
 * @throws WeirError `bad-blob`, `missing-blob`
 */
export function linkNow(store: Store, digest: Digest, path: string, executable = false): void {
  const from = executable ? runnableTwin(store, digest) : blobFileNow(store, digest);
  try {
    linkSync(from, path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EMLINK' && code !== 'EXDEV' && code !== 'EPERM') throw error;
    copyFileSync(from, path, constants.COPYFILE_FICLONE);
  }
  restamp(store, path, digest);
}

/**
 * Blobs as hard links in a folder that is only mounted read-only while `work` runs; the links are removed after it.
 * @param names name in the folder → blob
 */
export async function withLinks<T>(
  store: Store,
  dir: string,
  names: ReadonlyMap<string, Digest>,
  work: () => Promise<T>,
): Promise<T> {
  for (const [name, digest] of names) linkNow(store, digest, join(dir, name));
  try {
    return await work();
  } finally {
    for (const [name, digest] of names) {
      const info = statNow(join(dir, name));
      const blob = uncheckedBlobPath(store, digest);
      const same = info !== undefined && info.ino === statNow(blob)?.ino && store.stamps.digestOf(info) === digest;
      rmSync(join(dir, name), { force: true });
      if (same) restamp(store, blob, digest);
    }
  }
}

/** Digest of a file beside the store, on the same file system: by its stamp, else of its bytes. @param info how it lies */
export function digestOfFileNow(store: Store, path: string, info: BigIntStats): Digest {
  const known = store.stamps.digestOf(info);
  if (known !== undefined) return known;
  const digest = digestNow(path);
  store.stamps.add(info, digest);
  return digest;
}

/** Notes how a file with a blob's bytes lies now, after something that moved its times but not its bytes: a link more, or one less. */
export function restamp(store: Store, path: string, digest: Digest): void {
  const info = statNow(path);
  if (info !== undefined) store.stamps.add(info, digest);
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
    keep(store, temporary, uncheckedBlobPath(store, digest), digest);
    return { digest, size };
  } catch (error) {
    throw diskError(error, store.dir);
  } finally {
    await rm(temporary, { force: true });
  }
}

export async function putBytes(store: Store, bytes: string | Uint8Array): Promise<Blob> {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const digest = sha256(buffer);
  if (!isThere(store, digest)) {
    const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
    try {
      await writeFile(temporary, buffer, { mode: 0o444 });
      keep(store, temporary, uncheckedBlobPath(store, digest), digest);
    } catch (error) {
      throw diskError(error, store.dir);
    } finally {
      await rm(temporary, { force: true });
    }
  }
  return { digest, size: buffer.length };
}

/** Like `putBytes`, for bytes whose digest is known, and synchronous: for the many small files of a package. */
export function putBytesNow(store: Store, bytes: Uint8Array, digest: Digest): Blob {
  if (!isThere(store, digest)) {
    const temporary = temporaryName(join(store.dir, 'tmp', 'x'));
    try {
      writeFileSync(temporary, bytes, { mode: 0o444 });
      keep(store, temporary, uncheckedBlobPath(store, digest), digest);
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
    keep(store, temporary, uncheckedBlobPath(store, digest), digest);
    return { digest, size };
  } catch (error) {
    throw diskError(error, store.dir);
  } finally {
    await from.close();
    await rm(temporary, { force: true });
  }
}

/**
 * A copy of a blob at `path`, mode 0444: who writes to it, in a sandbox or in a published folder, does not write to the store. It
 * shares the blocks on the disk where the file system can do that. An existing file is replaced.
 * @throws WeirError `bad-blob`, `missing-blob`
 */
export async function takeOut(store: Store, digest: Digest, path: string): Promise<void> {
  const from = await blobFile(store, digest);
  const temporary = temporaryName(path);
  try {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, path);
  }
}

/** Removes a blob and its twin. */
export function dropBlob(store: Store, digest: Digest): void {
  const path = uncheckedBlobPath(store, digest);
  for (const each of [path, `${path}.x`]) rmSync(each, { recursive: true, force: true });
}

/** Puts a file with these bytes into place, unless the right one is there. */
function keep(store: Store, temporary: string, path: string, digest: Digest): void {
  const there = statNow(path);
  if (there !== undefined) {
    if (store.stamps.digestOf(there) === digest) return;
    // Never over a folder or a link that somebody put there.
    if (!there.isFile()) rmSync(path, { recursive: true, force: true });
  }
  renameSync(temporary, path);
  const info = statNow(path);
  if (info !== undefined) store.stamps.add(info, digest);
}

/** Whether a blob is there and right, so that nothing has to be written. */
function isThere(store: Store, digest: Digest): boolean {
  const path = uncheckedBlobPath(store, digest);
  const info = statNow(path);
  if (info === undefined) return false;
  if (isKnown(store, info, digest, blobMode)) return true;
  try {
    checkNow(store, path, digest);
    return true;
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'bad-blob') throw error;
    store.tell(`${path} was not what its name says: written anew`);
    return false;
  }
}

function isKnown(store: Store, info: BigIntStats, digest: Digest, mode: bigint): boolean {
  return store.stamps.digestOf(info) === digest && (info.mode & 0o7777n) === mode;
}

/** Hashes a blob. @throws WeirError `bad-blob` */
function checkNow(store: Store, path: string, digest: Digest): void {
  const info = statNow(path);
  if (info === undefined) throw missingBlob(store, digest);
  judge(store, path, digest, info, info.isFile() ? digestNow(path) : '');
}

/** @param info how the file lay before it was read @param found what its bytes are */
function judge(store: Store, path: string, digest: Digest, info: BigIntStats, found: string): void {
  if (found !== digest) throw badBlob(store, path, digest);
  if ((info.mode & 0o7777n) !== blobMode) {
    store.tell(`${path} had the mode ${(info.mode & 0o7777n).toString(8)}: 444 again`);
    chmodSync(path, Number(blobMode));
    restamp(store, path, digest);
  } else store.stamps.add(info, digest);
}

function badBlob(store: Store, path: string, digest: Digest): WeirError {
  dropBlob(store, digest);
  return new WeirError('bad-blob', 'a file of the cache has not the bytes that its name says', {
    where: { file: path },
    hint: 'it was removed: run again, and what it came from is done or fetched again; weir cache verify looks through the rest',
  });
}

function missingBlob(store: Store, digest: Digest, cause?: unknown): WeirError {
  return new WeirError('missing-blob', 'a file of the cache is not there', {
    where: { file: uncheckedBlobPath(store, digest) },
    hint: 'weir cache verify --repair forgets what needs it, and the next run makes or fetches it again',
    cause,
  });
}

function statNow(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

function digestNow(path: string): Digest {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  try {
    for (;;) {
      const count = readSync(fd, buffer);
      if (count === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
}
