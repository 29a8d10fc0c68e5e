import { homedir } from 'node:os';
import { join } from 'node:path';
import { closest, WeirError } from '../base/errors.ts';
import { withLock } from '../base/lock.ts';
import { inStage } from '../base/progress.ts';
import { sweep } from '../engine/engine.ts';
import { orphanedFolders, renderedSpecsDir, writeRendered } from '../overlay/rendered-folder.ts';
import type { Image } from '../project/model.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { openSigningKey, type SigningKey } from '../trust/gpg.ts';
import { type ImageKeyOptions, imageKeyVariable, openImageKey } from '../trust/image-key.ts';
import { buildStage, prepareComponents, type ReadyComponent } from './components.ts';
import { type BuiltImage, imageStage } from './images.ts';
import { checkLockstep } from './lockstep.ts';
import { claimOutput, markOutput } from './output.ts';
import { releaseImages, writeReleaseRecord } from './record.ts';
import type { Release } from './release.ts';
import { repositoryStage } from './repository.ts';
import { seedStage } from './seed.ts';
import { toolboxStage, type Workspace } from './workspace.ts';

/**
 * Makes the release: toolbox → seed → rendered specs → packages → signed repository → images → evidence, each only as far as
 * something changed. One run at a time may write an output folder.
 * @param only names of images to make; all by default
 */
export async function buildRelease(workspace: Workspace, only?: readonly string[]): Promise<Release> {
  // Before anything is built: a misspelt name must not cost a build.
  const chosen = chosenImages(workspace, only);
  const { out } = workspace;
  await claimOutput(out);
  return withLock(join(out, '.lock'), async () => {
    await sweep([out, join(out, 'images')]);
    const toolbox = await toolboxStage(workspace, 'core');
    const key = await signingKey(workspace, toolbox);
    const imageKey = await openImageKey(imageKeyOptions(workspace));
    const seed = await seedStage(workspace, toolbox);
    const ready = await renderStage(workspace, key);
    const built = await buildStage(workspace, toolbox, seed, ready);
    // Before anything is written there, so that a run that is killed leaves a folder that the next one knows.
    await markOutput(out);
    const repository = await repositoryStage(workspace, toolbox, key, seed, built);
    const images: BuiltImage[] = [];
    for (const image of chosen) {
      images.push(await imageStage(workspace, toolbox, repository, { seed, built, key: imageKey }, image));
    }
    const release = { workspace, toolbox, key, imageKey, seed, built, repository, images };
    const records = await releaseImages(release);
    checkLockstep(records);
    await writeReleaseRecord(release, records);
    return release;
  });
}

/**
 * The images that Weir makes, in the order of the project. @param only names; all where left out
 * @throws WeirError `no-image` for a name that the project does not have
 */
export function chosenImages(workspace: Pick<Workspace, 'project'>, only?: readonly string[]): Image[] {
  const { images } = workspace.project;
  for (const name of only ?? []) {
    if (images.has(name)) continue;
    const near = closest(name, images.keys())[0];
    throw new WeirError('no-image', `the project has no image ${name}`, {
      hint: near === undefined ? `it has ${[...images.keys()].join(', ')}` : `did you mean ${near}?`,
      exit: 2,
    });
  }
  return [...images.values()].filter(
    (image) => image.definition?.type === 'weir' && (only === undefined || only.includes(image.name)),
  );
}

export function signingKey(workspace: Workspace, toolbox: Toolbox): Promise<SigningKey> {
  return openSigningKey(toolbox, {
    cache: workspace.cache,
    fingerprint: workspace.project.signing.key,
    userHome: process.env.GNUPGHOME || join(homedir(), '.gnupg'),
  });
}

/** Where the key for images is. */
export function imageKeyOptions({ cache, project }: Pick<Workspace, 'cache' | 'project'>): ImageKeyOptions {
  return { cache, publicKey: project.signing.imageKey, secret: process.env[imageKeyVariable] };
}

/** Fetches sources, applies overlays, and writes the rendered specs that changed. */
export async function renderStage(workspace: Workspace, key: SigningKey): Promise<ReadyComponent[]> {
  return inStage(workspace.progress, 'specs', async (stage) => {
    stage.update(`rendering ${workspace.project.components.size} components`);
    const ready = await prepareComponents(workspace, key);
    const root = renderedSpecsDir(workspace.project);
    let written = 0;
    for (const { rendered } of ready) {
      if (writeRendered(root, rendered).stale.length > 0) written++;
      for (const warning of rendered.warnings) stage.note(`${rendered.name}: ${warning}`);
    }
    const orphans = orphanedFolders(root, new Set(workspace.project.components.keys()));
    for (const orphan of orphans)
      stage.note(`${orphan} is rendered but no component; weir component render --clean removes it`);
    return {
      result: ready,
      summary: `${ready.length} components, ${ready.reduce((sum, each) => sum + each.component.overlays.length, 0)} overlays, ${written} rendered anew`,
      cached: written === 0,
    };
  });
}
