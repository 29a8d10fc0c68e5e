import { buildStage } from '../component/build.ts';
import { inputsStage } from '../workspace/inputs.ts';
import { signingKey } from '../workspace/keys.ts';
import { toolboxStage, type Workspace } from '../workspace/workspace.ts';
import { sortIntoChannels } from './repository.ts';

/**
 * Drops packages from `inputs.lock` that neither building a component nor the release uses. Builds components that are not built yet.
 * @returns how many packages were dropped
 */
export async function pruneInputs(workspace: Workspace): Promise<number> {
  const toolbox = await toolboxStage(workspace, 'core');
  const key = await signingKey(workspace, toolbox);
  const inputs = await inputsStage(workspace, toolbox);
  const built = await buildStage(workspace, toolbox, inputs, key);
  // Images take their packages from the release's channels.
  await sortIntoChannels(workspace, toolbox, inputs, built);
  return inputs.lock(true);
}
