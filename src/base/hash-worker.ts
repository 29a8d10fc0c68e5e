// A thread that hashes files; hashers.ts starts it.

import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { systemCode } from './errors.ts';
import { dataBlock, type Extent, type FromHasher, type ToHasher } from './hashers.ts';

const chunk = 1 << 20;
const buffer = Buffer.allocUnsafeSlow(chunk);
const zeros = Buffer.alloc(dataBlock);

parentPort!.on('message', ({ id, path, what, extents }: ToHasher) => {
  let answer: FromHasher;
  try {
    answer = { id, digest: digestOf(path, what, extents) };
  } catch (error) {
    answer = { id, message: error instanceof Error ? error.message : String(error), code: systemCode(error) };
  }
  parentPort!.postMessage(answer);
});

function digestOf(path: string, what: ToHasher['what'], extents: ToHasher['extents']): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return what === 'data' ? dataDigest(fd, extents) : wholeDigest(fd);
  } finally {
    closeSync(fd);
  }
}

function wholeDigest(fd: number): string {
  const hash = createHash('sha256');
  for (;;) {
    const count = readSync(fd, buffer, 0, chunk, null);
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
  }
}

/** See `HashFile`. */
function dataDigest(fd: number, extents: readonly Extent[] = [{ start: 0, length: Number.POSITIVE_INFINITY }]): string {
  const hash = createHash('sha256');
  let done = 0;
  for (const { start, length } of extents) {
    // Whole blocks, each only once.
    const from = Math.max(done, start - (start % dataBlock));
    const end = Math.ceil((start + length) / dataBlock) * dataBlock;
    if (end > from) hashData(fd, hash, from, end);
    done = Math.max(done, end);
  }
  return hash.digest('hex');
}

function hashData(fd: number, hash: Hash, from: number, end: number): void {
  const place = Buffer.alloc(8);
  for (let at = from; at < end; ) {
    const count = readSync(fd, buffer, 0, Math.min(chunk, end - at), at);
    if (count === 0) return;
    for (let start = 0; start < count; start += dataBlock) {
      const block = buffer.subarray(start, Math.min(count, start + dataBlock));
      if (block.equals(zeros.subarray(0, block.length))) continue;
      place.writeBigUInt64BE(BigInt(at + start));
      hash.update(place);
      hash.update(block);
    }
    at += count;
  }
}
