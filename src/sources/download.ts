import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type Digest, fileDigest } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, temporaryName, writeAtomic } from '../base/files.ts';
import { hasBlob, putFile, type Store } from '../engine/store.ts';
import type { LookasideFile } from './listing.ts';

/** Where downloads go and how patient they are. */
export interface DownloadContext {
  readonly store: Store;
  /** The cache root: the index from hashes to blobs, and what is half downloaded. */
  readonly cache: string;
  /** Nothing is fetched: what the store does not have is an error. */
  readonly offline?: boolean;
  /** How often a place is asked before the next one is; by default 4. */
  readonly attempts?: number;
  /** Seconds without a byte after which a connection is given up; by default 60. */
  readonly stallSeconds?: number;
  /** Waits before the next attempt (1, 2, …); by default 1 s, 2 s, 4 s … */
  readonly wait?: (attempt: number) => Promise<void>;
  readonly say?: (message: string) => void;
}

/**
 * A file by its hash: from the store, else from the first place that has it. Failed and cut connections are tried
 * again and go on where they stopped.
 * @param places http, https and file URLs, in the order in which they are asked
 * @returns the blob's digest in the store
 * @throws WeirError `wrong-hash`, `not-found`, `download-failed`, `offline`
 */
export async function fetchVerified(
  file: LookasideFile,
  places: readonly string[],
  context: DownloadContext,
): Promise<Digest> {
  const known = await knownBlob(file, context);
  if (known !== undefined) return known;
  if (context.offline === true) {
    throw new WeirError('offline', `${file.filename} is not in the cache, and this run is offline`, {
      details: [`${file.hashType} ${file.hash}`],
      hint: 'run once with network access',
    });
  }
  const failures: Failure[] = [];
  for (const place of places) {
    const outcome = await fromPlace(file, place, context);
    if (outcome.kind === 'done') return outcome.digest;
    failures.push(outcome);
    context.say?.(`${file.filename}: ${place}: ${outcome.message}`);
  }
  throw worst(file, failures);
}

/** Takes in a file that is on disk already, after checking its hash. @throws WeirError `wrong-hash` */
export async function takeIn(
  file: LookasideFile,
  path: string,
  place: string,
  context: DownloadContext,
): Promise<Digest> {
  const got = await hashOf(path, file);
  if (got !== file.hash) throw wrongHash(file, got, place);
  const { digest } = await putFile(context.store, path);
  await writeAtomic(indexPath(file, context), `${digest}\n`);
  return digest;
}

type Failure = {
  readonly kind: 'wrong-hash' | 'not-found' | 'failed';
  readonly place: string;
  readonly message: string;
  readonly got?: string;
};
type Outcome = { readonly kind: 'done'; readonly digest: Digest } | Failure;

function wrongHash(file: LookasideFile, got: string, place: string): WeirError {
  return new WeirError('wrong-hash', `${file.filename} has the wrong ${file.hashType} hash`, {
    details: [`expected ${file.hash}`, `got      ${got}`, `from     ${place}`],
    hint: 'the file was changed where it is kept, or the hash in the configuration is wrong: find out which before changing the hash',
  });
}

/** The failure that says most: a wrong hash before all else, "not found" only where every place says so. */
function worst(file: LookasideFile, failures: readonly Failure[]): WeirError {
  const wrong = failures.find((one) => one.kind === 'wrong-hash');
  if (wrong?.got !== undefined) return wrongHash(file, wrong.got, wrong.place);
  const details = failures.map((one) => `${one.place}: ${one.message}`);
  if (failures.every((one) => one.kind === 'not-found')) {
    return new WeirError('not-found', `${file.filename} is nowhere to be had`, {
      details: [`${file.hashType} ${file.hash}`, ...details],
    });
  }
  return new WeirError('download-failed', `${file.filename} could not be downloaded`, {
    details,
    hint: 'run again: what has arrived so far is kept',
  });
}

function indexPath(file: LookasideFile, context: Pick<DownloadContext, 'cache'>): string {
  return join(context.cache, 'hashes', file.hashType, file.hash.slice(0, 2), file.hash);
}

