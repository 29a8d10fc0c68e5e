import type { ReadAt } from '../archive/read-at.ts';

/** See `FileSystemIdentity`. */
export interface FatIdentity {
  readonly type: 'vfat';
  readonly label: string;
  readonly uuid: string;
}

/** The geometry in a FAT boot sector, in bytes unless noted. */
export interface FatGeometry {
  /** Width of a FAT entry. */
  readonly bits: 12 | 16 | 32;
  readonly sector: number;
  readonly cluster: number;
  readonly fat: number;
  /** Entries of the root folder; 0 for FAT32, where it is a cluster chain. */
  readonly rootEntries: number;
  readonly rootStart: number;
  readonly dataStart: number;
  /** Number of clusters; the first is number 2. */
  readonly clusters: number;
  /** First cluster of the root folder; 0 if it has a fixed place. */
  readonly rootCluster: number;
}

const noName = 'NO NAME';

/**
 * Identifies a FAT12, FAT16 or FAT32 file system (Microsoft's "FAT: General Overview of On-Disk Format"). The label is in the
 * root folder; the one in the boot sector is often out of date and only a fallback.
 */
export function fatIdentity(start: Buffer, at: ReadAt): FatIdentity | undefined {
  const geometry = fatGeometry(start);
  if (geometry === undefined) return undefined;
  const wide = geometry.bits === 32;
  const base = wide ? 64 : 36;
  // Serial number and label exist only with signature 0x29; 0x28 means just the number.
  const mark = start[base + 2]!;
  const uuid = mark === 0x29 || mark === 0x28 ? volumeSerial(start, base + 3) : '';
  const own = mark === 0x29 ? labelText(start.subarray(base + 7, base + 18)) : '';
  const inRoot = wide ? chainLabel(geometry, at) : fixedLabel(geometry, at);
  return { type: 'vfat', uuid, label: inRoot || own };
}

/** @param start the boot sector @returns undefined if it is not that of a FAT file system */
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

/** For FAT32: the root folder is a cluster chain, which may be circular in a corrupt table. */
function chainLabel({ cluster, dataStart, fat, clusters, rootCluster }: FatGeometry, at: ReadAt): string {
  // A folder has at most 65,536 entries of 32 bytes.
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

/** @returns undefined if the folder continues after these bytes */
function folderLabel(bytes: Buffer): string | undefined {
  for (let entry = 0; entry + 32 <= bytes.length; entry += 32) {
    const first = bytes[entry]!;
    if (first === 0) return '';
    const attributes = bytes[entry + 11]! & 0x3f;
    // Skip deleted entries, parts of long names, and folders.
    if (first === 0xe5 || attributes === 0x0f || (attributes & 0x18) !== 0x08) continue;
    const name = Buffer.from(bytes.subarray(entry, entry + 11));
    // 0x05 stands for 0xe5, which would mark a deleted entry.
    if (first === 0x05) name[0] = 0xe5;
    return labelText(name);
  }
  return undefined;
}

function labelText(bytes: Buffer): string {
  const label = bytes.toString('latin1').replace(/[\0 ]+$/, '');
  return label === noName ? '' : label;
}

/** `1A2B-3C4D`, as blkid(8) prints the serial number of a FAT or exFAT volume. */
export function volumeSerial(bytes: Buffer, at: number): string {
  const hex = Buffer.from(bytes.subarray(at, at + 4))
    .reverse()
    .toString('hex')
    .toUpperCase();
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}
