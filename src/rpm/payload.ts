import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline, Readable, Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { WeirError } from '../base/errors.ts';
import { placed } from './read.ts';
import type { RpmFile, RpmPackage } from './types.ts';

/** One file of a payload. */
export interface PayloadEntry {
  readonly file: RpmFile;
  /**
   * The content of a regular file. Read it before reading the next entry; unread content is skipped. The members of a
   * hard-link set follow each other, and only the last one has content.
   */
  readonly content: Readable | undefined;
}

const chunkSize = 1 << 18;

/** The zstd level for packages; it is also recorded in the header. */
export const payloadLevel = 3;

/** Limit for the unpacked size of a package in bytes; the largest in practice, debug information, are a tenth of it. */
const mostUnpacked = 64 * 2 ** 30;

/** Limit for bytes after the archive's end, which is padded to a block. */
const mostBehind = 1 << 20;

/**
 * Streams a package's payload in archive order (cpio: `070701`, `070702` and rpm's own `07070X`; zstd, gzip or no
 * compression). Ghosts are not in it. Checks sizes against the header, and at the end the whole payload against its digest;
 * until then the content is unverified.
 * @param pkg result of `readRpm` for `path`
 * @throws WeirError `bad-rpm` for a damaged payload, `unsupported-payload` for another compression
 */
export async function* readPayload(path: string, pkg: RpmPackage): AsyncGenerator<PayloadEntry, void, undefined> {
  const hash = createHash('sha256');
  const bytes = new ByteReader(unpacked(path, pkg, hash));
  try {
    const size = pkg.files.reduce((sum, file) => sum + (file.hardlink === undefined ? file.size : 0), 0);
    if (size > mostUnpacked) throw bad(`unpacked size of ${size} bytes exceeds the limit of ${mostUnpacked}`);
    yield* entries(bytes, pkg);
    await bytes.drain(mostBehind);
    if (pkg.payloadDigest !== undefined && hash.digest('hex') !== pkg.payloadDigest) throw bad('digest mismatch');
  } catch (error) {
    throw placed(asPackageError(error), path);
  } finally {
    bytes.close();
  }
}

function bad(reason: string): WeirError {
  return new WeirError('bad-rpm', `damaged payload: ${reason}`, { hint: 'download or build the package again' });
}

/** Turns the decompressor's errors into errors about the package. */
function asPackageError(error: unknown): unknown {
  const isUnpacking = error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code));
  return isUnpacking ? bad(error.message) : error;
}

