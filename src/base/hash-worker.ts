// A thread that hashes files; started by hashers.ts.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { systemCode } from './errors.ts';
import type { FromHasher, ToHasher } from './hashers.ts';

const chunk = 1 << 20;
const buffer = Buffer.allocUnsafeSlow(chunk);
const zeros = Buffer.alloc(chunk);

parentPort!.on('message', ({ id, path, data }: ToHasher) => {
  let answer: FromHasher;
  try {
    answer = { id, digest: digestOf(path, data) };
  } catch (error) {
    answer = { id, message: error instanceof Error ? error.message : String(error), code: systemCode(error) };
  }
  parentPort!.postMessage(answer);
});

/** @param data parts that hold data, sorted; the rest is zeros. All of the file where left out */
function digestOf(path: string, data: ToHasher['data']): string {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const hash = createHash('sha256');
    let at = 0;
    const zerosTo = (end: number): void => {
      for (; at < end; at += Math.min(chunk, end - at)) {
        const length = Math.min(chunk, end - at);
        hash.update(length === chunk ? zeros : zeros.subarray(0, length));
      }
    };
    for (const { start, length } of data ?? [{ start: 0, length: Number.POSITIVE_INFINITY }]) {
      zerosTo(start);
      const end = start + length;
      while (at < end) {
        const count = readSync(fd, buffer, 0, Math.min(chunk, end - at), at);
        if (count === 0) break;
        hash.update(buffer.subarray(0, count));
        at += count;
      }
    }
    if (data !== undefined) zerosTo(size);
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
