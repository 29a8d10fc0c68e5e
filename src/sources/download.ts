import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type Digest, fileDigest } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { tryLock } from '../base/file-lock.ts';
import { diskError, readIfExists, temporaryName, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { backOff, isFromCommandLineStatus, newRetryBudget, retryAfterSeconds } from '../base/retry-after.ts';
import { sealed, unsealed } from '../engine/seal.ts';
import { blobFile, hasBlob, putFile, type Store } from '../engine/store.ts';
import { type Answer, askFor } from './http.ts';
import type { LookasideFile, SourceHashType } from './listing.ts';

/** Timeouts, retries and limits of downloads. */
export interface DownloadOptions {
  /** No network: a file that is not in the store is an error. */
  readonly offline?: boolean;
  /** Attempts per place before the next place is tried; by default 4. */
  readonly attempts?: number;
  /** Seconds in which at least a kilobyte must arrive, else the connection is closed; by default 60. */
  readonly stallSeconds?: number;
  /** Waits before the next attempt (1, 2, …), at least for the server's Retry-After in seconds; by default 1 s, 2 s, 4 s … */
  readonly wait?: (attempt: number, askedSeconds?: number) => Promise<void>;
  readonly say?: (message: string) => void;
  /** Limit in bytes: an endless response must not fill the disk. By default more than any source file has. */
  readonly most?: number;
}

/** Where downloads are stored, and their timeouts and retries. */
export interface DownloadContext extends DownloadOptions {
  readonly store: Store;
  /** The cache root, for the index from hashes to blobs, and for partial downloads. */
  readonly cache: string;
}

const mostBytes = 64 * 2 ** 30;

/** Downloads of this process in progress, so that two components with the same file fetch it once. */
const running = new Map<string, Promise<Digest>>();

/**
 * Fetches a file by its hash: from the store, else from the first place that has it. Failed and interrupted downloads are
 * retried and resumed. Only content with the right hash is ever kept.
 * @param places http, https and file URLs, in the order in which they are tried
 * @returns the blob's digest in the store
 * @throws WeirError `wrong-hash`, `not-found`, `download-failed`, `offline`, each with the result of every place
 */
export async function fetchVerified(
  file: LookasideFile,
  places: readonly string[],
  context: DownloadContext,
): Promise<Digest> {
  const known = await knownBlob(file, context);
  if (known !== undefined) return known;
  if (context.offline === true) throw offline(file, places);
  const key = indexPath(file, context);
  const other = running.get(key);
  if (other !== undefined) {
    // If the other download fails, the places of this request may still work.
    const digest = await other.catch(() => undefined);
    if (digest !== undefined) return digest;
  }
  const work = fetchFrom(file, places, context);
  running.set(key, work);
  try {
    return await work;
  } finally {
    if (running.get(key) === work) running.delete(key);
  }
}

async function fetchFrom(file: LookasideFile, places: readonly string[], context: DownloadContext): Promise<Digest> {
  const failures: Failure[] = [];
  for (const place of places) {
    const outcome = await fromPlace(file, place, context);
    if (outcome.kind === 'done') return outcome.digest;
    failures.push(outcome);
    context.say?.(`${file.filename}: ${place}: ${outcome.message}`);
  }
  throw worst(file, failures);
}

/**
 * Fetches a file whose hash is not known yet from the first place that has it, and computes the hash. For completing a
 * configuration, never for building.
 * @throws WeirError `not-found`, `download-failed`, `offline`
 */
export async function fetchUnhashed(
  filename: string,
  hashType: SourceHashType,
  places: readonly string[],
  context: DownloadContext,
): Promise<LookasideFile> {
  if (context.offline === true) throw offline({ filename }, places);
  const folder = cachePath(context.cache, 'partial');
  await mkdir(folder, { recursive: true });
  const failures: Failure[] = [];
  for (const place of places) {
    const partial = temporaryName(join(folder, 'unhashed'));
    try {
      const outcome = await attempts<Done>(place, partial, context, async () => {
        const file: LookasideFile = { filename, hashType, hash: await fileDigest(partial, hashType.toLowerCase()) };
        return { kind: 'done', digest: await takeIn(file, partial, place, context), file };
      });
      if (outcome.kind === 'done') return outcome.file;
      failures.push(outcome);
    } finally {
      await discard(partial);
    }
  }
  throw worst({ filename }, failures);
}

/**
 * Downloads what has no known hash and is not kept, such as a feed, into a file.
 * @param shown the URL in messages @throws WeirError `not-found`, `download-failed`, `offline`
 */
export async function downloadOnce(shown: string, url: string, path: string, options: DownloadOptions): Promise<void> {
  const named = { filename: shown };
  if (options.offline === true) throw offline(named, []);
  const { say } = options;
  // The URL may hold a password or a key.
  const told = say === undefined ? {} : { say: (message: string) => say(message.replaceAll(url, shown)) };
  const outcome = await attempts(url, path, { ...options, ...told }, async (page) =>
    page
      ? { kind: 'failed' as const, place: shown, message: 'the server returned a web page instead of the file' }
      : { kind: 'done' as const },
  );
  await rm(notePath(path), { force: true });
  if (outcome.kind === 'done') return;
  throw new WeirError(
    outcome.kind === 'not-found' ? 'not-found' : 'download-failed',
    outcome.kind === 'not-found' ? `${shown} was not found` : `${shown} could not be downloaded`,
    {
      details: [`${shown}: ${outcome.message.replaceAll(url, shown)}`],
      hint:
        outcome.kind === 'not-found'
          ? 'check the URL, and whether it needs a login'
          : 'check the URL and the network, and run again; the download starts anew',
    },
  );
}

/** Adds a file on disk to the store, after checking its hash. @throws WeirError `wrong-hash` */
export async function takeIn(
  file: LookasideFile,
  path: string,
  place: string,
  context: Pick<DownloadContext, 'store' | 'cache'>,
): Promise<Digest> {
  const got = await hashOf(path, file);
  if (got !== file.hash) throw wrongHash(file, got, place);
  const { digest } = await putFile(context.store, path);
  await noteBlob(file, digest, context);
  return digest;
}

/** The final result of a place. */
type Failure = {
  readonly kind: 'wrong-hash' | 'not-found' | 'failed';
  readonly place: string;
  readonly message: string;
  readonly got?: string;
  /** The response was a web page: most likely a login or an error, not the file. */
  readonly page?: boolean;
};
type Done = { readonly kind: 'done'; readonly digest: Digest; readonly file: LookasideFile };
type Outcome = Done | Failure;

const findOut =
  'either the file was changed at its source or the hash in the configuration is wrong: find out which before changing the hash';

/** The error for content that does not match its hash. @param more further lines for the user */
export function wrongHash(
  file: LookasideFile,
  got: string,
  place: string,
  more: readonly string[] = [],
  hint = findOut,
): WeirError {
  return new WeirError('wrong-hash', `${file.filename} has the wrong ${file.hashType} hash`, {
    details: [`expected ${file.hash}`, `got      ${got}`, `from     ${place}`, ...more],
    hint,
  });
}

type Named = Pick<LookasideFile, 'filename'> & Partial<LookasideFile>;

function hashLine(file: Named): string[] {
  return file.hash === undefined ? [] : [`${file.hashType} ${file.hash}`];
}

function offline(file: Named, places: readonly string[]): WeirError {
  return new WeirError('offline', `${file.filename} is not in the cache, and this run is offline`, {
    details: [...hashLine(file), ...places.map((place) => `not tried: ${place}`)],
    hint: 'run once with network access',
  });
}

/** The most informative failure: a wrong hash before all else, "not found" only if every place reports it. */
function worst(file: Named, failures: readonly Failure[]): WeirError {
  const said = (one: Failure): string => `${one.place}: ${one.message}`;
  const wrong = failures.find((one) => one.kind === 'wrong-hash');
  if (wrong?.got !== undefined) {
    const from = wrong.page === true ? `${wrong.place} (returned a web page instead of the file)` : wrong.place;
    const others = failures.filter((one) => one !== wrong).map(said);
    return wrongHash(file as LookasideFile, wrong.got, from, others);
  }
  const details = [...hashLine(file), ...failures.map(said)];
  if (failures.every((one) => one.kind === 'not-found')) {
    return new WeirError('not-found', `${file.filename} was not found at any source`, {
      details: failures.length === 0 ? [...details, 'no source is configured'] : details,
      hint:
        failures.length === 0
          ? 'give the distro a lookaside-base-uri, or the source file an origin'
          : 'check its name and hash, or set its origin to a place that has it',
    });
  }
  return new WeirError('download-failed', `${file.filename} could not be downloaded`, {
    details,
    hint: 'run again: the download resumes where it stopped',
  });
}

function indexPath(file: LookasideFile, context: Pick<DownloadContext, 'cache'>): string {
  return cachePath(context.cache, 'hashes', file.hashType, file.hash.slice(0, 2), file.hash);
}

/**
 * The blob of a file that was stored before. The index maps its hash to the blob; if this cache did not write the entry, the
 * blob is checked against the file's own hash.
 */
export async function knownBlob(
  file: LookasideFile,
  context: Pick<DownloadContext, 'store' | 'cache'>,
): Promise<Digest | undefined> {
  const { store } = context;
  if (file.hashType === 'SHA256' && (await hasBlob(store, file.hash))) return file.hash;
  const text = (await readIfExists(indexPath(file, context))) ?? '';
  const noted = unsealed(store.seal, indexSubject(file), text);
  const digest = (noted ?? text).trim();
  if (!/^[0-9a-f]{64}$/.test(digest) || !(await hasBlob(store, digest))) return undefined;
  if (noted !== undefined) return digest;
  if ((await hashOf(await blobFile(store, digest), file)) !== file.hash) {
    store.tell(`${indexPath(file, context)} refers to a blob that is not ${file.filename}; downloading the file again`);
    return undefined;
  }
  await noteBlob(file, digest, context);
  return digest;
}

async function noteBlob(
  file: LookasideFile,
  digest: Digest,
  context: Pick<DownloadContext, 'store' | 'cache'>,
): Promise<void> {
  await writeAtomic(indexPath(file, context), sealed(context.store.seal, indexSubject(file), `${digest}\n`));
}

function indexSubject({ hashType, hash }: LookasideFile): string {
  return `file ${hashType} ${hash}`;
}

function hashOf(path: string, file: LookasideFile): Promise<string> {
  return fileDigest(path, file.hashType.toLowerCase());
}

async function fromPlace(file: LookasideFile, place: string, context: DownloadContext): Promise<Outcome> {
  const folder = cachePath(context.cache, 'partial');
  await mkdir(folder, { recursive: true });
  const shared = join(folder, `${file.hashType}-${file.hash}`);
  const unlock = await tryLock(`${shared}.lock`);
  // Another run is downloading the same file and holds the partial file; this run uses a partial file of its own.
  const partial = unlock === undefined ? temporaryName(shared) : shared;
  try {
    return await attempts<Done>(place, partial, context, async (page) => {
      const got = await hashOf(partial, file);
      if (got === file.hash) {
        const digest = await takeIn(file, partial, place, context);
        await discard(partial);
        return { kind: 'done', digest, file };
      }
      await discard(partial);
      return { kind: 'wrong-hash', place, message: `wrong hash ${got}`, got, page };
    });
  } finally {
    if (unlock === undefined) await discard(partial);
    else unlock();
  }
}

/** Tries a place until the whole file arrives or further attempts are pointless. @param judge checks a complete file */
async function attempts<T extends { readonly kind: 'done' }>(
  place: string,
  partial: string,
  context: DownloadOptions,
  judge: (page: boolean) => Promise<T | Failure>,
): Promise<T | Failure> {
  const limit = context.attempts ?? 4;
  const wait = context.wait ?? backOff;
  const budget = newRetryBudget();
  let afresh = false;
  let message = 'never tried';
  for (let attempt = 1; ; ) {
    const transfer = await once(place, partial, context);
    if (transfer.kind === 'not-found') return { kind: 'not-found', place, message: transfer.message };
    if (transfer.kind === 'complete') {
      const outcome = await judge(transfer.page);
      if (outcome.kind === 'done' || !transfer.resumed) return outcome;
      // A file from two transfers may mix two versions; only a file from a single transfer is definitely wrong. The partial file may
      // have come from another server, so this does not count as an attempt.
      message = outcome.message;
    } else {
      message = transfer.message;
      if (transfer.restart) await discard(partial);
      const { askedSeconds } = transfer;
      if (askedSeconds !== undefined) {
        // A response with Retry-After does not count as a failed attempt.
        if (!budget.allows(askedSeconds)) {
          return { kind: 'failed', place, message: `${message} (retry after ${askedSeconds} s)` };
        }
        context.say?.(`${place}: ${message}, waiting ${askedSeconds} s as requested`);
        await wait(attempt, askedSeconds);
        continue;
      }
      if (!transfer.restart || afresh) {
        if (attempt >= limit) break;
        await wait(attempt++);
        continue;
      }
    }
    afresh = true;
  }
  return { kind: 'failed', place, message: limit === 1 ? message : `${message} (tried ${limit} times)` };
}

/** The note beside a partial file: shows whether a later transfer continues the same file. */
interface PartNote {
  readonly place: string;
  /** A strong validator, if the server sent one. */
  readonly etag?: string;
  /** Bytes of the whole file. */
  readonly size?: number;
}

function notePath(partial: string): string {
  return `${partial}.json`;
}

async function readNote(partial: string): Promise<PartNote | undefined> {
  const text = await readIfExists(notePath(partial));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as PartNote);
  } catch {
    return undefined;
  }
}

