import { readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, type Digest, sha256 } from '../base/digest.ts';
import { diskError, temporaryName } from '../base/files.ts';
import { withScratch } from './scratch.ts';
import { isMarked, type Seal } from './seal.ts';
import { type Blob, blobFile, blobSizeNow, putFile, readBlobText, type Store, uncheckedBlobPath } from './store.ts';

/** What actions need: the content store, the folder for results, scratch space, and counters for the progress line. */
export interface Engine {
  readonly store: Store;
  /** One small JSON file per finished action, named by the action's digest and signed with the cache's key. */
  readonly results: string;
  readonly scratch: string;
  readonly counts: { ran: number; cached: number; doubted: number };
  /** Actions that are running: a second caller of the same action waits for the first one's result. */
  readonly running: Map<Digest, Promise<ActionResult>>;
}

/** A slow step as a function of digests: equal `kind`, `code` and `inputs` give equal outputs. */
export interface Action {
  /** Stable name of the kind of work, such as `seed-convert`. */
  readonly kind: string;
  /** Digest of the code that does the work: `codeDigest(import.meta.url)` of its module. */
  readonly code: Digest;
  /** Everything the result depends on, by value or digest, each under a descriptive name. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Does the work in an empty folder. @returns files to keep by name, and a small JSON value */
  readonly run: (
    work: string,
  ) => Promise<{ readonly files?: Readonly<Record<string, string>>; readonly value?: unknown }>;
}

export interface ActionResult {
  readonly action: Digest;
  readonly files: Readonly<Record<string, Blob>>;
  readonly value: unknown;
  /** Seconds that the work took when it was run, not read from the cache. */
  readonly seconds: number;
  readonly cached: boolean;
}

export function actionDigest(action: Pick<Action, 'kind' | 'code' | 'inputs'>): Digest {
  return sha256(canonicalJson({ kind: action.kind, code: action.code, inputs: action.inputs }));
}

/** The result of an action: from the cache if it has a valid result with all its blobs, otherwise by running the action. */
export async function perform(engine: Engine, action: Action): Promise<ActionResult> {
  const known = await recall(engine, action);
  if (known !== undefined) return known;
  const digest = actionDigest(action);
  const same = engine.running.get(digest);
  if (same !== undefined) return same;
  const running = run(engine, action).finally(() => engine.running.delete(digest));
  engine.running.set(digest, running);
  return running;
}

async function run(engine: Engine, action: Action): Promise<ActionResult> {
  const started = performance.now();
  return withScratch(engine.scratch, async (work) => {
    const outcome = await action.run(work);
    return record(engine, action, outcome.files ?? {}, outcome.value, (performance.now() - started) / 1000);
  });
}

/** The cached result of an action, or undefined; for steps that run many actions in one pass. */
export async function recall(
  engine: Engine,
  action: Pick<Action, 'kind' | 'code' | 'inputs'>,
): Promise<ActionResult | undefined> {
  const digest = actionDigest(action);
  const known = await readResult(engine, digest);
  if (known === undefined) return undefined;
  engine.counts.cached++;
  return { ...known, action: digest, cached: true };
}

/** Stores the result of an action that the caller ran itself. @param files paths by name; they are copied into the store */
export async function record(
  engine: Engine,
  action: Pick<Action, 'kind' | 'code' | 'inputs'>,
  files: Readonly<Record<string, string>>,
  value: unknown = null,
  seconds = 0,
): Promise<ActionResult> {
  const blobs: Record<string, Blob> = {};
  for (const [name, file] of Object.entries(files)) blobs[name] = await putFile(engine.store, file);
  engine.counts.ran++;
  return recordBlobs(engine, action, blobs, value, seconds);
}

/**
 * Stores a result whose files are blobs already: for many actions that are always needed together, so that the next run reads
 * one result instead of hundreds. It counts as no action run.
 */
