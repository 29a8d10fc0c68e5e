import { dirname } from 'node:path';
import type { DiskInputs } from '../toml/disk-inputs.ts';
import type { Reading, Reasons } from '../toml/document.ts';
import { Problems } from '../toml/problems.ts';
import { collect } from './collect.ts';
import { componentsOf, inheritedPublish } from './component.ts';
import { defaultsFor } from './defaults.ts';
import { dialectOf } from './dialect.ts';
import { distrosOf, projectInfoOf } from './distro.ts';
import { imagesOf, testSuitesOf, toolsOf } from './image.ts';
import { type ConfigDocument, readWithIncludes } from './include.ts';
import { packagePublishOf } from './layer.ts';
import { groupsOf } from './members.ts';
import type { Dialect, Project } from './model/project.ts';
import { checkChannels, packageGroupsOf } from './publish.ts';
import { advisoriesOf, lifecycleOf, releaseOf, seedOf, signingOf, toolboxOf } from './release.ts';
import type { Configuration } from './resolve.ts';
import { resourcesOf } from './resources.ts';
import { isAzldev, rootFiles } from './root-file.ts';
import { skuGroupsOf, testGroupsOf, testsOf } from './tests.ts';

export interface LoadOptions {
  /** Further configuration files, merged last, in this order; relative to the working folder. */
  readonly configFiles?: readonly string[];
  /** Whether unknown keys, and unknown names in lists, are warnings; see `Project.warnings`. */
  readonly permissive?: boolean;
  /** The environment that locates the user's own configuration; by default the process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** By default detected; see `dialectOf`. */
  readonly dialect?: Dialect['name'];
  /**
   * Whether an overlay without a description is an error. By default it is one in a project with a `weir.toml`; a project
   * with an `azldev.toml` is read as azldev reads it.
   */
  readonly reasons?: Reasons;
  /** Collects everything on the disk that the load depends on, except the root files' names; see `loadCached`. */
  readonly inputs?: DiskInputs;
}

/**
 * Loads the project that a folder is in: finds `weir.toml` or `azldev.toml` there or above, and merges, later over
 * earlier, the built-in values, that file and all its includes, the user's own configuration, and the files of
 * `options.configFiles`. Then gives every component what it inherits.
 * @throws WeirError with exit code 2, the file, the line if known, and the other errors behind it; see the functions of this
 *   folder for the codes
 */
export async function loadProject(dir: string, options: LoadOptions = {}): Promise<Project> {
  return (await loadConfiguration(dir, options)).project;
}

/** All files in merge order. The files that the user adds follow the rules of the project. */
function readAll([root, ...others]: ReturnType<typeof rootFiles>, reading: Reading): ConfigDocument[] {
  const own = readWithIncludes(root, reading);
  const specified = own[0]?.specified === true ? { specified: true } : {};
  return [...own, ...others.flatMap((file) => readWithIncludes(file, { ...reading, ...specified }))];
}

/** `loadProject`, with the files that the project was made from, for commands that explain it. */
export async function loadConfiguration(dir: string, options: LoadOptions = {}): Promise<Configuration> {
  const roots = rootFiles(dir, options);
  const file = roots[0].path;
  const { inputs } = options;
  const problems = new Problems(options.permissive);
  const reasons = options.reasons ?? (isAzldev(file) ? 'optional' : 'required');
  const reading = { reasons, problems, ...(inputs === undefined ? {} : { inputs }) };
  const read = readAll(roots, reading);
  const documents = [defaultsFor(file, isAzldev(file)), ...read];
  const detected = dialectOf(file, read, inputs);
  const dialect: Dialect =
    options.dialect === undefined ? detected : { ...detected, name: options.dialect, because: 'requested' };
  const collected = collect(documents, dialect.name !== 'azldev 0.3');
  // References between tables are checked only if all tables loaded.
  problems.throwIfAny();
  const components = componentsOf(collected, problems);
  const release = problems.attempt(() => releaseOf(collected));
  const channels = release?.channels.map((channel) => channel.name) ?? [];
  if (channels.length > 0) checkChannels(collected, channels, problems);
  const resources = resourcesOf(collected, problems);
  const project: Project = {
    root: dirname(file),
    file,
    files: read.map((document) => document.path),
    configFiles: read.map((document) => document.read),
    dialect,
    warnings: [],
    project: projectInfoOf(collected),
    distros: distrosOf(collected, resources, problems),
    components,
    groups: groupsOf(collected, components, problems),
    packageGroups: packageGroupsOf(collected, problems),
    defaultPublish: packagePublishOf(collected.defaultPackage),
    inheritedPublish: inheritedPublish(collected),
    images: imagesOf(collected, problems),
    testSuites: testSuitesOf(collected, problems),
    tests: testsOf(collected, problems),
    testGroups: testGroupsOf(collected, problems),
    skuGroups: skuGroupsOf(collected, problems),
    resources,
    tools: toolsOf(collected),
    seed: seedOf(collected),
    toolbox: toolboxOf(collected),
    signing: signingOf(collected),
    lifecycle: problems.attempt(() => lifecycleOf(collected)),
    advisories: advisoriesOf(collected, dirname(file)),
    release,
  };
  problems.throwIfAny();
  return { project: { ...project, warnings: problems.warnings }, collected };
}
