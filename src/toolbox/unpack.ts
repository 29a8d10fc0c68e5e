import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folder } from '../archive/folder.ts';
import { fileReader, piecesReader, type ReadAt } from '../archive/read-at.ts';
import { readTar } from '../archive/tar.ts';
import { WeirError, withContext } from '../base/errors.ts';
import { diskError, mapLimit, noSpace } from '../base/files.ts';
import { lastLines, run, stream } from '../base/process.ts';
import { withScratch } from '../engine/scratch.ts';

/** Files that no tool of the toolbox reads. */
const leftOut = /^usr\/share\/(doc|man|locale|info)\//;

/** Limit for the unpacked size of a package in bytes; the largest in the toolbox have a fiftieth of it. */
const mostUnpacked = 16 * 2 ** 30;

/** Archives up to this size are unpacked in memory; larger ones go through a file. */
const mostInMemory = 192 << 20;

/**
 * Unpacks Debian packages into a folder, one after the other in the given order, so the result is always the same if packages
 * share a path: the later one wins. dpkg-deb only decompresses. This process reads the archives and places the members; links
 * of one package cannot lead the next one out of the folder. Owners and special modes are dropped.
 * @param debs paths @param scratch folder for archives too large for memory @param onProgress called with the number done
 * @throws WeirError `bad-deb`, `bad-tar`, `bad-member`, `no-space`
 */
export async function placeDebs(
  debs: readonly string[],
  folder: Folder,
  scratch: string,
  onProgress: (count: number) => void,
  inMemory = mostInMemory,
): Promise<void> {
  let count = 0;
  let turn: Promise<void> = Promise.resolve();
  // Two are decompressed at a time, on separate cores, and placed in order.
  await mapLimit(debs, 2, async (deb) => {
    const before = turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    turn = promise;
    try {
      const pieces = await inPieces(deb, inMemory);
      if (pieces !== undefined) {
        await before;
        place(deb, piecesReader(pieces), folder);
      } else await withScratch(scratch, async (work) => placeLarge(deb, join(work, 'data.tar'), before, folder));
    } finally {
      resolve();
    }
    onProgress(++count);
  });
}

/** The decompressed data archive; undefined if it exceeds `most` bytes. */
async function inPieces(deb: string, most: number): Promise<Buffer[] | undefined> {
  const child = stream(['dpkg-deb', '--fsys-tarfile', deb]);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of child.stdout) {
    pieces.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > most) break;
  }
  const code = await child.done;
  if (size > most) return undefined;
  if (code !== 0) throw badDeb(deb, child.stderr() || `dpkg-deb failed with exit code ${code}`);
  return pieces;
}

async function placeLarge(deb: string, tar: string, before: Promise<void>, folder: Folder): Promise<void> {
  // The limit is in blocks of 512 bytes.
  const script = `ulimit -f ${mostUnpacked / 512} 2>/dev/null || :; exec dpkg-deb --fsys-tarfile "$1" >"$2"`;
  const { code, stderr } = await run(['sh', '-c', script, 'sh', deb, tar]);
  if (/No space left on device|Disk quota exceeded/i.test(stderr)) throw noSpace(tar);
  if (code !== 0) throw badDeb(deb, `${stderr}\nthe unpacked size of a package is limited to ${mostUnpacked} bytes`);
  await before;
  const fd = openSync(tar, 'r');
  try {
    place(deb, fileReader(fd), folder);
  } finally {
    closeSync(fd);
    await rm(tar);
  }
}

function place(deb: string, read: ReadAt, folder: Folder): void {
  try {
    for (const member of readTar(read)) if (!leftOut.test(member.path)) folder.place(read, member);
  } catch (error) {
    throw error instanceof WeirError ? withContext(error, { where: { file: deb } }) : diskError(error, deb);
  }
}

function badDeb(deb: string, said: string): WeirError {
  return new WeirError('bad-deb', 'invalid Debian package', {
    where: { file: deb },
    details: lastLines(said, 3),
    hint: 'remove the file to have it downloaded again',
  });
}
