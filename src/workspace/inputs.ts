import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { inStage } from '../base/progress.ts';
import {
  asUrl,
  checkId,
  commandLineRepositories,
  type InputRepository,
  inputPriority,
  inputRepositories,
  leastPriority,
  type Variables,
  withVariables,
} from '../inputs/input-repository.ts';
import { type MockConfig, readMockConfig } from '../inputs/mock-config.ts';
import { type InputSource, type InputsContext, lockUsed, openInput } from '../inputs/source.ts';
import type { DistroVersion } from '../project/model/distro.ts';
import type { Architecture } from '../project/model/release.ts';
import { defaultVersion } from '../project/release-default.ts';
import { repositoriesOf } from '../project/repositories.ts';
import type { RepoSource } from '../repo/source.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type SeedRepository, seedStage } from './seed.ts';
import type { Workspace } from './workspace.ts';

/** Settings of a buildroot in addition to its packages. */
export interface BuildrootSettings {
  /** Macros of the buildroot, names without `%`. */
  readonly macros: Readonly<Record<string, string>>;
  readonly extraDirectories: readonly string[];
  /** Environment of rpmbuild. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether `%check` is skipped. */
  readonly noCheck: boolean;
}

const noSettings: BuildrootSettings = { macros: {}, extraDirectories: [], environment: {}, noCheck: false };

/** The inputs that a project builds from. */
export interface Inputs {
  /** The repositories for buildroots. */
  readonly sources: readonly RepoSource[];
  /** The repositories for images, in addition to the project's own packages. */
  readonly imageSources: readonly RepoSource[];
  /** Packages and `@groups` of every buildroot. */
  readonly buildRoot: readonly string[];
  readonly settings: BuildrootSettings;
  /** The seed, if the project builds from one. */
  readonly seed?: SeedRepository;
  /** Writes the packages that were used into `inputs.lock`. @param exact drops all others */
  readonly lock: (exact?: boolean) => Promise<number>;
}

/** Whether the inputs have a package of that name. True for every group, because components cannot provide groups. */
export function hasPackage({ sources }: Pick<Inputs, 'sources'>, name: string): boolean {
  return name.startsWith('@') || sources.some(({ names }) => names.has(name));
}

/** RPM repositories as inputs, before they are opened. */
export interface RepositoryInputs {
  readonly repositories: readonly InputRepository[];
  /** Ids of the repositories for buildroots. */
  readonly forBuilds: ReadonlySet<string>;
  /** Ids of the repositories for images. */
  readonly forImages: ReadonlySet<string>;
  readonly buildRoot: readonly string[];
  readonly settings: BuildrootSettings;
  /** Settings of a mock configuration that Weir does not support, a line each. */
  readonly notes: readonly string[];
}

/** The default in mock, and in Fedora's and Azure Linux's first stage. */
const defaultBuildRoot = ['@buildsys-build'];

/**
 * Opens the inputs that the project builds from: repositories named on the command line and `inputs.rpm-build` of the default distro's
 * version, else the `[seed]`, else the repositories of the version's mock configuration.
 * @throws WeirError `no-inputs` (exit 2) and the errors of the inputs
 */
export async function inputsStage(workspace: Workspace, toolbox: Toolbox): Promise<Inputs> {
  const chosen = repositoryInputs(workspace);
  if (chosen !== undefined) return repositoryStage(workspace, toolbox, chosen);
  const seed = await seedStage(workspace, toolbox);
  return {
    sources: [seed.source],
    imageSources: [seed.source],
    buildRoot: workspace.release.buildRoot,
    settings: noSettings,
    seed,
    lock: async () => 0,
  };
}

/** The RPM repositories that the project builds from; undefined if it builds from the seed. */
export function repositoryInputs(workspace: Workspace): RepositoryInputs | undefined {
  const { project, release, arch } = workspace;
  const version = defaultVersion(project);
  const mock = version === undefined ? undefined : mockFile(version, arch);
  const named = version?.inputs.rpmBuild ?? [];
  const words = workspace.repositories ?? [];
  if (named.length === 0 && words.length === 0 && (project.seed !== undefined || mock === undefined)) {
    if (project.seed !== undefined) return undefined;
    throw new WeirError('no-inputs', 'the project has no inputs to build from', {
      where: { file: project.file },
      hint: 'set inputs.rpm-build or a mock-config in the version of the default distro, or add a [seed] table, or use --repo URL',
      exit: 2,
    });
  }
  const config = mock === undefined ? undefined : readMockConfig(mock, { arch });
  const variables: Variables = {
    ...{ releasever: config?.releasever ?? version?.releaseVer ?? release.version, arch },
    ...(config === undefined ? {} : { others: config.dnfVars }),
  };
  const configured = inputRepositories(repositoriesOf(project, named), variables);
  const own = configured.length > 0 || config === undefined ? configured : mockRepositories(config, variables);
  const fromCommandLine = commandLineRepositories(words, variables);
  const replaced = new Set(fromCommandLine.map(({ id }) => id));
  const ofImages = inputRepositories(repositoriesOf(project, version?.inputs.imageBuild ?? []), variables);
  const onlyImages = ofImages.filter(({ id }) => !own.some((each) => each.id === id));
  const repositories = [...fromCommandLine, ...[...own, ...onlyImages].filter(({ id }) => !replaced.has(id))];
  const ids = (list: readonly InputRepository[]): Set<string> =>
    new Set([...fromCommandLine, ...list].map(({ id }) => id));
  const forImages = ids(ofImages.length === 0 ? own : ofImages);
  const buildRoot = [release.buildRoot, config?.setup ?? [], defaultBuildRoot].find((list) => list.length > 0)!;
  const notes = config === undefined ? [] : notFollowed(config);
  const settings: BuildrootSettings =
    config === undefined
      ? noSettings
      : {
          macros: config.macros,
          extraDirectories: config.extraChrootDirs,
          environment: config.environment,
          noCheck: !config.check,
        };
  return { repositories, forBuilds: ids(own), forImages, buildRoot, settings, notes };
}

