import { fstatSync, readSync } from 'node:fs';

/** Reads `length` bytes at `offset`; fewer only at the end. */
export type ReadAt = (offset: number, length: number) => Buffer;

/** Positioned reads of an open file. @param base added to every offset @param limit bytes that may be seen from `base` */
export function fileReader(fd: number, base = 0, limit = Number.POSITIVE_INFINITY): ReadAt {
  const stat = fstatSync(fd);
  // What a file claims to have is never allocated unless it is there. The size of a device is not known.
  const end = stat.isFile() ? Math.min(limit, stat.size - base) : limit;
  return (offset, length) => {
    const wanted = offset >= 0 ? Math.min(length, end - offset) : 0;
    if (!(wanted > 0)) return Buffer.alloc(0);
    const buffer = Buffer.allocUnsafe(wanted);
    let done = 0;
    while (done < wanted) {
      const count = readSync(fd, buffer, done, wanted - done, base + offset + done);
      if (count === 0) break;
      done += count;
    }
    return buffer.subarray(0, done);
  };
}

/** Positioned reads of bytes in memory. */
export function bytesReader(bytes: Buffer): ReadAt {
  return (offset, length) => (offset >= 0 && length > 0 ? bytes.subarray(offset, offset + length) : Buffer.alloc(0));
}

/** The same reads with fewer calls: what follows a short read is read with it, and kept until the next. */
export function readAhead(read: ReadAt, window = 16 << 10): ReadAt {
  let start = 0;
  let kept: Buffer = Buffer.alloc(0);
  return (offset, length) => {
    if (length > window) return read(offset, length);
    if (offset < start || offset + length > start + kept.length) {
      start = offset;
      kept = read(offset, window);
    }
    return kept.subarray(offset - start, offset - start + length);
  };
}
