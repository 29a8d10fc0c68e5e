import { open } from 'node:fs/promises';
import { WeirError } from '../base/errors.ts';

const mebibyte = 1 << 20;

/**
 * The footer that turns a raw disk into a fixed VHD: 512 bytes, big-endian, from Microsoft's "Virtual Hard Disk Image Format
 * Specification". @throws WeirError `bad-size` unless the size is a multiple of 1 MiB, as Azure requires
 */
export function vhdFooter(options: {
  /** Disk size in bytes. */
  readonly size: number;
  /** Creation time, seconds since 1970. */
  readonly epoch: number;
  readonly uuid: string;
}): Buffer {
  const { size, epoch, uuid } = options;
  if (size <= 0 || size % mebibyte !== 0) {
    throw new WeirError('bad-size', `invalid VHD size ${size}: not a multiple of 1 MiB`);
  }
  const { cylinders, heads, sectors } = vhdGeometry(size);
  const footer = Buffer.alloc(512);
  footer.write('conectix', 0, 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x00010000, 12);
  footer.fill(0xff, 16, 24);
  // VHD timestamps count from the year 2000.
  footer.writeUInt32BE(Math.max(0, epoch - 946_684_800), 24);
  // For this creator, readers take the size from the field, not from the geometry.
  footer.write('qem2', 28, 'latin1');
  footer.writeUInt32BE(0x00050003, 32);
  footer.write('Wi2k', 36, 'latin1');
  footer.writeBigUInt64BE(BigInt(size), 40);
  footer.writeBigUInt64BE(BigInt(size), 48);
  footer.writeUInt16BE(cylinders, 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectors, 59);
  footer.writeUInt32BE(2, 60);
  footer.write(uuid.replaceAll('-', ''), 68, 'hex');
  let sum = 0;
  for (const byte of footer) sum += byte;
  footer.writeUInt32BE(~sum >>> 0, 64);
  return footer;
}

/** Cylinders, heads and sectors for a disk size in bytes, calculated as in the specification's appendix. */
export function vhdGeometry(size: number): {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
} {
  const total = Math.min(Math.floor(size / 512), 65535 * 16 * 255);
  if (total >= 65535 * 16 * 63) return { cylinders: Math.floor(total / 255 / 16), heads: 16, sectors: 255 };
  let sectors = 17;
  let perHead = Math.floor(total / sectors);
  let heads = Math.max(4, Math.ceil(perHead / 1024));
  if (perHead >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    perHead = Math.floor(total / sectors);
  }
  if (perHead >= heads * 1024) {
    sectors = 63;
    heads = 16;
    perHead = Math.floor(total / sectors);
  }
  return { cylinders: Math.floor(perHead / heads), heads, sectors };
}

/** Turns a raw disk into a fixed VHD in place by appending the footer. */
export async function appendVhdFooter(path: string, options: { epoch: number; uuid: string }): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const { size } = await handle.stat();
    await handle.write(vhdFooter({ size, ...options }), 0, 512, size);
  } finally {
    await handle.close();
  }
}
