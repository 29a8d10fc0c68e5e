// What can be compared: images and releases as they lie in folders, of this build or of an older one.

import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { systemCode, WeirError } from '../../base/errors.ts';
import { exists, readIfExists } from '../../base/files.ts';
import { parseNevra } from '../../repo/metadata.ts';
import { type ListedEntry, parseListing } from '../../tree/listing.ts';
import type { ProjectWorkspace } from '../../workspace/workspace.ts';
import { checkImageName, imageFolder, type ReleaseRecord } from '../published.ts';
import {
  type ComparedImage,
  type ComparedRelease,
  compareImages,
  compareReleases,
  contentOf,
  type ImageDiff,
  type ReleaseDiff,
} from './image-diff.ts';
import type { ImageRecord } from './image-record.ts';
import type { ComparedPackage } from './package-diff.ts';
import { treeFile } from './stage.ts';

export interface CompareOptions {
  /** No trees are read: packages alone are compared. */
  readonly packagesOnly: boolean;
  /** Files are listed too that a package's change of version explains. */
  readonly allFiles: boolean;
}

type Built = Pick<ProjectWorkspace, 'project' | 'out'>;

type Side =
  | { readonly type: 'image'; readonly image: ComparedImage }
  | { readonly type: 'release'; readonly release: ComparedRelease };

/**
 * Compares two images, or two releases.
 * @param a an image's name in the last build, a folder of an image, a release's folder or its `release.json`; so is `b`
 * @param open gives the project, which only names of images need
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
  throw new WeirError('different-kinds', `${one.type} ${a} cannot be compared with ${other.type} ${b}`, {
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
    throw new WeirError('not-an-image', 'there is nothing of this name', {
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
    throw new WeirError('not-an-image', 'this is neither the folder of an image nor that of a release', {
      where: { file: text },
      hint: 'an image has an image.json, a release a release.json; weir build makes both',
      exit: 2,
    });
  }
  return { type: 'release', release: await releaseIn(file, record, options) };
}

/** @throws WeirError `no-image` where none is built there */
async function imageIn(dir: string, name: string, options: CompareOptions): Promise<ComparedImage> {
  const record = await readJson<ImageRecord>(join(dir, 'image.json'), (value) => Array.isArray(value.packages));
  if (record === undefined) {
    throw new WeirError('no-image', `image ${name} is not built yet`, {
      where: { file: dir },
      hint: `weir build --image ${name} makes it`,
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
    throw new WeirError('no-tree', `image ${name} was built before images had their tree beside them`, {
      where: { file },
      hint: `build it again (weir build --image ${name}), or compare with --packages, which needs no tree`,
    });
  }
  try {
    return parseListing((await promisify(gunzip)(packed)).toString(), file);
  } catch (error) {
    if (error instanceof WeirError) throw error;
    throw new WeirError('bad-tree', 'this is no gzipped tree', {
      where: { file },
      hint: `the file is damaged: build the image again (weir build --image ${name})`,
      cause: error,
    });
  }
}

async function releaseIn(file: string, record: ReleaseRecord, options: CompareOptions): Promise<ComparedRelease> {
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

/** The tree of a release's image, as long as that very image lies beside the record. @throws WeirError `no-image`, `no-tree` */
async function treeOfRelease(dir: string, name: string, inputs: string): Promise<ListedEntry[]> {
  const there = await readJson<ImageRecord>(join(dir, 'image.json'), () => true);
  if (there?.inputs === inputs) return treeIn(dir, name);
  const what = there === undefined ? 'is not beside it' : 'has been built anew since';
  throw new WeirError('no-image', `image ${name} of this release ${what}`, {
    where: { file: dir },
    hint: 'compare with --packages, which needs the release.json alone',
  });
}

function fromNevra(file: string, text: string, content: string): ComparedPackage {
  const pkg = parseNevra(text);
  if (pkg !== undefined) return { ...pkg, content };
  throw new WeirError('bad-release', `'${text}' is no NEVRA of a package`, { where: { file } });
}

function comparedPackage(pkg: Omit<ComparedPackage, 'content'>, content: string): ComparedPackage {
  const { name, epoch, version, release, arch } = pkg;
  return { name, epoch, version, release, arch, content };
}

/** A JSON object that looks as it should; undefined where there is none. */
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
