import { lstat, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { canonicalJson, type Digest } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit } from '../base/files.ts';
import { type HashFile, withHashers } from '../base/hashers.ts';
import { inStage } from '../base/progress.ts';
import { extraFaults, extraFolders } from '../repo/extras.ts';
import {
  entriesOf,
  type Fault,
  filesWithin,
  onceEach,
  readingFaults,
  shapeFaults,
  unreadableFile,
  within,
  wrongFolder,
} from '../repo/fault.ts';
import { nevra, packagePath, parseNevra } from '../repo/metadata.ts';
import { verifyRepository } from '../repo/verify.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { openEnvelope, parseEnvelope } from '../trust/dsse.ts';
import { badlySigned, keyFingerprints } from '../trust/gpg.ts';
import { isSignatureOf, namedKeyId, publicKeyId } from '../trust/image-key.ts';
import { imageKeyFile, isResult, outputMarker, releaseSignatureFile } from '../workspace/output.ts';
import { type ProjectWorkspace, toolboxStage } from '../workspace/workspace.ts';
import { recordFile } from './image/file-stamps.ts';
import { dataDigest, parsedRecord, provenanceFile, provenanceSubjects } from './image/image-record.ts';
import { endOfLifeFaults } from './lifecycle/end-of-life.ts';
import { evidenceFaults } from './package-evidence-read.ts';
import { badRecord, builtRelease, channelFolder, imageFolder } from './published.ts';
import { type ReleaseRecord, shaped } from './record-schema.ts';
import { type FeedProbe, probeFeeds } from './verify-feeds.ts';
import { isInUse, isSnapshot, pastFaults } from './verify-past.ts';

export interface Verification {
  readonly ok: boolean;
  readonly version: string;
  readonly snapshot: string;
  readonly images: number;
  readonly packages: number;
  /** Number of files checked. */
  readonly files: number;
  /** Number of statements in each feed of advisories; none if the snapshot has no feeds. */
  readonly feeds?: FeedProbe['statements'];
  /** Paths are within the output folder. */
  readonly faults: readonly Fault[];
}

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
 * Checks everything in an output folder against `release.json`: each image's files and provenance, the repository's metadata
 * and packages, the files beside its channels, and all signatures. Reads every file.
 * @throws WeirError `not-built`
 */
export async function verifyRelease(workspace: ProjectWorkspace): Promise<Verification> {
  const release = await builtRelease(workspace);
  const toolbox = await toolboxStage(workspace, 'core');
  return inStage(workspace.progress, 'verify', async () => {
    const found: Fault[] = [...(await keyFaults(workspace, release)), ...(await strays(workspace.out, release))];
    const past = await pastFaults(workspace.out);
    found.push(...past.faults, ...(await endOfLifeFaults(workspace, release)));
    let files = 3 + past.files;
    // In parallel: threads hash while rpm checks signatures.
    const [repository, perImage] = await withHashers((hash) => {
      const digests = digestsBy(hash, toolbox);
      return Promise.all([
        repositoryFaults(workspace, toolbox, release, hash),
        Promise.all(
          release.images.map((image) => imageFaults(imageFolder(workspace, image.name), image, release, digests)),
        ),
      ]);
    });
    for (const [index, image] of release.images.entries()) {
      found.push(...within(join('images', image.name), perImage[index]!));
      files += image.files.length + 1;
    }
    found.push(...repository.faults, ...(await outerShapes(workspace.out, release)));
    const snapshotDir = join('repo', release.version, release.snapshot);
    const feeds = await probeFeeds(join(workspace.out, snapshotDir), release);
    found.push(...within(snapshotDir, feeds.faults));
    files += repository.files;
    const faults = onceEach(found);
    const packages = release.channels.reduce((sum, channel) => sum + channel.packages.length, 0);
    const { version, snapshot, images } = release;
    const counts = { images: images.length, packages, files };
    const said = feeds.statements === undefined ? {} : { feeds: feeds.statements };
    return {
      result: { ok: faults.length === 0, version, snapshot, ...counts, ...said, faults },
      summary: `${files} files`,
      cached: false,
    };
  });
}

