import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { canonicalJson, type Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, readIfExists } from '../base/files.ts';
import { inStage } from '../base/progress.ts';
import { sparseDigest } from '../image/digest.ts';
import { nevra, packagePath, parseNevra } from '../repo/metadata.ts';
import { type Fault, verifyRepository } from '../repo/verify.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type Envelope, openEnvelope } from '../trust/dsse.ts';
import { keyFingerprints } from '../trust/gpg.ts';
import { publicKeyId } from '../trust/image-key.ts';
import { parsedRecord, provenanceFile, provenanceSubjects } from './images.ts';
import { imageKeyFile, isResult } from './output.ts';
import { badRecord, builtRelease, channelFolder, imageFolder, type ReleaseRecord } from './published.ts';
import { type ProjectWorkspace, toolboxStage } from './workspace.ts';

export interface Verification {
  readonly ok: boolean;
  readonly version: string;
  readonly snapshot: string;
  readonly images: number;
  readonly packages: number;
  /** How many files were looked at. */
  readonly files: number;
  /** Paths are within the output folder. */
  readonly faults: readonly Fault[];
}

type RecordedImage = ReleaseRecord['images'][number];

/** SHA-256 of a file. */
type FileDigest = (path: string) => Promise<Digest>;

/**
 * Holds everything in an output folder against what the build recorded of it in `release.json`: each image's files, its provenance,
 * the repository's metadata and packages, and all their signatures. Each file is read.
 * @throws WeirError `not-built`
 */
export async function verifyRelease(workspace: ProjectWorkspace): Promise<Verification> {
  const release = await builtRelease(workspace);
  const toolbox = await toolboxStage(workspace, 'core');
  return inStage(workspace.progress, 'verify', async (stage) => {
    const faults: Fault[] = [...(await keyFaults(workspace, release)), ...(await strays(workspace.out, release))];
    let files = 2;
    for (const image of release.images) {
      stage.update(image.name);
      const dir = imageFolder(workspace, image.name);
      const found = await imageFaults(dir, image, release, (path) => sparseDigest(toolbox, path));
      faults.push(...within(join('images', image.name), found));
      files += image.files.length + 1;
    }
    stage.update('repository');
    const repository = await repositoryFaults(workspace, toolbox, release);
    faults.push(...repository.faults);
    files += repository.files;
    const packages = release.channels.reduce((sum, channel) => sum + channel.packages.length, 0);
    const { version, snapshot, images } = release;
    return {
      result: { ok: faults.length === 0, version, snapshot, images: images.length, packages, files, faults },
      summary: `${files} files`,
      cached: false,
    };
  });
}

/** The record must name the keys that the project names, and `image-key.pem` be the one of the record. */
async function keyFaults({ out, project }: ProjectWorkspace, release: ReleaseRecord): Promise<Fault[]> {
  const faults: Fault[] = [];
  const wrong = (path: string, message: string): number => faults.push({ path, fault: 'wrong', message });
  const { key, imageKey } = project.signing;
  const record = 'release.json';
  if (key !== undefined && key !== release.signingKey.fingerprint)
    wrong(record, 'it names another key than [signing] key');
  if (imageKey !== undefined && publicKeyId(await readFile(imageKey, 'utf8'), imageKey) !== release.imageKey.id)
    wrong(record, 'it names another key than [signing] image-key');
  if (recordedKeyId(release, join(out, record)) !== release.imageKey.id)
    wrong(record, 'its image key is not the one that it gives the id of');
  const published = await readIfExists(join(out, imageKeyFile));
  if (published === undefined) faults.push({ path: imageKeyFile, fault: 'missing', message: 'it is not there' });
  else if (published !== release.imageKey.publicKey) wrong(imageKeyFile, 'it is not the key in release.json');
  return faults;
}

function recordedKeyId({ imageKey }: ReleaseRecord, file: string): string {
  try {
    return publicKeyId(imageKey.publicKey, file);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    throw badRecord(file, 'imageKey.publicKey: it is no key', error);
  }
}

/** What stands in the output folder and belongs to no release, or to another one. */
async function strays(out: string, { images }: ReleaseRecord): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const path of (await readdir(out)).sort()) {
    if (!isResult(path)) faults.push({ path, fault: 'extra', message: 'no build made it' });
  }
  for (const name of (await readdir(join(out, 'images')).catch(() => [])).sort()) {
    if (name.startsWith('.') || images.some((image) => image.name === name)) continue;
    faults.push({ path: join('images', name), fault: 'extra', message: 'it is no image of this release' });
  }
  return faults;
}

/**
 * What of an image's folder is not as it was made. @returns faults with paths within the folder
 * @param release the record that it is held against
 */
