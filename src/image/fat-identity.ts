import type { ReadAt } from '../archive/read-at.ts';

/** As `FileSystemIdentity` has it. */
export interface FatIdentity {
  readonly type: 'vfat';
  readonly label: string;
  readonly uuid: string;
}

/** What a boot sector of FAT says of its geometry, in bytes where not said otherwise. */
export interface FatGeometry {
  /** Of an entry in the table. */
  readonly bits: 12 | 16 | 32;
  readonly sector: number;
  readonly cluster: number;
  readonly fat: number;
  /** Entries of the root folder; 0 for FAT32, where it is a chain of clusters. */
  readonly rootEntries: number;
  readonly rootStart: number;
  readonly dataStart: number;
  /** How many there are; the first is number 2. */
  readonly clusters: number;
  /** First cluster of the root folder; 0 where it has a place of its own. */
  readonly rootCluster: number;
}

const noName = 'NO NAME';

/**
 * A FAT12, FAT16 or FAT32 file system (Microsoft's "FAT: General Overview of On-Disk Format"). The label is the entry of
 * the root folder; that of the boot sector is often out of date and counts where there is no such entry.
 */
export function fatIdentity(start: Buffer, at: ReadAt): FatIdentity | undefined {
  const geometry = fatGeometry(start);
  if (geometry === undefined) return undefined;
  const wide = geometry.bits === 32;
  const base = wide ? 64 : 36;
  // Without this mark the serial number and the label are not there; 28 has the number alone.
  const mark = start[base + 2]!;
  const uuid = mark === 0x29 || mark === 0x28 ? volumeSerial(start, base + 3) : '';
  const own = mark === 0x29 ? labelText(start.subarray(base + 7, base + 18)) : '';
  const inRoot = wide ? chainLabel(geometry, at) : fixedLabel(geometry, at);
  return { type: 'vfat', uuid, label: inRoot || own };
}

/** @param start the boot sector @returns undefined where it is none of a FAT file system */
export function fatGeometry(start: Buffer): FatGeometry | undefined {
  if (start.length < 512 || start.readUInt16LE(510) !== 0xaa55) return undefined;
  const sector = start.readUInt16LE(11);
  const perCluster = start[13]!;
  const reserved = start.readUInt16LE(14);
  const copies = start[16]!;
  const rootEntries = start.readUInt16LE(17);
  const total = start.readUInt16LE(19) || start.readUInt32LE(32);
  const media = start[21]!;
  const fatSectors = start.readUInt16LE(22) || start.readUInt32LE(36);
  const powers = [512, 1024, 2048, 4096].includes(sector) && perCluster > 0 && (perCluster & (perCluster - 1)) === 0;
  if (!powers || reserved === 0 || copies === 0 || fatSectors === 0 || !(media === 0xf0 || media >= 0xf8)) {
    return undefined;
  }
  const rootSectors = Math.ceil((rootEntries * 32) / sector);
  const data = reserved + copies * fatSectors + rootSectors;
  if (total <= data) return undefined;
  const clusters = Math.floor((total - data) / perCluster);
  const wide = start.readUInt16LE(22) === 0;
  return {
    bits: wide ? 32 : clusters < 4085 ? 12 : 16,
    sector,
    cluster: perCluster * sector,
    fat: reserved * sector,
    rootEntries,
    rootStart: (reserved + copies * fatSectors) * sector,
    dataStart: data * sector,
    clusters,
    rootCluster: wide ? start.readUInt32LE(44) : 0,
  };
}

function fixedLabel({ rootStart, rootEntries }: FatGeometry, at: ReadAt): string {
  return folderLabel(at(rootStart, rootEntries * 32)) ?? '';
}

/** Of FAT32: the root folder is a chain of clusters, which a damaged table can make a ring. */
function chainLabel({ cluster, dataStart, fat, clusters, rootCluster }: FatGeometry, at: ReadAt): string {
  // A folder has 65,536 entries of 32 bytes at most.
  const most = Math.max(1, Math.ceil((65_536 * 32) / cluster));
  let next = rootCluster;
  for (let count = 0; count < most && next >= 2 && next < clusters + 2; count++) {
    const found = folderLabel(at(dataStart + (next - 2) * cluster, cluster));
    if (found !== undefined) return found;
    const link = at(fat + next * 4, 4);
    if (link.length < 4) break;
    next = link.readUInt32LE(0) & 0x0fff_ffff;
  }
  return '';
}

/** @returns undefined where the folder goes on after these bytes */
function folderLabel(bytes: Buffer): string | undefined {
  for (let entry = 0; entry + 32 <= bytes.length; entry += 32) {
    const first = bytes[entry]!;
    if (first === 0) return '';
    const attributes = bytes[entry + 11]! & 0x3f;
    // Not deleted, no part of a long name, no folder.
    if (first === 0xe5 || attributes === 0x0f || (attributes & 0x18) !== 0x08) continue;
    const name = Buffer.from(bytes.subarray(entry, entry + 11));
    // What would look like a deleted entry is written so.
    if (first === 0x05) name[0] = 0xe5;
    return labelText(name);
  }
  return undefined;
}

function labelText(bytes: Buffer): string {
  const label = bytes.toString('latin1').replace(/[\0 ]+$/, '');
  return label === noName ? '' : label;
}

/** `1A2B-3C4D`, as blkid(8) writes the number of a FAT or exFAT volume. */
export function volumeSerial(bytes: Buffer, at: number): string {
  const hex = Buffer.from(bytes.subarray(at, at + 4))
    .reverse()
    .toString('hex')
    .toUpperCase();
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}
