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
import { copyFile, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, fileDigest, sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, temporaryName } from '../base/files.ts';
import { openSeal, type Seal } from './seal.ts';
import { Stamps } from './stamps.ts';

/**
 * Content-addressed store: one read-only file per blob, named by the SHA-256 of its content. Blobs are written under a
 * temporary name and renamed. Any number of processes can share a store, and a kill leaves no corrupt blob.
 *
 * Every read is verified: the functions here return a blob only after checking it, by its stamp (`Stamps`) or by hashing it.
 * A corrupt blob is removed and reported as an error; the next run rebuilds or downloads it again.
 */
export interface Store {
  readonly dir: string;
  /** Signs the cache's own records. */
  readonly seal: Seal;
  readonly stamps: Stamps;
  /** Warns the user about damage that was found and repaired. */
  readonly tell: (text: string) => void;
}

export interface Blob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

const blobMode = 0o444n;
/** Mode of an executable twin; see `runnableTwin`. */
const twinMode = 0o555n;

export async function openStore(dir: string, tell: (text: string) => void = () => {}): Promise<Store> {
  mkdirSync(join(dir, 'tmp'), { recursive: true });
  // Creates all 256 fan-out folders at once, so later writes need not check for their parent; also those that were deleted.
  const there = new Set(readdirSync(dir));
  for (let i = 0; i < 256; i++) {
    const name = i.toString(16).padStart(2, '0');
    if (!there.has(name)) mkdirSync(join(dir, name), { recursive: true });
  }
  const seal = openSeal(join(dir, 'key'));
  return { dir, seal, stamps: new Stamps(join(dir, 'stamps'), seal), tell };
}

/** The path of a blob, not verified and perhaps missing: for messages and the store's own maintenance, never for reading. */
export function uncheckedBlobPath(store: Pick<Store, 'dir'>, digest: Digest): string {
  return join(store.dir, digest.slice(0, 2), digest);
}

export async function hasBlob(store: Store, digest: Digest): Promise<boolean> {
  return (await blobSize(store, digest)) !== undefined;
}

/** Size of a blob in bytes, undefined if it is missing. The content is not verified. */
export async function blobSize(store: Store, digest: Digest): Promise<number | undefined> {
  return blobSizeNow(store, digest);
}

