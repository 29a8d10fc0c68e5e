import type { BigIntStats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, sha256 } from '../../base/digest.ts';
import { readIfExists, writeAtomic } from '../../base/files.ts';
import { cachePath } from '../../base/paths.ts';
import { sealed, unsealed } from '../../engine/seal.ts';
import { bootId } from '../../engine/stamps.ts';
import type { Store } from '../../engine/store.ts';

/** A file as it was built, with its path relative to its folder. */
export interface RecordedFile {
  readonly path: string;
  /** bytes */
  readonly size: number;
  readonly sha256: Digest;
}

/**
 * File stamps (inode, size, times) from the last verification; a match skips rehashing. Any write changes the times, and
 * nobody can set the inode's change time. Copying, hard-linking or a new owner changes it too; then the file is read once.
 * Stamps are kept in the cache, because published files contain no times.
 */
interface Known {
  /** The boot in which the files were written or read. After a power cut a file may have its size and times, but not its content. */
  readonly boot?: string;
  readonly stamps?: Readonly<Record<string, string>>;
  /**
   * Digest of the record, which is not signed but is what the files are checked against. If it is unknown, as in a moved
   * folder or with another cache, the record cannot be trusted.
   */
  readonly record?: Digest;
}

/** Where stamps are kept, and the seal that protects them. */
export interface StampPlace {
  readonly cache: string;
  readonly engine: { readonly store: Pick<Store, 'seal'> };
}

/** The expected content of an image's folder: its `image.json` as text, and the files that it names. */
export interface Recorded {
  readonly text: string;
  readonly files: readonly RecordedFile[];
}

/** Name of the record in an image's folder. */
export const recordFile = 'image.json';

/** Records that the files of a folder currently match their record. */
export async function rememberFiles(engine: StampPlace, dir: string, { text, files }: Recorded): Promise<void> {
  const stamps: Record<string, string> = {};
  for (const { path } of files) stamps[path] = (await stamped(join(dir, path)))!.stamp;
  await write(engine, dir, { stamps, record: sha256(text) });
}

/**
 * The first file of a folder that is missing or does not match its record, or undefined. Only files whose stamp changed are
 * read. Returns `image.json` itself if the cache does not know the record.
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
    // Before reading: a write during the read changes the stamp.
    const info = await stamped(join(dir, path));
    if (info?.size !== size) return path;
    if (info.stamp !== known.stamps?.[path] && (await digest(join(dir, path))) !== recorded) return path;
    stamps[path] = info.stamp;
  }
  if (files.some(({ path }) => stamps[path] !== known.stamps?.[path])) await write(place, dir, { stamps, record });
  return undefined;
}

/** The sealed stamps of a folder. Anything that another cache wrote, or that a power cut truncated, is ignored. */
async function remembered({ cache, engine }: StampPlace, dir: string): Promise<Known> {
  const { file, subject } = await stampFile(cache, dir);
  const text = unsealed(engine.store.seal, subject, (await readIfExists(file)) ?? '');
  if (text === undefined) return {};
  const { stamps, ...known } = JSON.parse(text) as Known;
  return known.boot === bootId() && stamps !== undefined ? { ...known, stamps } : known;
}

async function write({ cache, engine }: StampPlace, dir: string, known: Omit<Known, 'boot'>): Promise<void> {
  const { file, subject } = await stampFile(cache, dir);
  await writeAtomic(file, sealed(engine.store.seal, subject, JSON.stringify({ boot: bootId(), ...known })));
}

async function stamped(path: string): Promise<{ readonly size: number; readonly stamp: string } | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  if (info === undefined || !info.isFile()) return undefined;
  return { size: Number(info.size), stamp: stampOf(info) };
}

/** Identifies a file's state: inode, size and times. Any write changes it. */
export function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}

/** The cache's file for a folder's stamps, and the subject of its seal. */
export async function stampFile(
  cache: string,
  dir: string,
): Promise<{ readonly file: string; readonly subject: string }> {
  const folder = sha256(await realpath(dir).catch(() => dir));
  return { file: cachePath(cache, 'stamps', `${folder}.json`), subject: `stamps of ${folder}` };
}