function unpacked(path: string, pkg: RpmPackage, hash: ReturnType<typeof createHash>): Readable {
  const packed = createReadStream(path, { start: pkg.payloadOffset, highWaterMark: chunkSize });
  const digest = new Transform({
    highWaterMark: chunkSize,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  // errors reach the reader, which is last in the chain
  const ignore = (): void => {};
  switch (pkg.payloadCompressor) {
    case 'none':
      return pipeline(packed, digest, ignore);
    case 'gzip':
      return pipeline(packed, digest, createGunzip({ chunkSize }), ignore);
    case 'zstd':
      return pipeline(packed, digest, createZstdDecompress({ chunkSize }), ignore);
    default:
      packed.destroy();
      throw placed(
        new WeirError('unsupported-payload', `unsupported payload compression '${pkg.payloadCompressor}'`, {
          hint: 'build the package with zstd, for example %_binary_payload w19.zstdio',
        }),
        path,
      );
  }
}

async function* entries(bytes: ByteReader, pkg: RpmPackage): AsyncGenerator<PayloadEntry> {
  const byPath = new Map(pkg.files.map((file) => [file.path, file]));
  const lastOfSet = new Map(
    pkg.files.filter((file) => file.kind === 'file' && file.flags.ghost !== true).map((file) => [file.inode, file]),
  );
  const missing = new Set(pkg.files.filter((file) => file.flags.ghost !== true));
  for (;;) {
    const entry = await readEntry(bytes, pkg, byPath);
    if (entry === undefined) break;
    const { file, archived } = entry;
    if (!missing.delete(file)) throw bad(`${file.path} is a duplicate or a ghost`);
    const holds = file.kind === 'file' && lastOfSet.get(file.inode) === file;
    const expected = holds || file.kind === 'symlink' ? file.size : 0;
    if (archived !== undefined && archived !== expected)
      throw bad(`${file.path} has a size that differs from the header`);
    if (file.kind === 'symlink') {
      if (expected !== Buffer.byteLength(file.target ?? ''))
        throw bad(`${file.path} has a size that differs from its link target`);
      const target = (await bytes.take(expected)).toString();
      if (target !== file.target) throw bad(`${file.path} has a link target that differs from the header`);
    }
    if (!holds) {
      yield { file, content: undefined };
      continue;
    }
    const content = bytes.slice(expected);
    yield { file, content: content.stream };
    await content.skipRest();
  }
  for (const file of missing) throw bad(`${file.path} is missing`);
}

/** Reads an entry's header. @returns undefined at the trailer; `archived` is the size given in the cpio header, if any */
async function readEntry(
  bytes: ByteReader,
  pkg: RpmPackage,
  byPath: ReadonlyMap<string, RpmFile>,
): Promise<{ file: RpmFile; archived: number | undefined } | undefined> {
  await bytes.align();
  const magic = (await bytes.take(6)).toString('latin1');
  if (magic === '07070X') {
    const index = hex((await bytes.take(8)).toString('latin1'));
    await bytes.align();
    const file = pkg.files[index];
    if (file === undefined) throw bad(`file number ${index} is not listed in the header`);
    return { file, archived: undefined };
  }
  if (magic !== '070701' && magic !== '070702') throw bad('not a cpio archive');
  const fields = (await bytes.take(104)).toString('latin1');
  const field = (position: number): number => hex(fields.slice(position * 8, position * 8 + 8));
  const nameSize = field(11);
  if (nameSize < 1 || nameSize > 4096) throw bad('invalid file name length');
  const name = (await bytes.take(nameSize)).toString('utf8', 0, nameSize - 1);
  await bytes.align();
  if (name === 'TRAILER!!!') return undefined;
  const path = name.startsWith('./') ? name.slice(1) : name;
  // source packages contain bare file names
  const file = byPath.get(path === '/' ? path : path.replace(/\/$/, ''));
  if (file === undefined) throw bad(`${name} is not listed in the header`);
  return { file, archived: field(6) };
}

function hex(text: string): number {
  if (!/^[0-9a-fA-F]{8}$/.test(text)) throw bad('not a cpio archive');
  return Number.parseInt(text, 16);
}

/** Reads exact amounts from a stream. Only one read runs at a time. */
class ByteReader {
  readonly #source: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(source: Readable) {
    this.#source = source;
    this.#chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Up to `most` bytes as they arrive; empty at the end. */
  async some(most: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return this.#rest;
      this.#rest = next.value;
    }
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    this.#position += part.length;
    return part;
  }

  /** Exactly `length` bytes. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const part = await this.some(left);
      if (part.length === 0) throw bad('truncated');
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Skips to the next multiple of four. */
  async align(): Promise<void> {
    await this.take(-this.#position & 3);
  }

  /** The next `length` bytes as a separate stream. */
  slice(length: number): { stream: Readable; skipRest: () => Promise<void> } {
    let left = length;
    let reading: Promise<unknown> = Promise.resolve();
    let failure: Error | undefined;
    const fail = (error: unknown): void => {
      failure = asPackageError(error) as Error;
      stream.destroy(failure);
    };
    const stream = new Readable({
      highWaterMark: chunkSize,
      read: () => {
        if (left === 0) return void stream.push(null);
        reading = this.some(left).then((part) => {
          if (part.length === 0) return fail(bad('truncated'));
          left -= part.length;
          stream.push(part);
        }, fail);
      },
    });
    const skipRest = async (): Promise<void> => {
      if (!stream.readableEnded) stream.destroy();
      await reading;
      if (failure !== undefined) throw failure;
      while (left > 0) {
        const part = await this.some(left);
        if (part.length === 0) throw bad('truncated');
        left -= part.length;
      }
    };
    return { stream, skipRest };
  }

  /** Reads to the end. @param most limit for the remaining bytes */
  async drain(most: number): Promise<void> {
    const end = this.#position + most;
    while ((await this.some(chunkSize)).length > 0) {
      if (this.#position > end) throw bad(`more than ${most} bytes after its end`);
    }
  }

  close(): void {
    this.#source.destroy();
  }
}
