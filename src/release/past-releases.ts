// The records of this release and of those before it: `releases/<snapshot>/<digest>.json` in the output folder, the same bytes
// as `release.json` was, with their signature beside them.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, sha256 } from '../base/digest.ts';
import { didYouMean, systemCode, WeirError } from '../base/errors.ts';
import { exists, mapLimit, readIfExists } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { isSignatureOf } from '../trust/image-key.ts';
import { releasesFolder } from '../workspace/output.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { readReleaseFile } from './published.ts';
import type { ReleaseRecord } from './record-schema.ts';

/** Where a record is kept, within the output folder. Its signature has the same name and `.sig`. @param text its exact bytes */
export function keptPath(snapshot: string, text: string): string {
  return join(releasesFolder, snapshot, `${sha256(text).slice(0, 16)}.json`);
}

/** The name of a kept record without `.sig`, and whether it is its signature; undefined for other names. */
export function keptName(name: string): { readonly record: string; readonly isSignature: boolean } | undefined {
  const [, record, signature] = /^([0-9a-f]{16}\.json)(\.sig)?$/.exec(name) ?? [];
  return record === undefined ? undefined : { record, isSignature: signature !== undefined };
}

const badHint =
  'move it and its .sig away, or put back the file as it was built; weir release verify names all such files';

/** A release that was built. */
export interface PastRelease {
  /** Its record: the kept one, or `release.json` itself if an older Weir built it. */
  readonly file: string;
  /** SHA-256 of the record's bytes. */
  readonly digest: Digest;
  readonly record: ReleaseRecord;
  /** Whether it is the last build, whose record is `release.json`. */
  readonly latest: boolean;
}

/**
 * All releases that an output folder has records of, the newest last: by the release's clock; of the same clock by when the
 * record was kept, then by snapshot. A snapshot has several records if its images changed.
 * @throws WeirError `bad-record`
 */
export async function pastReleases({ out }: Pick<Workspace, 'out'>): Promise<PastRelease[]> {
  const current = join(out, 'release.json');
  const last = (await exists(current)) ? await pastRelease(current, true) : undefined;
  const files = await keptFiles(out);
  const kept = await mapLimit(files, 8, (file) => pastRelease(file, false));
  const found = kept.map((each) => ({ ...each, latest: each.digest === last?.digest }));
  if (last !== undefined && !found.some(({ latest }) => latest)) found.push(last);
  return found
    .sort(
      (a, b) =>
        a.record.clock - b.record.clock ||
        Number(a.latest) - Number(b.latest) ||
        a.written - b.written ||
        compareText(a.record.snapshot, b.record.snapshot) ||
        compareText(a.file, b.file),
    )
    .map(({ written, ...release }) => release);
}

/**
 * One release: by the name of its snapshot or a unique start of it, `latest` (the last build), `previous` (the one before
 * that), or the path of a record or of an output folder. Of a snapshot with several records, the newest.
 * @throws WeirError `no-release`, `ambiguous-release` (both exit 2), `not-built`, `bad-record`
 */
export async function findRelease(workspace: Pick<Workspace, 'out'>, wanted: string): Promise<PastRelease> {
  if (/[/]|\.json$|^\.\.?$/.test(wanted)) return releaseAt(wanted);
  const releases = await pastReleases(workspace);
  const at = releases.findIndex(({ latest }) => latest);
  // A run killed before it wrote the first release.json may have kept its record.
  const last = at < 0 ? releases.length - 1 : at;
  if (releases[last] === undefined) {
    throw new WeirError('not-built', 'no release was built yet', {
      where: { file: join(workspace.out, 'release.json') },
      hint: 'run: weir build',
    });
  }
  if (wanted === 'latest') return releases[last];
  if (wanted === 'previous') {
    const before = releases[last - 1];
    if (before !== undefined) return before;
    throw new WeirError('no-release', `no release before ${releases[last].record.snapshot} has a record`, {
      where: { file: join(workspace.out, releasesFolder) },
      hint: 'name a release.json of another output folder',
      exit: 2,
    });
  }
  const fits = releases.filter(({ record }) => wanted !== '' && record.snapshot.startsWith(wanted));
  const snapshots = [...new Set(fits.map(({ record }) => record.snapshot))];
  const chosen = snapshots.includes(wanted) ? wanted : snapshots[0];
  if (chosen === undefined) {
    const names = [...new Set(releases.map(({ record }) => record.snapshot))];
    throw new WeirError('no-release', `no release has the snapshot ${wanted}`, {
      where: { file: join(workspace.out, releasesFolder) },
      hint: didYouMean(wanted, ['latest', 'previous', ...names]) ?? `there is: ${names.slice(-6).join(', ')}`,
      exit: 2,
    });
  }
  if (chosen !== wanted && snapshots.length > 1) {
    throw new WeirError('ambiguous-release', `several snapshots begin with ${wanted}`, {
      details: snapshots,
      hint: 'give more of the name',
      exit: 2,
    });
  }
  return fits.findLast(({ record }) => record.snapshot === chosen)!;
}

async function releaseAt(path: string): Promise<PastRelease> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const file = isFolder ? join(path, 'release.json') : path;
  if (await exists(file)) {
    const { written, ...release } = await pastRelease(file, false);
    return release;
  }
  throw new WeirError('no-release', 'no such record of a release', {
    where: { file },
    hint: 'name a release.json, an output folder, a snapshot, latest or previous',
    exit: 2,
  });
}

/** Whether a record has this signature by the image key that it names. */
export function isSignedRecord(
  { imageKey }: Pick<ReleaseRecord, 'imageKey'>,
  text: string | Uint8Array,
  signature: string,
): boolean {
  try {
    return isSignatureOf(imageKey.publicKey, Buffer.from(text), signature);
  } catch {
    // Not a key.
    return false;
  }
}

async function pastRelease(file: string, latest: boolean): Promise<PastRelease & { readonly written: number }> {
  const record = await readReleaseFile(file, latest ? undefined : badHint);
  const text = await readIfExists(file);
  if (record === undefined || text === undefined)
    throw new WeirError('bad-record', 'the record of a release vanished while it was read', { where: { file } });
  return { file, digest: sha256(text), record, latest, written: (await stat(file)).mtimeMs };
}

/** Snapshots that have a kept record, sorted; their records are not read. */
export async function keptSnapshots({ out }: Pick<Workspace, 'out'>): Promise<string[]> {
  return namesIn(join(out, releasesFolder));
}

/** The kept records, sorted. */
async function keptFiles(out: string): Promise<string[]> {
  const files: string[] = [];
  for (const snapshot of await namesIn(join(out, releasesFolder)))
    for (const name of await namesIn(join(out, releasesFolder, snapshot)))
      if (keptName(name)?.isSignature === false) files.push(join(out, releasesFolder, snapshot, name));
  return files;
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
    throw error;
  });
  return names.sort(compareText);
}