/** The blob of a file that was taken in before. */
export async function knownBlob(
  file: LookasideFile,
  context: Pick<DownloadContext, 'store' | 'cache'>,
): Promise<Digest | undefined> {
  if (file.hashType === 'SHA256' && (await hasBlob(context.store, file.hash))) return file.hash;
  try {
    const digest = (await readFile(indexPath(file, context), 'utf8')).trim();
    return /^[0-9a-f]{64}$/.test(digest) && (await hasBlob(context.store, digest)) ? digest : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function hashOf(path: string, file: LookasideFile): Promise<string> {
  return fileDigest(path, file.hashType.toLowerCase());
}

async function fromPlace(file: LookasideFile, place: string, context: DownloadContext): Promise<Outcome> {
  const folder = join(context.cache, 'partial');
  await mkdir(folder, { recursive: true });
  const shared = join(folder, `${file.hashType}-${file.hash}`);
  const locked = await lock(`${shared}.lock`);
  // Another run that fetches the same file keeps its part; this one then works on a part of its own.
  const partial = locked ? shared : temporaryName(shared);
  try {
    return await attempts(file, place, partial, context);
  } finally {
    if (locked) await rm(`${shared}.lock`, { force: true });
    else await rm(partial, { force: true });
  }
}

async function lock(path: string): Promise<boolean> {
  for (let round = 0; round < 2; round++) {
    try {
      const handle = await open(path, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      return true;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw diskError(error, path);
    }
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    if (owner === 0 || owner === process.pid || isAlive(owner)) return false;
    await rm(path, { force: true });
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

async function attempts(
  file: LookasideFile,
  place: string,
  partial: string,
  context: DownloadContext,
): Promise<Outcome> {
  const limit = context.attempts ?? 4;
  const wait = context.wait ?? ((attempt: number) => new Promise((done) => setTimeout(done, 500 * 2 ** attempt)));
  let last: Failure = { kind: 'failed', place, message: 'never asked' };
  for (let attempt = 1; attempt <= limit; attempt++) {
    if (attempt > 1) await wait(attempt - 1);
    const start = await sizeOf(partial);
    const transfer = await once(place, partial, start, context);
    if (transfer.kind === 'not-found') return { kind: 'not-found', place, message: transfer.message };
    if (transfer.kind === 'failed') {
      last = { kind: 'failed', place, message: transfer.message };
      if (transfer.restart) await rm(partial, { force: true });
      continue;
    }
    const got = await hashOf(partial, file);
    if (got === file.hash) {
      const digest = await takeIn(file, partial, place, context);
      await rm(partial, { force: true });
      return { kind: 'done', digest };
    }
    await rm(partial, { force: true });
    last = { kind: 'wrong-hash', place, message: `wrong hash ${got}`, got };
    // What was put together from two transfers may be of two files; a whole one is simply wrong.
    if (!transfer.resumed) return last;
  }
  return last;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

type Transfer =
  | { readonly kind: 'complete'; readonly resumed: boolean }
  | { readonly kind: 'not-found'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string; readonly restart: boolean };

async function once(place: string, partial: string, start: number, context: DownloadContext): Promise<Transfer> {
  if (place.startsWith('file:')) return fromDisk(place, partial);
  const stallSeconds = context.stallSeconds ?? 60;
  const abort = new AbortController();
  const stalled = (): void => abort.abort(new Error(`no byte for ${stallSeconds} s`));
  let timer = setTimeout(stalled, stallSeconds * 1000);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(stalled, stallSeconds * 1000);
  };
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (start > 0) headers.range = `bytes=${start}-`;
    const response = await fetch(place, { headers, signal: abort.signal });
    alive();
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return refused(response.status);
    }
    const resumed = start > 0 && response.status === 206;
    if (resumed && !(response.headers.get('content-range') ?? '').startsWith(`bytes ${start}-`)) {
      await response.body.cancel();
      return { kind: 'failed', message: 'the server sent another part than asked for', restart: true };
    }
    const announced = response.headers.get('content-encoding') === null ? response.headers.get('content-length') : null;
    let received = 0;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        alive();
        received += chunk.length;
        done(null, chunk);
      },
    });
    const out = createWriteStream(partial, { flags: resumed ? 'a' : 'w' });
    await pipeline(Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]), measure, out);
    if (announced !== null && received !== Number(announced)) {
      return { kind: 'failed', message: `${received} of ${announced} bytes arrived`, restart: false };
    }
    return { kind: 'complete', resumed };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EACCES' || code === 'EROFS')
      throw diskError(error, partial);
    return { kind: 'failed', message: reason(abort.signal.aborted ? abort.signal.reason : error), restart: false };
  } finally {
    clearTimeout(timer);
  }
}

function refused(status: number): Transfer {
  if (status === 416) return { kind: 'failed', message: 'HTTP 416', restart: true };
  if (status >= 500 || status === 408 || status === 429) {
    return { kind: 'failed', message: `HTTP ${status}`, restart: false };
  }
  return { kind: 'not-found', message: `HTTP ${status}` };
}

async function fromDisk(place: string, partial: string): Promise<Transfer> {
  try {
    await copyFile(fileURLToPath(place), partial);
    return { kind: 'complete', resumed: false };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'not-found', message: 'no such file' };
    throw diskError(error, partial);
  }
}

/** The innermost message: fetch wraps what really happened. */
function reason(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  return current instanceof Error ? current.message : String(current);
}
