import type { ReadAt } from '../archive/read-at.ts';
import { type FatGeometry, fatGeometry } from '../image/fat-identity.ts';
import type { FileNode, Files } from './files.ts';
import { RootBuilder } from './root-builder.ts';
import { unreadable } from './rule.ts';

/** Limit on folders and files; an EFI system partition has dozens. */
const mostEntries = 100_000;

/** Limit in bytes, above that of a kernel with its initrd. */
const largestFile = 1 << 30;

/** Limit in bytes: 16 million clusters, more than in any EFI system partition. */
const largestTable = 64 << 20;

/** Largest folder: 65,536 entries of 32 bytes. */
const largestFolder = 2 << 20;

/** A FAT file system with its allocation table in memory. */
interface Volume {
  readonly geometry: FatGeometry;
  readonly table: Buffer;
  /** Offset from the volume's start. */
  readonly at: ReadAt;
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly cluster: number;
  /** bytes */
  readonly size: number;
}

/**
 * Reads the files of a FAT12, 16 or 32 file system with long names (Microsoft's "FAT: General Overview of On-Disk Format").
 * Reads no cluster twice, even if the table has loops. @param offset bytes @param size bytes
 * @throws WeirError `unreadable`
 */
export function fatFiles(read: ReadAt, offset: number, size: number): Files {
  const volume = openVolume((from, length) =>
    from < size ? read(offset + from, Math.min(length, size - from)) : none,
  );
  const builder = new RootBuilder();
  const seen = new Set<number>();
  let count = 0;
  const waiting: { readonly path: string; readonly cluster: number }[] = [
    { path: '', cluster: volume.geometry.rootCluster },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, cluster } = next;
    if (seen.has(cluster)) throw unreadable(`the folder ${path || '/'} is in two places`);
    seen.add(cluster);
    for (const entry of folderEntries(volume, path, cluster)) {
      if (++count > mostEntries) throw unreadable(`the file system has more than ${mostEntries} files`);
      const where = `${path}/${entry.name}`;
      builder.place(where, { node: nodeOf(entry), read: () => fileContent(volume, where, entry) });
      if (entry.isFolder) waiting.push({ path: where, cluster: entry.cluster });
    }
  }
  return builder.files();
}

const none = Buffer.alloc(0);

function nodeOf({ isFolder, size }: Entry): FileNode {
  return { kind: isFolder ? 'directory' : 'file', mode: 0o755, uid: 0, gid: 0, size: isFolder ? 0 : size };
}

function openVolume(at: ReadAt): Volume {
  const geometry = fatGeometry(at(0, 512));
  if (geometry === undefined) throw unreadable('not a FAT boot sector');
  const length = Math.ceil(((geometry.clusters + 2) * geometry.bits) / 8);
  if (length > largestTable) throw unreadable(`the table is too large (${length} bytes, limit ${largestTable})`);
  const table = at(geometry.fat, length);
  if (table.length < length) throw unreadable('the table ends beyond the end of the partition');
  return { geometry, table, at };
}

/** The table's entry for a cluster: the next cluster, or an end marker. */
function nextCluster({ geometry: { bits }, table }: Volume, cluster: number): number {
  if (bits === 32) return table.readUInt32LE(cluster * 4) & 0x0fff_ffff;
  if (bits === 16) return table.readUInt16LE(cluster * 2);
  const at = cluster + (cluster >> 1);
  const pair = table[at]! | ((table[at + 1] ?? 0) << 8);
  return (cluster & 1) === 0 ? pair & 0xfff : pair >> 4;
}

const lastCluster = { 12: 0xff8, 16: 0xfff8, 32: 0x0fff_fff8 } as const;

/** The clusters of a file or folder in order, at most `most`: a circular chain has no end. */
function clustersOf(volume: Volume, path: string, first: number, most: number): number[] {
  const { bits, clusters } = volume.geometry;
  const chain: number[] = [];
  for (let next = first; next < lastCluster[bits] && chain.length < most; next = nextCluster(volume, next)) {
    if (next < 2 || next >= clusters + 2) {
      throw unreadable(`${path || '/'} refers to cluster ${next}, which does not exist`);
    }
    chain.push(next);
  }
  return chain;
}

