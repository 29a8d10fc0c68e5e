import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { WeirError } from '../base/errors.ts';
import type { RpmSpecFile } from './types.ts';

/** A file to be packed; size, digest and colour are filled in while its content is read. */
export interface PackedFile {
  readonly file: RpmSpecFile;
  /** Index of the first member of its hard-link set; its own index if it is the first or not hard-linked. */
  readonly first: number;
  size: number;
  /** SHA-256 of the content in hex; empty if it has no content. */
  digest: string;
  /** rpm's colour: 1 for 32-bit ELF, 2 for 64-bit, else 0. */
  color: number;
}

export interface Digests {
  readonly sha256: string;
  readonly sha512: string;
  readonly sha3_256: string;
}

/** Values in the main header that describe the payload; sizes in bytes. */
export interface PayloadFacts {
  readonly size: number;
  readonly unpackedSize: number;
  readonly digests: Digests;
  readonly unpackedDigests: Digests;
}

const blockSize = 1 << 18;

/** Size and digests of a file. */
export interface Digested {
  /** In bytes. */
  readonly size: number;
  readonly digests: Digests;
}

/**
 * Writes the uncompressed payload: rpm's stripped cpio, where an entry is just the file's index. Single files come first, in
 * order, then hard-link sets with the content in the last member, as rpmbuild writes them.
 */
export async function writeArchive(path: string, files: readonly PackedFile[]): Promise<Digested> {
  const unpacked = new Digester();
  const handle = await open(path, 'wx', 0o644);
  try {
    let position = 0;
    for await (const block of blocks(archive(files), unpacked)) {
      await writeAll(handle, block, position);
      position += block.length;
    }
  } finally {
    await handle.close();
  }
  return { size: unpacked.size, digests: unpacked.finish() };
}

/** Computes size and digests of a file. */
export async function digested(path: string): Promise<Digested> {
  const digester = new Digester();
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 })) digester.update(block as Buffer);
  return { size: digester.size, digests: digester.finish() };
}

/** Copies a file to `offset`. */
export async function append(handle: FileHandle, offset: number, path: string): Promise<void> {
  let position = offset;
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 })) {
    await writeAll(handle, block as Buffer, position);
    position += (block as Buffer).length;
  }
}

export async function writeAll(handle: FileHandle, data: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < data.length) {
    done += (await handle.write(data, done, data.length - done, position + done)).bytesWritten;
  }
}

class Digester {
  size = 0;
  readonly #hashes: readonly [Hash, Hash, Hash] = [createHash('sha256'), createHash('sha512'), createHash('sha3-256')];

  update(data: Uint8Array): void {
    this.size += data.length;
    for (const hash of this.#hashes) hash.update(data);
  }

  finish(): Digests {
    const [sha256, sha512, sha3_256] = this.#hashes.map((hash) => hash.digest('hex'));
    return { sha256: sha256!, sha512: sha512!, sha3_256: sha3_256! };
  }
}

/** Regroups chunks into blocks of one size; neither speed nor bytes then depend on how the content was split. */
async function* blocks(source: AsyncIterable<Uint8Array>, digester: Digester): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(blockSize);
  let used = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(chunk.length - at, blockSize - used);
      block.set(chunk.subarray(at, at + length), used);
      used += length;
      at += length;
      if (used < blockSize) continue;
      digester.update(block);
      yield block;
      used = 0;
    }
  }
  if (used === 0) return;
  digester.update(block.subarray(0, used));
  yield block.subarray(0, used);
}

async function* archive(files: readonly PackedFile[]): AsyncGenerator<Uint8Array> {
  const sets = hardlinkSets(files);
  let written = 0;
  const padding = (): Buffer => Buffer.alloc(-written & 3);
  const put = (data: Uint8Array): Uint8Array => {
    written += data.length;
    return data;
  };
  for (const set of sets) {
    for (const index of set) {
      yield put(padding());
      yield put(Buffer.from(`07070X${index.toString(16).padStart(8, '0')}\0\0`));
    }
    const packed = files[set[0]!]!;
    if (packed.file.kind === 'symlink') yield put(Buffer.from(packed.file.target!));
    if (packed.file.kind !== 'file') continue;
    for await (const chunk of content(packed)) yield put(chunk);
    for (const index of set) {
      const { size, digest, color } = packed;
      Object.assign(files[index]!, { size, digest, color });
    }
  }
  yield put(padding());
  yield put(Buffer.from(`070701${'0'.repeat(32)}00000001${'0'.repeat(48)}0000000b${'0'.repeat(8)}TRAILER!!!\0`));
  yield put(padding());
}

/** Indexes of the files in the payload, in payload order; a single file is a set of one. */
function hardlinkSets(files: readonly PackedFile[]): number[][] {
  const sets = new Map<number, number[]>();
  files.forEach(({ file, first }, index) => {
    if (file.flags?.ghost === true) return;
    const set = sets.get(first);
    if (set === undefined) sets.set(first, [index]);
    else set.push(index);
  });
  const all = [...sets.values()];
  return [...all.filter((set) => set.length === 1), ...all.filter((set) => set.length > 1)];
}

/** The content of a file; sets size, digest and colour in `packed`. */
async function* content(packed: PackedFile): AsyncGenerator<Uint8Array> {
  const { file } = packed;
  const hash = createHash('sha256');
  let start: Buffer = Buffer.alloc(0);
  packed.size = 0;
  for await (const chunk of opened(file)) {
    hash.update(chunk);
    packed.size += chunk.length;
    if (start.length < 5) start = Buffer.concat([start, chunk.subarray(0, 5)]);
    yield chunk;
  }
  packed.digest = hash.digest('hex');
  packed.color = start.toString('latin1', 0, 4) === '\x7fELF' ? (start[4] === 2 ? 2 : start[4] === 1 ? 1 : 0) : 0;
}

async function* opened(file: RpmSpecFile): AsyncGenerator<Uint8Array> {
  try {
    const given = typeof file.content === 'function' ? await file.content() : file.content!;
    if (given instanceof Uint8Array) yield given;
    else for await (const chunk of given) yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
  } catch (error) {
    if (error instanceof WeirError) throw error;
    throw new WeirError('unreadable-content', `cannot read the content of ${file.path}`, { cause: error });
  }
}
