import { fstatSync, readSync } from 'node:fs';

/** Reads `length` bytes at `offset`; fewer only at the end. */
export type ReadAt = (offset: number, length: number) => Buffer;

/** Positioned reads of an open file. @param base added to every offset @param limit bytes that may be seen from `base` */
export function fileReader(fd: number, base = 0, limit = Number.POSITIVE_INFINITY): ReadAt {
  const stat = fstatSync(fd);
  // Never allocate a claimed length beyond the end of the file. The size of a device is unknown.
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

/** Positioned reads of bytes in memory in several pieces, such as the output of a program. */
export function piecesReader(pieces: readonly Buffer[]): ReadAt {
  const starts: number[] = [];
  let size = 0;
  for (const piece of pieces) {
    starts.push(size);
    size += piece.length;
  }
  return (offset, length) => {
    const end = Math.min(offset + length, size);
    if (!(offset >= 0 && offset < end)) return Buffer.alloc(0);
    let low = 0;
    let high = pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    const first = pieces[low]!.subarray(offset - starts[low]!, end - starts[low]!);
    if (first.length === end - offset) return first;
    const bytes = Buffer.allocUnsafe(end - offset);
    for (let done = 0; done < bytes.length; low++) {
      const from = offset + done - starts[low]!;
      done += pieces[low]!.copy(bytes, done, from);
    }
    return bytes;
  };
}

/** A read-ahead buffer around `read`: a short read also fetches the bytes after it and keeps them for the next read. */
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
