import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { provenanceStatement } from '../../audit/provenance.ts';
import { type Digest, valueDigest } from '../../base/digest.ts';
import { WeirError, withContext } from '../../base/errors.ts';
import { byPath } from '../../base/order.ts';
import { inStage } from '../../base/progress.ts';
import type { BuiltComponents } from '../../component/build.ts';
import { codeDigest } from '../../engine/code-digest.ts';
import { readBlobText } from '../../engine/store.ts';
import { gzipBy } from '../../image/gzip.ts';
import type { Image, WeirImage } from '../../project/model/image.ts';
import { nevra, type RepoPackage } from '../../repo/metadata.ts';
import { resolveCached } from '../../repo/resolve.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import { installTree } from '../../tree/install.ts';
import { layOver } from '../../tree/lay-over.ts';
import { printListing, treeBytes } from '../../tree/listing.ts';
import { withEntries } from '../../tree/overlayfs.ts';
import type { FileEntry, Tree } from '../../tree/tree.ts';
import { withoutFiles } from '../../tree/without-files.ts';
import { signEnvelope, statementType } from '../../trust/dsse.ts';
import type { ImageKey } from '../../trust/image-key.ts';
import type { Inputs } from '../../workspace/inputs.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { type ImageRecord, recordText } from '../record-schema.ts';
import type { PublishedRepository } from '../repository.ts';
import { checkBudget } from './budget.ts';
import { checkContainerUser } from './container-user.ts';
import { imageEntries } from './entries.ts';
import { evidenceInputs, imageContents, osReleaseOf } from './evidence.ts';
import { recordFile, rememberFiles } from './file-stamps.ts';
import { describeFile, describeFiles } from './files.ts';
import { provenanceFile, provenanceSubjects } from './image-record.ts';
import { knownImage } from './known-image.ts';
import { laidTree, packagesLeft } from './laid-tree.ts';
import { renderImage } from './render.ts';
import { exchangeBy, replaceFolder } from './replace-folder.ts';
import { finaliseWith, leftOut } from './scripts.ts';
import { type StoredSetup, storedDefinition, storedSetups } from './setup.ts';

export interface BuiltImage {
  readonly record: ImageRecord;
  readonly dir: string;
  readonly cached: boolean;
}

/** The inputs shared by all images. */
export interface ImageContext {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly repository: PublishedRepository;
  readonly inputs: Inputs;
  readonly built: BuiltComponents;
  /** Signs the provenance. */
  readonly key: ImageKey;
}

/** One image with its input digests. */
interface Wanted {
  readonly image: Image;
  readonly definition: WeirImage;
  /** Its setups with files in the store. */
  readonly setups: readonly StoredSetup[];
  readonly packages: readonly RepoPackage[];
  /** Digest of everything that its content comes from; its UUIDs derive from it. */
  readonly content: Digest;
  /** Digest of everything that its bytes come from: also the code and the inputs of its evidence. */
  readonly inputs: Digest;
}

/** The image's tree, one entry per line; read by `weir image diff`. */
export const treeFile = 'tree.jsonl.gz';

/** Builds one image from the published repository; reuses it if nothing changed. */
export async function imageStage(context: ImageContext, image: Image): Promise<BuiltImage> {
  const { workspace, toolbox, key } = context;
  const made = inStage<BuiltImage>(workspace.progress, image.name, async (stage) => {
    const wanted = await wantedImage(context, image);
    const dir = join(workspace.out, 'images', image.name);
    const { inputs } = wanted;
    const known = await knownImage(workspace, toolbox, { dir, name: image.name, inputs, key }, stage);
    if (known !== undefined) {
      return { result: { record: known, dir, cached: true }, summary: summarise(known), cached: true };
    }
    stage.update(`composing ${wanted.packages.length} packages`);
    const { tree, log } = await imageTree(context, wanted, (text) => stage.update(text));
    stage.update('writing the image');
    const record = await replaceFolder(dir, exchangeBy(toolbox), (folder) =>
      writeImage(context, wanted, tree, log, folder),
    );
    await rememberFiles(workspace, dir, { text: recordText(record), files: record.files });
    return { result: { record, dir, cached: false }, summary: summarise(record), cached: false };
  });
  return made.catch((error: unknown) => {
    throw ofImage(error, image);
  });
}

/** Builds an image into a folder, always anew. @param from the image of the project that it is derived from */
export async function buildDerivedImage(
  context: ImageContext,
  image: Image,
  from: string,
  folder: string,
): Promise<ImageRecord> {
  try {
    const wanted = await wantedImage(context, image);
    const { tree, log } = await imageTree(context, wanted, () => {});
    return await writeImage(context, wanted, tree, log, folder, from);
  } catch (error) {
    throw ofImage(error, image);
  }
}

/** The packages of an image and its definition. @throws WeirError `image-kind` */
async function resolvedImage({ workspace, toolbox, repository }: ImageContext, image: Image) {
  const { engine, arch } = workspace;
  const { definition } = image;
  if (definition?.type !== 'weir') {
    throw new WeirError('image-kind', `image ${image.name} has no Weir definition`, {
      where: image.origin,
      hint: 'set definition = { type = "weir", … }',
      exit: 2,
    });
  }
  const packages = await resolveCached(
    { engine, toolbox, arch },
    repository.sources,
    definition.packages,
    `image ${image.name}`,
    definition.excludePackages,
    definition.weakDependencies,
  );
  return { definition, packages };
}

/** The packages of an image, before its scripts. @throws WeirError `image-kind` */
export async function packagesOfImage(context: ImageContext, image: Image): Promise<readonly RepoPackage[]> {
  return (await resolvedImage(context, image)).packages;
}

