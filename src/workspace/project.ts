import { cachePath, cacheRoot } from '../base/paths.ts';
import { guardFolder } from '../base/read-only.ts';
import type { LoadOptions } from '../project/load.ts';
import type { Project } from '../project/model/project.ts';
import { loadCached } from '../project/project-cache.ts';

/** Loads the project that contains a folder; from the cache if its files are unchanged (see `loadCached`). */
export async function openProject(dir: string, options: LoadOptions = {}): Promise<Project> {
  const cache = cacheRoot();
  const place = { dir: cachePath(cache, 'projects'), key: cachePath(cache, 'store', 'key') };
  const project = await loadCached(dir, options, place);
  guardFolder(project.root);
  return project;
}
