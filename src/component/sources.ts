import { dirname, join } from 'node:path';
import { isOffline } from '../base/network.ts';
import { fetchTarball, loadLookaside } from '../seed/lookaside.ts';
import type { SourceContext } from '../sources/fetch.ts';
import { type ProjectWorkspace, seedApt } from '../workspace/workspace.ts';
import { scriptRunner } from './scripts.ts';

/**
 * The sources of a workspace: its caches, the seed's tarballs if the project has a seed, and a sandbox for scripts.
 * Nothing is fetched if `WEIR_OFFLINE` is set. The lookasides in `WEIR_LOOKASIDE`, separated by blanks, are tried after the
 * distro's own.
 */
export async function sourceContext(workspace: ProjectWorkspace): Promise<SourceContext> {
  const { project, engine, cache } = workspace;
  const seedDir = join(project.root, '..', 'seed');
  const tarballs = await loadLookaside(
    project.seed?.mappings[0] === undefined ? seedDir : dirname(project.seed.mappings[0]),
  );
  const runScript = scriptRunner(workspace);
  return {
    store: engine.store,
    cache,
    offline: isOffline(),
    skipLockValidation: workspace.skipLockValidation === true,
    mirrors: (process.env.WEIR_LOOKASIDE ?? '').split(/\s+/).filter((template) => template !== ''),
    runScript,
    lookaside: async ({ filename }) => {
      const tarball = tarballs.get(filename);
      if (tarball === undefined || project.seed === undefined) return undefined;
      const seed = project.seed;
      return fetchTarball(engine, () => seedApt(workspace, seed), tarball);
    },
  };
}
