import type { Digest } from '../../base/digest.ts';
import { byKey, byPath, compareText } from '../../base/order.ts';
import { type Aspect, diffTrees, type EntryChange, type TreeDiff } from '../../tree/diff.ts';
import { contentBytes, type ListedEntry, type ListingLine, listingLine } from '../../tree/listing.ts';
import type { ImageRecord } from '../record-schema.ts';
import { type ComparedPackage, changesVersion, diffPackages, type PackageChange } from './package-diff.ts';

/** An image to compare. */
export interface ComparedImage extends Pick<ImageRecord, 'name' | 'kind' | 'snapshot' | 'installedSize'> {
  /** The image's folder, or its record file. */
  readonly place: string;
  readonly packages: readonly ComparedPackage[];
  /** Its tree; undefined if only packages are compared. */
  readonly entries?: readonly ListedEntry[];
}

/** Key figures of an image. */
export interface ImageFacts extends Pick<ComparedImage, 'name' | 'kind' | 'snapshot' | 'place'> {
  readonly packages: number;
  readonly files?: number;
  /** bytes */
  readonly installedSize: number;
}

export interface ImageDiff {
  readonly type: 'image';
  readonly a: ImageFacts;
  readonly b: ImageFacts;
  readonly packages: readonly PackageChange[];
  /** Undefined if only packages are compared, like `sizes`. */
  readonly files?: FileDiff;
  /** Packages whose size changed, largest change first. */
  readonly sizes?: readonly SizeChange[];
}

export interface FileDiff {
  /** Which image has SELinux labels. They are compared only if both have. */
  readonly labelled: 'both' | 'a' | 'b' | 'neither';
  /** Single files; those that a new package version explains only on request. */
  readonly listed: readonly FileChange[];
  /** Number of files that changed with each package whose version changed, by name. */
  readonly byPackage: readonly PackageFiles[];
}

/**
 * Why a file is listed, in display order: its package has the same version in both images; it gained set-user-ID,
 * set-group-ID or capabilities; no package owns it; its package changed (listed on request).
 */
export const fileReasons = ['unchanged-package', 'privilege', 'no-package', 'changed-package'] as const;

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly reason: (typeof fileReasons)[number];
  /** What differs, for changed files. */
  readonly aspects: readonly Aspect[];
  readonly before?: ListingLine;
  readonly after?: ListingLine;
  /** Totals of a folder's unlisted content, for instance of an SELinux policy store. */
  readonly below?: { readonly entries: number; readonly bytes: number };
}

