import { cachePath, cacheRoot } from '../base/paths.ts';
import type { LoadOptions } from '../project/load.ts';
import type { Project } from '../project/model/project.ts';
import { loadCached } from '../project/project-cache.ts';

/** Loads the project that contains a folder; from the cache if its files are unchanged (see `loadCached`). */
export function openProject(dir: string, options: LoadOptions = {}): Promise<Project> {
  const cache = cacheRoot();
  return loadCached(dir, options, { dir: cachePath(cache, 'projects'), key: cachePath(cache, 'store', 'key') });
}