/** Options of a mock configuration that would change a build but are not supported. */
function notFollowed({ ignored, plugins, repositories, moduleEnable, main, file }: MockConfig): string[] {
  const at = (place: { readonly file: string; readonly line: number }): string => `${place.file}:${place.line}`;
  return [
    ...Object.entries(ignored).map(([option, place]) => `${at(place)}: ${option} is not followed`),
    ...(moduleEnable.length > 0 ? [`${file}: module_enable is not followed: ${moduleEnable.join(', ')}`] : []),
    ...('bind_mount' in plugins ? [`${file}: the plugin bind_mount is not followed`] : []),
    ...(main.includepkgs === undefined ? [] : [`${file}: includepkgs of [main] is not followed`]),
    ...repositories
      .filter(({ enabled }) => enabled)
      .flatMap(({ id, origin, skipIfUnavailable, options, baseUrls, metalink, mirrorlist }) =>
        [
          ...(skipIfUnavailable ? [`skip_if_unavailable of ${id} is not followed: every repository is required`] : []),
          ...ignoredOptions
            .filter((key) => key in options || key in main)
            .map((key) => `${key} of ${id} is not followed`),
          ...(baseUrls.length > 0 && (metalink ?? mirrorlist) !== undefined
            ? [`baseurl of ${id} is not used beside its metalink or mirrorlist`]
            : []),
        ].map((text) => `${at(origin)}: ${text}`),
      ),
  ];
}

/** Options of a repository in dnf.conf that change what is downloaded, or from where. */
const ignoredOptions =
  'cost proxy proxy_username username password sslverify sslcacert sslclientcert sslclientkey'.split(' ');

function mockFile({ mockConfig, mockConfigX86, mockConfigArm }: DistroVersion, arch: Architecture): string | undefined {
  return (arch === 'x86_64' ? mockConfigX86 : mockConfigArm) ?? mockConfig;
}

/** The enabled repositories of a mock configuration. @throws WeirError `bad-repository` (exit 2) */
function mockRepositories(config: MockConfig, variables: Variables): InputRepository[] {
  return config.repositories
    .filter(({ enabled }) => enabled)
    .map((repo) => {
      const { id, baseUrls, metalink, mirrorlist, gpgKeys, gpgCheck, priority, origin } = repo;
      const { excludes, includes, moduleHotfixes, repoGpgCheck } = repo;
      checkId(id, origin);
      if (gpgCheck && gpgKeys.length === 0) {
        throw new WeirError('bad-repository', `repository ${id} has gpgcheck=1, but no gpgkey`, {
          where: origin,
          hint: 'set gpgkey, or gpgcheck=0 to accept unsigned packages',
          exit: 2,
        });
      }
      const list = metalink ?? mirrorlist;
      if (list === undefined && baseUrls.length === 0) {
        throw new WeirError('bad-repository', `repository ${id} has no baseurl, metalink or mirrorlist`, {
          where: origin,
          exit: 2,
        });
      }
      const replaced = (text: string): string => withVariables(text, variables, origin);
      const value = (text: string): string => asUrl(replaced(text));
      return {
        id,
        address:
          list === undefined
            ? { kind: 'baseurl', urls: baseUrls.map(value) }
            : { kind: metalink === undefined ? 'mirrorlist' : 'metalink', url: replaced(list) },
        keys: gpgKeys.map(value),
        checksSignatures: gpgCheck,
        priority: priority === undefined ? inputPriority : Math.max(priority, leastPriority),
        ...(repoGpgCheck ? { requiresSignedMetadata: true } : {}),
        ...(excludes.length + includes.length > 0 || moduleHotfixes
          ? { filter: { excludes, includes, moduleHotfixes } }
          : {}),
      };
    });
}

/** Path of the project's lock of its RPM repositories. */
export function inputsLock(workspace: Pick<Workspace, 'project'>): string {
  return join(workspace.project.root, 'inputs.lock');
}

/** The context for opening the repositories of a workspace. */
export function inputsContext(workspace: Workspace, toolbox: Toolbox, note: (text: string) => void): InputsContext {
  const { engine, cache, arch } = workspace;
  return { engine, toolbox, cache, arch, lock: inputsLock(workspace), note };
}

async function repositoryStage(
  workspace: Workspace,
  toolbox: Toolbox,
  { repositories, forBuilds, forImages, buildRoot, settings, notes }: RepositoryInputs,
): Promise<Inputs> {
  return inStage(workspace.progress, 'inputs', async (stage) => {
    const before = workspace.engine.counts.ran;
    for (const note of notes) stage.note(note);
    const context = inputsContext(workspace, toolbox, stage.note);
    const sources: InputSource[] = [];
    for (const repository of repositories) {
      stage.update(`opening ${repository.id}`);
      sources.push(await openInput(context, repository));
    }
    return {
      result: {
        sources: sources.filter(({ id }) => forBuilds.has(id)),
        imageSources: sources.filter(({ id }) => forImages.has(id)),
        ...{ buildRoot, settings },
        lock: (exact) => lockUsed(context, sources, exact),
      },
      summary: sources.map(({ id, size, locked }) => `${id} ${locked.revision}: ${size} packages`).join(', '),
      cached: workspace.engine.counts.ran === before,
    };
  });
}
