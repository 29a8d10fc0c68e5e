import { type FileHandle, open } from 'node:fs/promises';
import { WeirError } from '../base/errors.ts';
import type { Extent } from './digest.ts';
import { roundUp } from './disk.ts';

// Format: Microsoft's "Virtual Hard Disk v2 (VHDX) File Format" (MS-VHDX), version 1. Written here because other writers choose
// random identifiers. All numbers are little-endian.

const kibibyte = 1 << 10;
const mebibyte = 1 << 20;
/** Microsoft recommends small blocks for Linux, whose file systems spread their content. */
const blockSize = mebibyte;
const sectorSize = 512;
/** Payload blocks per sector bitmap block. */
const chunkRatio = (2 ** 23 * sectorSize) / blockSize;
const fullyPresent = 6;

const regions = { log: mebibyte, metadata: 2 * mebibyte, allocation: 3 * mebibyte } as const;

export interface VhdxOptions {
  /** Identifier of the disk that guests see. */
  readonly uuid: string;
  /** Identifiers of this version of the file and of its data. */
  readonly fileUuid: string;
  readonly dataUuid: string;
}

/**
 * Converts a raw disk to a dynamic VHDX: blocks of 1 MiB that have only zeros take no space.
 * @param extents where the raw disk has data (`dataExtents`)
 * @throws WeirError `bad-size` unless the size is a multiple of 1 MiB
 */
export async function rawToVhdx(
  raw: string,
  out: string,
  extents: readonly Extent[],
  options: VhdxOptions,
): Promise<void> {
  const source = await open(raw);
  const target = await open(out, 'wx');
  try {
    const { size } = await source.stat();
    if (size <= 0 || size % mebibyte !== 0) {
      throw new WeirError('bad-size', `invalid VHDX size ${size}: not a multiple of 1 MiB`);
    }
    const blocks = size / blockSize;
    const entries = blocks + Math.floor((blocks - 1) / chunkRatio);
    const allocation = Buffer.alloc(roundUp(entries * 8, mebibyte));
    const block = Buffer.allocUnsafeSlow(blockSize);
    let end = regions.allocation + allocation.length;
    for (const index of blocksOf(extents)) {
      const { bytesRead } = await source.read(block, 0, blockSize, index * blockSize);
      if (bytesRead !== blockSize) throw new TypeError(`${raw} was truncated while it was read`);
      if (isZero(block)) continue;
      await target.write(block, 0, blockSize, end);
      allocation.writeBigUInt64LE(BigInt(end) | BigInt(fullyPresent), (index + Math.floor(index / chunkRatio)) * 8);
      end += blockSize;
    }
    await target.write(fileStart(allocation.length, options), 0, mebibyte, 0);
    const metadata = metadataRegion(size, options.uuid);
    await target.write(metadata, 0, metadata.length, regions.metadata);
    await target.write(allocation, 0, allocation.length, regions.allocation);
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

/** The size in bytes of the disk in a VHDX that `rawToVhdx` wrote. */
export async function vhdxDiskSize(file: FileHandle): Promise<number> {
  const { buffer } = await file.read(Buffer.alloc(8), 0, 8, regions.metadata + diskSizeItem);
  return Number(buffer.readBigUInt64LE());
}

/** Indexes of the blocks that extents touch, in order, each once. */
export function* blocksOf(extents: readonly Extent[]): Generator<number> {
  let next = 0;
  for (const { start, length } of extents) {
    const last = Math.ceil((start + length) / blockSize);
    for (next = Math.max(next, Math.floor(start / blockSize)); next < last; next++) yield next;
  }
}

const zeros = Buffer.alloc(blockSize);

function isZero(block: Buffer): boolean {
  return block.equals(zeros);
}

/** The first MiB: file identifier, two headers and two region tables. */
function fileStart(allocationLength: number, { fileUuid, dataUuid }: VhdxOptions): Buffer {
  const start = Buffer.alloc(mebibyte);
  start.write('vhdxfile', 0, 'latin1');
  start.write('Weir', 8, 'utf16le');
  for (const [copy, offset] of [64 * kibibyte, 128 * kibibyte].entries()) {
    const header = start.subarray(offset, offset + 4 * kibibyte);
    header.write('head', 0, 'latin1');
    // The header with the higher number is current.
    header.writeBigUInt64LE(BigInt(copy + 1), 8);
    guid(fileUuid).copy(header, 16);
    guid(dataUuid).copy(header, 32);
    // No identifier of a log: there is nothing to replay.
    header.writeUInt16LE(1, 66);
    header.writeUInt32LE(mebibyte, 68);
    header.writeBigUInt64LE(BigInt(regions.log), 72);
    header.writeUInt32LE(crc32c(header), 4);
  }
  const table = [
    { id: '2dc27766-f623-4200-9d64-115e9bfd4a08', offset: regions.allocation, length: allocationLength },
    { id: '8b7ca206-4790-4b9a-b8fe-575f050f886e', offset: regions.metadata, length: mebibyte },
  ];
  for (const offset of [192 * kibibyte, 256 * kibibyte]) {
    const region = start.subarray(offset, offset + 64 * kibibyte);
    region.write('regi', 0, 'latin1');
    region.writeUInt32LE(table.length, 8);
    for (const [index, entry] of table.entries()) {
      const at = 16 + index * 32;
      guid(entry.id).copy(region, at);
      region.writeBigUInt64LE(BigInt(entry.offset), at + 16);
      region.writeUInt32LE(entry.length, at + 24);
      region.writeUInt32LE(1, at + 28);
    }
    region.writeUInt32LE(crc32c(region), 4);
  }
  return start;
}

/** Where the metadata region has its items, and the disk's size: behind the block size. */
const itemsAt = 64 * kibibyte;
const diskSizeItem = itemsAt + 8;

const required = 4;
const ofVirtualDisk = 2;

function metadataRegion(size: number, uuid: string): Buffer {
  const number = (value: number, bytes: 4 | 8): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
    return buffer;
  };
  const items = [
    // Block size, and no flags: blocks are allocated when written to, and the disk has no parent.
    { id: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b', value: number(blockSize, 8), flags: required },
    { id: '2fa54224-cd1b-4876-b211-5dbed83bf4b8', value: number(size, 8), flags: required | ofVirtualDisk },
    { id: 'beca12ab-b2e6-4523-93ef-c309e000c746', value: guid(uuid), flags: required | ofVirtualDisk },
    // Logical and physical sector size.
    { id: '8141bf1d-a96f-4709-ba47-f233a8faab5f', value: number(sectorSize, 4), flags: required | ofVirtualDisk },
    { id: 'cda348c7-445d-4471-9cc9-e9885251c556', value: number(4096, 4), flags: required | ofVirtualDisk },
  ];
  const region = Buffer.alloc(mebibyte);
  region.write('metadata', 0, 'latin1');
  region.writeUInt16LE(items.length, 10);
  let offset = itemsAt;
  for (const [index, { id, value, flags }] of items.entries()) {
    const at = 32 + index * 32;
    guid(id).copy(region, at);
    region.writeUInt32LE(offset, at + 16);
    region.writeUInt32LE(value.length, at + 20);
    region.writeUInt32LE(flags, at + 24);
    value.copy(region, offset);
    offset += value.length;
  }
  return region;
}

/** A UUID as Microsoft stores it: the first three parts little-endian. */
function guid(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array): number {
  let value = 0xffff_ffff;
  for (const byte of bytes) value = crcTable[(value ^ byte) & 0xff]! ^ (value >>> 8);
  return (value ^ 0xffff_ffff) >>> 0;
}