/** Resolves the image's packages. @throws WeirError `image-kind` */
async function wantedImage(context: ImageContext, image: Image): Promise<Wanted> {
  const { workspace, toolbox, key } = context;
  const { engine, clock, arch, project, release } = workspace;
  const { definition, packages } = await resolvedImage(context, image);
  const setups = await storedSetups(engine.store, definition);
  const content = {
    packages: packages.map((pkg) => pkg.rpm),
    definition: storedDefinition(definition, setups),
    toolbox: toolbox.digest,
    clock,
    arch,
    release: project.lifecycle,
    key: key.id,
  };
  const inputs = {
    ...content,
    code: codeDigest(import.meta.url),
    image: [image.name, image.description, release.version],
    evidence: await evidenceInputs(packages, context),
  };
  const digests = { content: valueDigest(content), inputs: valueDigest(inputs) };
  return { image, definition, setups, packages, ...digests };
}

/**
 * Composes and finalises the image's root file system, and runs its scripts.
 * @returns the tree with the packages that are left, and the log of finalising
 */
async function imageTree(
  { workspace, toolbox }: ImageContext,
  { image, definition, setups, packages, content }: Wanted,
  tell: (text: string) => void,
): Promise<{ readonly tree: Tree; readonly log: readonly string[] }> {
  const { engine, cache, clock } = workspace;
  const installed = await installTree(engine, toolbox, packages, { clock });
  for (const warning of installed.warnings) workspace.progress.note(image.name, warning);
  const left = leftOut(setups);
  const files = left === undefined ? installed.tree : await withoutFiles(engine, installed.tree, left);
  const added = await imageEntries(workspace, image.name, definition, files, content);
  const composed = layOver(withEntries(files, added), [], clock);
  const laid = await laidTree(engine.store, composed, setups, clock);
  const options = {
    ...{ cache, clock, rpmdb: true, presets: definition.kind !== 'container' },
    selinux: definition.kind === 'disk' && definition.selinux !== 'disabled',
    enable: definition.enabledServices,
    disable: definition.disabledServices,
  };
  const { tree, log } = await finaliseWith(engine, toolbox, laid, setups, options, tell);
  if (definition.maxSize !== undefined) checkBudget(image, definition.maxSize, tree);
  if (definition.kind === 'container' && definition.container.user !== undefined) {
    const text = ({ digest }: FileEntry) => readBlobText(engine.store, digest);
    await checkContainerUser(image, definition.container.user, tree, text);
  }
  return { tree, log: [...installed.log, ...log] };
}

/** Writes the image's files, evidence and record to a folder. */
async function writeImage(
  context: ImageContext,
  { image, definition, setups, packages: resolved, content, inputs }: Wanted,
  tree: Tree,
  log: readonly string[],
  folder: string,
  derivedFrom?: string,
): Promise<ImageRecord> {
  const { workspace, toolbox, repository, key } = context;
  const { name } = image;
  const { kind } = definition;
  const packages = packagesLeft(resolved, tree);
  const osRelease = await osReleaseOf(workspace, tree);
  const contents = await imageContents(workspace, { name, kind }, osRelease, packages, context);
  // Their libraries are not loaded for images that are reused.
  const [{ spdxDocument }, { cyclonedxDocument }] = await Promise.all([
    import('../../audit/spdx.ts'),
    import('../../audit/cyclonedx.ts'),
  ]);
  await writeFile(join(folder, 'sbom.spdx.json'), `${JSON.stringify(spdxDocument(contents), null, 1)}\n`);
  await writeFile(join(folder, 'sbom.cdx.json'), `${JSON.stringify(cyclonedxDocument(contents), null, 1)}\n`);
  await gzipBy(toolbox)(Readable.from([Buffer.from(printListing(tree))]), join(folder, treeFile));
  const source = { workspace, toolbox, image, definition, packages, tree, osRelease, uuidSeed: content };
  const { details, digests } = await renderImage(source, folder);
  const files = await describeFiles(toolbox, folder, digests);
  const statement = provenanceStatement(contents, {
    arch: workspace.arch,
    snapshot: repository.snapshot.name,
    definition: storedDefinition(definition, setups),
    inputs,
    toolbox: toolbox.digest,
    subjects: provenanceSubjects(name, details, files),
  });
  const envelope = signEnvelope(key, statementType, Buffer.from(JSON.stringify(statement)));
  await writeFile(join(folder, provenanceFile), `${JSON.stringify(envelope)}\n`);
  const record: ImageRecord = {
    name,
    kind,
    ...(derivedFrom === undefined ? {} : { derivedFrom }),
    inputs,
    snapshot: repository.snapshot.name,
    packages: packages.map((pkg) => ({ ...pkg, nevra: nevra(pkg) })),
    files: [...files, await describeFile(folder, provenanceFile)].sort(byPath),
    installedSize: treeBytes(tree.entries),
    osRelease,
    details,
    log,
  };
  await writeFile(join(folder, recordFile), recordText(record));
  return record;
}

/** Adds the line that defines the image to an error without a place. */
export function ofImage(error: unknown, { origin }: Pick<Image, 'origin'>): unknown {
  if (!(error instanceof WeirError) || error.code === 'interrupted' || error.where?.file !== undefined) return error;
  return withContext(error, { where: { ...error.where, file: origin.file, line: origin.line } });
}

function summarise(record: ImageRecord): string {
  const megabytes = Math.round(record.installedSize / 1e6);
  const formats =
    record.kind === 'container'
      ? 'OCI layout'
      : record.files
          .map((file) => /\.(raw|qcow2|vhd|vhdx|wsl)$/.exec(file.path)?.[1])
          .filter(Boolean)
          .join(', ');
  return `${record.packages.length} packages, ${megabytes} MB installed: ${formats}`;
}
