// Loads the images and releases to compare from their folders, of this build or an older one.

import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { systemCode, WeirError } from '../../base/errors.ts';
import { exists, readIfExists } from '../../base/files.ts';
import { parseNevra } from '../../repo/metadata.ts';
import { type ListedEntry, parseListing } from '../../tree/listing.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { checkImageName, imageFolder } from '../published.ts';
import type { ImageRecord, ReleaseRecord } from '../record-schema.ts';
import {
  type ComparedImage,
  type ComparedRelease,
  compareImages,
  compareReleases,
  contentOf,
  type ImageDiff,
  type ReleaseDiff,
} from './image-diff.ts';
import type { ComparedPackage } from './package-diff.ts';
import { treeFile } from './stage.ts';

export interface CompareOptions {
  /** Compares packages only and reads no trees. */
  readonly packagesOnly: boolean;
  /** Also lists files whose change a new package version explains. */
  readonly allFiles: boolean;
}

type Built = Pick<ProjectWorkspace, 'project' | 'out'>;

type Side =
  | { readonly type: 'image'; readonly image: ComparedImage }
  | { readonly type: 'release'; readonly release: ComparedRelease };

/**
 * Compares two images, or two releases.
 * @param a name of an image in the last build, an image's folder, a release's folder or its `release.json`; the same for `b`
 * @param open opens the project, needed only for image names
 * @throws WeirError `no-image`, `not-an-image`, `no-tree`, `bad-tree`, `different-kinds`
 */
export async function diffBuilt(
  open: () => Promise<Built>,
  a: string,
  b: string,
  options: CompareOptions,
): Promise<ImageDiff | ReleaseDiff> {
  const one = await readSide(open, a, options);
  const other = await readSide(open, b, options);
  if (one.type === 'image' && other.type === 'image') return compareImages(one.image, other.image, options.allFiles);
  if (one.type === 'release' && other.type === 'release') {
    return compareReleases(one.release, other.release, options.allFiles);
  }
  throw new WeirError('different-kinds', `cannot compare ${one.type} ${a} with ${other.type} ${b}`, {
    hint: 'name two images or two releases',
    exit: 2,
  });
}

async function readSide(open: () => Promise<Built>, text: string, options: CompareOptions): Promise<Side> {
  if (!/\/|^\.\.?$|\.json$/.test(text)) {
    const workspace = await open();
    if (workspace.project.images.has(text) || !(await exists(text))) {
      checkImageName(workspace.project, text);
      return { type: 'image', image: await imageIn(imageFolder(workspace, text), text, options) };
    }
  }
  const info = await stat(text).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (info === undefined) {
    throw new WeirError('not-an-image', 'no such image, file or folder', {
      where: { file: text },
      hint: 'name an image, its folder, or the folder of a release',
      exit: 2,
    });
  }
  const dir = info.isDirectory() ? text : dirname(text);
  if (info.isDirectory() ? await exists(join(dir, 'image.json')) : basename(text) === 'image.json') {
    return { type: 'image', image: await imageIn(dir, basename(dir), options) };
  }
  const file = info.isDirectory() ? join(dir, 'release.json') : text;
  const record = await readJson<ReleaseRecord>(file, (value) => Array.isArray(value.channels));
  if (record === undefined) {
    throw new WeirError('not-an-image', 'not an image or release folder', {
      where: { file: text },
      hint: 'an image folder has an image.json, a release folder a release.json',
      exit: 2,
    });
  }
  return { type: 'release', release: await comparedRelease(file, record, options) };
}

/** @throws WeirError `no-image` if the folder holds no image */
async function imageIn(dir: string, name: string, options: CompareOptions): Promise<ComparedImage> {
  const record = await readJson<ImageRecord>(join(dir, 'image.json'), (value) => Array.isArray(value.packages));
  if (record === undefined) {
    throw new WeirError('no-image', `image ${name} was not built yet`, {
      where: { file: dir },
      hint: `run: weir build --image ${name}`,
    });
  }
  const packages = record.packages.map((pkg) => comparedPackage(pkg, contentOf(pkg)));
  const { kind, snapshot, installedSize } = record;
  const image = { name: record.name, kind, snapshot, installedSize, place: dir, packages };
  return options.packagesOnly ? image : { ...image, entries: await treeIn(dir, record.name) };
}

