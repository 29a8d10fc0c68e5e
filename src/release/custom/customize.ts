import { readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { type Digest, valueDigest } from '../../base/digest.ts';
import { didYouMean, type Place, WeirError } from '../../base/errors.ts';
import { inStage } from '../../base/progress.ts';
import type { BuildOptions } from '../../component/build.ts';
import type { Image, ImageFormat, WeirImage } from '../../project/model/image.ts';
import type { Entry, Tree } from '../../tree/tree.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { chosenImages, withRepository } from '../build.ts';
import { parsedRecord } from '../image/image-record.ts';
import { withKiwiImages } from '../image/kiwi.ts';
import { exchangeBy, replaceFolder } from '../image/replace-folder.ts';
import { type ImageContext, type ImageExtras, imageWithExtras, packagesOfImage } from '../image/stage.ts';
import type { ImageRecord } from '../record-schema.ts';
import { addFiles } from './custom-files.ts';
import { addUsers, passwordHashes, readPasswords, withPasswords } from './custom-users.ts';
import type { Customization } from './customization.ts';
import { checkImageFile, checkImageFolder } from './output.ts';
import { TreePaths } from './tree-paths.ts';
import { problem } from './yaml.ts';

/** Where the result goes. */
export interface CustomOutput {
  /** A file with the ending of a disk or WSL format, or a folder. */
  readonly path: string;
  /** A format instead of the one of the path's ending. */
  readonly format: string | undefined;
  /** Lines that name them, if they come from a file. */
  readonly places?: { readonly path?: Place; readonly format?: Place };
}

export interface CustomImage {
  readonly name: string;
  /** The image that it was derived from. */
  readonly from: string;
  /** The file, or the folder of an image that is one. */
  readonly path: string;
  /** Folder with record, SBOMs, provenance and list of files. */
  readonly evidence: string;
  readonly record: ImageRecord;
}

/**
 * Derives an image: its definition with what a customization adds and removes, built from the packages of the release, with
 * SBOM and provenance like every other. Of what exists, only an empty folder or a customized image is replaced.
 * @throws WeirError `bad-image-config` (exit 2) with the line of what does not fit the image; `bad-option` and those of
 *   `checkImageFolder` (exit 2) before anything is built; those of a build
 */
export async function customizeImage(
  given: Workspace,
  name: string,
  custom: Customization,
  output: CustomOutput,
  options: Pick<BuildOptions, 'jobs' | 'keepGoing'>,
): Promise<CustomImage> {
  const workspace = withKiwiImages(given, chosenImages(given, [name]), true);
  const base = workspace.project.images.get(name)!;
  const { image, file } = derivedImage(base, custom, output);
  const folder = file === undefined ? output.path : `${output.path}.evidence`;
  if (file !== undefined) await checkImageFile(output.path, output.places?.path);
  await checkImageFolder(folder, output.places?.path);
  const extras = await extrasOf(workspace, custom, image.name);
  // The repository gets what the image asks for, like what every image of the project does.
  const images = new Map([...workspace.project.images, [`${image.name} (customized)`, image] as const]);
  return withRepository({ ...workspace, project: { ...workspace.project, images } }, options, async (context) => {
    return inStage(workspace.progress, image.name, async (stage) => {
      stage.update(`deriving it from ${name}`);
      if (custom.remove.length > 0) checkRemoved(custom, name, await packagesOfImage(context, base));
      const record = await replaceFolder(folder, exchangeBy(context.toolbox), async (temporary) =>
        imageWithExtras(context, image, { ...(await extras(context)), from: name }, temporary),
      );
      if (file !== undefined) await rename(join(folder, file), output.path);
      const result = { name: image.name, from: name, path: output.path, evidence: folder, record };
      return { result, summary: `${record.packages.length} packages, derived from ${name}`, cached: false };
    });
  });
}

/** Refuses to remove what the image does not have. @throws WeirError `bad-image-config` (exit 2) with the line */
export function checkRemoved(
  { removedAt }: Pick<Customization, 'removedAt'>,
  name: string,
  packages: readonly { readonly name: string }[],
): void {
  const names = new Set(packages.map((each) => each.name));
  for (const [removed, place] of removedAt) {
    if (!names.has(removed))
      throw problem(place, `image ${name} has no package ${removed}`, didYouMean(removed, names));
  }
}

/**
 * The name of the project's image that a file was built as.
 * @throws WeirError `foreign-image` (exit 2) if there is no record of it beside the file
 */
export async function imageOfFile(workspace: Pick<Workspace, 'project'>, path: string): Promise<string> {
  const folder = await stat(path).then(
    (info) => (info.isDirectory() ? path : dirname(path)),
    () => {
      throw new WeirError('no-file', 'there is no such file', { where: { file: path }, exit: 2 });
    },
  );
  const record = parsedRecord(await readFile(join(folder, 'image.json'), 'utf8').catch(() => ''));
  const isPart = record?.files.some((file) => join(folder, file.path) === path) === true || folder === path;
  if (record !== undefined && isPart && workspace.project.images.has(record.name)) return record.name;
  throw new WeirError(
    'foreign-image',
    'this is no image of the project: there is no record of it in an image.json beside it',
    {
      where: { file: path },
      hint: 'Weir derives the new image from the definition of one of the project: name that image instead of a file',
      exit: 2,
    },
  );
}

const endings: Readonly<Record<string, ImageFormat>> = {
  '.raw': 'raw',
  '.img': 'raw',
  '.qcow2': 'qcow2',
  '.vhd': 'vhd',
  '.vhdx': 'vhdx',
  '.wsl': 'wsl',
};
const formatNames: Readonly<Record<string, ImageFormat>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vhd: 'vhd',
  'vhd-fixed': 'vhd',
  vhdx: 'vhdx',
  wsl: 'wsl',
  oci: 'oci',
};

