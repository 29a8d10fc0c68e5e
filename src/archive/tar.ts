import { WeirError } from '../base/errors.ts';
import { type ReadAt, readAhead } from './read-at.ts';
import { badTar, block, numberField, readHeader, sizeField, type TarHeader, text } from './tar-header.ts';
import { countOf, noRecords, type PaxRecords, readPax, secondsOf, sparsePrefix, xattrsOf } from './tar-pax.ts';
import { type Extent, gnuSparse, paxSparse, type SparseMap } from './tar-sparse.ts';

/** `unknown`: an unsupported type; `type` is its letter in the archive. */
export type TarKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'character-device'
  | 'block-device'
  | 'fifo'
  | 'unknown';

/** A member of a tar archive; `memberReader` and `readMember` read its content. */
export interface TarMember {
  /**
   * Without a leading `./` or `/` and without a trailing slash; `` for the root folder. Decoded as UTF-8 if valid, otherwise
   * one character per byte. May contain `..`.
   */
  readonly path: string;
  /** The name exactly as in the archive, one character per byte. */
  readonly rawName: string;
  readonly kind: TarKind;
  readonly type: string;
  /** 0o0000–0o7777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Owner name; empty if the archive has only numeric ids. */
  readonly user: string;
  readonly group: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Size of the file in bytes, including holes; 0 unless it is a regular file. */
  readonly size: number;
  /** Offset of the content in the archive, which is contiguous unless there are `extents`. */
  readonly offset: number;
  /** The stored parts of a sparse file. */
  readonly extents?: readonly Extent[];
  /** Target of a symlink as stored, of a hard link in the form of `path`. */
  readonly target: string;
  /** The target exactly as in the archive, one character per byte. */
  readonly rawTarget: string;
  /** Only for devices. */
  readonly device?: { readonly major: number; readonly minor: number };
  /** Extended attributes by name, such as `security.selinux`. */
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

/** Limit for the extended headers of a member: a file's attributes have 64 KiB at most, a sparse map can be long. */
const mostOfHeader = 4 << 20;

/** The longest path that Linux accepts is 4 KiB. */
const longestName = 32 << 10;

/**
 * Walks a tar archive by its headers: ustar, GNU's long names and sparse files, pax with names, sizes, owners, attributes
 * and sparse files (POSIX.1-2017, pax, "pax Interchange Format"; GNU tar manual, "Tar Internals"). Contents are skipped, so
 * an archive of any size costs one read per member. Every size is checked against the bytes available before a member is
 * returned. As in bsdtar, Go and Python, links, folders and devices have no content, whatever their size field.
 * @throws WeirError `bad-tar`, with the offset in the archive
 */
export function* readTar(source: ReadAt): Generator<TarMember> {
  const read = readAhead(source);
  let global = noRecords;
  let local = noRecords;
  let longName: string | undefined;
  let longLink: string | undefined;
  let waiting: number | undefined;
  for (let at = 0; ; ) {
    const bytes = read(at, block);
    const ends = bytes.length === 0 || bytes.every((byte) => byte === 0);
    if (ends && waiting !== undefined) throw badTar(`no member follows the extended header at byte ${waiting}`);
    if (bytes.length > 0 && bytes.length < block) throw badTar(`truncated header at byte ${at}`);
    if (ends) return;
    const header = readHeader(bytes, at);
    const { type } = header;
    const start = at + block;
    if (type === 'L' || type === 'K' || type === 'x' || type === 'X' || type === 'g') {
      const said = extension(read, start, header.size, at);
      if (type === 'g') global = globalRecords(said, start, global, at);
      else {
        if (type === 'L') longName = text(said, 0, said.length);
        else if (type === 'K') longLink = text(said, 0, said.length);
        else local = readPax(said, start, local);
        waiting = at;
      }
      at = after(start, header.size);
      continue;
    }
    const { member, next } = memberOf(read, bytes, header, at, { global, local, longName, longLink });
    yield member;
    at = next;
    local = noRecords;
    longName = undefined;
    longLink = undefined;
    waiting = undefined;
  }
}

function after(start: number, size: number): number {
  return start + Math.ceil(size / block) * block;
}

function extension(read: ReadAt, start: number, size: number, at: number): Buffer {
  if (size > mostOfHeader)
    throw badTar(`the extended header at byte ${at} has ${size} bytes; the limit is ${mostOfHeader}`);
  const bytes = read(start, size);
  if (bytes.length < size) throw badTar(`truncated extended header at byte ${at}`);
  return bytes;
}

/** Records for all following members. Rejects records that make sense for one member only, because readers disagree about them. */
function globalRecords(bytes: Buffer, start: number, before: PaxRecords, at: number): PaxRecords {
  const records = readPax(bytes, start, before);
  const own = ['path', 'linkpath', 'size'].find((key) => records.values.has(key));
  if (own !== undefined || records.sparse.length > 0) {
    throw badTar(`${own ?? sparsePrefix} in the global header at byte ${at}, which covers all members`);
  }
  return records;
}

interface Extended {
  readonly global: PaxRecords;
  readonly local: PaxRecords;
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
}

const kinds: Readonly<Record<string, TarKind>> = {
  '0': 'file',
  '\0': 'file',
  // Contiguous files, which are stored like any other.
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  // The content of such a member is a list of the folder's entries.
  D: 'directory',
  '6': 'fifo',
};

const withoutContent = '123456';

function memberOf(
  read: ReadAt,
  bytes: Buffer,
  header: TarHeader,
  at: number,
  { global, local, longName, longLink }: Extended,
): { readonly member: TarMember; readonly next: number } {
  const { type } = header;
  // An empty value cancels an earlier one.
  const said = (key: string): string | undefined => (local.values.get(key) ?? global.values.get(key)) || undefined;
  const sizeSaid = said('size');
  const stored = withoutContent.includes(type)
    ? 0
    : sizeSaid === undefined
      ? header.size
      : countOf(sizeSaid, 'size in pax', at);
  const isGnuSparse = type === 'S' && header.isGnu;
  const sparseName = local.sparse.findLast(([key]) => key === 'name')?.[1];
  const rawName = sparseName ?? said('path') ?? longName ?? header.name;
  const told = isGnuSparse ? 'file' : (kinds[type] ?? 'unknown');
  // Before ustar, only a trailing slash marked a folder.
  const kind = told === 'file' && rawName.endsWith('/') ? 'directory' : told;
  const start = at + block;
  let sparse: SparseMap | undefined;
  if (isGnuSparse) sparse = gnuSparse(read, bytes, start, stored);
  else if (kind === 'file') sparse = paxSparse(read, local, at, stored);
  // The header's size does not count the blocks of a sparse map after it.
  const end = (isGnuSparse ? sparse!.offset : start) + stored;
  if (!Number.isSafeInteger(end) || (stored > 0 && read(end - 1, 1).length === 0)) {
    throw badTar(`truncated content of ${stored} bytes for the member at byte ${at}`);
  }
  const rawTarget = said('linkpath') ?? longLink ?? header.link;
  if (Math.max(rawName.length, rawTarget.length) > longestName) {
    throw badTar(`name longer than ${longestName} bytes for the member at byte ${at}`);
  }
  const id = (key: 'uid' | 'gid', field: number): number => {
    const value = said(key);
    return value === undefined ? sizeField(bytes, field, at, key, 8) : countOf(value, key, at);
  };
  const mtime = said('mtime');
  const xattrs = xattrsOf(global.values.size === 0 ? local.values : new Map([...global.values, ...local.values]));
  const member: TarMember = {
    path: plain(decoded(rawName)),
    rawName,
    kind,
    type,
    mode: numberField(bytes, 100, at, 'mode', 8) & 0o7777,
    uid: id('uid', 108),
    gid: id('gid', 116),
    user: decoded(said('uname') ?? header.user),
    group: decoded(said('gname') ?? header.group),
    mtime: mtime === undefined ? numberField(bytes, 136, at, 'mtime', 12) : secondsOf(mtime, at),
    size: kind === 'file' ? (sparse?.size ?? stored) : 0,
    offset: sparse?.offset ?? start,
    ...(sparse === undefined ? {} : { extents: sparse.extents }),
    target: kind === 'hardlink' ? plain(decoded(rawTarget)) : decoded(rawTarget),
    rawTarget,
    ...(kind.endsWith('-device') ? { device: deviceOf(bytes, at) } : {}),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
  return { member, next: after(isGnuSparse ? sparse!.offset : start, stored) };
}

function deviceOf(bytes: Buffer, at: number): { readonly major: number; readonly minor: number } {
  return {
    major: sizeField(bytes, 329, at, 'device number', 8),
    minor: sizeField(bytes, 337, at, 'device number', 8),
  };
}

/** Decoded as UTF-8 if valid, otherwise one character per byte. */
export function decoded(raw: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (/^[\x00-\x7f]*$/.test(raw)) return raw;
  const bytes = Buffer.from(raw, 'latin1');
  const utf8 = bytes.toString('utf8');
  return Buffer.from(utf8, 'utf8').equals(bytes) ? utf8 : raw;
}

function plain(name: string): string {
  let start = 0;
  for (;;) {
    if (name[start] === '/') start++;
    else if (name[start] === '.' && name[start + 1] === '/') start += 2;
    else break;
  }
  let end = name.length;
  while (end > start && name[end - 1] === '/') end--;
  const rest = name.slice(start, end);
  return rest === '.' ? '' : rest;
}

/** Positioned reads of a member's content; holes read as zeros. Empty unless it is a regular file. */
export function memberReader(source: ReadAt, { offset, size, extents }: TarMember): ReadAt {
  const within = (from: number, length: number) => Math.max(0, Math.min(length, size - from));
  if (extents === undefined) return (from, length) => source(offset + from, within(from, length));
  return (from, length) => {
    const bytes = Buffer.alloc(within(from, length));
    const end = from + bytes.length;
    for (let i = firstEndingBehind(extents, from); i < extents.length && extents[i]!.start < end; i++) {
      const extent = extents[i]!;
      const first = Math.max(from, extent.start);
      const last = Math.min(end, extent.start + extent.size);
      source(extent.offset + first - extent.start, last - first).copy(bytes, first - from);
    }
    return bytes;
  };
}

function firstEndingBehind(extents: readonly Extent[], position: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (extents[middle]!.start + extents[middle]!.size > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Larger members are not read in one piece: a sparse file of a few bytes can claim any size. */
const mostInMemory = 256 << 20;

/** A member's whole content. @param most size limit in bytes @throws WeirError `too-large` */
export function readMember(source: ReadAt, member: TarMember, most = mostInMemory): Buffer {
  if (member.size > most) {
    throw new WeirError('too-large', `${member.path} has ${member.size} bytes; the limit is ${most}`);
  }
  return memberReader(source, member)(0, member.size);
}