/** @throws WeirError `no-tree` */
async function treeIn(dir: string, name: string): Promise<ListedEntry[]> {
  const file = join(dir, treeFile);
  let packed: Buffer;
  try {
    packed = await readFile(file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new WeirError('no-tree', `image ${name} has no tree file: an older Weir built it`, {
      where: { file },
      hint: `rebuild it (weir build --image ${name}), or compare packages only with --packages`,
    });
  }
  try {
    return parseListing((await promisify(gunzip)(packed)).toString(), file);
  } catch (error) {
    if (error instanceof WeirError) throw error;
    throw new WeirError('bad-tree', 'not a gzipped tree', {
      where: { file },
      hint: `the file is corrupt: rebuild the image (weir build --image ${name})`,
      cause: error,
    });
  }
}

/**
 * A release as it is compared. @param file its record, for places in messages; the images' trees are looked for beside it
 * @throws WeirError `bad-release`; for trees `no-image`, `no-tree`, `bad-tree`
 */
export async function comparedRelease(
  file: string,
  record: ReleaseRecord,
  options: Pick<CompareOptions, 'packagesOnly'>,
): Promise<ComparedRelease> {
  const channels = record.channels.map(({ name, packages }) => ({
    name,
    packages: packages.map((pkg) => fromNevra(file, pkg.nevra, contentOf({ rpm: pkg.sha256, unsigned: pkg.unsigned }))),
  }));
  const published = new Map(
    record.channels.flatMap(({ packages }, index) =>
      packages.map((pkg, at) => [pkg.nevra, channels[index]!.packages[at]!] as const),
    ),
  );
  const images: ComparedImage[] = [];
  for (const { name, kind, inputs, installedSize, packages } of record.images) {
    const dir = join(dirname(file), 'images', name);
    const image = {
      name,
      kind,
      snapshot: record.snapshot,
      installedSize,
      place: dir,
      packages: packages.map((text) => published.get(text) ?? fromNevra(file, text, '')),
    };
    images.push(options.packagesOnly ? image : { ...image, entries: await treeOfRelease(dir, name, inputs) });
  }
  const { version, snapshot } = record;
  return { place: file, version, snapshot, channels, images };
}

/** The tree of a release's image, if that build of the image still exists. @throws WeirError `no-image`, `no-tree` */
async function treeOfRelease(dir: string, name: string, inputs: string): Promise<ListedEntry[]> {
  const there = await readJson<ImageRecord>(join(dir, 'image.json'), () => true);
  if (there?.inputs === inputs) return treeIn(dir, name);
  const what = there === undefined ? 'is missing' : 'was rebuilt since';
  throw new WeirError('no-image', `image ${name} of this release ${what}`, {
    where: { file: dir },
    hint: 'compare packages only with --packages, which reads just release.json',
  });
}

function fromNevra(file: string, text: string, content: string): ComparedPackage {
  const pkg = parseNevra(text);
  if (pkg !== undefined) return { ...pkg, content };
  throw new WeirError('bad-release', `invalid NEVRA '${text}'`, { where: { file } });
}

function comparedPackage(pkg: Omit<ComparedPackage, 'content'>, content: string): ComparedPackage {
  const { name, epoch, version, release, arch } = pkg;
  return { name, epoch, version, release, arch, content };
}

/** Reads a JSON object that passes a check; undefined if missing or invalid. */
async function readJson<T>(
  file: string,
  looksRight: (value: Record<string, unknown>) => boolean,
): Promise<T | undefined> {
  const text = await readIfExists(file);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    return typeof value === 'object' && value !== null && looksRight(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
