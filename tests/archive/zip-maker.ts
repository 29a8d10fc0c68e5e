import { crc32, deflateRawSync } from 'node:zlib';

/** A zip archive of some files, deflated, or stored with `stored`. */
export function zipOf(files: Readonly<Record<string, string | Uint8Array>>, stored = false): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const packed = stored ? bytes : deflateRawSync(bytes);
    const path = Buffer.from(name);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(stored ? 0 : 8, 4);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(path.length, 22);
    parts.push(Buffer.from('PK\x03\x04'), fields, path, packed);
    const more = Buffer.alloc(14);
    more.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), fields, more, path);
    offset += 30 + path.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = Object.keys(files).length;
  return Buffer.concat([...parts, ...directory, ...endOf(count, size, offset)]);
}

/** More than 65,535 files need the longer end record, too. */
function endOf(count: number, size: number, offset: number): Buffer[] {
  const isLong = count > 0xffff;
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Math.min(count, 0xffff), 4);
  end.writeUInt16LE(Math.min(count, 0xffff), 6);
  end.writeUInt32LE(isLong ? 0xffffffff : size, 8);
  end.writeUInt32LE(isLong ? 0xffffffff : offset, 12);
  const short = [Buffer.from('PK\x05\x06'), end];
  if (!isLong) return short;
  const long = Buffer.alloc(52);
  long.writeBigUInt64LE(44n, 0);
  for (const [index, value] of [count, count, size, offset].entries())
    long.writeBigUInt64LE(BigInt(value), 20 + 8 * index);
  const locator = Buffer.alloc(16);
  locator.writeBigUInt64LE(BigInt(offset + size), 4);
  locator.writeUInt32LE(1, 12);
  return [Buffer.from('PK\x06\x06'), long, Buffer.from('PK\x06\x07'), locator, ...short];
}
