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

/** What no tool of the toolbox reads. */
const leftOut = /^usr\/share\/(doc|man|locale|info)\//;

/** What a package may unpack to, in bytes; the largest of the toolbox have a fiftieth of it. */
const mostUnpacked = 16 * 2 ** 30;

/** Up to this many bytes an archive is read as it comes; a larger one goes over a file. */
const mostInMemory = 192 << 20;

/**
 * Puts the files of Debian packages into a folder, one package after the other in their order, so that a later one wins
 * wherever and however often this runs. dpkg-deb only decompresses: this process reads the archives and places what is in
 * them, and the links of one package cannot lead the next one out of the folder. Owners and special modes do not come along.
 * @param debs paths @param scratch folder for what is too large for memory @param onProgress gets how many are done
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
  // Two are decompressed at a time, each on a core of its own, and placed when it is their turn.
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

/** The data archive, decompressed; undefined where it is larger than that. */
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
  if (code !== 0) throw badDeb(deb, child.stderr() || `dpkg-deb ended with exit code ${code}`);
  return pieces;
}

async function placeLarge(deb: string, tar: string, before: Promise<void>, folder: Folder): Promise<void> {
  // The limit is in blocks of 512 bytes.
  const script = `ulimit -f ${mostUnpacked / 512} 2>/dev/null || :; exec dpkg-deb --fsys-tarfile "$1" >"$2"`;
  const { code, stderr } = await run(['sh', '-c', script, 'sh', deb, tar]);
  if (/No space left on device|Disk quota exceeded/i.test(stderr)) throw noSpace(tar);
  if (code !== 0) throw badDeb(deb, `${stderr}\n${mostUnpacked} bytes are the most that a package may unpack to`);
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
  return new WeirError('bad-deb', 'not a Debian package that can be read', {
    where: { file: deb },
    details: lastLines(said, 3),
    hint: 'remove the file, so that it is downloaded again',
  });
}
