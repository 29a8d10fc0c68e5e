/** What a FAT file system of a test is like. */
export interface FatOptions {
  /** bytes */
  readonly size: number;
  /** Of the boot sector. */
  readonly label: string;
  /** Of the root folder's entry, behind a long name and a deleted one; by default there is none. */
  readonly inRoot?: string;
  readonly bits?: 12 | 16 | 32;
  readonly serial?: number;
}

/** The first bytes of a FAT file system: boot sector, tables and the root folder (Microsoft's FAT specification). */
export function fatBytes({ size, label, inRoot, bits = 16, serial = 0x1a2b3c4d }: FatOptions): Buffer {
  const sectors = size / 512;
  const fatSectors = 32;
  const reserved = bits === 32 ? 32 : 1;
  const entries = bits === 32 ? 0 : 512;
  const bytes = Buffer.alloc((reserved + 2 * fatSectors + 32 + 8) * 512);
  bytes.write('eb3c90', 0, 'hex');
  bytes.write('mkfs.fat', 3);
  bytes.writeUInt16LE(512, 11);
  bytes[13] = 1;
  bytes.writeUInt16LE(reserved, 14);
  bytes[16] = 2;
  bytes.writeUInt16LE(entries, 17);
  if (sectors < 65536 && bits !== 32) bytes.writeUInt16LE(sectors, 19);
  else bytes.writeUInt32LE(sectors, 32);
  bytes[21] = 0xf8;
  if (bits === 32) {
    bytes.writeUInt32LE(fatSectors, 36);
    bytes.writeUInt32LE(2, 44);
  } else bytes.writeUInt16LE(fatSectors, 22);
  const base = bits === 32 ? 64 : 36;
  bytes[base + 2] = 0x29;
  bytes.writeUInt32LE(serial, base + 3);
  bytes.write(label.padEnd(11), base + 7, 'latin1');
  bytes.write(`FAT${bits}   `, base + 18);
  bytes.writeUInt16LE(0xaa55, 510);
  let folder = (reserved + 2 * fatSectors) * 512;
  if (bits === 32) {
    // The root folder goes from cluster 2, which is full of deleted entries, on to cluster 5.
    bytes.writeUInt32LE(5, reserved * 512 + 2 * 4);
    bytes.writeUInt32LE(0x0fff_ffff, reserved * 512 + 5 * 4);
    for (let entry = 0; entry < 512; entry += 32) bytes[folder + entry] = 0xe5;
    folder += 3 * 512;
  }
  const entry = (name: string, attributes: number): void => {
    bytes.write(name.padEnd(11), folder, 'latin1');
    bytes[folder + 11] = attributes;
    folder += 32;
  };
  entry('\xe5LD LABEL', 0x08);
  entry('Along name', 0x0f);
  entry('EFI', 0x10);
  if (inRoot !== undefined) entry(inRoot, 0x08);
  return bytes;
}
