import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, fileDigest } from '../base/digest.ts';
import { writeAtomic } from '../base/files.ts';
import { sealed, unsealed } from '../engine/seal.ts';
import { bootId } from '../engine/stamps.ts';
import { fileMode, folderMode, modeText } from '../repo/fault.ts';
import { type StampPlace, stampFile, stampOf } from './image/file-stamps.ts';

/** Path → stamp and SHA-256 of the file. Folders end in a slash and have neither. */
type Noted = Readonly<Record<string, readonly [stamp: string, digest: Digest]>>;

// Stamps from before the last boot prove nothing: after a power cut, a file may have the right size and times but the wrong content.
/** The record of a folder in the cache. */
interface NotedFile {
  readonly boot: string;
  readonly files: Noted;
}

/**
 * Records in the cache what a published folder contains.
 * @param known digests that are already known, by path
 */
export async function noteFolder(
  place: StampPlace,
  dir: string,
  known: ReadonlyMap<string, Digest> = new Map(),
): Promise<void> {
  const noted: Record<string, readonly [string, Digest]> = {};
  for (const [path, info] of entriesBelow(dir)) {
    if (info.isDirectory()) noted[`${path}/`] = ['', ''];
    else noted[path] = [stampOf(info), known.get(path) ?? (await fileDigest(join(dir, path)))];
  }
  await write(place, dir, noted);
}

/**
 * The first change in a folder since `noteFolder`, or undefined. Only files whose stamp changed are read. `unknown` if the
 * cache has no record of the folder, as with another cache or after the folder was moved.
 */
export async function changedSince(place: StampPlace, dir: string): Promise<string | 'unknown' | undefined> {
  const noted = await read(place, dir);
  if (noted === undefined) return 'unknown';
  const now: Record<string, readonly [string, Digest]> = {};
  let moved = false;
  for (const [path, info] of entriesBelow(dir)) {
    const key = info.isDirectory() ? `${path}/` : path;
    const known = noted[key];
    if (known === undefined) return `${path} was not made by the build`;
    const mode = Number(info.mode & 0o7777n);
    if (mode !== (info.isDirectory() ? folderMode : fileMode)) return `${path} has mode ${modeText(mode)}`;
    const [stamp, digest] = known;
    now[key] = known;
    if (info.isDirectory() || stamp === stampOf(info)) continue;
    if (!info.isFile() || (await fileDigest(join(dir, path))) !== digest)
      return `${path} has changed since it was built`;
    now[key] = [stampOf(info), digest];
    moved = true;
  }
  const gone = Object.keys(noted).find((path) => now[path] === undefined);
  if (gone !== undefined) return `${gone} is missing`;
  if (moved) await write(place, dir, now);
  return undefined;
}

function* entriesBelow(dir: string, below = ''): Generator<readonly [path: string, info: BigIntStats]> {
  for (const name of readdirSync(join(dir, below)).sort()) {
    const path = join(below, name);
    const info = lstatSync(join(dir, path), { bigint: true });
    yield [path, info];
    if (info.isDirectory()) yield* entriesBelow(dir, path);
  }
}

async function read({ cache, engine }: StampPlace, dir: string): Promise<Noted | undefined> {
  const { file, subject } = await stampFile(cache, dir);
  const text = unsealed(engine.store.seal, subject, await readFile(file, 'utf8').catch(() => ''));
  if (text === undefined) return undefined;
  const { boot, files } = JSON.parse(text) as Partial<NotedFile>;
  if (files === undefined || boot === bootId()) return files;
  return Object.fromEntries(Object.entries(files).map(([path, [, digest]]) => [path, ['', digest]]));
}

async function write({ cache, engine }: StampPlace, dir: string, files: Noted): Promise<void> {
  const { file, subject } = await stampFile(cache, dir);
  const noted: NotedFile = { boot: bootId(), files };
  await writeAtomic(file, sealed(engine.store.seal, subject, JSON.stringify(noted)));
}