export async function recordBlobs(
  engine: Engine,
  action: Pick<Action, 'kind' | 'code' | 'inputs'>,
  files: Readonly<Record<string, Blob>>,
  value: unknown = null,
  seconds = 0,
): Promise<ActionResult> {
  const digest = actionDigest(action);
  const stored = { kind: action.kind, files, value, seconds: Math.round(seconds * 1000) / 1000 };
  await writeResult(engine, digest, printResult(engine.store.seal, digest, stored));
  return { ...stored, action: digest, cached: false };
}

function resultPath(engine: Engine, digest: Digest): string {
  return join(engine.results, digest.slice(0, 2), `${digest}.json`);
}

/** Content of a result file, without its mark. */
export type Stored = Omit<ActionResult, 'action' | 'cached'> & { readonly kind: string };

/**
 * The text of a result file: JSON whose last key is a mark (an HMAC) over everything before it and the action's digest. A
 * result that was modified, or that belongs to another action, is therefore rejected.
 */
export function printResult(seal: Seal, action: Digest, stored: Stored): string {
  const { kind, files, value, seconds } = stored;
  const body = JSON.stringify({ kind, files, value, seconds }).slice(0, -1);
  return `${body},"mark":"${seal.mark(resultSubject(action), body)}"}\n`;
}

/** Parses `printResult` output; undefined unless this cache wrote it for this action. */
export function parseResult(seal: Seal, action: Digest, text: string): Stored | undefined {
  const body = text.slice(0, -markLength);
  const [, mark] = /^,"mark":"([0-9a-f]{64})"\}\n$/.exec(text.slice(-markLength)) ?? [];
  if (mark === undefined || !isMarked(seal, resultSubject(action), body, mark)) return undefined;
  return JSON.parse(`${body}}`) as Stored;
}

const markLength = ',"mark":""}\n'.length + 64;

function resultSubject(action: Digest): string {
  return `action ${action}`;
}

/** Writes the temporary file to a folder that is cleaned up after a killed run. */
async function writeResult(engine: Engine, digest: Digest, text: string): Promise<void> {
  const path = resultPath(engine, digest);
  const temporary = temporaryName(join(engine.results, 'x'));
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, path);
  }
}

async function readResult(engine: Engine, digest: Digest): Promise<Stored | undefined> {
  const path = resultPath(engine, digest);
  let text: string;
  try {
    // Synchronously: for a small file, waiting for another thread takes several times as long as reading.
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const stored = parseResult(engine.store.seal, digest, text);
  if (stored === undefined) {
    doubt(engine, path, 'was not written by this cache or was modified');
    return undefined;
  }
  for (const blob of Object.values(stored.files)) {
    const size = blobSizeNow(engine.store, blob.digest);
    if (size === blob.size) continue;
    // Catches a file truncated by a power cut. Wrong bytes of the right size are caught when they are read.
    doubt(
      engine,
      path,
      size === undefined ? 'names a blob that is missing from the store' : 'names a blob of another size',
    );
    return undefined;
  }
  return stored;
}

const mostDoubts = 3;

/** Warns that a result is rejected; after the first few, only that there are more. */
function doubt(engine: Engine, path: string, why: string): void {
  const count = ++engine.counts.doubted;
  if (count <= mostDoubts) engine.store.tell(`${path} ${why}: running the action again`);
  if (count === mostDoubts + 1) engine.store.tell('more results were rejected; weir cache verify lists them');
}

/** The path of a named output, verified. @throws WeirError `bad-blob`, `missing-blob` */
export function outputFile(engine: Engine, result: ActionResult, name: string): Promise<string> {
  return blobFile(engine.store, outputBlob(result, name).digest);
}

/** A named output as text, verified. @throws WeirError `bad-blob`, `missing-blob` */
export function readOutput(engine: Engine, result: ActionResult, name: string): Promise<string> {
  return readBlobText(engine.store, outputBlob(result, name).digest);
}

/** The path of a named output, not verified: only to show to the user, never to read from. */
export function uncheckedOutputPath(engine: Engine, result: ActionResult, name: string): string {
  return uncheckedBlobPath(engine.store, outputBlob(result, name).digest);
}

function outputBlob(result: ActionResult, name: string): Blob {
  const blob = result.files[name];
  if (blob === undefined) throw new TypeError(`action ${result.action} has no output ${name}`);
  return blob;
}
