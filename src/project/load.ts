import { basename, dirname, resolve } from 'node:path';
import { collect } from './collect.ts';
import { componentsOf, groupsOf } from './component.ts';
import { distrosOf, projectInfoOf, resourcesOf } from './distro.ts';
import type { Reasons } from './document.ts';
import { imagesOf, testSuitesOf } from './image.ts';
import { findRootFile, readWithIncludes } from './include.ts';
import { packagePublishOf } from './layer.ts';
import type { Project } from './model.ts';
import { checkChannels, packageGroupsOf } from './publish.ts';
import { lifecycleOf, releaseOf, seedOf, signingOf, toolboxOf } from './release.ts';

export interface LoadOptions {
  /** Further configuration files, merged after the project's own, in this order; relative to the working folder. */
  readonly configFiles?: readonly string[];
  /**
   * Whether an overlay without a description is an error. By default it is in a project that starts from `weir.toml`;
   * one that starts from `azldev.toml` is read as azldev reads it.
   */
  readonly reasons?: Reasons;
}

/**
 * Loads the project that a folder is in: finds `weir.toml` or `azldev.toml` there or above, reads what it includes,
 * merges, and gives every component what it inherits.
 * @throws WeirError with exit code 2, the file, and the line where there is one; see the functions of this folder for
 *   the codes
 */
export async function loadProject(dir: string, options: LoadOptions = {}): Promise<Project> {
  const file = findRootFile(dir);
  const reasons = options.reasons ?? (basename(file) === 'azldev.toml' ? 'optional' : 'required');
  const documents = [file, ...(options.configFiles ?? []).map((path) => resolve(path))].flatMap((path) =>
    readWithIncludes(path, reasons),
  );
  const collected = collect(documents);
  const components = componentsOf(collected);
  const release = releaseOf(collected);
  if (release !== undefined && release.channels.length > 0) {
    checkChannels(
      collected,
      release.channels.map((channel) => channel.name),
    );
  }
  return {
    root: dirname(file),
    file,
    files: documents.map((document) => document.path),
    project: projectInfoOf(collected),
    distros: distrosOf(collected),
    components,
    groups: groupsOf(collected, components),
    packageGroups: packageGroupsOf(collected),
    defaultPublish: packagePublishOf(collected.defaultPackage),
    images: imagesOf(collected),
    testSuites: testSuitesOf(collected),
    resources: resourcesOf(collected),
    seed: seedOf(collected),
    toolbox: toolboxOf(collected),
    signing: signingOf(collected),
    lifecycle: lifecycleOf(collected),
    release,
  };
}
