import { createReadStream, type Dirent } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { fileReader, type ReadAt } from '../../archive/read-at.ts';
import { memberReader, readTar } from '../../archive/tar.ts';
import { readZip, readZipMember } from '../../archive/zip.ts';
import { systemCode, WeirError, withContext } from '../../base/errors.ts';
import { diskError } from '../../base/files.ts';
import { compareText } from '../../base/order.ts';

/** A file with a feed, decompressed. */
export interface FeedFile {
  /** As errors name it: the path, and for a member of an archive `archive.zip/member.json`. */
  readonly name: string;
  /** Whether it is one of several files of a folder or an archive, which may have other files beside the feed. */
  readonly isMember: boolean;
  readonly chunks: () => AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** Limits for what comes out of a compressed file, in bytes: a few bytes can decompress to any size. */
const mostUnpacked = 16 * 2 ** 30;
const mostOfMember = 256 << 20;
const mostFiles = 2_000_000;
const chunkSize = 1 << 20;

/**
 * The JSON files of a feed, in order of their names: the file itself, or the `.json` and `.jsonl` files of a folder, a zip or a tar
 * archive. gzip and zstd are unpacked, by content. Of a folder's files those with other names are left out.
 * @param shown the feed's name in errors @param scratch a folder for exclusive use
 * @throws WeirError `no-feed`, `bad-feed`, `bad-zip`, `bad-tar`, `too-large`, all with the file
 */
export async function* feedFiles(path: string, shown: string, scratch: string): AsyncGenerator<FeedFile> {
  const info = await stat(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw diskError(error, path);
    throw new WeirError('no-feed', 'no such file or folder', { where: { file: shown }, hint: 'check --feed', exit: 2 });
  });
  if (info.isDirectory()) yield* filesOfFolder(path, shown, scratch);
  else if (info.isFile()) yield* filesOfFile(path, shown, scratch, false);
  // Opening a named pipe would block.
  else throw new WeirError('no-feed', 'neither a file nor a folder', { where: { file: shown }, exit: 2 });
}

async function* filesOfFolder(path: string, shown: string, scratch: string): AsyncGenerator<FeedFile> {
  let count = 0;
  for await (const name of namesBelow(path, '')) {
    if (++count > mostFiles) throw tooLarge(shown, `it has more than ${mostFiles} files`);
    yield* filesOfFile(join(path, name), `${shown}/${name}`, scratch, true);
  }
  if (count === 0) throw emptyFeed(shown, 'the folder has no .json file');
}

/** Names of feed files below a folder. Links are not followed: they may lead in circles. */
async function* namesBelow(root: string, folder: string): AsyncGenerator<string> {
  const entries: Dirent[] = await readdir(join(root, folder), { withFileTypes: true });
  entries.sort((a, b) => compareText(a.name, b.name));
  for (const entry of entries) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) yield* namesBelow(root, name);
    else if (entry.isFile() && isFeedName(entry.name)) yield name;
  }
}

function isFeedName(name: string): boolean {
  return /\.(json|jsonl|ndjson)(\.gz|\.zst)?$/i.test(name);
}

type Packing = 'none' | 'gzip' | 'zstd' | 'zip' | 'xz';

function packingOf(first: Buffer): Packing {
  const magic = first.toString('hex', 0, 6);
  if (magic.startsWith('1f8b')) return 'gzip';
  if (magic.startsWith('28b52ffd')) return 'zstd';
  if (magic.startsWith('504b0304') || magic.startsWith('504b0506')) return 'zip';
  return magic === 'fd377a585a00' ? 'xz' : 'none';
}

function isTar(first: Buffer): boolean {
  return first.length > 262 && first.toString('latin1', 257, 262) === 'ustar';
}

async function* filesOfFile(path: string, shown: string, scratch: string, isMember: boolean): AsyncGenerator<FeedFile> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const read = fileReader(handle.fd);
    const first = read(0, 512);
    const packing = packingOf(first);
    if (packing === 'xz') {
      throw new WeirError('bad-feed', 'feeds packed with xz are not supported', {
        where: { file: shown },
        hint: 'unpack it first',
      });
    }
    if (packing === 'zip') yield* filesOfZip(read, size, shown);
    else if (isTar(first)) yield* filesOfTar(read, shown);
    else if (packing === 'none')
      yield { name: shown, isMember, chunks: () => createReadStream(path, { highWaterMark: chunkSize }) };
    else yield* filesOfPacked(path, shown, scratch, packing, isMember);
  } finally {
    await handle.close();
  }
}

