import { join } from 'node:path';
import { formatError, WeirError } from '../base/errors.ts';
import { installRoot } from '../base/paths.ts';
import type { Progress } from '../base/progress.ts';
import type { LoadOptions } from '../project/load.ts';
import type { Project } from '../project/model/project.ts';
import type { Configuration } from '../project/resolve.ts';
import { profileFile } from '../project/root-file.ts';
import { openProject } from '../workspace/project.ts';
import type { ProjectWorkspace, Workspace } from '../workspace/workspace.ts';
import type { GlobalOptions } from './program.ts';

/** The workspace of `-C` or the working folder; outside any project, that of the distribution that comes with Weir. */
export async function workspaceFor(globals: GlobalOptions, progress: Progress, out?: string): Promise<Workspace> {
  const { openWorkspace } = await import('../workspace/workspace.ts');
  const options = { progress, ...outFolder(out) };
  return warned(globals, await inProjectFolder(globals, (place) => openWorkspace({ ...options, ...place })));
}

/** Like `workspaceFor`, for commands that need specs and sources but no release. */
export async function projectWorkspaceFor(
  globals: GlobalOptions,
  progress: Progress,
  out?: string,
): Promise<ProjectWorkspace> {
  const { openProjectWorkspace } = await import('../workspace/workspace.ts');
  const options = { progress, ...outFolder(out) };
  return warned(globals, await inProjectFolder(globals, (place) => openProjectWorkspace({ ...options, ...place })));
}

/** Only the project, found as for `workspaceFor`. Needs no release; the cache only keeps loaded projects, where it can. */
export async function projectFor(globals: GlobalOptions): Promise<Project> {
  const project = await inProjectFolder(globals, ({ directory, load }) => openProject(directory, load));
  return warned(globals, { project }).project;
}

/** Like `projectFor`, with the files that the project was read from. */
export async function configurationFor(globals: GlobalOptions): Promise<Configuration> {
  const { loadConfiguration } = await import('../project/load.ts');
  return warned(globals, await inProjectFolder(globals, ({ directory, load }) => loadConfiguration(directory, load)));
}

/** For commands that edit the project's files: never falls back to the distribution that comes with Weir. */
export async function ownConfigurationFor(globals: GlobalOptions): Promise<Configuration> {
  const { loadConfiguration } = await import('../project/load.ts');
  const directory = globals.directory ?? process.cwd();
  return warned(globals, await loadConfiguration(directory, loadOptions(globals, directory)));
}

/** Like `projectWorkspaceFor`, for commands that edit the project's files. */
export async function ownWorkspaceFor(
  globals: GlobalOptions,
  progress: Progress,
  out?: string,
): Promise<ProjectWorkspace> {
  const { openProjectWorkspace } = await import('../workspace/workspace.ts');
  const directory = globals.directory ?? process.cwd();
  const options = { progress, ...outFolder(out), directory, load: loadOptions(globals, directory) };
  return warned(globals, await openProjectWorkspace(options));
}

/** Rejects an empty path, as from an unset variable: it would mean the working folder. */
function outFolder(out: string | undefined): { readonly out?: string } {
  if (out === '') throw new WeirError('bad-option', '--out requires a folder, but is empty', { exit: 2 });
  return out === undefined ? {} : { out };
}

interface ProjectPlace {
  readonly directory: string;
  readonly load: LoadOptions;
}

async function inProjectFolder<T>(globals: GlobalOptions, open: (place: ProjectPlace) => Promise<T>): Promise<T> {
  const at = (directory: string): ProjectPlace => ({ directory, load: loadOptions(globals, directory) });
  try {
    return await open(at(globals.directory ?? process.cwd()));
  } catch (error) {
    if (globals.directory !== undefined || !(error instanceof WeirError) || error.code !== 'no-project') throw error;
    return open(at(join(installRoot, 'distro')));
  }
}

/** How to load the project of a folder. @throws WeirError `no-profile` */
export function loadOptions({ profile, configFiles, permissive }: GlobalOptions, directory: string): LoadOptions {
  const own = profile === undefined ? [] : [profileFile(directory, profile)];
  return { configFiles: [...own, ...configFiles], permissive };
}

/** Prints the warnings of loading a project. */
function warned<T extends { readonly project: Project }>(globals: GlobalOptions, workspace: T): T {
  for (const warning of globals.quiet ? [] : workspace.project.warnings) {
    process.stderr.write(`${formatError(warning, 'warning')}\n`);
  }
  return workspace;
}