/** The image with a customized definition, and the file in its folder that is asked for. */
export function derivedImage(
  base: Image,
  custom: Customization,
  output: CustomOutput,
): { readonly image: Image; readonly file: string | undefined } {
  const { definition } = base;
  if (definition?.type !== 'weir') {
    throw new WeirError('image-kind', `image ${base.name} has no Weir definition`, {
      where: base.origin,
      hint: 'name an image with definition = { type = "weir" or "kiwi", … }',
      exit: 2,
    });
  }
  const ending = extname(output.path);
  const byEnding = endings[ending.toLowerCase()];
  // Without a word about it, the path would be a folder.
  if (byEnding === undefined && /^\.[a-z][a-z0-9]*$/i.test(ending)) {
    throw new WeirError('bad-option', `Weir writes no ${ending} image: ${output.path}`, {
      ...(output.places?.path === undefined ? {} : { where: output.places.path }),
      hint: `end the path in one of ${Object.keys(endings).join(', ')}, or name a folder without an ending`,
      exit: 2,
    });
  }
  const name = basename(output.path, byEnding === undefined ? '' : ending)
    .toLowerCase()
    .replace(/[^a-z0-9._-]/g, '-');
  const formats = formatsOf(base.name, definition, byEnding, output);
  const image = { ...base, name, definition: { ...derived(definition, custom), formats } as WeirImage };
  return { image, file: byEnding === undefined ? undefined : `${name}.${formats[0]}` };
}