export interface PackageFiles {
  readonly package: string;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

export interface SizeChange {
  /** null for files without a package. A file of several packages counts for the first. */
  readonly package: string | null;
  /** bytes */
  readonly before: number;
  readonly after: number;
}

/**
 * Compares two images.
 * @param allFiles also list files that a new package version explains
 */
export function compareImages(a: ComparedImage, b: ComparedImage, allFiles: boolean): ImageDiff {
  const packages = diffPackages(a.packages, b.packages);
  const base = { type: 'image', a: facts(a), b: facts(b), packages } as const;
  if (a.entries === undefined || b.entries === undefined) return base;
  return {
    ...base,
    files: compareFiles(a.entries, b.entries, packages, allFiles),
    sizes: compareSizes(a.entries, b.entries),
  };
}

function facts({ packages, entries, ...image }: ComparedImage): ImageFacts {
  const { name, kind, snapshot, installedSize, place } = image;
  const files = entries === undefined ? {} : { files: entries.filter((entry) => entry.kind !== 'directory').length };
  return { name, kind, snapshot, place, packages: packages.length, ...files, installedSize };
}

function compareFiles(
  a: readonly ListedEntry[],
  b: readonly ListedEntry[],
  packages: readonly PackageChange[],
  allFiles: boolean,
): FileDiff {
  const labels = [a, b].map((entries) => entries.some((entry) => entry.label !== undefined));
  const labelled = labels[0] ? (labels[1] ? 'both' : 'a') : labels[1] ? 'b' : 'neither';
  const moved = new Set(packages.filter(changesVersion).map((change) => change.name));
  const counts = new Map<string, { added: number; removed: number; changed: number }>();
  const listed: FileChange[] = [];
  for (const file of told(diffTrees(a, b), labelled === 'both', moved)) {
    const owner = ownersOf(file).find((name) => moved.has(name));
    if (owner !== undefined) {
      const count = counts.get(owner) ?? { added: 0, removed: 0, changed: 0 };
      count[file.change]++;
      counts.set(owner, count);
    }
    if (allFiles || file.reason !== 'changed-package') listed.push(file);
  }
  return {
    labelled,
    listed: (allFiles ? listed : foldFolders(listed)).sort(
      (x, y) => fileReasons.indexOf(x.reason) - fileReasons.indexOf(y.reason) || byPath(x, y),
    ),
    byPackage: [...counts].sort(byKey).map(([name, count]) => ({ package: name, ...count })),
  };
}

/** The differences worth reporting, with their reasons. */
function told(diff: TreeDiff, labels: boolean, moved: ReadonlySet<string>): FileChange[] {
  const reasonOf = (before: ListedEntry | undefined, after: ListedEntry | undefined): FileChange['reason'] => {
    const owners = [...(before?.packages ?? []), ...(after?.packages ?? [])];
    if (owners.length > 0 && !owners.some((name) => moved.has(name))) return 'unchanged-package';
    if (gainsPrivilege(before, after)) return 'privilege';
    return owners.length === 0 ? 'no-package' : 'changed-package';
  };
  const changed = (change: EntryChange): FileChange[] => {
    const { before, after } = change;
    const reason = reasonOf(before, after);
    const aspects = change.aspects.filter((aspect) => {
      if (aspect === 'label') return labels;
      // A folder is owned by every package with files in it, and files of packages come and go with those.
      if (aspect === 'packages') return before.kind !== 'directory' && reason !== 'changed-package';
      return true;
    });
    if (aspects.length === 0) return [];
    const { path } = after;
    return [{ path, change: 'changed', reason, aspects, before: listingLine(before), after: listingLine(after) }];
  };
  return [
    ...diff.added.map(
      (after): FileChange => ({
        path: after.path,
        change: 'added',
        reason: reasonOf(undefined, after),
        aspects: [],
        after: listingLine(after),
      }),
    ),
    ...diff.removed.map(
      (before): FileChange => ({
        path: before.path,
        change: 'removed',
        reason: reasonOf(before, undefined),
        aspects: [],
        before: listingLine(before),
      }),
    ),
    ...diff.changed.flatMap(changed),
  ];
}

/** Whether a file gained privileges: an upgrade that adds them must be visible. */
function gainsPrivilege(before: ListedEntry | undefined, after: ListedEntry | undefined): boolean {
  if (after?.kind !== 'file') return false;
  const old = before?.kind === 'file' ? before : undefined;
  const bits = after.mode & 0o6000 & ~(old?.mode ?? 0);
  return bits !== 0 || (after.capabilities !== undefined && after.capabilities !== old?.capabilities);
}

/** Folders without a package, added or removed as a whole, are listed as one line if they have more entries than this. */
const foldedFrom = 16;

function foldFolders(files: readonly FileChange[]): FileChange[] {
  const folds = ({ change, reason }: FileChange): boolean => change !== 'changed' && reason === 'no-package';
  const folders = new Map<string, FileChange>();
  for (const file of files) {
    if (folds(file) && (file.after ?? file.before)?.kind === 'directory') folders.set(file.path, file);
  }
  const topOf = (file: FileChange): FileChange | undefined => {
    let top: FileChange | undefined;
    for (let cut = file.path.lastIndexOf('/'); cut > 0; cut = file.path.lastIndexOf('/', cut - 1)) {
      const parent = folders.get(file.path.slice(0, cut));
      if (parent?.change !== file.change) break;
      top = parent;
    }
    return top;
  };
  const below = new Map<FileChange, FileChange[]>();
  for (const file of files) {
    const top = folds(file) ? topOf(file) : undefined;
    if (top !== undefined)
      below
        .set(top, below.get(top) ?? [])
        .get(top)!
        .push(file);
  }
  const folded = [...below].filter(([, inner]) => inner.length > foldedFrom);
  const gone = new Set(folded.flatMap(([, inner]) => inner));
  const sums = new Map(
    folded.map(([top, inner]) => {
      const bytes = inner.reduce((sum, { after, before }) => sum + ((after ?? before)?.size ?? 0), 0);
      return [top, { entries: inner.length, bytes }] as const;
    }),
  );
  return files
    .filter((file) => !gone.has(file))
    .map((file) => (sums.has(file) ? { ...file, below: sums.get(file)! } : file));
}

function ownersOf({ before, after }: FileChange): string[] {
  return [...(after?.packages ?? []), ...(before?.packages ?? [])];
}

function compareSizes(a: readonly ListedEntry[], b: readonly ListedEntry[]): SizeChange[] {
  const before = sizesByPackage(a);
  const after = sizesByPackage(b);
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .map((name) => ({ package: name, before: before.get(name) ?? 0, after: after.get(name) ?? 0 }))
    .filter((size) => size.before !== size.after)
    .sort(
      (x, y) =>
        Math.abs(y.after - y.before) - Math.abs(x.after - x.before) || compareText(x.package ?? '', y.package ?? ''),
    );
}

function sizesByPackage(entries: readonly ListedEntry[]): Map<string | null, number> {
  const sizes = new Map<string | null, number>();
  for (const entry of entries) {
    const owner = entry.packages[0] ?? null;
    sizes.set(owner, (sizes.get(owner) ?? 0) + contentBytes(entry));
  }
  return sizes;
}

/** A release to compare. */
export interface ComparedRelease {
  /** Its record file. */
  readonly place: string;
  readonly version: string;
  readonly snapshot: string;
  readonly channels: readonly { readonly name: string; readonly packages: readonly ComparedPackage[] }[];
  readonly images: readonly ComparedImage[];
}

export interface ReleaseDiff {
  readonly type: 'release';
  readonly a: Pick<ComparedRelease, 'place' | 'version' | 'snapshot'>;
  readonly b: Pick<ComparedRelease, 'place' | 'version' | 'snapshot'>;
  /** Package changes per channel; a package that moved is removed from one and added to the other. */
  readonly channels: readonly { readonly name: string; readonly packages: readonly PackageChange[] }[];
  readonly images: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    /** Images in both releases. */
    readonly compared: readonly ImageDiff[];
  };
}

