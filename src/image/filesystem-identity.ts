import type { ReadAt } from '../archive/read-at.ts';
import { fatIdentity, volumeSerial } from './fat-identity.ts';

/** The content of a partition according to its signatures, with the names that mount(8) finds it by. */
export interface FileSystemIdentity {
  /** As in blkid(8): `ext4` for ext2, 3 and 4, `vfat`, `xfs`, `swap`, `crypto_LUKS`, `LVM2_member` … */
  readonly type: string;
  /** Empty if there is none; undefined if labels of this type are not supported here. */
  readonly label?: string;
  /** As in blkid(8); empty if there is none, undefined if not supported here. */
  readonly uuid?: string;
}

/** The content of a partition: a known file system or volume, zeros at its start, or unknown. */
export type PartitionContent =
  | ({ readonly state: 'known' } & FileSystemIdentity)
  | { readonly state: 'empty' }
  | { readonly state: 'unknown'; readonly why: string };

/** Bytes at the start that contain all signatures except ZFS's and two of RAID's; they must be readable. */
const head = 0x11000;

/** Volumes that contain file systems. */
export const volumeTypes: ReadonlyMap<string, string> = new Map([
  ['LVM2_member', 'LVM'],
  ['crypto_LUKS', 'LUKS'],
  ['linux_raid_member', 'RAID'],
]);

/**
 * Identifies the content at a place of a disk. Sources: kernel documentation of ext4, XFS, Btrfs, EROFS, SquashFS and F2FS and
 * the headers named there; ECMA-119; the exFAT specification; the on-disk formats of LUKS, LVM2, md(4) and mkswap(8).
 * @param offset bytes @param size bytes
 */
export function identifyFileSystem(read: ReadAt, offset: number, size: number): PartitionContent {
  if (!(size >= 512)) return { state: 'unknown', why: 'it is smaller than a sector' };
  const wanted = Math.min(head, size);
  const start = read(offset, wanted);
  if (start.length < wanted) return { state: 'unknown', why: 'it ends beyond the end of the disk' };
  const at: ReadAt = (from, length) =>
    from >= size ? Buffer.alloc(0) : read(offset + from, Math.min(length, size - from));
  for (const identify of kinds) {
    const found = identify(start, at, size);
    if (found !== undefined) return { state: 'known', ...found };
  }
  if (read(offset + size - 1, 1).length === 0) return { state: 'unknown', why: 'it ends beyond the end of the disk' };
  if (start.every((byte) => byte === 0)) return { state: 'empty' };
  return { state: 'unknown', why: 'unknown content' };
}

type Identify = (start: Buffer, at: ReadAt, size: number) => FileSystemIdentity | undefined;

const luks: Identify = (start) => {
  if (start.toString('latin1', 0, 6) !== 'LUKS\xba\xbe') return undefined;
  const second = start.readUInt16BE(6) === 2;
  return { type: 'crypto_LUKS', label: second ? text(start, 24, 48) : '', uuid: text(start, 168, 40).toLowerCase() };
};

/** The label is in one of the first four sectors. */
const lvm: Identify = (start) =>
  [0, 512, 1024, 1536].some((from) => has(start, from, 'LABELONE')) ? { type: 'LVM2_member' } : undefined;

const raidMagic = 0xa92b4efc;

/** md superblocks: 1.1 and 1.2 at the start, 1.0 and 0.90 at the end. */
const raid: Identify = (start, at, size) => {
  const end = Math.floor(size / 512) * 512;
  const ends = [Math.floor((end - 8192) / 4096) * 4096, Math.floor(end / 65536) * 65536 - 65536];
  const first = [0, 4096].some((from) => from + 4 <= start.length && start.readUInt32LE(from) === raidMagic);
  const last = ends.some((from) => {
    const bytes = from < 0 ? Buffer.alloc(0) : at(from, 4);
    return bytes.length === 4 && bytes.readUInt32LE(0) === raidMagic;
  });
  return first || last ? { type: 'linux_raid_member' } : undefined;
};

/** The signature is at the end of the first page, whose size depends on the machine that created it. */
const swap: Identify = (start) => {
  const found = [4096, 8192, 16384, 65536].some(
    (page) => has(start, page - 10, 'SWAPSPACE2') || has(start, page - 10, 'SWAP-SPACE'),
  );
  return found ? { type: 'swap', uuid: uuid(start, 1024 + 12), label: text(start, 1024 + 28, 16) } : undefined;
};

