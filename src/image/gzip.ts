import { chmod, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { temporaryName } from '../base/files.ts';
import { removeTree } from '../engine/scratch.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';

/** Compresses a stream to a file as one gzip member (RFC 1952) without name and time. */
export type Gzip = (input: Readable, file: string) => Promise<void>;

/** A compromise: half the time of level 6 for 5 % more bytes. */
const level = 4;

/**
 * Uses the toolbox's zlib, not Node's: its version is locked, while the output of Node's zlib depends on the version of Node
 * and on the processor. zstd(1) calls zlib and is faster than gzip(1).
 */
export function gzipBy(toolbox: Toolbox): Gzip {
  return async (input, file) => {
    // A separate folder, because a chroot moves it in during the run.
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
