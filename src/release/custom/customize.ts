import { readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { didYouMean, type Place, WeirError } from '../../base/errors.ts';
import { inStage } from '../../base/progress.ts';
import type { BuildOptions } from '../../component/build.ts';
import { joinedList } from '../../project/image-extends.ts';
import type { Image, ImageFormat, WeirImage } from '../../project/model/image.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { chosenImages, withRepository } from '../build.ts';
import { parsedRecord } from '../image/image-record.ts';
import { withKiwiImages } from '../image/kiwi.ts';
import { exchangeBy, replaceFolder } from '../image/replace-folder.ts';
import { setupDigest, storeSetup } from '../image/setup.ts';
import { buildDerivedImage, packagesOfImage } from '../image/stage.ts';
import type { ImageRecord } from '../record-schema.ts';
import type { Customization } from './customization.ts';
import { checkImageFile, checkImageFolder } from './output.ts';
import { withPasswords } from './passwords.ts';
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
  // All that the setup names is read first, so that a missing file costs no build.
  const stored = await storeSetup(workspace.engine.store, custom.setup).catch((error: unknown) => {
    throw ofCustomization(error, custom.file);
  });
  // The repository gets what the image asks for, like what every image of the project does.
  const images = new Map([...workspace.project.images, [`${image.name} (customized)`, image] as const]);
  return withRepository({ ...workspace, project: { ...workspace.project, images } }, options, async (context) => {
    return inStage(workspace.progress, image.name, async (stage) => {
      stage.update(`deriving it from ${name}`);
      if (custom.remove.length > 0) checkRemoved(custom, name, await packagesOfImage(context, base));
      const { setup, passwords } = custom;
      const hashed = await withPasswords(context.toolbox, setup, passwords, `${image.name}/${setupDigest(stored)}`);
      const final = { ...image, definition: { ...image.definition, custom: hashed } };
      const record = await replaceFolder(folder, exchangeBy(context.toolbox), (temporary) =>
        buildDerivedImage(context, final, name, temporary),
      ).catch((error: unknown) => {
        throw ofCustomization(error, custom.file);
      });
      if (file !== undefined) await rename(join(folder, file), output.path);
      const result = { name: image.name, from: name, path: output.path, evidence: folder, record };
      return { result, summary: `${record.packages.length} packages, derived from ${name}`, cached: false };
    });
  });
}

/** What is wrong with something that a configuration asks for is wrong with the configuration. */
function ofCustomization(error: unknown, file: string): unknown {
  const codes = ['no-file', 'file-conflict', 'invalid-account'];
  if (!(error instanceof WeirError) || error.where?.file !== file || !codes.includes(error.code)) return error;
  return problem(error.where, error.message, error.hint);
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
): { readonly image: Image & { readonly definition: WeirImage }; readonly file: string | undefined } {
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
  const { install, enable, disable, commandLine, hostname, selinux, setup, placeOf } = custom;
  const remove = custom.remove.filter((name) => !install.includes(name));
  const refuse = (key: string, why: string): never => {
    throw problem(placeOf(['os', key]), `"os.${key}" does not fit: ${why}`);
  };
  const { kind } = definition;
  if (kind === 'container' && enable.length + disable.length > 0)
    refuse('services', 'a container starts one program, no units');
  if (kind !== 'disk' && commandLine.length > 0) refuse('kernelCommandLine', 'only a disk has a kernel');
  if (kind !== 'disk' && selinux !== undefined) refuse('selinux', 'only a disk has a policy of its own');
  if (kind === 'wsl' && hostname !== undefined) refuse('hostname', 'Windows sets the host name');
  if (kind === 'disk' && definition.disk.ownBootLoader === true) {
    const why = 'the boot loader of the image sets the command line';
    if (commandLine.length > 0) refuse('kernelCommandLine', why);
    if (selinux !== undefined && selinux !== definition.selinux) refuse('selinux', why);
  }
  const common = {
    packages: joinedList(definition.packages, install, remove),
    excludePackages: joinedList(definition.excludePackages, remove, install),
    enabledServices: joinedList(definition.enabledServices, enable, disable),
    disabledServices: joinedList(definition.disabledServices, disable, enable),
    ...(hostname === undefined ? {} : { hostname }),
    ...(selinux === undefined ? {} : { selinux }),
    custom: setup,
  };
  if (definition.kind !== 'disk') return { ...definition, ...common };
  const kernel = { commandLine: [...definition.kernel.commandLine, ...commandLine] };
  return { ...definition, ...common, kernel };
}
