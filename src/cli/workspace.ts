import { join } from 'node:path';
import { formatError, WeirError } from '../base/errors.ts';
import { installRoot } from '../base/paths.ts';
import type { Progress } from '../base/progress.ts';
import { type LoadOptions, loadConfiguration, loadProject } from '../project/load.ts';
import type { Project } from '../project/model.ts';
import type { Configuration } from '../project/resolve.ts';
import { openProjectWorkspace, openWorkspace, type ProjectWorkspace, type Workspace } from '../workspace/workspace.ts';
import type { GlobalOptions } from './program.ts';

/** The workspace of `-C`, of the working folder, or, where that is in no project, of the distribution that Weir comes with. */
export async function workspaceFor(globals: GlobalOptions, progress: Progress, out?: string): Promise<Workspace> {
  const options = { progress, ...outFolder(out) };
  return warned(globals, await inProjectFolder(globals, (place) => openWorkspace({ ...options, ...place })));
}

/** The project with the caches, chosen as for `workspaceFor`: what works on specs and sources needs no release. */
export async function projectWorkspaceFor(
  globals: GlobalOptions,
  progress: Progress,
  out?: string,
): Promise<ProjectWorkspace> {
  const options = { progress, ...outFolder(out) };
  return warned(globals, await inProjectFolder(globals, (place) => openProjectWorkspace({ ...options, ...place })));
}

/** The project alone, chosen as for `workspaceFor`: it needs no release, and nothing is made in the cache. */
export async function projectFor(globals: GlobalOptions): Promise<Project> {
  const project = await inProjectFolder(globals, ({ directory, load }) => loadProject(directory, load));
  return warned(globals, { project }).project;
}

/** The project with the files that it was made from, chosen as for `workspaceFor`. */
export async function configurationFor(globals: GlobalOptions): Promise<Configuration> {
  return warned(globals, await inProjectFolder(globals, ({ directory, load }) => loadConfiguration(directory, load)));
}

/** The same for commands that change the project's files: never that of the distribution that Weir comes with, unasked. */
export async function ownConfigurationFor(globals: GlobalOptions): Promise<Configuration> {
  return warned(globals, await loadConfiguration(globals.directory ?? process.cwd(), loadOptions(globals)));
}

/** An empty name is a variable that was not set: as a path it would be the working folder. */
function outFolder(out: string | undefined): { readonly out?: string } {
  if (out === '') throw new WeirError('bad-option', '--out takes a folder, not nothing', { exit: 2 });
  return out === undefined ? {} : { out };
}

interface ProjectPlace {
  readonly directory: string;
  readonly load: LoadOptions;
}

async function inProjectFolder<T>(globals: GlobalOptions, open: (place: ProjectPlace) => Promise<T>): Promise<T> {
  const load = loadOptions(globals);
  try {
    return await open({ directory: globals.directory ?? process.cwd(), load });
  } catch (error) {
    if (globals.directory !== undefined || !(error instanceof WeirError) || error.code !== 'no-project') throw error;
    return open({ directory: join(installRoot, 'distro'), load });
  }
}

function loadOptions({ configFiles, permissive }: GlobalOptions): LoadOptions {
  return { configFiles, permissive };
}

/** Says what the load of a project warns of. */
function warned<T extends { readonly project: Project }>(globals: GlobalOptions, workspace: T): T {
  for (const warning of globals.quiet ? [] : workspace.project.warnings) {
    process.stderr.write(`${formatError(warning, 'warning')}\n`);
  }
  return workspace;
}
