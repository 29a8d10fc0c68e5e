import { createHash, type Hash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Digest, fileDigest } from '../base/digest.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';

/** An extent of a sparse file with data; the rest reads as zeros. */
export interface Extent {
  /** bytes from the file's start */
  readonly start: number;
  /** bytes */
  readonly length: number;
}

/** The data extents of a raw disk according to its file system, by qemu-img(1); sorted. */
export async function dataExtents(toolbox: Toolbox, path: string): Promise<Extent[]> {
  const { stdout } = await runTool(toolbox, {
    argv: ['qemu-img', 'map', '--output=json', '-f', 'raw', path],
    binds: [{ from: dirname(path) }],
  });
  const map = JSON.parse(stdout) as readonly { start: number; length: number; data: boolean; zero: boolean }[];
  return map.filter(({ zero }) => !zero).map(({ start, length }) => ({ start, length }));
}

const chunk = 1 << 20;

/** SHA-256 of a possibly sparse file, such as a disk. */
export async function sparseDigest(toolbox: Toolbox, path: string): Promise<Digest> {
  const { size, blocks } = await stat(path);
  if (size < 64 * chunk || blocks * 512 >= size) return fileDigest(path);
  return (await hashSparse(path, await dataExtents(toolbox, path))).digest('hex');
}

/**
 * Starts a SHA-256 over a whole sparse file; more bytes can be added. Holes are hashed without reading them: most of a disk is
 * holes, and reading them would evict everything else from the page cache.
 */
export async function hashSparse(path: string, extents: readonly Extent[]): Promise<Hash> {
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(chunk);
  const buffer = Buffer.allocUnsafeSlow(chunk);
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    let at = 0;
    const skipTo = async (end: number): Promise<void> => {
      for (let turn = 1; at < end; turn++) {
        const length = Math.min(chunk, end - at);
        hash.update(length === chunk ? zeros : zeros.subarray(0, length));
        at += length;
        // Let other work of this process run.
        if (turn % 64 === 0) await new Promise(setImmediate);
      }
    };
    for (const { start, length } of extents) {
      await skipTo(start);
      const end = Math.min(start + length, size);
      while (at < end) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(chunk, end - at), at);
        if (bytesRead === 0) throw new TypeError(`${path} was truncated while it was read`);
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    }
    await skipTo(size);
    return hash;
  } finally {
    await handle.close();
  }
}
