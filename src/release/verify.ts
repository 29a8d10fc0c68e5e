import { join } from 'node:path';
import { withHashers } from '../base/hashers.ts';
import { inStage } from '../base/progress.ts';
import { type Fault, onceEach, within } from '../repo/fault.ts';
import { type ProjectWorkspace, toolboxStage } from '../workspace/workspace.ts';
import { endOfLifeFaults } from './lifecycle/end-of-life.ts';
import { builtRelease, imageFolder, snapshotPath } from './published.ts';
import { type FeedProbe, probeFeeds } from './verify-feeds.ts';
import { digestsBy, imageFaults } from './verify-image.ts';
import { keyFaults } from './verify-keys.ts';
import { outerShapes, strays } from './verify-output.ts';
import { pastFaults } from './verify-past.ts';
import { repositoryFaults } from './verify-repository.ts';

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
    const snapshotDir = snapshotPath(release);
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