const ext4: Identify = (start) => {
  if (start.length < 2048 || start.readUInt16LE(1024 + 0x38) !== 0xef53) return undefined;
  return { type: 'ext4', uuid: uuid(start, 1024 + 0x68), label: text(start, 1024 + 0x78, 16) };
};

const xfs: Identify = (start) =>
  has(start, 0, 'XFSB') ? { type: 'xfs', uuid: uuid(start, 32), label: text(start, 108, 12) } : undefined;

const btrfs: Identify = (start) => {
  const block = 0x10000;
  if (!has(start, block + 0x40, '_BHRfS_M')) return undefined;
  return { type: 'btrfs', uuid: uuid(start, block + 0x20), label: text(start, block + 0x12b, 256) };
};

const erofs: Identify = (start) => {
  if (start.length < 1200 || start.readUInt32LE(1024) !== 0xe0f5e1e2) return undefined;
  return { type: 'erofs', uuid: uuid(start, 1024 + 48), label: text(start, 1024 + 64, 16) };
};

const squashfs: Identify = (start) => (has(start, 0, 'hsqs') ? { type: 'squashfs', uuid: '', label: '' } : undefined);

const f2fs: Identify = (start) => {
  if (start.length < 2300 || start.readUInt32LE(1024) !== 0xf2f52010) return undefined;
  const label = start.toString('utf16le', 1024 + 124, 1024 + 124 + 1024).replace(/\0.*$/s, '');
  return { type: 'f2fs', uuid: uuid(start, 1024 + 108), label };
};

/** ISO 9660; its UUID is derived from a date and not read here. */
const iso9660: Identify = (start) =>
  has(start, 32769, 'CD001') ? { type: 'iso9660', label: text(start, 32808, 32).trimEnd() } : undefined;

/** Its label is in a file and not read here. */
const ntfs: Identify = (start) => {
  if (!has(start, 3, 'NTFS    ')) return undefined;
  return { type: 'ntfs', uuid: Buffer.from(start.subarray(72, 80)).reverse().toString('hex').toUpperCase() };
};

const exfat: Identify = (start, at) => {
  if (!has(start, 3, 'EXFAT   ')) return undefined;
  const label = exfatLabel(start, at);
  return { type: 'exfat', uuid: volumeSerial(start, 100), ...(label === undefined ? {} : { label }) };
};

/** The root folder's entry of type 83; undefined if the root folder cannot be found. */
function exfatLabel(start: Buffer, at: ReadAt): string | undefined {
  const sectorBits = start[108]!;
  const cluster = 2 ** (sectorBits + start[109]!);
  if (sectorBits < 9 || sectorBits > 12 || cluster > 32 << 20) return undefined;
  const fat = start.readUInt32LE(80) * 2 ** sectorBits;
  const heap = start.readUInt32LE(88) * 2 ** sectorBits;
  let next = start.readUInt32LE(96);
  // A valid root folder has fewer than 256 clusters.
  for (let count = 0; count < 256 && next >= 2 && next < 0xffff_fff7; count++) {
    const folder = at(heap + (next - 2) * cluster, Math.min(cluster, 1 << 20));
    for (let entry = 0; entry + 32 <= folder.length; entry += 32) {
      if (folder[entry] === 0) return '';
      if (folder[entry] === 0x83) {
        return folder.toString('utf16le', entry + 2, entry + 2 + Math.min(11, folder[entry + 1]!) * 2);
      }
    }
    const link = at(fat + next * 4, 4);
    if (link.length < 4) return undefined;
    next = link.readUInt32LE(0);
  }
  return next >= 0xffff_fff7 ? '' : undefined;
}

/** Volumes first: a signature of their previous content may still exist. */
const kinds: readonly Identify[] = [
  luks,
  lvm,
  raid,
  btrfs,
  xfs,
  ext4,
  erofs,
  squashfs,
  f2fs,
  iso9660,
  swap,
  ntfs,
  exfat,
  fatIdentity,
];

function has(bytes: Buffer, at: number, magic: string): boolean {
  return bytes.toString('latin1', at, at + magic.length) === magic;
}

function text(bytes: Buffer, at: number, length: number): string {
  return bytes.toString('utf8', at, at + length).replace(/\0.*$/s, '');
}

function uuid(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  if (/^0*$/.test(hex)) return '';
  return [0, 8, 12, 16, 20].map((from, index, all) => hex.slice(from, all[index + 1])).join('-');
}
