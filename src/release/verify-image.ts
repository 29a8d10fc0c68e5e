import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { canonicalJson, type Digest } from '../base/digest.ts';
import { mapLimit } from '../base/files.ts';
import type { HashFile } from '../base/hashers.ts';
import { type Fault, filesWithin, onceEach, readingFaults, unreadableFile, wrongFolder } from '../repo/fault.ts';
import { nevra } from '../repo/metadata.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { openEnvelope, parseEnvelope } from '../trust/dsse.ts';
import { recordFile } from './image/file-stamps.ts';
import { dataDigest, parsedRecord, provenanceFile, provenanceSubjects } from './image/image-record.ts';
import { type ReleaseRecord, shaped } from './record-schema.ts';

type RecordedImage = ReleaseRecord['images'][number];

/** SHA-256 of a file. */
export interface ImageDigests {
  readonly all: (path: string) => Promise<Digest>;
  /** Digest of a disk's data alone, if supported: avoids hashing the whole disk. */
  readonly data?: (path: string) => Promise<Digest>;
}

export function digestsBy(hash: HashFile, toolbox: Toolbox): Required<ImageDigests> {
  return { all: (path) => hash(path), data: (path) => dataDigest(toolbox, hash, path) };
}

/**
 * Checks an image's folder against the release. @returns faults with paths within the folder
 * @param release the release record
 */
export async function imageFaults(
  dir: string,
  image: RecordedImage,
  release: Pick<ReleaseRecord, 'imageKey' | 'channels'>,
  digests: ImageDigests,
): Promise<Fault[]> {
  const folder = await wrongFolder(dir);
  if (folder !== undefined) return [folder];
  const faults: Fault[] = [];
  const unreadable = await unreadableFile(dir, recordFile);
  if (unreadable !== undefined) faults.push(unreadable);
  else if (!agrees(await readFile(join(dir, recordFile), 'utf8'), image, release)) {
    faults.push({ path: recordFile, fault: 'wrong', message: 'it does not match release.json' });
  }
  const perFile = await mapLimit(image.files, 8, async (file) => {
    const found = await fileFaults(dir, file, digests);
    if (found.length > 0 || file.path !== provenanceFile) return found;
    return provenanceFaults(dir, image, release.imageKey.publicKey);
  });
  faults.push(...perFile.flat());
  if (!image.files.some(({ path }) => path === provenanceFile))
    faults.push({ path: provenanceFile, fault: 'missing', message: 'the image has no provenance' });
  const known = new Set([recordFile, ...image.files.map(({ path }) => path)]);
  const there = await filesWithin(dir);
  for (const path of there.paths)
    if (!known.has(path)) faults.push({ path, fault: 'extra', message: 'not made by the build' });
  return onceEach([...faults, ...there.faults]);
}

async function fileFaults(
  dir: string,
  { path, size, sha256, data }: RecordedImage['files'][number],
  digests: ImageDigests,
): Promise<readonly Fault[]> {
  const unreadable = await unreadableFile(dir, path);
  if (unreadable !== undefined) return [unreadable];
  return readingFaults(path, async () => {
    const info = await lstat(join(dir, path));
    if (info.size !== size) return [{ path, fault: 'wrong', message: `it has ${info.size} bytes, expected ${size}` }];
    const [found, made] =
      data === undefined || digests.data === undefined
        ? [await digests.all(join(dir, path)), sha256]
        : [await digests.data(join(dir, path)), data];
    if (found === made) return [];
    return [{ path, fault: 'wrong', message: 'its content does not match its recorded digest' }];
  });
}

/** Whether an image's own record matches the release record, packages included. */
function agrees(own: string, image: RecordedImage, { channels }: Pick<ReleaseRecord, 'channels'>): boolean {
  const published = new Set(channels.flatMap((channel) => channel.packages.map((pkg) => `${pkg.nevra} ${pkg.sha256}`)));
  const record = parsedRecord(own);
  if (record === undefined) return false;
  const { name, kind, inputs, installedSize, files, details, packages } = record;
  const said = { name, kind, inputs, installedSize, files, details, packages: packages.map((pkg) => nevra(pkg)) };
  return (
    canonicalJson(said) === canonicalJson(image) && packages.every((pkg) => published.has(`${nevra(pkg)} ${pkg.rpm}`))
  );
}

async function provenanceFaults(dir: string, image: RecordedImage, publicKey: string): Promise<Fault[]> {
  const wrong = (message: string): Fault[] => [{ path: provenanceFile, fault: 'wrong', message }];
  const envelope = parseEnvelope(await readFile(join(dir, provenanceFile), 'utf8'));
  if (envelope === undefined) return wrong('not a signed statement');
  const payload = openEnvelope(publicKey, envelope);
  if (payload === undefined) return wrong('not signed by the image key of the release');
  const statement = shaped(statementSchema, Buffer.from(payload).toString());
  if (statement === undefined) return wrong('its statement has no valid subject');
  const said = statement.subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 }));
  const made = provenanceSubjects(image.name, image.details, image.files);
  return canonicalJson(said) === canonicalJson(made) ? [] : wrong('its subjects do not match the files of the image');
}

const statementSchema = z.object({
  subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })),
});
