import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { extraFolders } from '../repo/extras.ts';
import { entriesOf, type Fault, shapeFaults, unreadableFile } from '../repo/fault.ts';
import { imageKeyFile, isResult, outputMarker, releaseSignatureFile } from '../workspace/output.ts';
import { snapshotPath } from './published.ts';
import type { ReleaseRecord } from './record-schema.ts';
import { isInUse, isSnapshot } from './verify-past.ts';

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
  const root = snapshotPath({ version, snapshot });
  const names = ['RPM-GPG-KEY', ...channels.map((channel) => channel.name), ...extraFolders(extras)];
  await look(root, 'not a part of the release', (name) => names.includes(name));
  for (const { name: channel } of channels)
    await look(join(root, channel), 'not the architecture of the release', (name) => name === arch);
  return faults;
}

async function holdsSnapshots(folder: string): Promise<boolean> {
  return (await entriesOf(folder)).names.some(([name, isFolder]) => isFolder && isSnapshot(name));
}

/** Checks modes and owners of the folders and files around images and channels, which are checked on their own. */
export async function outerShapes(
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
  const root = snapshotPath({ version, snapshot });
  const paths = [
    ...['release.json', releaseSignatureFile, imageKeyFile, 'images', 'repo', join('repo', version), root],
    ...images.map(({ name }) => join('images', name)),
    join(root, 'RPM-GPG-KEY'),
    ...channels.flatMap(({ name }) => [join(root, name), join(root, name, arch)]),
    ...extraFolders(extras).map((folder) => join(root, folder)),
  ];
  return (await Promise.all(paths.map((path) => shapeFaults(out, path, owner)))).flat();
}
