import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const deflate = promisify<Uint8Array, Parameters<typeof deflateRaw>[1] & object, Buffer>(deflateRaw);
const blockSize = 1 << 20;
/** How far back deflate looks. */
const window = 32 << 10;
const lanes = 4;

/**
 * One gzip member (RFC 1952) without name and time. Blocks of 1 MiB are compressed side by side, each with the end of the one
 * before as its dictionary, so that the result hardly grows and does not depend on the number of processors.
 */
export function gzip(input: Readable, level: number): Readable {
  return Readable.from(gzipChunks(input, level), { objectMode: false });
}

async function* gzipChunks(input: Readable, level: number): AsyncGenerator<Buffer> {
  yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  const pending: Promise<Buffer>[] = [];
  let crc = 0;
  let size = 0;
  let before: Buffer | undefined;
  for await (const block of blocks(input)) {
    crc = crc32(block, crc);
    size += block.length;
    const dictionary = before?.subarray(-window);
    const job = deflate(block, {
      level,
      memLevel: 8,
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(dictionary === undefined ? {} : { dictionary }),
    });
    // A failure is met when the job is awaited; until then it must not count as unhandled.
    job.catch(() => {});
    pending.push(job);
    before = block;
    if (pending.length >= lanes) yield await pending.shift()!;
  }
  for (const job of pending) yield await job;
  const end = Buffer.alloc(10);
  // An empty last block with fixed codes ends the deflate stream.
  end.writeUInt16LE(0x0003, 0);
  end.writeUInt32LE(crc, 2);
  end.writeUInt32LE(size % 2 ** 32, 6);
  yield end;
}

/** The same bytes in pieces of one size, however they arrive. */
async function* blocks(input: Readable): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let held = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let rest = chunk;
    while (held + rest.length >= blockSize) {
      const take = rest.subarray(0, blockSize - held);
      yield Buffer.concat([...parts, take]);
      parts = [];
      held = 0;
      rest = rest.subarray(take.length);
    }
    if (rest.length > 0) parts.push(rest);
    held += rest.length;
  }
  if (held > 0) yield Buffer.concat(parts);
}