async function* filesOfPacked(
  path: string,
  shown: string,
  scratch: string,
  packing: 'gzip' | 'zstd',
  isMember: boolean,
): AsyncGenerator<FeedFile> {
  const chunks = (): AsyncGenerator<Buffer> => unpacked(path, shown, packing);
  let first: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks()) {
    first = Buffer.concat([first, chunk.subarray(0, 512)]);
    if (first.length >= 512) break;
  }
  if (!isTar(first)) {
    yield { name: shown, isMember, chunks };
    return;
  }
  // The tar reader jumps from header to header.
  const unpackedFile = join(scratch, 'feed.tar');
  const file = await open(unpackedFile, 'w+');
  try {
    for await (const chunk of chunks()) await file.write(chunk);
    yield* filesOfTar(fileReader(file.fd), shown);
  } finally {
    await file.close();
    await rm(unpackedFile, { force: true });
  }
}

/** The decompressed bytes of a file. */
async function* unpacked(path: string, shown: string, packing: 'gzip' | 'zstd'): AsyncGenerator<Buffer> {
  const input = createReadStream(path, { highWaterMark: chunkSize });
  const output = packing === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
  input.on('error', (error) => output.destroy(error));
  input.pipe(output);
  let size = 0;
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > mostUnpacked) throw tooLarge(shown, `it unpacks to more than ${mostUnpacked} bytes`);
      yield chunk;
    }
  } catch (error) {
    if (!/^(Z_|ZSTD_)/.test(systemCode(error) ?? '')) throw error;
    const problem = systemCode(error) === 'Z_BUF_ERROR' ? 'the file ends too early' : 'the content is damaged';
    throw new WeirError('bad-feed', `cannot unpack it (${packing}): ${problem}`, {
      where: { file: shown },
      hint: 'download the feed again',
      cause: error,
    });
  } finally {
    input.destroy();
    output.destroy();
  }
}

function* filesOfZip(read: ReadAt, size: number, shown: string): Generator<FeedFile> {
  let count = 0;
  for (const member of readingOf(shown, () => readZip(read, size))) {
    if (member.isFolder || !isFeedName(member.path)) continue;
    count++;
    const chunks = (): Iterable<Buffer> => [within(shown, () => readZipMember(read, member, mostOfMember))];
    yield { name: `${shown}/${member.path}`, isMember: true, chunks };
  }
  if (count === 0) throw emptyFeed(shown, 'the archive has no .json file');
}

function* filesOfTar(read: ReadAt, shown: string): Generator<FeedFile> {
  let count = 0;
  for (const member of readingOf(shown, () => readTar(read))) {
    if (member.kind !== 'file' || !isFeedName(member.path)) continue;
    count++;
    const chunks = function* (): Generator<Buffer> {
      if (member.size > mostOfMember) throw tooLarge(shown, `${member.path} has ${member.size} bytes`);
      const content = memberReader(read, member);
      for (let at = 0; at < member.size; at += chunkSize) yield content(at, chunkSize);
    };
    yield { name: `${shown}/${member.path}`, isMember: true, chunks };
  }
  if (count === 0) throw emptyFeed(shown, 'the archive has no .json file');
}

/** Walks an archive; its errors get the feed's name. */
function* readingOf<T>(shown: string, start: () => Iterator<T>): Generator<T> {
  const iterator = start();
  for (;;) {
    const next = within(shown, () => iterator.next());
    if (next.done === true) return;
    yield next.value;
  }
}

function within<T>(shown: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof WeirError && error.where === undefined
      ? withContext(error, { where: { file: shown } })
      : error;
  }
}

function emptyFeed(shown: string, what: string): WeirError {
  return new WeirError('bad-feed', `no feed: ${what}`, { where: { file: shown } });
}

function tooLarge(shown: string, what: string): WeirError {
  return new WeirError('too-large', `${what}, the limit`, {
    where: { file: shown },
    hint: `unpack or split ${basename(shown)}`,
  });
}