export async function imageFaults(
  dir: string,
  image: RecordedImage,
  release: Pick<ReleaseRecord, 'imageKey' | 'channels'>,
  digest: FileDigest,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  const own = await readIfExists(join(dir, 'image.json'));
  if (own === undefined) faults.push({ path: 'image.json', fault: 'missing', message: 'it is not there' });
  else if (!agrees(own, image, release)) {
    faults.push({ path: 'image.json', fault: 'wrong', message: 'it says other things of the image than release.json' });
  }
  for (const file of image.files) {
    const fault = await fileFault(dir, file, digest);
    if (fault !== undefined) faults.push(fault);
    else if (file.path === provenanceFile)
      faults.push(...(await provenanceFaults(dir, image, release.imageKey.publicKey)));
  }
  if (!image.files.some(({ path }) => path === provenanceFile))
    faults.push({ path: provenanceFile, fault: 'missing', message: 'the image has no provenance' });
  const known = new Set(['image.json', ...image.files.map(({ path }) => path)]);
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const path = relative(dir, join(entry.parentPath, entry.name));
    if (!entry.isDirectory() && !known.has(path)) {
      faults.push({ path, fault: 'extra', message: 'the build did not make it' });
    }
  }
  return faults;
}

async function fileFault(
  dir: string,
  { path, size, sha256 }: RecordedImage['files'][number],
  digest: FileDigest,
): Promise<Fault | undefined> {
  const info = await stat(join(dir, path)).catch(() => undefined);
  if (info === undefined) return { path, fault: 'missing', message: 'it is not there' };
  if (!info.isFile()) return { path, fault: 'wrong', message: 'it is no file' };
  if (info.size !== size) return { path, fault: 'wrong', message: `it has ${info.size} bytes, ${size} were made` };
  if ((await digest(join(dir, path))) === sha256) return undefined;
  return { path, fault: 'wrong', message: 'its bytes are not those that were made' };
}

/** Whether an image's own record says what that of the release does, of the packages too. */
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
  const envelope = JSON.parse(await readFile(join(dir, provenanceFile), 'utf8')) as Envelope;
  const payload = openEnvelope(publicKey, envelope);
  if (payload === undefined) return wrong('the image key of the release did not sign it');
  const { subject } = JSON.parse(Buffer.from(payload).toString()) as {
    subject: { name: string; digest: { sha256: string } }[];
  };
  const said = subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 }));
  const made = provenanceSubjects(image.name, image.details, image.files);
  return canonicalJson(said) === canonicalJson(made) ? [] : wrong('it is of other files than those of the image');
}

async function repositoryFaults(
  workspace: ProjectWorkspace,
  toolbox: Toolbox,
  release: ReleaseRecord,
): Promise<{ readonly faults: Fault[]; readonly files: number }> {
  const { out, engine } = workspace;
  const root = join('repo', release.version);
  const snapshot = join(root, release.snapshot);
  const faults: Fault[] = [];
  const latest = await readlink(join(out, root, 'latest')).catch(() => undefined);
  if (latest !== release.snapshot) {
    const [fault, message] =
      latest === undefined
        ? (['missing', 'it is not there'] as const)
        : (['wrong', `it leads to ${latest}, the release is ${release.snapshot}`] as const);
    faults.push({ path: join(root, 'latest'), fault, message });
  }
  const keyPath = join(snapshot, 'RPM-GPG-KEY');
  const publicKey = (await readIfExists(join(out, keyPath))) ?? '';
  const fingerprints = publicKey === '' ? [] : await keyFingerprints(toolbox, publicKey);
  if (!(await exists(join(out, keyPath)))) faults.push({ path: keyPath, fault: 'missing', message: 'it is not there' });
  else if (fingerprints.length !== 1 || fingerprints[0] !== release.signingKey.fingerprint)
    faults.push({ path: keyPath, fault: 'wrong', message: `it is not the key ${release.signingKey.fingerprint}` });
  let files = 2;
  for (const { name, packages } of release.channels) {
    const dir = channelFolder(workspace, release, name);
    const paths = packages.map((pkg) => [packagePath(parseNevra(pkg.nevra)!), pkg.sha256] as const);
    const found = await verifyRepository(toolbox, engine.scratch, { dir, publicKey, packages: new Map(paths) });
    faults.push(...within(relative(out, dir), found.faults));
    files += found.files;
  }
  const names = new Set(['RPM-GPG-KEY', ...release.channels.map((channel) => channel.name)]);
  for (const name of (await readdir(join(out, snapshot)).catch(() => [])).sort()) {
    if (names.has(name)) continue;
    faults.push({ path: join(snapshot, name), fault: 'extra', message: 'it is no channel of the release' });
  }
  return { faults, files };
}

function within(folder: string, faults: readonly Fault[]): Fault[] {
  return faults.map((each) => ({ ...each, path: join(folder, each.path) }));
}