/** Checks that the record names the project's keys and is signed by its image key, and that `image-key.pem` is that key. */
export async function keyFaults(
  { out, project }: Pick<ProjectWorkspace, 'out' | 'project'>,
  release: Pick<ReleaseRecord, 'signingKey' | 'imageKey'>,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  const wrong = (path: string, message: string): number => faults.push({ path, fault: 'wrong', message });
  const { key, imageKey } = project.signing;
  const record = 'release.json';
  if (key !== undefined && key !== release.signingKey.fingerprint)
    wrong(record, 'its signing key is not [signing] key');
  if (imageKey !== undefined && (await namedKeyId(imageKey)) !== release.imageKey.id)
    wrong(record, 'its image key is not [signing] image-key');
  if (recordedKeyId(release, join(out, record)) !== release.imageKey.id)
    wrong(record, 'its image key does not match its key id');
  const unsigned = await unreadableFile(out, releaseSignatureFile);
  if (unsigned !== undefined) faults.push(unsigned);
  else if (
    !isSignatureOf(
      release.imageKey.publicKey,
      await readFile(join(out, record)),
      await readFile(join(out, releaseSignatureFile), 'utf8'),
    )
  )
    wrong(record, `${releaseSignatureFile} is not a valid signature by its image key`);
  const unreadable = await unreadableFile(out, imageKeyFile);
  if (unreadable !== undefined) faults.push(unreadable);
  else if ((await readFile(join(out, imageKeyFile), 'utf8')) !== release.imageKey.publicKey)
    wrong(imageKeyFile, 'not the image key in release.json');
  return faults;
}

function recordedKeyId({ imageKey }: Pick<ReleaseRecord, 'imageKey'>, file: string): string {
  try {
    return publicKeyId(imageKey.publicKey, file);
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    throw badRecord(file, 'imageKey.publicKey: invalid key', error);
  }
}

/**
 * Extra files in the output folder that do not belong to this release. In `repo/`, other releases' snapshots are allowed, but
 * nothing else.
 */
export async function strays(
  out: string,
  release: Pick<ReleaseRecord, 'version' | 'snapshot' | 'arch' | 'channels' | 'extras' | 'images'>,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  /** @param known whether a name belongs in the folder */
  const look = async (
    folder: string,
    message: string,
    known: (name: string, isFolder: boolean) => boolean,
  ): Promise<void> => {
    const { names, faults: found } = await entriesOf(out, folder);
    faults.push(...found);
    for (const [name, isFolder] of names) {
      const path = join(folder, name);
      if (known(name, isFolder) || (await isInUse(join(out, path), name))) continue;
      faults.push({ path, fault: 'extra', message });
    }
  };
  const { version, snapshot, arch, channels, extras = [], images } = release;
  const marker = await unreadableFile(out, outputMarker);
  if (marker !== undefined) faults.push(marker);
  await look('', 'not made by a build', isResult);
  await look('images', 'not an image of this release', (name) => images.some((image) => image.name === name));
  const versions: string[] = [];
  for (const [name, isFolder] of (await entriesOf(out, 'repo')).names) {
    if (name === version || (isFolder && (await holdsSnapshots(join(out, 'repo', name))))) versions.push(name);
  }
  await look('repo', 'not a repository of a release', (name) => versions.includes(name));
  for (const each of versions) {
    await look(
      join('repo', each),
      'not a snapshot',
      (name, isFolder) => name === 'latest' || (isFolder && (name === snapshot || isSnapshot(name))),
    );
  }
  const root = join('repo', version, snapshot);
  const names = ['RPM-GPG-KEY', ...channels.map((channel) => channel.name), ...extraFolders(extras)];
  await look(root, 'not a part of the release', (name) => names.includes(name));
  for (const { name: channel } of channels)
    await look(join(root, channel), 'not the architecture of the release', (name) => name === arch);
  return faults;
}

