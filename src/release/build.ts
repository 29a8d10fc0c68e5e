import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { withLock } from '../base/file-lock.ts';
import { mapLimit } from '../base/files.ts';
import { checkAfterBoot } from '../build/after-boot.ts';
import { type BuildOptions, type BuiltComponents, buildStage } from '../component/build.ts';
import { sweep } from '../engine/engine.ts';
import type { Image } from '../project/model/image.ts';
import type { SigningKey } from '../trust/gpg.ts';
import { openImageKey } from '../trust/image-key.ts';
import { inputsStage } from '../workspace/inputs.ts';
import { imageKeyOptions, signingKey } from '../workspace/keys.ts';
import { claimOutput, markOutput } from '../workspace/output.ts';
import { toolboxStage, type Workspace } from '../workspace/workspace.ts';

import { withKiwiImages } from './image/kiwi.ts';
import { type ImageContext, imageStage } from './image/stage.ts';
import { sweepKept } from './keep-release.ts';
import { checkLockstep } from './lockstep.ts';
import { checkImageName } from './published.ts';
import { type Release, releaseImages, writeReleaseRecord } from './record.ts';
import { repositoryStage } from './repository.ts';

/** Most of the time an image keeps one processor busy: mke2fs, the SELinux compiler and others have a single thread. */
const imagesAtOnce = 3;

export interface ReleaseOptions extends Pick<BuildOptions, 'jobs' | 'keepGoing'> {
  /** Called when all packages are built, before the repository with its advisories is made. */
  readonly onBuilt?: (built: BuiltComponents) => Promise<void>;
}

/**
 * Builds the release: toolbox → inputs → rendered specs → packages → signed repository → images → evidence. Each step runs only
 * if its inputs changed. The output folder is locked: one build at a time.
 * @param only names of images to build; all by default
 * @throws ComponentsError if a component could not be built; no release is written then
 */
export async function buildRelease(
  given: Workspace,
  only?: readonly string[],
  options: ReleaseOptions = {},
): Promise<Release> {
  // Check first: a misspelt name must not cost a build.
  const workspace = withKiwiImages(given, chosenImages(given, only), only !== undefined);
  const chosen = chosenImages(workspace, only).filter(({ definition }) => definition?.type === 'weir');
  return withRepository(workspace, options, async (prepared) => {
    const { key: imageKey, signer: key, ...context } = prepared;
    const images = await mapLimit(chosen, imagesAtOnce, (image) => imageStage({ ...context, key: imageKey }, image));
    const release = { ...context, key, imageKey, images };
    const records = await releaseImages(release);
    checkLockstep(records);
    await writeReleaseRecord(release, records);
    return release;
  });
}

/**
 * Builds everything that images are made from, up to the signed repository, and hands it to `work` while the output folder is
 * locked. @param work gets what all images share, and the key of the packages
 */
export async function withRepository<T>(
  workspace: Workspace,
  options: ReleaseOptions,
  work: (prepared: ImageContext & { readonly signer: SigningKey }) => Promise<T>,
): Promise<T> {
  const { out } = workspace;
  await claimOutput(out);
  await checkAfterBoot(workspace.cache, workspace.engine);
  return withLock(join(out, '.lock'), async () => {
    await sweep([out, join(out, 'images')]);
    await sweepKept(out);
    const toolbox = await toolboxStage(workspace, 'core');
    const signer = await signingKey(workspace, toolbox);
    const key = await openImageKey(imageKeyOptions(workspace));
    const inputs = await inputsStage(workspace, toolbox);
    const built = await buildStage(workspace, toolbox, inputs, signer, options);
    await options.onBuilt?.(built);
    // Mark the folder before writing to it, so that the next run recognises it even if this one is killed.
    await markOutput(out);
    const repository = await repositoryStage(workspace, toolbox, { signer, imageKey: key }, inputs, built);
    await inputs.lock();
    return work({ workspace, toolbox, repository, inputs, built, key, signer });
  });
}

/**
 * The images that Weir builds, in project order. @param only names; all by default
 * @throws WeirError `no-image` for an unknown name, `image-architecture`
 */
export function chosenImages(
  { project, arch }: Pick<Workspace, 'project' | 'arch'>,
  only?: readonly string[],
): Image[] {
  for (const name of only ?? []) {
    checkImageName(project, name);
    const image = project.images.get(name)!;
    if (isForArch(image, arch)) continue;
    throw new WeirError('image-architecture', `image ${name} is not for ${arch}`, {
      where: image.origin,
      hint: `its architectures are ${image.architectures.join(', ')}`,
      exit: 2,
    });
  }
  return [...project.images.values()].filter(
    (image) =>
      image.definition !== undefined && (only === undefined ? isForArch(image, arch) : only.includes(image.name)),
  );
}

function isForArch({ architectures }: Image, arch: Workspace['arch']): boolean {
  return architectures.length === 0 || architectures.includes(arch);
}
