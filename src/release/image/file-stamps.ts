import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, sha256 } from '../../base/digest.ts';
import { readIfExists, writeAtomic } from '../../base/files.ts';
import { sealed, unsealed } from '../../engine/seal.ts';
import type { Store } from '../../engine/store.ts';

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

/** Where stamps are kept, and what they are marked with. */
export interface StampPlace {
  readonly cache: string;
  readonly engine: { readonly store: Pick<Store, 'seal'> };
}

/** What an image's folder should hold: its `image.json` as text, and the files that this names. */
export interface Recorded {
  readonly text: string;
  readonly files: readonly RecordedFile[];
}

/** The record in an image's folder. */
export const recordFile = 'image.json';

/** Notes that the files of a folder are, as they lie there, what is recorded of them. */
export async function rememberFiles(engine: StampPlace, dir: string, { text, files }: Recorded): Promise<void> {
  const stamps: Record<string, string> = {};
  for (const { path } of files) stamps[path] = (await stamped(join(dir, path)))!.stamp;
  await write(engine, dir, { stamps, record: sha256(text) });
}

/**
 * The first of a folder's files that is missing or not what is recorded of it; undefined where all are. Only those are read that
 * are not known to be as they were. The record itself where it is not known to be the build's.
 * @param digest SHA-256 of a file
 */
export async function changedFile(
  place: StampPlace,
  dir: string,
  { text, files }: Recorded,
  digest: (path: string) => Promise<Digest>,
): Promise<string | undefined> {
  const known = await remembered(place, dir);
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
  if (files.some(({ path }) => stamps[path] !== known.stamps?.[path])) await write(place, dir, { stamps, record });
  return undefined;
}

/** What this cache did not write, or what a loss of power cut off, is as good as nothing: the record is not known. */
async function remembered({ cache, engine }: StampPlace, dir: string): Promise<Known> {
  const { file, subject } = await stampFile(cache, dir);
  const text = unsealed(engine.store.seal, subject, (await readIfExists(file)) ?? '');
  return text === undefined ? {} : (JSON.parse(text) as Known);
}

async function write({ cache, engine }: StampPlace, dir: string, known: Known): Promise<void> {
  const { file, subject } = await stampFile(cache, dir);
  await writeAtomic(file, sealed(engine.store.seal, subject, JSON.stringify(known)));
}

async function stamped(path: string): Promise<{ readonly size: number; readonly stamp: string } | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  if (info === undefined || !info.isFile()) return undefined;
  return { size: Number(info.size), stamp: [info.ino, info.size, info.mtimeNs, info.ctimeNs].join(' ') };
}

async function stampFile(cache: string, dir: string): Promise<{ readonly file: string; readonly subject: string }> {
  const folder = sha256(await realpath(dir).catch(() => dir));
  return { file: join(cache, 'stamps', `${folder}.json`), subject: `stamps of ${folder}` };
}
