import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { diskError, temporaryName } from '../base/files.ts';
import { run } from '../base/process.ts';

/** Writes a new file and waits until its bytes are on the disk. */
export function writeDurable(path: string, data: string | Uint8Array, mode: number): void {
  const fd = openSync(path, 'wx', mode);
  try {
    writeFileSync(fd, data);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a file atomically and waits until the new content is on the disk. */
export function writeDurably(path: string, data: string): void {
  const temporary = temporaryName(path);
  try {
    writeDurable(temporary, data, 0o644);
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw diskError(error, path);
  }
}

/** Waits until a folder's entries are on the disk; only then does a rename in it survive a power cut. */
export function syncFolder(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Waits until everything written to a path's file system is on the disk: one syncfs(2) for thousands of files, where an fsync
 * for each would take minutes. @returns false if the host lacks coreutils' `sync -f`
 */
export async function syncFileSystem(path: string): Promise<boolean> {
  const { code } = await run(['sync', '-f', path]).catch(() => ({ code: 1 }));
  return code === 0;
}
