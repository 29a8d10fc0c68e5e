import { mkdirSync, utimesSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists, readIfExists } from '../base/files.ts';
import { syncFolder, writeDurably } from '../engine/durable.ts';
import { sweep } from '../engine/engine.ts';
import { isSignatureOf } from '../trust/image-key.ts';
import { releaseSignatureFile, releasesFolder } from '../workspace/output.ts';
import { isSignedRecord, keptName, keptPath } from './past-releases.ts';
import { readRelease } from './published.ts';

/** A record with its signature, as they are kept. */
export interface SignedRecord {
  readonly snapshot: string;
  /** The exact bytes. */
  readonly text: string;
  readonly signature: string;
  /** The key of the signature, PEM. */
  readonly publicKey: string;
}

/** Whether a record is kept with a valid signature. */
export async function isKept(
  out: string,
  { snapshot, text, publicKey }: Omit<SignedRecord, 'signature'>,
): Promise<boolean> {
  const file = join(out, keptPath(snapshot, text));
  const signature = await readIfExists(`${file}.sig`);
  if (signature === undefined || (await readIfExists(file)) !== text) return false;
  return isSignatureOf(publicKey, Buffer.from(text), signature);
}

/** Keeps a record, durably. The signature comes first: wherever a run is killed, no kept record lacks it. */
export function keepRelease(out: string, { snapshot, text, signature }: SignedRecord): void {
  const file = join(out, keptPath(snapshot, text));
  for (const folder of [dirname(dirname(file)), dirname(file)]) {
    mkdirSync(folder, { recursive: true });
    syncFolder(dirname(folder));
  }
  writeDurably(`${file}.sig`, signature);
  writeDurably(file, text);
}

/** Marks a kept record as the newest of those with the same clock: its release was built again. */
export function renewKept(out: string, { snapshot, text }: Pick<SignedRecord, 'snapshot' | 'text'>): void {
  const now = new Date();
  utimesSync(join(out, keptPath(snapshot, text)), now, now);
}

/**
 * The last build, if its record has a valid signature and is not kept, because an older Weir wrote it. Its `release.json` is
 * about to be replaced. Undefined too for a record that this Weir cannot read: nobody could use it.
 */
export async function unkeptRelease(out: string): Promise<SignedRecord | undefined> {
  const record = await readRelease({ out }).catch(() => undefined);
  const text = await readIfExists(join(out, 'release.json')).catch(() => undefined);
  const signature = await readIfExists(join(out, releaseSignatureFile)).catch(() => undefined);
  if (record === undefined || text === undefined || signature === undefined) return undefined;
  const signed = { snapshot: record.snapshot, text, signature, publicKey: record.imageKey.publicKey };
  return isSignedRecord(record, text, signature) && !(await isKept(out, signed)) ? signed : undefined;
}

/** Removes what a killed run left among the kept records: temporary files, signatures without a record, empty folders. */
export async function sweepKept(out: string): Promise<void> {
  const top = join(out, releasesFolder);
  for (const snapshot of await readdir(top).catch(() => [])) {
    const folder = join(top, snapshot);
    await sweep([folder]);
    const names: string[] = await readdir(folder).catch(() => []);
    for (const name of names) {
      const kept = keptName(name);
      if (kept?.isSignature === true && !names.includes(kept.record)) await rm(join(folder, name), { force: true });
    }
    // Fails unless it is an empty folder, which is what is wanted.
    await rmdir(folder).catch(() => {});
  }
  await sweep([top]);
  if (await exists(top)) await rmdir(top).catch(() => {});
}