function formatsOf(
  name: string,
  { kind, formats: own }: WeirImage,
  byEnding: ImageFormat | undefined,
  { path, format: asked, places }: CustomOutput,
): readonly ImageFormat[] {
  const possible = { disk: ['raw', 'qcow2', 'vhd', 'vhdx'], container: ['oci'], wsl: ['wsl'] }[kind];
  const format = asked === undefined ? byEnding : formatNames[asked];
  if (asked === undefined && format === undefined) return own;
  const where = asked === undefined ? places?.path : places?.format;
  if (format === 'oci' && byEnding !== undefined && kind === 'container') {
    throw new WeirError('bad-option', `a container is written as a folder, so its path has no ending: ${path}`, {
      ...(where === undefined ? {} : { where }),
      hint: 'name a folder in --output-path',
      exit: 2,
    });
  }
  if (format !== undefined && possible.includes(format)) return [format];
  throw new WeirError('bad-option', `image ${name} cannot be written as ${asked ?? format}`, {
    ...(where === undefined ? {} : { where }),
    hint: `its formats: ${possible.join(', ')}`,
    exit: 2,
  });
}

function derived(definition: WeirImage, custom: Customization): WeirImage {
  const { install, remove, enable, disable, commandLine, hostname, selinux, placeOf } = custom;
  const without = (all: readonly string[], some: readonly string[]): string[] =>
    all.filter((each) => !some.includes(each));
  const refuse = (key: string, why: string): never => {
    throw problem(placeOf(['os', key]), `"os.${key}" does not fit: ${why}`);
  };
  const { kind } = definition;
  if (kind === 'container' && enable.length + disable.length > 0)
    refuse('services', 'a container starts one program, no units');
  if (kind !== 'disk' && commandLine.length > 0) refuse('kernelCommandLine', 'only a disk has a kernel');
  if (kind !== 'disk' && selinux !== undefined) refuse('selinux', 'only a disk has a policy of its own');
  if (kind === 'wsl' && hostname !== undefined) refuse('hostname', 'Windows sets the host name');
  const common = {
    packages: [...new Set([...without(definition.packages, remove), ...install])],
    excludePackages: [...new Set([...without(definition.excludePackages, install), ...without(remove, install)])],
    enabledServices: [...new Set([...without(definition.enabledServices, disable), ...without(enable, disable)])],
    disabledServices: [...new Set([...without(definition.disabledServices, enable), ...disable])],
    ...(hostname === undefined ? {} : { hostname }),
    ...(selinux === undefined ? {} : { selinux }),
  };
  if (definition.kind !== 'disk') return { ...definition, ...common };
  const kernel = { commandLine: [...definition.kernel.commandLine, ...commandLine] };
  return { ...definition, ...common, kernel };
}

/** Files and users of a customization. Everything that it names is read first, so that a missing file costs no build. */
async function extrasOf(
  { engine, clock }: Workspace,
  custom: Customization,
  name: string,
): Promise<(context: ImageContext) => Promise<Omit<ImageExtras, 'from'>>> {
  const { store } = engine;
  const entriesIn = async (tree: Tree) => {
    const paths = new TreePaths(tree, clock);
    await addUsers(store, paths, custom, clock);
    await addFiles(store, paths, custom, clock);
    return paths.added;
  };
  const texts = await readPasswords(custom);
  const draft = await entriesIn({ entries: [], packages: [] });
  return async ({ toolbox }) => {
    const hashes = await passwordHashes(toolbox, custom, texts, `${name}/${valueDigest(draft)}`);
    const finish = (tree: Tree): Promise<Tree> => withPasswords(store, tree, custom, hashes);
    return { digest: extrasDigest(custom, draft, hashes), entries: entriesIn, finish };
  };
}

/**
 * Digest of what a customization adds. It is published, so of passwords it covers only the hashes that are in the image.
 * @param draft its entries in an empty tree
 */
export function extrasDigest(
  { dirs, users }: Pick<Customization, 'dirs' | 'users'>,
  draft: readonly Entry[],
  hashes: readonly (string | undefined)[],
): Digest {
  // Only a folder that the image has gets these.
  const merged = dirs.map(({ destination, mergedDirPermissions }) => [destination, mergedDirPermissions ?? null]);
  const age = users.map(({ name, passwordExpiresDays }) => [name, passwordExpiresDays ?? null]);
  return valueDigest([draft, merged, hashes.map((hash) => hash ?? null), age]);
}
