import { crc32, inflateRawSync } from 'node:zlib';
import { WeirError } from '../base/errors.ts';
import type { ReadAt } from './read-at.ts';
import { decoded } from './tar.ts';

/** A file of a zip archive. */
export interface ZipMember {
  /** As in the archive; may be absolute or contain `..`. */
  readonly path: string;
  readonly isFolder: boolean;
  /** Bytes, as the directory says. */
  readonly size: number;
  readonly packed: number;
  readonly isStored: boolean;
  readonly crc: number;
  /** Offset of the member's own header. */
  readonly offset: number;
}

const endSize = 22;
const entrySize = 46;
const headerSize = 30;
/** The comment at the end has at most this many bytes. */
const longestComment = 0xffff;

const mostMembers = 2_000_000;
const mostOfDirectory = 512 << 20;

/**
 * The members of a zip archive, by its directory: stored or deflated, with 64-bit sizes (APPNOTE.TXT 6.3.10, 4.3 and 4.5.3).
 * Encrypted archives, archives in several parts and other methods of compression are errors.
 * @param size of the archive in bytes
 * @throws WeirError `bad-zip`
 */
export function* readZip(read: ReadAt, size: number): Generator<ZipMember> {
  const directory = directoryOf(read, size);
  const bytes = read(directory.offset, directory.size);
  if (bytes.length < directory.size) throw badZip('the directory is truncated');
  let at = 0;
  for (let index = 0; index < directory.count; index++) {
    if (at + entrySize > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) {
      throw badZip(`entry ${index} of the directory is damaged`);
    }
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field));
    const end = at + entrySize + nameSize! + extraSize! + commentSize!;
    if (end > bytes.length) throw badZip(`entry ${index} of the directory is truncated`);
    yield memberAt(bytes, at, nameSize!, extraSize!, size);
    at = end;
  }
}

function memberAt(bytes: Buffer, at: number, nameSize: number, extraSize: number, archiveSize: number): ZipMember {
  const path = decoded(bytes.toString('latin1', at + entrySize, at + entrySize + nameSize));
  const flags = bytes.readUInt16LE(at + 8);
  const method = bytes.readUInt16LE(at + 10);
  if ((flags & 1) !== 0) throw badZip(`${path} is encrypted`);
  if (method !== 0 && method !== 8)
    throw badZip(`${path} has the compression method ${method}; only deflate is supported`);
  const extra = bytes.subarray(at + entrySize + nameSize, at + entrySize + nameSize + extraSize);
  const [size, packed, offset] = wideFields(extra, path, [
    bytes.readUInt32LE(at + 24),
    bytes.readUInt32LE(at + 20),
    bytes.readUInt32LE(at + 42),
  ]);
  if (offset! + headerSize + packed! > archiveSize) throw badZip(`${path} lies beyond the end of the archive`);
  if (method === 0 && size !== packed) throw badZip(`${path} is stored, but its two sizes differ`);
  return {
    ...{ path, isFolder: path.endsWith('/'), size: size!, packed: packed!, isStored: method === 0, offset: offset! },
    crc: bytes.readUInt32LE(at + 16),
  };
}

/** Values of 32 bits that are all ones stand in the extra field 1 with 64 bits, in this order. */
function wideFields(extra: Buffer, path: string, values: readonly number[]): number[] {
  if (!values.includes(0xffffffff)) return [...values];
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    at += 4;
    if (id === 1) {
      let next = at;
      return values.map((value) => {
        if (value !== 0xffffffff) return value;
        if (next + 8 > Math.min(at + length, extra.length)) throw badZip(`${path} has a truncated 64-bit field`);
        next += 8;
        return wide(extra, next - 8, path);
      });
    }
    at += length;
  }
  throw badZip(`${path} has no 64-bit sizes`);
}

function wide(bytes: Buffer, at: number, what: string): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badZip(`${what} has an impossible size`);
  return Number(value);
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

function directoryOf(read: ReadAt, size: number): Directory {
  const from = Math.max(0, size - endSize - longestComment);
  const tail = read(from, size - from);
  let end = -1;
  for (let at = tail.length - endSize; at >= 0 && end < 0; at--) {
    // The signature can be part of a comment: the true one is followed by exactly its comment.
    if (tail.readUInt32LE(at) === 0x06054b50 && at + endSize + tail.readUInt16LE(at + 20) === tail.length) end = at;
  }
  if (end < 0) throw badZip('no directory at the end: the file is truncated, or no zip archive');
  let directory: Directory = {
    count: tail.readUInt16LE(end + 10),
    size: tail.readUInt32LE(end + 12),
    offset: tail.readUInt32LE(end + 16),
  };
  const disks = tail.readUInt32LE(end + 4);
  const locator = read(from + end - 20, 20);
  if (locator.length === 20 && locator.readUInt32LE(0) === 0x07064b50) {
    const record = read(wide(locator, 8, 'the directory'), 56);
    if (record.length < 56 || record.readUInt32LE(0) !== 0x06064b50) throw badZip('its 64-bit end record is damaged');
    const [count, bytes, offset] = [32, 40, 48].map((field) => wide(record, field, 'the directory'));
    directory = { count: count!, size: bytes!, offset: offset! };
  } else if (disks !== 0) throw badZip('it is one part of several');
  if (directory.count > mostMembers) throw badZip(`it has ${directory.count} files; the limit is ${mostMembers}`);
  if (directory.size > mostOfDirectory) {
    throw badZip(`its directory has ${directory.size} bytes; the limit is ${mostOfDirectory}`);
  }
  if (directory.offset + directory.size > size) throw badZip('its directory lies beyond the end of the file');
  return directory;
}

/**
 * A member's content. @param most limit in bytes, whatever the directory says
 * @throws WeirError `bad-zip` for damaged content, `too-large`
 */
export function readZipMember(read: ReadAt, member: ZipMember, most: number): Buffer {
  const { path, size, packed, offset } = member;
  if (Math.max(size, packed) > most) {
    throw new WeirError('too-large', `${path} has ${Math.max(size, packed)} bytes; the limit is ${most}`);
  }
  const header = read(offset, headerSize);
  if (header.length < headerSize || header.readUInt32LE(0) !== 0x04034b50)
    throw badZip(`the header of ${path} is damaged`);
  const start = offset + headerSize + header.readUInt16LE(26) + header.readUInt16LE(28);
  const bytes = read(start, packed);
  if (bytes.length < packed) throw badZip(`${path} is truncated`);
  const content = member.isStored ? bytes : inflated(bytes, member);
  if (content.length !== size || crc32(content) !== member.crc) throw badZip(`the content of ${path} is damaged`);
  return content;
}

function inflated(bytes: Buffer, { path, size }: ZipMember): Buffer {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) });
  } catch (cause) {
    throw badZip(`the content of ${path} is damaged`, cause);
  }
}

function badZip(what: string, cause?: unknown): WeirError {
  return new WeirError('bad-zip', `invalid zip archive: ${what}`, { cause });
}