async function holdsSnapshots(folder: string): Promise<boolean> {
  return (await entriesOf(folder)).names.some(([name, isFolder]) => isFolder && isSnapshot(name));
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

async function repositoryFaults(
  workspace: ProjectWorkspace,
  toolbox: Toolbox,
  release: ReleaseRecord,
  hash: HashFile,
): Promise<{ readonly faults: Fault[]; readonly files: number }> {
  const { out, engine } = workspace;
  const root = join('repo', release.version);
  const snapshot = join(root, release.snapshot);
  const faults: Fault[] = [];
  const latest = await latestFault(join(out, root, 'latest'), release.snapshot);
  if (latest !== undefined) faults.push({ path: join(root, 'latest'), ...latest });
  const keyPath = join(snapshot, 'RPM-GPG-KEY');
  const unreadable = await unreadableFile(out, keyPath);
  const publicKey = unreadable === undefined ? await readFile(join(out, keyPath), 'utf8') : '';
  const { signingKey } = release;
  const fingerprints = publicKey === '' ? [] : await keyFingerprints(toolbox, publicKey);
  if (unreadable !== undefined) faults.push(unreadable);
  else if (fingerprints.length !== 1 || fingerprints[0] !== signingKey.fingerprint)
    faults.push({
      path: keyPath,
      fault: 'wrong',
      message: `it must contain exactly the key ${signingKey.fingerprint}`,
    });
  else if (publicKey !== signingKey.publicKey)
    faults.push({ path: keyPath, fault: 'wrong', message: 'its content does not match release.json' });
  let files = 2;
  const channels = await Promise.all(
    release.channels.map(async ({ name, packages, updateinfo }) => {
      const dir = channelFolder(workspace, release, name);
      const folder = await firstWrongFolder(out, [snapshot, join(snapshot, name), relative(out, dir)]);
      if (folder !== undefined) return { faults: [folder], files: 0 };
      const paths = packages.map((pkg) => [packagePath(parseNevra(pkg.nevra)!), pkg.sha256] as const);
      const expected = { dir, publicKey, packages: new Map(paths), updateinfo };
      const found = await verifyRepository(toolbox, engine.scratch, expected, hash);
      return { faults: within(relative(out, dir), found.faults), files: found.files };
    }),
  );
  const beside = await extraFaults(
    join(out, snapshot),
    release.extras ?? [],
    release.imageKey.publicKey,
    hash,
    (dir, names) => badlySigned(toolbox, publicKey, dir, names),
  );
  const about = await evidenceFaults(join(out, snapshot), release);
  for (const found of [...channels, { ...beside, faults: within(snapshot, [...beside.faults, ...about]) }]) {
    faults.push(...found.faults);
    files += found.files;
  }
  return { faults, files };
}

async function firstWrongFolder(out: string, folders: readonly string[]): Promise<Fault | undefined> {
  for (const folder of folders) {
    const fault = await wrongFolder(out, folder);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Checks modes and owners of the folders and files around images and channels, which are checked on their own. */
async function outerShapes(
  out: string,
  {
    version,
    snapshot,
    channels,
    arch,
    extras = [],
    images,
  }: Pick<ReleaseRecord, 'version' | 'snapshot' | 'channels' | 'arch' | 'extras' | 'images'>,
): Promise<Fault[]> {
  const owner = await lstat(out);
  const root = join('repo', version, snapshot);
  const paths = [
    ...['release.json', releaseSignatureFile, imageKeyFile, 'images', 'repo', join('repo', version), root],
    ...images.map(({ name }) => join('images', name)),
    join(root, 'RPM-GPG-KEY'),
    ...channels.flatMap(({ name }) => [join(root, name), join(root, name, arch)]),
    ...extraFolders(extras).map((folder) => join(root, folder)),
  ];
  return (await Promise.all(paths.map((path) => shapeFaults(out, path, owner)))).flat();
}

async function latestFault(path: string, snapshot: string): Promise<Omit<Fault, 'path'> | undefined> {
  if ((await lstat(path).catch(() => undefined)) === undefined) return { fault: 'missing', message: 'it is missing' };
  const target = await readlink(path).catch(() => undefined);
  if (target === snapshot) return undefined;
  if (target === undefined) return { fault: 'wrong', message: 'not a symlink' };
  return { fault: 'wrong', message: `it points to ${target}, expected ${snapshot}` };
}
