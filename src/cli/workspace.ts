import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { installRoot } from '../base/paths.ts';
import type { Progress } from '../base/progress.ts';
import { loadProject } from '../project/load.ts';
import type { Project } from '../project/model.ts';
import { openProjectWorkspace, openWorkspace, type ProjectWorkspace, type Workspace } from '../release/workspace.ts';
import type { GlobalOptions } from './program.ts';

/** The workspace of `-C`, of the working folder, or, where that is in no project, of the distribution that Weir comes with. */
export function workspaceFor(globals: GlobalOptions, progress: Progress, out?: string): Promise<Workspace> {
  const options = { progress, ...(out === undefined ? {} : { out }) };
  return inProjectFolder(globals, (directory) => openWorkspace({ ...options, directory }));
}

/** The project with the caches, chosen as for `workspaceFor`: what works on specs and sources needs no release. */
export function projectWorkspaceFor(
  globals: GlobalOptions,
  progress: Progress,
  out?: string,
): Promise<ProjectWorkspace> {
  const options = { progress, ...(out === undefined ? {} : { out }) };
  return inProjectFolder(globals, (directory) => openProjectWorkspace({ ...options, directory }));
}

/** The project alone, chosen as for `workspaceFor`: it needs no release, and nothing is made in the cache. */
export function projectFor(globals: GlobalOptions): Promise<Project> {
  return inProjectFolder(globals, loadProject);
}

async function inProjectFolder<T>(globals: GlobalOptions, open: (directory: string) => Promise<T>): Promise<T> {
  try {
    return await open(globals.directory ?? process.cwd());
  } catch (error) {
    if (globals.directory !== undefined || !(error instanceof WeirError) || error.code !== 'no-project') throw error;
    return open(join(installRoot, 'distro'));
  }
}
