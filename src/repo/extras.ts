import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, fileDigest, sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { byKey } from '../base/order.ts';
import { type Store, takeOut } from '../engine/store.ts';
import { openPublished } from '../trust/dsse.ts';
import { type Fault, fileMode, filesWithin, onceEach, readingFaults, unreadableFile, within } from './fault.ts';

/** A file of a snapshot outside its channels, as the release records it. */
export interface Extra {
  /** Relative to the snapshot, in a folder of its own: `evidence/bash-5.3-1.spdx.json`. */
  readonly path: string;
  /** SHA-256 of its bytes; of a signed file, of what is signed. */
  readonly sha256: Digest;
  /**
   * `true`: the file is a DSSE envelope, signed by the image key. `openpgp`: it is a detached signature of the file beside it without
   * `.asc`, by the key of the packages. Signatures may differ each time, so they have no recorded digest.
   */
  readonly signed?: true | 'openpgp';
}

/** A file to publish outside the channels. */
export interface ExtraFile extends Extra {
  /** Writes it to a new path. */
  readonly write: (path: string) => Promise<void>;
}

export function textExtra(path: string, text: string): ExtraFile {
  return { path, sha256: sha256(text), write: (to) => writeFile(to, text) };
}

/** A file from the content store. */
export function blobExtra(store: Store, path: string, digest: Digest): ExtraFile {
  return { path, sha256: digest, write: (to) => takeOut(store, digest, to) };
}

/** The signature of another file, `path.asc`. @param make the signature, armored */
export function signatureExtra({ path, sha256: digest }: Extra, make: () => Promise<string>): ExtraFile {
  return {
    path: `${path}${signatureEnding}`,
    sha256: digest,
    signed: 'openpgp',
    write: async (to) => writeFile(to, await make()),
  };
}

/** The ending of a detached OpenPGP signature. */
const signatureEnding = '.asc';

/** Checks detached signatures. @returns those of the files whose signature, `NAME.asc`, is not valid */
export type CheckSignatures = (dir: string, names: readonly string[]) => Promise<readonly string[]>;

/** What a snapshot's name depends on, as far as extras go: paths and digests, whatever their order. Empty without extras. */
export function extrasContent(extras: readonly Extra[]): { readonly extras?: readonly (readonly [string, Digest])[] } {
  if (extras.length === 0) return {};
  return { extras: extras.map(({ path, sha256 }) => [path, sha256] as const).sort(byKey) };
}

/** The folders that extras are in, directly below the snapshot; sorted. */
export function extraFolders(extras: readonly Pick<Extra, 'path'>[]): string[] {
  return [...new Set(extras.map(({ path }) => path.split('/')[0]!))].sort();
}

/** @throws WeirError `reserved-channel` (exit 2) if a channel has the name of a folder of the extras */
export async function writeExtras(
  dir: string,
  extras: readonly ExtraFile[],
  channels: readonly { readonly name: string }[],
): Promise<void> {
  const folders = extraFolders(extras);
  const taken = channels.find(({ name }) => folders.includes(name));
  if (taken !== undefined) {
    throw new WeirError('reserved-channel', `a channel cannot be named ${taken.name}`, {
      hint: `snapshots have a folder ${taken.name} beside their channels: choose another name in [release] channels`,
      exit: 2,
    });
  }
  for (const folder of new Set(extras.map(({ path }) => dirname(path))))
    await mkdir(join(dir, folder), { recursive: true });
  await mapLimit(extras, 8, async ({ path, write }) => {
    await write(join(dir, path));
    await chmod(join(dir, path), fileMode);
  });
}

/**
 * Verifies the extras of a published snapshot: each one's bytes or signed payload, and that their folders have nothing else.
 * @param imageKey PEM; the key of DSSE envelopes
 * @param signatures checks the OpenPGP signatures, by the key of the packages
 * @returns faults with paths relative to the snapshot, and the number of files checked
 */
export async function extraFaults(
  dir: string,
  extras: readonly Extra[],
  imageKey: string,
  digestOf: (path: string) => Promise<Digest> = fileDigest,
  signatures?: CheckSignatures,
): Promise<{ readonly faults: Fault[]; readonly files: number }> {
  const checked = await mapLimit(extras, 8, async ({ path, sha256: digest, signed }): Promise<readonly Fault[]> => {
    const wrong = (message: string): Fault[] => [{ path, fault: 'wrong', message }];
    const unreadable = await unreadableFile(dir, path);
    if (unreadable !== undefined) return [unreadable];
    // Below, all in one run of the tool.
    if (signed === 'openpgp') return [];
    return readingFaults(path, async () => {
      if (signed !== true) {
        const same = (await digestOf(join(dir, path))) === digest;
        return same ? [] : wrong('its content differs from what was published');
      }
      const payload = openPublished(imageKey, await readFile(join(dir, path), 'utf8'));
      if (payload === undefined) return wrong('not a statement signed by the image key of the release');
      return sha256(payload) === digest ? [] : wrong('its statement differs from what was published');
    });
  });
  const faults = [...checked.flat(), ...(await signatureFaults(dir, extras, signatures))];
  const known = new Set(extras.map(({ path }) => path));
  for (const folder of extraFolders(extras)) {
    const there = await filesWithin(join(dir, folder));
    for (const path of there.paths.map((each) => join(folder, each)))
      if (!known.has(path)) faults.push({ path, fault: 'extra', message: 'the release does not refer to it' });
    faults.push(...within(folder, there.faults));
  }
  return { faults: onceEach(faults), files: known.size };
}

async function signatureFaults(
  dir: string,
  extras: readonly Extra[],
  check: CheckSignatures | undefined,
): Promise<Fault[]> {
  const names: string[] = [];
  for (const { path, signed } of extras) {
    const name = path.slice(0, -signatureEnding.length);
    const missing = (await unreadableFile(dir, path)) ?? (await unreadableFile(dir, name));
    if (signed === 'openpgp' && missing === undefined) names.push(name);
  }
  if (names.length === 0) return [];
  const wrong = (message: string, of: readonly string[]): Fault[] =>
    of.map((name) => ({ path: `${name}${signatureEnding}`, fault: 'wrong', message }));
  if (check === undefined) return wrong('not checked: no tool to check signatures is available', names);
  return wrong(
    `not a valid signature of the file without ${signatureEnding} by the release key`,
    await check(dir, names),
  );
}
