/** Options of a test's FAT file system. */
export interface FatOptions {
  /** bytes */
  readonly size: number;
  /** Label in the boot sector. */
  readonly label: string;
  /** Label in the root folder, after a long name and a deleted entry; none by default. */
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
    // The root folder continues from cluster 2, full of deleted entries, in cluster 5.
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

/** A whole FAT file system with one folder `EFI` and in it a file with a long name, cluster by cluster in reverse. */
export function fatVolume(bits: 12 | 16 | 32, content: Buffer): Buffer {
  const reserved = bits === 32 ? 32 : 1;
  const clusters = { 12: 4000, 16: 5000, 32: 70_000 }[bits];
  const fatSectors = Math.ceil(((clusters + 2) * bits) / 8 / 512);
  const entries = bits === 32 ? 0 : 512;
  const root = reserved + fatSectors;
  const data = root + entries / 16;
  const bytes = Buffer.alloc((data + clusters) * 512);
  fatBytes({ size: bytes.length, label: 'EFI', bits }).copy(bytes, 0, 0, 512);
  bytes[16] = 1;
  if (bits === 32) bytes.writeUInt32LE(fatSectors, 36);
  else bytes.writeUInt16LE(fatSectors, 22);
  const link = (cluster: number, to: number): void => {
    const at = reserved * 512;
    if (bits === 32) bytes.writeUInt32LE(to, at + cluster * 4);
    else if (bits === 16) bytes.writeUInt16LE(to & 0xffff, at + cluster * 2);
    else {
      const place = at + cluster + (cluster >> 1);
      const pair = bytes.readUInt16LE(place);
      bytes.writeUInt16LE(
        (cluster & 1) === 0 ? (pair & 0xf000) | (to & 0xfff) : (pair & 0xf) | ((to & 0xfff) << 4),
        place,
      );
    }
  };
  const end = 0x0fff_ffff;
  const place = (cluster: number): number => (data + cluster - 2) * 512;
  const entry = (at: number, name: string, attributes: number, cluster: number, size = 0): void => {
    bytes.write(name.padEnd(11), at, 'latin1');
    bytes[at + 11] = attributes;
    bytes.writeUInt16LE(cluster >>> 16, at + 20);
    bytes.writeUInt16LE(cluster & 0xffff, at + 26);
    bytes.writeUInt32LE(size, at + 28);
  };
  const [rootCluster, folder] = [2, 3];
  const rootAt = bits === 32 ? place(rootCluster) : root * 512;
  if (bits === 32) link(rootCluster, end);
  entry(rootAt, 'LABEL', 0x08, 0);
  entry(rootAt + 32, '\xe5LD', 0x20, 9, 5);
  entry(rootAt + 64, 'EFI', 0x10, folder);
  link(folder, end);
  entry(place(folder), '.', 0x10, folder);
  entry(place(folder) + 32, '..', 0x10, 0);
  const long = 'a long name.efi\0'.padEnd(26, '\uffff');
  for (const [index, part] of [long.slice(13), long.slice(0, 13)].entries()) {
    const at = place(folder) + 64 + index * 32;
    const name = Buffer.from(part, 'utf16le');
    bytes[at] = index === 0 ? 0x42 : 1;
    bytes[at + 11] = 0x0f;
    name.copy(bytes, at + 1, 0, 10);
    name.copy(bytes, at + 14, 10, 22);
    name.copy(bytes, at + 28, 22, 26);
  }
  const needed = Math.ceil(content.length / 512);
  const first = 10 + needed - 1;
  entry(place(folder) + 128, 'ALONGN~1EFI', 0x20, first, content.length);
  entry(place(folder) + 160, 'SMALL   TXT', 0x20, 0, 0);
  bytes[place(folder) + 160 + 12] = 0x18;
  for (let index = 0; index < needed; index++) {
    const cluster = first - index;
    content.copy(bytes, place(cluster), index * 512, (index + 1) * 512);
    link(cluster, index === needed - 1 ? end : cluster - 1);
  }
  return bytes;
}
