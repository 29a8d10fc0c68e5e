import { WeirError } from '../base/errors.ts';
import { type ReadAt, readAhead } from './read-at.ts';
import { badTar, block, numberField, readHeader, sizeField, type TarHeader, text } from './tar-header.ts';
import { countOf, noRecords, type PaxRecords, readPax, secondsOf, sparsePrefix, xattrsOf } from './tar-pax.ts';
import { type Extent, gnuSparse, paxSparse, type SparseMap } from './tar-sparse.ts';

/** `unknown` is what cannot be said anything about: `type` is the letter that the archive has for it. */
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
   * Without a leading `./` or `/` and without a trailing slash; `` for the root folder. As UTF-8 where it is that, else a
   * character a byte. It may have `..` in it.
   */
  readonly path: string;
  /** The name as it stands in the archive, a character a byte. */
  readonly rawName: string;
  readonly kind: TarKind;
  readonly type: string;
  /** 0o0000–0o7777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Owner by name; empty where the archive has only numbers. */
  readonly user: string;
  readonly group: string;
  /** seconds since 1970 */
  readonly mtime: number;
  /** bytes of the file, holes counted; 0 for what is no regular file */
  readonly size: number;
  /** Where the content lies in the archive, in one piece unless there are `extents`. */
  readonly offset: number;
  /** Of a sparse file: what of it the archive has. */
  readonly extents?: readonly Extent[];
  /** Target of a symlink as it stands, of a hard link as a `path`. */
  readonly target: string;
  /** The target as it stands in the archive, a character a byte. */
  readonly rawTarget: string;
  /** Of a device. */
  readonly device?: { readonly major: number; readonly minor: number };
  /** Extended attributes by name, such as `security.selinux`. */
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

/** What the extended headers of one member may have: the attributes of a file have 64 KiB at most, a map of holes can be long. */
const mostOfHeader = 4 << 20;

/** The longest path that Linux takes is 4 KiB. */
const longestName = 32 << 10;

/**
 * Walks a tar archive by its headers: ustar, GNU's long names and sparse files, pax with names, sizes, owners, attributes
 * and sparse files (POSIX.1-2017, pax, "pax Interchange Format"; GNU tar manual, "Tar Internals"). Contents are skipped, so
 * an archive of any size costs a read a member. Every size is held against what is there before a member is handed out.
 * What bsdtar, Go and Python take for headers only (links, folders, devices) has no content here either.
 * @throws WeirError `bad-tar`, with the place in the archive
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
    if (ends && waiting !== undefined) throw badTar(`nothing follows the extended header at byte ${waiting}`);
    if (bytes.length > 0 && bytes.length < block) throw badTar(`the archive ends within the header at byte ${at}`);
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
  if (size > mostOfHeader) throw badTar(`an extended header of ${size} bytes at byte ${at}, more than ${mostOfHeader}`);
  const bytes = read(start, size);
  if (bytes.length < size) throw badTar(`the archive ends within the extended header at byte ${at}`);
  return bytes;
}

/** What holds for all members that follow. What can be true of one alone is read by some and by others not. */
function globalRecords(bytes: Buffer, start: number, before: PaxRecords, at: number): PaxRecords {
  const records = readPax(bytes, start, before);
  const own = ['path', 'linkpath', 'size'].find((key) => records.values.has(key));
  if (own !== undefined || records.sparse.length > 0) {
    throw badTar(`${own ?? sparsePrefix} for all members, in the header at byte ${at}`);
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
  // Contiguous files, which nobody stores otherwise than others.
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  // With the list of what is in it as content.
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
  // An empty value takes away what a header before said.
  const said = (key: string): string | undefined => (local.values.get(key) ?? global.values.get(key)) || undefined;
  const sizeSaid = said('size');
  const stored = withoutContent.includes(type)
    ? 0
    : sizeSaid === undefined
      ? header.size
      : countOf(sizeSaid, 'the size in pax', at);
  const isGnuSparse = type === 'S' && header.isGnu;
  const sparseName = local.sparse.findLast(([key]) => key === 'name')?.[1];
  const rawName = sparseName ?? said('path') ?? longName ?? header.name;
  const told = isGnuSparse ? 'file' : (kinds[type] ?? 'unknown');
  // Before ustar, a folder was told by the slash alone.
  const kind = told === 'file' && rawName.endsWith('/') ? 'directory' : told;
  const start = at + block;
  let sparse: SparseMap | undefined;
  if (isGnuSparse) sparse = gnuSparse(read, bytes, start, stored);
  else if (kind === 'file') sparse = paxSparse(read, local, at, stored);
  // The blocks of a map behind the header are not counted by its size.
  const end = (isGnuSparse ? sparse!.offset : start) + stored;
  if (!Number.isSafeInteger(end) || (stored > 0 && read(end - 1, 1).length === 0)) {
    throw badTar(`the archive ends within the ${stored} bytes of the member at byte ${at}`);
  }
  const rawTarget = said('linkpath') ?? longLink ?? header.link;
  if (Math.max(rawName.length, rawTarget.length) > longestName) {
    throw badTar(`a name of more than ${longestName} bytes, of the member at byte ${at}`);
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

/** As UTF-8 where it is that, else as it is: a character a byte. */
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

/** Positioned reads of a member's content; holes read as zeros. Nothing is there for what is no regular file. */
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

/** Larger members are not read in one piece: a few bytes of an archive can say any size of a sparse file. */
const mostInMemory = 256 << 20;

/** A member's whole content. @param most bytes that are read into memory @throws WeirError `too-large` */
export function readMember(source: ReadAt, member: TarMember, most = mostInMemory): Buffer {
  if (member.size > most) {
    throw new WeirError('too-large', `${member.path} has ${member.size} bytes; ${most} are read at most`);
  }
  return memberReader(source, member)(0, member.size);
}
