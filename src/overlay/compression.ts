import { promisify } from 'node:util';
import { crc32, gunzip, zstdDecompress } from 'node:zlib';
import { gzipAsGo } from '../archive/deflate.ts';
import { WeirError } from '../base/errors.ts';

/** Programs for formats that Node cannot decode. */
export interface ArchiveTools {
  /** Unpacks xz; called only if an overlay changes such an archive. */
  readonly unxz?: (bytes: Uint8Array) => Promise<Uint8Array>;
}

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd';

/** Limit of an archive's unpacked size, in bytes; larger ones are decompression bombs. */
const mostBytes = 4 * 2 ** 30;

/**
 * The compression of bytes, detected by their signature: names of upstream archives are not always right.
 * @throws WeirError `not-supported-yet` for other kinds of archives
 */
export function compressionOf(bytes: Uint8Array, name: string): Compression {
  const begins = (...magic: readonly number[]): boolean => magic.every((byte, index) => bytes[index] === byte);
  if (begins(0x1f, 0x8b)) return 'gzip';
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return 'xz';
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  const other = [
    ['a bzip2 archive', begins(0x42, 0x5a, 0x68)],
    ['an lzip archive', begins(0x4c, 0x5a, 0x49, 0x50)],
    ['a zip archive', begins(0x50, 0x4b, 3, 4)],
    ['a 7z archive', begins(0x37, 0x7a, 0xbc, 0xaf)],
  ].find(([, is]) => is)?.[0];
  if (other === undefined) return 'none';
  throw new WeirError('not-supported-yet', `${name} is ${other}, whose files overlays cannot change`, {
    hint: 'supported are tar archives, plain or compressed by gzip, xz or zstd',
    exit: 2,
  });
}

/** @throws WeirError `bad-archive`, or `not-supported-yet` if xz is needed and no tool was given */
export async function decompress(
  bytes: Uint8Array,
  compression: Compression,
  name: string,
  tools: ArchiveTools,
): Promise<Uint8Array> {
  if (compression === 'none') return bytes;
  if (compression === 'xz' && tools.unxz === undefined) {
    throw new WeirError('not-supported-yet', `${name} is compressed by xz, and no toolbox is available to unpack it`, {
      exit: 2,
    });
  }
  try {
    if (compression === 'xz') return await tools.unxz!(bytes);
    if (compression === 'gzip') return await promisify(gunzip)(bytes, { maxOutputLength: mostBytes });
    return await unzstd(bytes);
  } catch (error) {
    const said = error instanceof WeirError ? error.details : [error instanceof Error ? error.message : String(error)];
    // A missing toolbox says nothing about the archive.
    if (error instanceof WeirError && error.code !== 'tool-failed') throw error;
    throw new WeirError('bad-archive', `${name} cannot be unpacked`, { details: said, exit: 2, cause: error });
  }
}

/** Decodes every frame: Node's own function stops after the first, and parallel compressors write many. */
async function unzstd(bytes: Uint8Array): Promise<Uint8Array> {
  const frame = promisify<Uint8Array, object, { buffer: Buffer; engine: { bytesWritten: number } }>(
    zstdDecompress as never,
  );
  const parts: Buffer[] = [];
  let size = 0;
  for (let at = 0; at < bytes.length; ) {
    const { buffer, engine } = await frame(bytes.subarray(at), { info: true, maxOutputLength: mostBytes - size });
    parts.push(buffer);
    size += buffer.length;
    at += engine.bytesWritten;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Compresses bytes in a way that never changes. */
export function compress(bytes: Uint8Array, compression: Compression): Uint8Array {
  return compression === 'gzip' ? gzipAsGo(bytes) : store(bytes, compression);
}

/**
 * Puts bytes into the container of a compression, stored and not compressed. The output of compressors differs between
 * versions and even between processors, and with it the hash of the archive, which is committed and must not change. A
 * source package compresses its content anyway.
 */
export function store(bytes: Uint8Array, compression: Compression): Uint8Array {
  if (compression === 'gzip') return storedGzip(bytes);
  if (compression === 'xz') return storedXz(bytes);
  if (compression === 'zstd') return storedZstd(bytes);
  return bytes;
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length || at === 0; at += size) found.push(bytes.subarray(at, at + size));
  return found;
}

function little(value: number, bytes: 2 | 3 | 4): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
}

/** RFC 1952 around stored blocks of RFC 1951; no name, no time, operating system "unknown". */
function storedGzip(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])];
  const blocks = pieces(bytes, 0xffff);
  for (const [index, block] of blocks.entries()) {
    const last = index === blocks.length - 1 ? 1 : 0;
    parts.push(Buffer.from([last]), little(block.length, 2), little(block.length ^ 0xffff, 2), block);
  }
  parts.push(little(crc32(bytes), 4), little(bytes.length % 2 ** 32, 4));
  return Buffer.concat(parts);
}

/** RFC 8878: one frame of raw blocks, with its size and without a checksum; the window is 128 KiB. */
function storedZstd(bytes: Uint8Array): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  const parts: Uint8Array[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x38]), size];
  const blocks = pieces(bytes, 128 << 10);
  for (const [index, block] of blocks.entries()) {
    parts.push(little(block.length * 8 + (index === blocks.length - 1 ? 1 : 0), 3), block);
  }
  return Buffer.concat(parts);
}

/** The .xz file format 1.2.1 (tukaani.org/xz): one stream of one block, LZMA2 chunks that are not compressed, CRC32. */
function storedXz(bytes: Uint8Array): Buffer {
  const flags = Buffer.from([0, 1]);
  const block = Buffer.from([2, 0, 0x21, 1, 0, 0, 0, 0]);
  const chunks = pieces(bytes, 64 << 10).filter((chunk) => chunk.length > 0);
  const parts: Uint8Array[] = [
    Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
    flags,
    little(crc32(flags), 4),
    block,
    little(crc32(block), 4),
  ];
  let length = 12;
  for (const [index, chunk] of chunks.entries()) {
    const size = chunk.length - 1;
    parts.push(Buffer.from([index === 0 ? 1 : 2, size >> 8, size & 0xff]), chunk);
    length += 3 + chunk.length;
  }
  parts.push(Buffer.from([0]));
  length += 1;
  parts.push(Buffer.alloc((4 - (length % 4)) % 4), little(crc32(bytes), 4));
  const records = [0, 1, ...variable(length + 4), ...variable(bytes.length)];
  while (records.length % 4 !== 0) records.push(0);
  const index = Buffer.from(records);
  parts.push(index, little(crc32(index), 4));
  const backward = Buffer.concat([little((index.length + 4) / 4 - 1, 4), flags]);
  parts.push(little(crc32(backward), 4), backward, Buffer.from('YZ'));
  return Buffer.concat(parts);
}

/** A number in groups of seven bits, lowest first. */
function variable(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