async function discard(partial: string): Promise<void> {
  await rm(partial, { force: true });
  await rm(notePath(partial), { force: true });
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
  | { readonly kind: 'complete'; readonly resumed: boolean; readonly page: boolean }
  | { readonly kind: 'not-found'; readonly message: string }
  | {
      readonly kind: 'failed';
      readonly message: string;
      /** Discards the partial file. */
      readonly restart: boolean;
      readonly askedSeconds?: number;
    };

async function once(place: string, partial: string, context: DownloadOptions): Promise<Transfer> {
  if (place.startsWith('file:')) return fromDisk(place, partial);
  const note = await readNote(partial);
  const there = await sizeOf(partial);
  // A partial file without a note, or larger than the file, cannot be resumed.
  if (there > 0 && (note === undefined || there > (note.size ?? there))) await discard(partial);
  else if (there > 0 && there === note?.size) return { kind: 'complete', resumed: true, page: false };
  const start = await sizeOf(partial);
  const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'weir' };
  if (start > 0) {
    headers.range = `bytes=${start}-`;
    if (note?.place === place && note.etag !== undefined) headers['if-range'] = note.etag;
  }
  const stallSeconds = context.stallSeconds ?? 60;
  const most = context.most ?? mostBytes;
  const abort = new AbortController();
  const stalled = (): void => abort.abort(new Error(`no data for ${stallSeconds} s`));
  let timer = setTimeout(stalled, stallSeconds * 1000);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(stalled, stallSeconds * 1000);
  };
  try {
    const answer = await askFor(place, headers, abort.signal);
    alive();
    if (answer.status !== 200 && answer.status !== 206) {
      answer.body.destroy();
      return refused(answer);
    }
    const resumed = answer.status === 206;
    if (resumed && start === 0) {
      answer.body.destroy();
      return { kind: 'failed', message: 'the server sent a partial response to a full request', restart: false };
    }
    const size = wholeSize(answer, start);
    if (resumed && (size === undefined || (note?.size !== undefined && size !== note.size))) {
      answer.body.destroy();
      return {
        kind: 'failed',
        message:
          size === undefined
            ? 'the server sent a different range than requested'
            : 'the file changed during the download',
        restart: true,
      };
    }
    if (!resumed) {
      const etag = answer.header('etag');
      const fresh: PartNote = {
        place,
        ...(etag === undefined || etag.startsWith('W/') ? {} : { etag }),
        ...(size === undefined ? {} : { size }),
      };
      // Truncated first: a note must never describe another partial file.
      await rm(partial, { force: true });
      await writeAtomic(notePath(partial), JSON.stringify(fresh));
    }
    let received = resumed ? start : 0;
    let counted = received;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        if (received - counted >= 1024) {
          counted = received;
          alive();
        }
        done(received > most ? new Error(`more than ${most} bytes`) : null, chunk);
      },
    });
    const out = createWriteStream(partial, { flags: resumed ? 'a' : 'w' });
    await pipeline(answer.body, measure, out);
    if (size !== undefined && received !== size) {
      return { kind: 'failed', message: `received ${received} of ${size} bytes`, restart: received > size };
    }
    return { kind: 'complete', resumed, page: /^text\/html\b/i.test(answer.header('content-type') ?? '') };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EACCES' || code === 'EROFS') {
      throw diskError(error, partial);
    }
    return { kind: 'failed', message: reason(abort.signal.aborted ? abort.signal.reason : error), restart: false };
  } finally {
    clearTimeout(timer);
  }
}

