import { join } from 'node:path';
import { withLock } from '../base/file-lock.ts';
import { mapLimit } from '../base/files.ts';
import { checkAfterBoot } from '../build/after-boot.ts';
import { type BuildOptions, buildStage } from '../component/build.ts';
import { sweep } from '../engine/engine.ts';
import type { Image } from '../project/model/image.ts';
import { openImageKey } from '../trust/image-key.ts';
import { inputsStage } from '../workspace/inputs.ts';
import { imageKeyOptions, signingKey } from '../workspace/keys.ts';
import { claimOutput, markOutput } from '../workspace/output.ts';
import { toolboxStage, type Workspace } from '../workspace/workspace.ts';

import { imageStage } from './image/stage.ts';
import { checkLockstep } from './lockstep.ts';
import { checkImageName } from './published.ts';
import { type Release, releaseImages, writeReleaseRecord } from './record.ts';
import { repositoryStage } from './repository.ts';

/** Most of the time an image keeps one processor busy: mke2fs, the SELinux compiler and others have a single thread. */
const imagesAtOnce = 3;

/**
 * Builds the release: toolbox → inputs → rendered specs → packages → signed repository → images → evidence. Each step runs only
 * if its inputs changed. The output folder is locked: one build at a time.
 * @param only names of images to build; all by default
 * @throws ComponentsError if a component could not be built; no release is written then
 */
export async function buildRelease(
  workspace: Workspace,
  only?: readonly string[],
  options: Pick<BuildOptions, 'jobs' | 'keepGoing'> = {},
): Promise<Release> {
  // Check first: a misspelt name must not cost a build.
  const chosen = chosenImages(workspace, only);
  const { out } = workspace;
  await claimOutput(out);
  await checkAfterBoot(workspace.cache, workspace.engine);
  return withLock(join(out, '.lock'), async () => {
    await sweep([out, join(out, 'images')]);
    const toolbox = await toolboxStage(workspace, 'core');
    const key = await signingKey(workspace, toolbox);
    const imageKey = await openImageKey(imageKeyOptions(workspace));
    const inputs = await inputsStage(workspace, toolbox);
    const built = await buildStage(workspace, toolbox, inputs, key, options);
    // Mark the folder before writing to it, so that the next run recognises it even if this one is killed.
    await markOutput(out);
    const repository = await repositoryStage(workspace, toolbox, key, inputs, built);
    await inputs.lock();
    const context = { workspace, toolbox, repository, inputs, built, key: imageKey };
    const images = await mapLimit(chosen, imagesAtOnce, (image) => imageStage(context, image));
    const release = { workspace, toolbox, key, imageKey, inputs, built, repository, images };
    const records = await releaseImages(release);
    checkLockstep(records);
    await writeReleaseRecord(release, records);
    return release;
  });
}

/**
 * The images that Weir builds, in project order. @param only names; all by default
 * @throws WeirError `no-image` for an unknown name
 */
export function chosenImages(workspace: Pick<Workspace, 'project'>, only?: readonly string[]): Image[] {
  const { images } = workspace.project;
  for (const name of only ?? []) checkImageName(workspace.project, name);
  return [...images.values()].filter(
    (image) => image.definition?.type === 'weir' && (only === undefined || only.includes(image.name)),
  );
}
