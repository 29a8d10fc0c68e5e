import { closeSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { WeirError, withContext } from '../base/errors.ts';
import { openBlobNow, type Store, uncheckedBlobPath } from '../engine/store.ts';
import { encodeCapabilities } from './capabilities.ts';
import { type Owners, ownerOf, treeOwners } from './owners.ts';
import type { Entry, FileEntry, Tree } from './tree.ts';

export interface TarOptions {
  /** Upper limit for mtimes, in seconds since 1970. */
  readonly epoch: number;
  /** Extended attributes to write, as SCHILY.xattr records: file capabilities, SELinux contexts. */
  readonly xattrs?: { readonly capabilities?: boolean; readonly selinux?: boolean };
  /** The tree whose accounts define the owners' ids, if only a part of it is packed. */
  readonly owners?: Tree;
}

const block = 512;
const chunkSize = 1 << 20;

/**
 * A tree as a tar stream: equal trees and options give equal bytes. Entries are in the tree's order with numeric owners and
 * relative paths (`./` for the root folder, `usr/bin/bash`, folders with a trailing slash). POSIX's pax interchange format:
 * ustar headers, and extended ones where a name, number or attribute does not fit. Contents are read from the store on demand.
 * @throws WeirError `unknown-owner`, `missing-blob`, `bad-blob`, `bad-capabilities` (as the stream's error)
 */
export function treeTar(store: Store, tree: Tree, options: TarOptions): Readable {
  return Readable.from(tarChunks(store, tree, options), { objectMode: false, highWaterMark: 4 * chunkSize });
}

async function* tarChunks(store: Store, tree: Tree, options: TarOptions): AsyncGenerator<Buffer> {
  const owners = await treeOwners(store, options.owners ?? tree);
  // Synchronous reads straight into the chunk: files are many, small and mostly in the page cache, where an asynchronous call
  // costs several times the read itself.
  let chunk = Buffer.allocUnsafeSlow(chunkSize);
  let used = 0;
  for (const entry of tree.entries) {
    const head = entryHeader(entry, owners, options);
    if (used > 0 && used + head.length > chunk.length) {
      yield chunk.subarray(0, used);
      chunk = Buffer.allocUnsafeSlow(Math.max(chunkSize, head.length));
      used = 0;
    }
    used += head.copy(chunk, used);
    if (entry.kind !== 'file' || entry.hardlink !== undefined || entry.size === 0) continue;
    const fd = openBlob(store, entry);
    try {
      let left = entry.size;
      while (left > 0) {
        if (used === chunk.length) {
          yield chunk;
          chunk = Buffer.allocUnsafeSlow(chunkSize);
          used = 0;
        }
        const count = readSync(fd, chunk, used, Math.min(left, chunk.length - used), null);
        if (count === 0) throw missing(store, entry);
        used += count;
        left -= count;
      }
    } finally {
      closeSync(fd);
    }
    let padding = (block - (entry.size % block)) % block;
    while (padding > 0) {
      if (used === chunk.length) {
        yield chunk;
        chunk = Buffer.allocUnsafeSlow(chunkSize);
        used = 0;
      }
      const count = Math.min(padding, chunk.length - used);
      chunk.fill(0, used, used + count);
      used += count;
      padding -= count;
    }
  }
  // Two empty blocks end an archive.
  yield Buffer.concat([chunk.subarray(0, used), Buffer.alloc(2 * block)]);
}

function openBlob(store: Store, entry: FileEntry): number {
  try {
    return openBlobNow(store, entry.digest);
  } catch (error) {
    if (!(error instanceof WeirError)) throw missing(store, entry, error);
    throw withContext(error, { where: { file: `${uncheckedBlobPath(store, entry.digest)} (${entry.path})` } });
  }
}

function missing(store: Store, entry: FileEntry, cause?: unknown): WeirError {
  return new WeirError('missing-blob', `the content of ${entry.path} is not in the content store`, {
    where: { file: uncheckedBlobPath(store, entry.digest) },
    hint: 'run weir cache verify --repair to drop the records that need it; the next run recreates it',
    cause,
  });
}

/** The bytes before an entry's content: an extended header if needed, then the ustar header. */
function entryHeader(entry: Entry, owners: Owners, options: TarOptions): Buffer {
  const { uid, gid } = ownerOf(owners, entry);
  const mtime = Math.max(0, Math.min(entry.mtime, options.epoch));
  const linked = entry.kind === 'file' ? entry.hardlink : undefined;
  const size = entry.kind === 'file' && linked === undefined ? entry.size : 0;
  const name = memberName(entry);
  const link = linked !== undefined ? linked.slice(1) : entry.kind === 'symlink' ? entry.target : '';
  const place = placeName(name);
  const records: [string, string | Buffer][] = [];
  if (place === undefined) records.push(['path', name]);
  if (!fits(link, 100)) records.push(['linkpath', link]);
  if (size > maxOctal(12)) records.push(['size', String(size)]);
  if (uid > maxOctal(8)) records.push(['uid', String(uid)]);
  if (gid > maxOctal(8)) records.push(['gid', String(gid)]);
  if (linked === undefined) records.push(...attributes(entry, options));
  const plain = header({
    name: place?.name ?? 'long',
    prefix: place?.prefix ?? '',
    mode: entry.mode,
    uid: uid > maxOctal(8) ? 0 : uid,
    gid: gid > maxOctal(8) ? 0 : gid,
    size: size > maxOctal(12) ? 0 : size,
    mtime,
    type: linked !== undefined ? '1' : { file: '0', directory: '5', symlink: '2' }[entry.kind],
    link: fits(link, 100) ? link : 'long',
  });
  if (records.length === 0) return plain;
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const extended = header({
    name: 'pax',
    prefix: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime,
    type: 'x',
    link: '',
  });
  const padding = Buffer.alloc((block - (body.length % block)) % block);
  return Buffer.concat([extended, body, padding, plain]);
}

function memberName(entry: Entry): string {
  if (entry.path === '/') return './';
  return entry.kind === 'directory' ? `${entry.path.slice(1)}/` : entry.path.slice(1);
}

function attributes(entry: Entry, options: TarOptions): [string, string | Buffer][] {
  const records: [string, string | Buffer][] = [];
  if (options.xattrs?.capabilities === true && entry.kind === 'file' && entry.capabilities !== undefined) {
    records.push(['SCHILY.xattr.security.capability', encodeCapabilities(entry.capabilities)]);
  }
  if (options.xattrs?.selinux === true && entry.label !== undefined) {
    // libselinux stores contexts with their terminating NUL.
    records.push(['SCHILY.xattr.security.selinux', `${entry.label}\0`]);
  }
  return records;
}

/** Name and prefix for the ustar header, split at a slash; undefined if the name does not fit. */
function placeName(name: string): { readonly name: string; readonly prefix: string } | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return { name, prefix: '' };
  if (name.length > 256) return undefined;
  // The trailing slash of a folder stays with its name.
  const slash = name.indexOf('/', name.length - 101);
  if (slash < 1 || slash > 155 || slash >= name.length - 1) return undefined;
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) };
}

function fits(text: string, length: number): boolean {
  return text.length <= length && isAscii(text);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7e) return false;
  return true;
}

/** The largest number that fits into an octal field of `length` bytes with a terminating NUL. */
function maxOctal(length: number): number {
  return 8 ** (length - 1) - 1;
}

interface Header {
  readonly name: string;
  readonly prefix: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly link: string;
}

/** A ustar header block (POSIX.1-2017, pax, "ustar Interchange Format"); owner names stay empty, so ids count. */
function header(fields: Header): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number) =>
    bytes.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  bytes.write(fields.name, 0, 'latin1');
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime, 136, 12);
  bytes.fill(0x20, 148, 156);
  bytes.write(fields.type, 156, 'latin1');
  bytes.write(fields.link, 157, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  bytes.write(fields.prefix, 345, 'latin1');
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** `LENGTH KEY=VALUE\n`; the length includes its own digits. */
function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
