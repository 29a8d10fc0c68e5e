import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, sha256 } from '../base/digest.ts';
import { readIfExists, writeAtomic } from '../base/files.ts';

/** A file, relative to its folder, as it was made. */
export interface RecordedFile {
  readonly path: string;
  /** bytes */
  readonly size: number;
  readonly sha256: Digest;
}

/**
 * How files lay on the disk when their content was known. A file that still lies so is not read again: whoever writes to it moves
 * its times, and the time of the inode can't be set by anyone. A copy, a hard link or a new owner moves that as well: then the
 * file is read once. It is kept in the cache, as what is published holds no times.
 */
interface Known {
  readonly stamps?: Readonly<Record<string, string>>;
  /**
   * Digest of the record itself: what it says of the files is all that they are held against, and nobody signed it. Where it is
   * not known, as in a folder that was moved or with another cache, the record may be anybody's.
   */
  readonly record?: Digest;
}

/** What an image's folder should hold: its `image.json` as text, and the files that this names. */
export interface Recorded {
  readonly text: string;
  readonly files: readonly RecordedFile[];
}

/** The record in an image's folder. */
export const recordFile = 'image.json';

/** Notes that the files of a folder are, as they lie there, what is recorded of them. */
export async function rememberFiles(cache: string, dir: string, { text, files }: Recorded): Promise<void> {
  const stamps: Record<string, string> = {};
  for (const { path } of files) stamps[path] = (await stamped(join(dir, path)))!.stamp;
  await write(cache, dir, { stamps, record: sha256(text) });
}

/**
 * The first of a folder's files that is missing or not what is recorded of it; undefined where all are. Only those are read that
 * are not known to be as they were. The record itself where it is not known to be the build's.
 * @param digest SHA-256 of a file
 */
export async function changedFile(
  cache: string,
  dir: string,
  { text, files }: Recorded,
  digest: (path: string) => Promise<Digest>,
): Promise<string | undefined> {
  const known = await remembered(cache, dir);
  const record = sha256(text);
  if (known.record !== record) return recordFile;
  const stamps: Record<string, string> = {};
  for (const { path, size, sha256: recorded } of files) {
    // Before it is read: what is written meanwhile moves it on.
    const info = await stamped(join(dir, path));
    if (info?.size !== size) return path;
    if (info.stamp !== known.stamps?.[path] && (await digest(join(dir, path))) !== recorded) return path;
    stamps[path] = info.stamp;
  }
  if (files.some(({ path }) => stamps[path] !== known.stamps?.[path])) await write(cache, dir, { stamps, record });
  return undefined;
}

/** What cannot be read, as after a loss of power, is as good as nothing: the record is not known. */
async function remembered(cache: string, dir: string): Promise<Known> {
  try {
    return (JSON.parse((await readIfExists(await stampFile(cache, dir))) ?? '{}') as Known | null) ?? {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

async function write(cache: string, dir: string, known: Known): Promise<void> {
  await writeAtomic(await stampFile(cache, dir), JSON.stringify(known));
}

async function stamped(path: string): Promise<{ readonly size: number; readonly stamp: string } | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  if (info === undefined || !info.isFile()) return undefined;
  return { size: Number(info.size), stamp: [info.ino, info.size, info.mtimeNs, info.ctimeNs].join(' ') };
}

async function stampFile(cache: string, dir: string): Promise<string> {
  const folder = await realpath(dir).catch(() => dir);
  return join(cache, 'stamps', `${sha256(folder)}.json`);
}
