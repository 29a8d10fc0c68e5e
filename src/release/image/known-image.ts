import { lstat, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Digest } from '../../base/digest.ts';
import { WeirError } from '../../base/errors.ts';
import { withHashers } from '../../base/hashers.ts';
import type { Stage } from '../../base/progress.ts';
import { sparseDigest } from '../../image/digest.ts';
import { filesWithin } from '../../repo/fault.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { type ImageKey, isSignatureOf } from '../../trust/image-key.ts';
import { releaseSignatureFile } from '../../workspace/output.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { readRelease } from '../published.ts';
import type { ImageRecord } from '../record-schema.ts';
import { digestsBy, imageFaults } from '../verify-image.ts';
import { changedFile, recordFile, rememberFiles } from './file-stamps.ts';
import { parsedRecord } from './image-record.ts';

/** An image to look for in the output folder. */
export interface WantedImage {
  readonly dir: string;
  readonly name: string;
  readonly inputs: Digest;
  /** Key that signs the provenance and the release. */
  readonly key: Pick<ImageKey, 'id' | 'publicKey'>;
}

type Place = Pick<Workspace, 'cache' | 'engine' | 'out'>;

/**
 * The record of an intact image built from the same inputs, or undefined. It is verified by this cache's stamps or, if another
 * cache made it, by a release that this run's own key signed.
 */
export async function knownImage(
  place: Place,
  toolbox: Toolbox,
  wanted: WantedImage,
  stage: Pick<Stage, 'update' | 'note'>,
): Promise<ImageRecord | undefined> {
  const { dir, inputs } = wanted;
  const path = join(dir, recordFile);
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return undefined;
  const text = info.isFile() ? await readFile(path, 'utf8').catch(() => '') : '';
  const record = parsedRecord(text);
  if (record !== undefined && record.inputs !== inputs) return undefined;
  const digest = (path: string): Promise<Digest> => {
    stage.update(`reading ${basename(path)}`);
    return sparseDigest(toolbox, path);
  };
  const changed =
    record === undefined ? recordFile : await changedFile(place, dir, { text, files: record.files }, digest);
  const beside = record === undefined ? undefined : await besideRecord(dir, record);
  if (beside !== undefined) {
    stage.note(`${join(dir, beside)} was not made by the build: rebuilding the image`);
    return undefined;
  }
  if (changed === undefined) return record;
  if (record !== undefined && changed === recordFile && (await isSigned(place, toolbox, wanted))) {
    await rememberFiles(place, dir, { text, files: record.files });
    stage.note(`${dir} was built with another cache and matches its signed release: reusing it`);
    return record;
  }
  const why = changed === recordFile ? 'is not known to this cache' : 'has changed since it was built';
  stage.note(`${join(dir, changed)} ${why}: rebuilding the image`);
  return undefined;
}

/** The first path in an image's folder that its record does not name, or whose mode or owner is wrong. */
async function besideRecord(dir: string, { files }: ImageRecord): Promise<string | undefined> {
  const known = new Set([recordFile, ...files.map(({ path }) => path)]);
  const { paths, faults } = await filesWithin(dir);
  return paths.find((path) => !known.has(path)) ?? faults[0]?.path;
}

/** Whether a release beside the image, signed by this run's key, has the same record of it, and all its files match. */
async function isSigned({ out }: Place, toolbox: Toolbox, { dir, name, inputs, key }: WantedImage): Promise<boolean> {
  const read = (file: string): Promise<string> => readFile(join(out, file), 'utf8').catch(() => '');
  const [text, signature] = [await read('release.json'), await read(releaseSignatureFile)];
  if (text === '' || !isSignatureOf(key.publicKey, Buffer.from(text), signature)) return false;
  const release = await readRelease({ out }).catch((error: unknown) => {
    if (error instanceof WeirError) return undefined;
    throw error;
  });
  const image = release?.images.find((each) => each.name === name);
  if (release === undefined || image === undefined || image.inputs !== inputs) return false;
  if (release.imageKey.id !== key.id) return false;
  return withHashers(async (hash) => (await imageFaults(dir, image, release, digestsBy(hash, toolbox))).length === 0);
}
