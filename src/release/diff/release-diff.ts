import { loadAdvisories } from '../../advisory/load.ts';
import { byPath } from '../../base/order.ts';
import { isoTime } from '../../base/time.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { comparedRelease } from '../image/diff-built.ts';
import { compareReleases, type ImageDiff } from '../image/image-diff.ts';
import type { PackageChange } from '../image/package-diff.ts';
import { findRelease, type PastRelease } from '../past-releases.ts';
import type { ImageFile, ReleaseRecord } from '../record-schema.ts';
import { type AdvisoryChanges, advisoryChanges } from './fixed-advisories.ts';

/** What changed from one release to another, by their records alone: neither needs its packages or images any more. */
export interface ReleaseChanges {
  readonly a: ReleaseFacts;
  readonly b: ReleaseFacts;
  /** In the order of the channels. A package that moved is removed from one and added to the other. */
  readonly channels: readonly { readonly name: string; readonly packages: readonly PackageChange[] }[];
  readonly advisories: AdvisoryChanges;
  readonly images: {
    readonly added: readonly ImageFacts[];
    readonly removed: readonly ImageFacts[];
    readonly changed: readonly ImageChange[];
    /** Names of images with the same files. */
    readonly unchanged: readonly string[];
  };
}

export interface ReleaseFacts {
  readonly version: string;
  readonly snapshot: string;
  /** RFC 3339: the clock of the release. */
  readonly date: string;
  /** The record. */
  readonly file: string;
}

export interface ImageFacts {
  readonly name: string;
  readonly kind: ReleaseRecord['images'][number]['kind'];
  /** Number of packages. */
  readonly packages: number;
  /** Sum of file sizes in the tree, bytes. */
  readonly installedSize: number;
  /** Sum of the image's files, bytes; holes of sparse files count. */
  readonly fileSize: number;
}

export interface ImageChange {
  readonly name: string;
  readonly before: ImageFacts;
  readonly after: ImageFacts;
  readonly packages: readonly PackageChange[];
  /** Files that differ, by path; sizes in bytes, undefined where there is none. */
  readonly files: readonly { readonly path: string; readonly before?: number; readonly after?: number }[];
}

/**
 * Compares two releases. @param a, b as `findRelease` takes them
 * @throws WeirError those of `findRelease` and `loadAdvisories`
 */
export async function diffReleases(
  workspace: Pick<ProjectWorkspace, 'out' | 'project'>,
  a: string,
  b: string,
): Promise<ReleaseChanges> {
  const [before, after] = [await findRelease(workspace, a), await findRelease(workspace, b)];
  const records = await loadAdvisories(workspace.project.advisories.path);
  const compared = await Promise.all(
    [before, after].map(({ file, record }) => comparedRelease(file, record, { packagesOnly: true })),
  );
  const { channels, images } = compareReleases(compared[0]!, compared[1]!, false);
  const changes = images.compared.map((diff) => imageChange(before.record, after.record, diff));
  return {
    a: releaseFacts(before),
    b: releaseFacts(after),
    channels,
    advisories: advisoryChanges(records, before.record, after.record),
    images: {
      added: images.added.map((name) => imageFacts(imageIn(after.record, name))),
      removed: images.removed.map((name) => imageFacts(imageIn(before.record, name))),
      changed: changes.filter(isChange),
      unchanged: changes.filter((change) => !isChange(change)).map(({ name }) => name),
    },
  };
}

function releaseFacts({ file, record }: PastRelease): ReleaseFacts {
  const { version, snapshot, clock } = record;
  return { version, snapshot, date: isoTime(clock), file };
}

type RecordedImage = ReleaseRecord['images'][number];

function imageIn(record: ReleaseRecord, name: string): RecordedImage {
  return record.images.find((image) => image.name === name)!;
}

function imageFacts({ name, kind, packages, installedSize, files }: RecordedImage): ImageFacts {
  const fileSize = files.reduce((sum, { size }) => sum + size, 0);
  return { name, kind, packages: packages.length, installedSize, fileSize };
}

function imageChange(a: ReleaseRecord, b: ReleaseRecord, { b: { name }, packages }: ImageDiff): ImageChange {
  const [before, after] = [imageIn(a, name), imageIn(b, name)];
  return {
    name,
    before: imageFacts(before),
    after: imageFacts(after),
    packages,
    files: changedFiles(before.files, after.files),
  };
}

function changedFiles(before: readonly ImageFile[], after: readonly ImageFile[]): ImageChange['files'] {
  const [old, made] = [before, after].map((files) => new Map(files.map((file) => [file.path, file])));
  const paths = [...new Set([...old!.keys(), ...made!.keys()])];
  return paths
    .flatMap((path) => {
      const [was, is] = [old!.get(path), made!.get(path)];
      if (was?.sha256 === is?.sha256) return [];
      return [{ path, ...(was && { before: was.size }), ...(is && { after: is.size }) }];
    })
    .sort(byPath);
}

function isChange({ packages, files, before, after }: ImageChange): boolean {
  return packages.length > 0 || files.length > 0 || before.kind !== after.kind;
}
