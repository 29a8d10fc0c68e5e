import { readSync } from 'node:fs';
import { WeirError } from '../base/errors.ts';

/** A member of a tar archive; its bytes lie at `offset` in the archive. */
export interface TarMember {
  /** As in the archive, without a leading `./` or `/` and without a trailing slash; `` for the root folder. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** 0o0000–0o7777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Owner by name; empty where the archive has only numbers. */
  readonly user: string;
  readonly group: string;
  /** seconds since 1970 */
  readonly mtime: number;
  /** bytes */
  readonly size: number;
  readonly offset: number;
  /** Target of a symlink as it stands, of a hard link as a `path`. */
  readonly target: string;
  /** Names of its extended attributes, such as `security.selinux`. */
  readonly xattrs?: readonly string[];
}

/** Reads `length` bytes at `offset`; fewer only at the end. */
export type ReadAt = (offset: number, length: number) => Buffer;

/** Positioned reads of an open file. @param base added to every offset @param limit bytes that may be seen from `base` */
export function fileReader(fd: number, base = 0, limit = Number.POSITIVE_INFINITY): ReadAt {
  return (offset, length) => {
    const wanted = Math.max(0, Math.min(length, limit - offset));
    const buffer = Buffer.allocUnsafe(wanted);
    let done = 0;
    while (done < wanted) {
      const count = readSync(fd, buffer, done, wanted - done, base + offset + done);
      if (count === 0) break;
      done += count;
    }
    return buffer.subarray(0, done);
  };
}

/** Positioned reads of bytes in memory. */
export function bytesReader(bytes: Buffer): ReadAt {
  return (offset, length) => bytes.subarray(offset, offset + length);
}

const block = 512;

/**
 * Walks a tar archive by its headers: ustar, GNU long names and pax `path`, `linkpath`, `size` and names of owners.
 * Contents are skipped, so an archive of any size costs a read a member. @throws WeirError `bad-tar`
 */
export function* readTar(read: ReadAt): Generator<TarMember> {
  let offset = 0;
  let longName: string | undefined;
  let longLink: string | undefined;
  let pax: ReadonlyMap<string, string> = new Map();
  for (;;) {
    const header = read(offset, block);
    if (header.length === 0) return;
    if (header.length < block) throw badTar('the archive ends within a header');
    if (header.every((byte) => byte === 0)) return;
    if (!checksumHolds(header)) throw badTar(`wrong checksum in the header at byte ${offset}`);
    const type = String.fromCharCode(header[156]!);
    const size = pax.has('size') ? Number(pax.get('size')) : number(header, 124, 12);
    const start = offset + block;
    offset = start + Math.ceil(size / block) * block;
    if (type === 'L') longName = text(read(start, size), 0, size);
    else if (type === 'K') longLink = text(read(start, size), 0, size);
    else if (type === 'x') pax = parsePax(read(start, size));
    else if (type !== 'g') {
      const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? text(header, 345, 155) : '';
      const name = pax.get('path') ?? longName ?? (prefix === '' ? '' : `${prefix}/`) + text(header, 0, 100);
      const link = pax.get('linkpath') ?? longLink ?? text(header, 157, 100);
      const kind = kinds[type] ?? 'other';
      yield {
        path: plain(name),
        kind,
        mode: number(header, 100, 8) & 0o7777,
        uid: number(header, 108, 8),
        gid: number(header, 116, 8),
        user: pax.get('uname') ?? text(header, 265, 32),
        group: pax.get('gname') ?? text(header, 297, 32),
        mtime: Math.floor(Number(pax.get('mtime') ?? number(header, 136, 12))),
        size: kind === 'file' ? size : 0,
        offset: start,
        target: kind === 'hardlink' ? plain(link) : link,
        ...xattrNames(pax),
      };
      longName = undefined;
      longLink = undefined;
      pax = new Map();
    }
  }
}

const kinds: Readonly<Record<string, TarMember['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

/** GNU tar, star and libarchive write attributes so. */
const xattrKey = 'SCHILY.xattr.';

function xattrNames(pax: ReadonlyMap<string, string>): Pick<TarMember, 'xattrs'> {
  const names = [...pax.keys()].filter((key) => key.startsWith(xattrKey)).map((key) => key.slice(xattrKey.length));
  return names.length === 0 ? {} : { xattrs: names };
}

function plain(name: string): string {
  return name
    .replace(/^(\.?\/+)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');
}

function text(buffer: Buffer, start: number, length: number): string {
  const end = buffer.indexOf(0, start);
  return buffer.toString('utf8', start, end < 0 || end > start + length ? start + length : end);
}

/** An octal field, or base-256 where the first bit is set (GNU's way for large values). */
function number(header: Buffer, start: number, length: number): number {
  if ((header[start]! & 0x80) !== 0) {
    let value = 0;
    for (let i = start + 1; i < start + length; i++) value = value * 256 + header[i]!;
    return value;
  }
  const digits = text(header, start, length).trim();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function checksumHolds(header: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 32 : header[i]!;
  return sum === number(header, 148, 8);
}

/** Records of `LENGTH KEY=VALUE\n`, as POSIX's pax interchange format has them. */
function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(bytes.toString('latin1', at, space));
    if (!Number.isInteger(length) || length <= 0) throw badTar('a pax record without a length');
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function badTar(message: string): WeirError {
  return new WeirError('bad-tar', `not a tar archive that can be read: ${message}`);
}