/** Compares two releases: channels and images by name. */
export function compareReleases(a: ComparedRelease, b: ComparedRelease, allFiles: boolean): ReleaseDiff {
  const names = (release: ComparedRelease): string[] => release.images.map((image) => image.name);
  const packagesOf = (release: ComparedRelease, name: string): readonly ComparedPackage[] =>
    release.channels.find((channel) => channel.name === name)?.packages ?? [];
  const channels = [...new Set([...a.channels, ...b.channels].map((channel) => channel.name))];
  return {
    type: 'release',
    a: releaseFacts(a),
    b: releaseFacts(b),
    channels: channels.map((name) => ({
      name,
      packages: diffPackages(packagesOf(a, name), packagesOf(b, name)),
    })),
    images: {
      added: names(b).filter((name) => !names(a).includes(name)),
      removed: names(a).filter((name) => !names(b).includes(name)),
      compared: a.images.flatMap((image) => {
        const other = b.images.find(({ name }) => name === image.name);
        return other === undefined ? [] : [compareImages(image, other, allFiles)];
      }),
    },
  };
}

function releaseFacts({ place, version, snapshot }: ComparedRelease): ReleaseDiff['a'] {
  return { place, version, snapshot };
}

/** Identifies a package's content independently of its signature. */
export function contentOf(pkg: { readonly rpm: Digest; readonly unsigned?: Digest | undefined }): Digest {
  return pkg.unsigned ?? pkg.rpm;
}
