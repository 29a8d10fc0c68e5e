import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, type Digest, sha256 } from '../base/digest.ts';
import { diskError, temporaryName } from '../base/files.ts';
import { withScratch } from './scratch.ts';
import { isMarked, type Seal } from './seal.ts';
import { type Blob, blobFile, blobSize, putFile, readBlobText, type Store, uncheckedBlobPath } from './store.ts';

/** What actions need: the content store, the folder of their results, scratch space, and counters for the progress line. */
export interface Engine {
  readonly store: Store;
  /** One small JSON file a finished action, named by the action's digest and marked with the cache's key. */
  readonly results: string;
  readonly scratch: string;
  readonly counts: { ran: number; cached: number; doubted: number };
}

/** A slow step as a function of digests: equal `kind`, `code` and `inputs` give equal outputs. */
export interface Action {
  /** Stable name of what is done, such as `seed-convert`. */
  readonly kind: string;
  /** Digest of the code that does the work: `codeDigest(import.meta.url)` of its module. */
  readonly code: Digest;
  /** All that the result depends on, by value or digest, each part under a name that explains it. */
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
  /** seconds that the work took when it was really done */
  readonly seconds: number;
  readonly cached: boolean;
}

export function actionDigest(action: Pick<Action, 'kind' | 'code' | 'inputs'>): Digest {
  return sha256(canonicalJson({ kind: action.kind, code: action.code, inputs: action.inputs }));
}

/** The result of an action: from the cache where this cache did it before and its blobs are there, else done now. */
export async function perform(engine: Engine, action: Action): Promise<ActionResult> {
  const known = await recall(engine, action);
  if (known !== undefined) return known;
  const started = performance.now();
  return withScratch(engine.scratch, async (work) => {
    const outcome = await action.run(work);
    return record(engine, action, outcome.files ?? {}, outcome.value, (performance.now() - started) / 1000);
  });
}

/** The result of an action that was done before, or undefined; for steps that do many actions in one go. */
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

/** Keeps the result of an action that the caller did itself. @param files paths by name; they are copied into the store */
export async function record(
  engine: Engine,
  action: Pick<Action, 'kind' | 'code' | 'inputs'>,
  files: Readonly<Record<string, string>>,
  value: unknown = null,
  seconds = 0,
): Promise<ActionResult> {
  const digest = actionDigest(action);
  const blobs: Record<string, Blob> = {};
  for (const [name, file] of Object.entries(files)) blobs[name] = await putFile(engine.store, file);
  const stored = { kind: action.kind, files: blobs, value, seconds: Math.round(seconds * 1000) / 1000 };
  await writeResult(engine, digest, printResult(engine.store.seal, digest, stored));
  engine.counts.ran++;
  return { ...stored, action: digest, cached: false };
}

function resultPath(engine: Engine, digest: Digest): string {
  return join(engine.results, digest.slice(0, 2), `${digest}.json`);
}

/** What a result's file holds beside its mark. */
export type Stored = Omit<ActionResult, 'action' | 'cached'> & { readonly kind: string };

/**
 * A result as its file has it: JSON whose last key is the mark over all before it and the action's digest. So a result that was
 * changed, or that stands in for another, is not believed.
 */
export function printResult(seal: Seal, action: Digest, stored: Stored): string {
  const { kind, files, value, seconds } = stored;
  const body = JSON.stringify({ kind, files, value, seconds }).slice(0, -1);
  return `${body},"mark":"${seal.mark(resultSubject(action), body)}"}\n`;
}

/** What `printResult` wrote; undefined where this cache did not write it, or not for this action. */
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

/** Made beside the folders of results, where what a kill leaves is swept. */
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
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const stored = parseResult(engine.store.seal, digest, text);
  if (stored === undefined) {
    doubt(engine, path, 'is not what this cache wrote');
    return undefined;
  }
  for (const blob of Object.values(stored.files)) {
    const size = await blobSize(engine.store, blob.digest);
    if (size === blob.size) continue;
    // A file that a power cut emptied has another size; other bytes of the same size are noticed by whoever reads them.
    doubt(
      engine,
      path,
      size === undefined ? 'names a file that the store does not have' : 'names a file that was changed',
    );
    return undefined;
  }
  return stored;
}

const mostDoubts = 3;

/** Says that a result is not believed; after the first few, that there are more. */
function doubt(engine: Engine, path: string, why: string): void {
  const count = ++engine.counts.doubted;
  if (count <= mostDoubts) engine.store.tell(`${path} ${why}: the action is done again`);
  if (count === mostDoubts + 1) engine.store.tell('there are more such results; weir cache verify lists them');
}

/** The path of one named output, whose bytes are known to be right. @throws WeirError `bad-blob`, `missing-blob` */
export function outputFile(engine: Engine, result: ActionResult, name: string): Promise<string> {
  return blobFile(engine.store, outputBlob(result, name).digest);
}

/** One named output as text. @throws WeirError `bad-blob`, `missing-blob` */
export function readOutput(engine: Engine, result: ActionResult, name: string): Promise<string> {
  return readBlobText(engine.store, outputBlob(result, name).digest);
}

/** Where one named output lies: to be told to the user, never for reading. */
export function uncheckedOutputPath(engine: Engine, result: ActionResult, name: string): string {
  return uncheckedBlobPath(engine.store, outputBlob(result, name).digest);
}

function outputBlob(result: ActionResult, name: string): Blob {
  const blob = result.files[name];
  if (blob === undefined) throw new TypeError(`action ${result.action} has no output ${name}`);
  return blob;
}
