import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, type Digest, sha256 } from '../base/digest.ts';
import { writeAtomic } from '../base/files.ts';
import { withScratch } from './sandbox.ts';
import { type Blob, blobPath, hasBlob, putFile, type Store } from './store.ts';

/** What actions need: the content store, the folder of their results, scratch space, and counters for the progress line. */
export interface Engine {
  readonly store: Store;
  /** One small JSON file a finished action, named by the action's digest. */
  readonly results: string;
  readonly scratch: string;
  readonly counts: { ran: number; cached: number };
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

/** The result of an action: from the cache where it was done before and its blobs are there, else done now. */
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
  const known = await readResult(engine, resultPath(engine, digest));
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
  await writeAtomic(resultPath(engine, digest), `${JSON.stringify(stored)}\n`);
  engine.counts.ran++;
  return { ...stored, action: digest, cached: false };
}

function resultPath(engine: Engine, digest: Digest): string {
  return join(engine.results, digest.slice(0, 2), `${digest}.json`);
}

type Stored = Omit<ActionResult, 'action' | 'cached'>;

async function readResult(engine: Engine, path: string): Promise<Stored | undefined> {
  let stored: Stored;
  try {
    stored = JSON.parse(await readFile(path, 'utf8')) as Stored;
  } catch {
    return undefined;
  }
  for (const blob of Object.values(stored.files)) if (!(await hasBlob(engine.store, blob.digest))) return undefined;
  return stored;
}

/** Path of one named output. */
export function outputPath(engine: Engine, result: ActionResult, name: string): string {
  const blob = result.files[name];
  if (blob === undefined) throw new TypeError(`action ${result.action} has no output ${name}`);
  return blobPath(engine.store, blob.digest);
}