/** The size of the whole file by the response; undefined if it is missing, or the response is another range than requested. */
function wholeSize(answer: Answer, start: number): number | undefined {
  if (answer.status === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.header('content-range') ?? '') ?? [];
    return from !== undefined && Number(from) === start ? Number(total) : undefined;
  }
  const length = answer.header('content-length');
  return length === undefined ? undefined : Number(length);
}

function refused(answer: Answer): Transfer {
  const { status, line: message } = answer;
  if (status === 416) return { kind: 'failed', message, restart: true };
  if (!isFromCommandLineStatus(status)) return { kind: 'not-found', message };
  const askedSeconds = retryAfterSeconds(status, answer.header);
  return { kind: 'failed', message, restart: false, ...(askedSeconds === undefined ? {} : { askedSeconds }) };
}

async function fromDisk(place: string, partial: string): Promise<Transfer> {
  try {
    await copyFile(fileURLToPath(place), partial);
    return { kind: 'complete', resumed: false, page: false };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'not-found', message: 'no such file' };
    if (code === 'EISDIR') return { kind: 'not-found', message: 'this is a folder' };
    throw diskError(error, partial);
  }
}

/** Why a connection failed. If a name has several addresses, one error contains the errors of all. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reason))].join(', ');
  return error instanceof Error ? error.message : String(error);
}
