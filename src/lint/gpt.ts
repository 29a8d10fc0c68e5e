import { crc32 } from 'node:zlib';
import type { ReadAt } from '../archive/read-at.ts';
import { unreadable } from './rule.ts';

// UEFI Specification 2.10, chapter 5, "GUID Partition Table (GPT) Disk Layout".

/** Sector size in bytes; other sizes are not supported. */
export const sector = 512;

export interface GptPartition {
  /** From 1, as in the kernel's device names. */
  readonly number: number;
  /** Type GUID, lower case. */
  readonly type: string;
  readonly uuid: string;
  readonly name: string;
  readonly attributes: bigint;
  /** Offset from the disk's start in bytes. */
  readonly offset: number;
  /** bytes */
  readonly size: number;
}

/** One copy of the table, and its faults. */
export interface GptCopy {
  /** Sector of the header. */
  readonly lba: number;
  readonly problems: readonly string[];
  /** Whether its checksums are right, so that its content is intended. */
  readonly sound: boolean;
  /** Empty if the header is unusable. */
  readonly partitions: readonly GptPartition[];
  readonly diskUuid: string;
  /** First and last sector that partitions may use. */
  readonly usable: { readonly first: number; readonly last: number };
  /** The part that both copies must have in common. */
  readonly entriesCrc: number;
}

export interface Gpt {
  readonly primary: GptCopy;
  readonly backup: GptCopy;
  /** From the copy that firmware uses: the first unless damaged. Empty if both are unusable. */
  readonly partitions: readonly GptPartition[];
}

/**
 * Reads both copies of the table.
 * @param size bytes of the disk @throws WeirError `unreadable` if the disk's sectors are larger than 512 bytes
 */
export function readGpt(read: ReadAt, size: number): Gpt {
  if (!isHeader(read(sector, sector)) && isHeader(read(4096, sector))) {
    throw unreadable('the partition table uses sectors of 4096 bytes, which are not supported');
  }
  // At least two sectors, so that even an empty file can be checked.
  const last = Math.max(1, Math.floor(size / sector) - 1);
  const primary = readCopy(read, 1, last, last);
  const backup = readCopy(read, last, 1, last);
  const usable =
    [primary, backup].find((copy) => copy.problems.length === 0) ??
    [primary, backup].find((copy) => copy.sound) ??
    primary;
  return { primary, backup, partitions: usable.partitions };
}

function isHeader(bytes: Buffer): boolean {
  return bytes.length === sector && bytes.toString('latin1', 0, 8) === 'EFI PART';
}

function readCopy(read: ReadAt, lba: number, otherLba: number, lastLba: number): GptCopy {
  const problems: string[] = [];
  const nothing = {
    ...{ lba, problems, sound: false, partitions: [], diskUuid: '' },
    ...{ usable: { first: 0, last: 0 }, entriesCrc: 0 },
  };
  const header = read(lba * sector, sector);
  if (!isHeader(header)) {
    problems.push('there is no header');
    return nothing;
  }
  const headerSize = header.readUInt32LE(12);
  if (header.readUInt32LE(8) !== 0x00010000) problems.push('its revision is not 1.0');
  let sound = false;
  if (headerSize < 92 || headerSize > sector) problems.push(`its header has ${headerSize} bytes`);
  else {
    const plain = Buffer.from(header.subarray(0, headerSize));
    plain.writeUInt32LE(0, 16);
    sound = crc32(plain) === header.readUInt32LE(16);
    if (!sound) problems.push("the header's CRC is wrong");
  }
  const own = Number(header.readBigUInt64LE(24));
  const other = Number(header.readBigUInt64LE(32));
  if (own !== lba) problems.push(`the header names sector ${own} as its own, but is in ${lba}`);
  if (other !== otherLba) problems.push(`it names sector ${other} for the other copy, which is in ${otherLba}`);
  const usable = { first: Number(header.readBigUInt64LE(40)), last: Number(header.readBigUInt64LE(48)) };
  const entriesLba = Number(header.readBigUInt64LE(72));
  const count = header.readUInt32LE(80);
  const entrySize = header.readUInt32LE(84);
  const entriesCrc = header.readUInt32LE(88);
  const diskUuid = guid(header, 56);
  if (entrySize < 128 || count > 1024 || entrySize > 4096 || entriesLba > lastLba) {
    problems.push('its list of partitions is out of range');
    return { ...nothing, usable, diskUuid, entriesCrc };
  }
  const entries = read(entriesLba * sector, count * entrySize);
  if (entries.length < count * entrySize || crc32(entries) !== entriesCrc) {
    problems.push("the list of partitions' CRC is wrong");
    sound = false;
  }
  const partitions: GptPartition[] = [];
  for (let index = 0; (index + 1) * entrySize <= entries.length; index++) {
    const at = index * entrySize;
    const type = guid(entries, at);
    if (type === unused) continue;
    const first = Number(entries.readBigUInt64LE(at + 32));
    const end = Number(entries.readBigUInt64LE(at + 40));
    partitions.push({
      number: index + 1,
      type,
      uuid: guid(entries, at + 16),
      name: entries.toString('utf16le', at + 56, at + 128).replace(/\0.*$/s, ''),
      attributes: entries.readBigUInt64LE(at + 48),
      offset: first * sector,
      size: (end - first + 1) * sector,
    });
  }
  return { lba, problems, sound, partitions, diskUuid, usable, entriesCrc };
}

const unused = '00000000-0000-0000-0000-000000000000';

/** Prints a GUID: its first three groups are little-endian on disk. */
function guid(bytes: Buffer, at: number): string {
  const part = (from: number, to: number) => bytes.toString('hex', at + from, at + to);
  const swapped = (from: number, to: number) =>
    Buffer.from(bytes.subarray(at + from, at + to))
      .reverse()
      .toString('hex');
  return [swapped(0, 4), swapped(4, 6), swapped(6, 8), part(8, 10), part(10, 16)].join('-');
}