function content({ geometry: { cluster, dataStart }, at }: Volume, path: string, chain: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < chain.length; ) {
    let end = i + 1;
    while (end < chain.length && chain[end] === chain[end - 1]! + 1) end++;
    const length = (end - i) * cluster;
    const part = at(dataStart + (chain[i]! - 2) * cluster, length);
    if (part.length < length) throw unreadable(`${path || '/'} ends beyond the end of the partition`);
    parts.push(part);
    i = end;
  }
  return Buffer.concat(parts);
}

function fileContent(volume: Volume, path: string, { size, cluster: first }: Entry): Buffer {
  if (size > largestFile) throw unreadable(`${path} is too large to read (${size} bytes, limit ${largestFile})`);
  if (size === 0) return none;
  const needed = Math.ceil(size / volume.geometry.cluster);
  const chain = clustersOf(volume, path, first, needed);
  if (chain.length < needed) throw unreadable(`${path} ends before its size of ${size} bytes`);
  return content(volume, path, chain).subarray(0, size);
}

function folderEntries(volume: Volume, path: string, cluster: number): Entry[] {
  const { geometry, at } = volume;
  if (cluster !== 0) {
    const most = Math.ceil(largestFolder / geometry.cluster);
    const chain = clustersOf(volume, path, cluster, most + 1);
    if (chain.length > most) throw unreadable(`the folder ${path || '/'} exceeds the maximum size of a folder`);
    return parseFolder(content(volume, path, chain), path);
  }
  if (path !== '' || geometry.bits === 32) throw unreadable(`the folder ${path || '/'} has no clusters`);
  return parseFolder(at(geometry.rootStart, geometry.rootEntries * 32), path);
}

/** Entries except `.`, `..` and the label. */
function parseFolder(bytes: Buffer, path: string): Entry[] {
  const entries: Entry[] = [];
  let long: string[] = [];
  for (let at = 0; at + 32 <= bytes.length && bytes[at] !== 0; at += 32) {
    const entry = bytes.subarray(at, at + 32);
    const attributes = entry[11]! & 0x3f;
    if (entry[0] === 0xe5) long = [];
    else if (attributes === 0x0f) {
      // The last part comes first and is marked.
      if ((entry[0]! & 0x40) !== 0) long = [];
      long.unshift(namePart(entry));
    } else {
      const name = long.length === 0 ? shortName(entry) : long.join('').replace(/[\0\uffff].*$/s, '');
      long = [];
      if ((attributes & 0x08) !== 0 || name === '.' || name === '..') continue;
      if (name === '' || name.includes('/')) throw unreadable(`${path || '/'} has a file with an invalid name`);
      const cluster = (entry.readUInt16LE(20) << 16) | entry.readUInt16LE(26);
      const isFolder = (attributes & 0x10) !== 0;
      entries.push({ name, isFolder, cluster: cluster >>> 0, size: entry.readUInt32LE(28) });
    }
  }
  return entries;
}

/** A long name entry: thirteen characters. */
function namePart(entry: Buffer): string {
  return Buffer.concat([entry.subarray(1, 11), entry.subarray(14, 26), entry.subarray(28, 32)]).toString('utf16le');
}

/** Eight and three characters, in lower case if Windows NT flagged them. */
function shortName(entry: Buffer): string {
  const part = (from: number, to: number, small: number): string => {
    const text = entry.toString('latin1', from, to).trimEnd();
    return (entry[12]! & small) === 0 ? text : text.toLowerCase();
  };
  const [base, extension] = [part(0, 8, 0x08), part(8, 11, 0x10)];
  const name = extension === '' ? base : `${base}.${extension}`;
  // 0x05 stands for 0xe5, which would mark a deleted entry.
  return name.startsWith('\x05') ? `\xe5${name.slice(1)}` : name;
}