/** Synchronous `blobSize`, for the hundreds of blobs of a result. */
export function blobSizeNow(store: Store, digest: Digest): number | undefined {
  try {
    const info = lstatSync(uncheckedBlobPath(store, digest), { throwIfNoEntry: false });
    return info?.isFile() === true ? info.size : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The path of a blob for reading, verified. @throws WeirError `bad-blob`, `missing-blob` */
export async function blobFile(store: Store, digest: Digest): Promise<string> {
  const path = uncheckedBlobPath(store, digest);
  const info = statNow(path);
  if (info === undefined) throw missingBlob(store, digest);
  if (isKnown(store, info, digest, blobMode)) return path;
  judge(store, path, digest, info, info.isFile() ? await fileDigest(path) : '');
  return path;
}

/** Synchronous `blobFile`, for many small files. */
export function blobFileNow(store: Store, digest: Digest): string {
  const path = uncheckedBlobPath(store, digest);
  const info = statNow(path);
  if (info === undefined) throw missingBlob(store, digest);
  if (!isKnown(store, info, digest, blobMode)) checkNow(store, path, digest);
  return path;
}

/** Opens a blob for reading, verified; the caller closes it. @throws WeirError `bad-blob`, `missing-blob` */
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
    // Check the open file, so that the file checked is the file read.
    if (!isKnown(store, fstatSync(fd, { bigint: true }), digest, blobMode)) checkNow(store, path, digest);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A blob's content, verified, for small ones. @throws WeirError `bad-blob`, `missing-blob` */
export async function readBlob(store: Store, digest: Digest): Promise<Buffer> {
  const bytes = await readFile(await blobFile(store, digest));
  // The bytes are in memory already, so hashing is cheap.
  if (sha256(bytes) !== digest) throw badBlob(store, uncheckedBlobPath(store, digest), digest);
  return bytes;
}

/** `readBlob` as text. */
export async function readBlobText(store: Store, digest: Digest): Promise<string> {
  return (await readBlob(store, digest)).toString('utf8');
}

/**
 * A second, executable file with a blob's content, for folders that programs are run from: blobs themselves have mode 0444.
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
 * Hard-links a blob to `path`, for folders that are only ever mounted read-only; copies it if the file system allows no more links.
 * @param executable gives the link mode 0555 instead of 0444
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
 * Runs `work` with blobs hard-linked into a folder that is only mounted read-only; removes the links afterwards.
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

/** Digest of a file on the store's file system, by its stamp or by hashing it. @param info its current `lstat` */
export function digestOfFileNow(store: Store, path: string, info: BigIntStats): Digest {
  const known = store.stamps.digestOf(info);
  if (known !== undefined) return known;
  const digest = digestNow(path);
  store.stamps.add(info, digest);
  return digest;
}

/** Records the new stamp of a blob after something changed its ctime but not its content, such as adding or removing a link. */
export function restamp(store: Store, path: string, digest: Digest): void {
  const info = statNow(path);
  if (info !== undefined) store.stamps.add(info, digest);
}

/** Stores a stream without holding it in memory. */
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

/** Synchronous `putBytes` for content whose digest is known: for the many small files of a package. */
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
    // One buffer for the whole file; a stream allocates one per chunk.
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
 * Copies a blob to `path`, mode 0444, replacing an existing file. Writes to the copy, in a sandbox or in a published folder, do
 * not reach the store. Shares disk blocks if the file system supports it (reflink).
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

/**
 * Removes blobs whose content does not match their digest. Blobs with a valid stamp are not read; after a reboot, only stamps of blobs
 * that were synced are valid.
 * @returns how many were removed
 */
export function dropDamaged(store: Store): number {
  let dropped = 0;
  for (const folder of readdirSync(store.dir)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const name of readdirSync(join(store.dir, folder))) {
      const [, digest] = /^([0-9a-f]{64})(?:\.x)?$/.exec(name) ?? [];
      const path = join(store.dir, folder, name);
      const info = statNow(path);
      if (digest === undefined || info?.isFile() !== true || store.stamps.digestOf(info) === digest) continue;
      if (digestNow(path) === digest) store.stamps.add(info, digest);
      else {
        rmSync(path, { force: true });
        dropped++;
      }
    }
  }
  return dropped;
}

/** Moves a temporary file into place as a blob, unless the right one already exists. */
function keep(store: Store, temporary: string, path: string, digest: Digest): void {
  const there = statNow(path);
  if (there !== undefined) {
    if (store.stamps.digestOf(there) === digest) return;
    // A rename cannot replace a folder, and must not replace a link that something else put there.
    if (!there.isFile()) rmSync(path, { recursive: true, force: true });
  }
  renameSync(temporary, path);
  const info = statNow(path);
  if (info !== undefined) store.stamps.add(info, digest);
}

/** Whether a valid blob exists, so that nothing has to be written. */
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
    store.tell(`${path} was corrupt (its content did not match its digest): rewritten`);
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

/** Reports a corrupt blob. @param info the file's `lstat` from before it was read @param found digest of its content */
function judge(store: Store, path: string, digest: Digest, info: BigIntStats, found: string): void {
  if (found !== digest) throw badBlob(store, path, digest);
  if ((info.mode & 0o7777n) !== blobMode) {
    store.tell(`${path} had mode ${(info.mode & 0o7777n).toString(8)}: reset to 444`);
    chmodSync(path, Number(blobMode));
    restamp(store, path, digest);
  } else store.stamps.add(info, digest);
}

function badBlob(store: Store, path: string, digest: Digest): WeirError {
  dropBlob(store, digest);
  return new WeirError('bad-blob', 'corrupt cache blob: its content does not match its digest', {
    where: { file: path },
    hint: 'the blob was removed: run again to rebuild or download it; weir cache verify checks the others',
  });
}

function missingBlob(store: Store, digest: Digest, cause?: unknown): WeirError {
  return new WeirError('missing-blob', 'missing cache blob', {
    where: { file: uncheckedBlobPath(store, digest) },
    hint: 'run weir cache verify --repair to drop the records that need it; the next run rebuilds or downloads it',
    cause,
  });
}

function statNow(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** Shared by all calls, which cannot overlap: for a small file, allocating it took as long as hashing. */
let chunk: Buffer | undefined;

function digestNow(path: string): Digest {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const hash = createHash('sha256');
  chunk ??= Buffer.allocUnsafeSlow(1 << 20);
  const buffer = chunk;
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
