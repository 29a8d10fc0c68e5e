import { chmod, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { temporaryName } from '../base/files.ts';
import { removeTree } from '../engine/scratch.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';

/** Compresses a stream into a file, as one gzip member (RFC 1952) without name and time. */
export type Gzip = (input: Readable, file: string) => Promise<void>;

/** gzip's middle way: half the time of 6 for a twentieth more bytes. */
const level = 4;

/**
 * The toolbox's gzip, not Node's: its version is locked, while the bytes of Node's zlib change with the version of Node, and
 * with the processor. zstd(1) is it that calls zlib: gzip(1) takes longer for the same.
 */
export function gzipBy(toolbox: Toolbox): Gzip {
  return async (input, file) => {
    // Of its own: a chroot moves the folder in while it runs.
    const folder = temporaryName(file);
    await mkdir(folder);
    try {
      await runTool(toolbox, {
        argv: ['zstd', '--quiet', '--format=gzip', `-${level}`, '-o', '/tmp/out/packed.gz'],
        binds: [{ from: folder, to: '/tmp/out', writable: true }],
        input,
      });
      await chmod(join(folder, 'packed.gz'), 0o644);
      await rename(join(folder, 'packed.gz'), file);
    } finally {
      await removeTree(folder);
    }
  };
}
