import { mkdir } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sha256 } from '../base/digest.ts';
import { didYouMean, WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import type { DistroVersion } from '../project/model/distro.ts';
import type { Project } from '../project/model/project.ts';
import type { Architecture } from '../project/model/release.ts';
import { type Repository, repositoriesBelow, repositoriesOf } from '../project/repositories.ts';
import { runOnTerminal } from '../workspace/toolbox-commands.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { builtRelease, channelFolder } from './published.ts';

/** Path of the cache folder in dnf's sandbox. */
const dnfCache = '/tmp/dnf';

/** The repositories to query. */
export type RepositoryChoice =
  /** The repositories of the last release built. */
  | { readonly from: 'release' }
  /** The inputs of a version of the project's default distro. */
  | { readonly from: 'project'; readonly version: string; readonly use: 'rpm-build' | 'image-build' }
  /** A template's layout below base addresses. */
  | { readonly from: 'prefix'; readonly prefixes: readonly string[]; readonly template: string };

export interface QueryOptions {
  readonly arches: readonly Architecture[];
  readonly debuginfo: boolean;
  readonly sources: boolean;
}

/**
 * Runs the toolbox's dnf5 on this terminal with only the chosen repositories.
 * @returns dnf's exit code
 * @throws WeirError `unknown-version`, `unknown-template`, `no-repositories`, `not-built`
 */
export async function queryRepositories(
  workspace: ProjectWorkspace,
  choice: RepositoryChoice,
  options: QueryOptions,
  words: readonly string[],
): Promise<number> {
  const repositories = await chosenRepositories(workspace, choice);
  const version = choice.from === 'project' ? defaultVersion(workspace.project, choice.version) : undefined;
  const argv: string[] = [];
  /** Host folder → path in the sandbox. A host path could contain characters that dnf splits at. */
  const places = new Map<string, string>();
  for (const repository of repositories) {
    if (!options.debuginfo && repository.kind === 'debug') continue;
    if (!options.sources && repository.kind === 'source') continue;
    for (const { id, address, option } of perArch(repository, options.arches)) {
      const local = localFolder(address);
      // dnf reports a missing folder like an unreachable address.
      const there = local !== undefined && (await exists(local));
      // A unique path: dnf caches repository metadata by address.
      if (there) places.set(local, `/tmp/repos/${sha256(local).slice(0, 16)}`);
      const seen = there ? `file://${places.get(local)}` : address;
      argv.push(`--repofrompath=${id},${option === 'metalink' ? 'file:///nonexistent' : seen}`);
      if (option === 'metalink') argv.push(`--setopt=${id}.baseurl=`, `--setopt=${id}.metalink=${seen}`);
      // An unreachable repository must not hide the results of the others; dnf reports it.
      argv.push(`--setopt=${id}.skip_if_unavailable=1`, `--setopt=${id}.gpgcheck=0`);
    }
  }
  if (argv.length === 0) {
    throw new WeirError('no-repositories', 'no repository matches', {
      hint: 'run: weir repo query --help',
      exit: 2,
    });
  }
  const cache = cachePath(workspace.cache, 'dnf');
  await mkdir(cache, { recursive: true });
  const dnf = [
    'dnf5',
    '--setopt=reposdir=/nonexistent',
    `--setopt=cachedir=${dnfCache}`,
    '--setopt=plugins=0',
    '--installroot=/tmp/root',
    `--releasever=${version?.releaseVer ?? version?.name ?? workspace.project.release?.version ?? '0'}`,
    `--forcearch=${options.arches[0]!}`,
    ...argv,
    ...words,
  ];
  return runOnTerminal(workspace, 'core', dnf, {
    network: true,
    binds: [{ from: cache, to: dnfCache, writable: true }, ...[...places].map(([from, to]) => ({ from, to }))],
  });
}

async function chosenRepositories(
  workspace: ProjectWorkspace,
  choice: RepositoryChoice,
): Promise<readonly Repository[]> {
  const { project } = workspace;
  if (choice.from === 'prefix') {
    return choice.prefixes.flatMap((prefix, index) =>
      repositoriesBelow(project, choice.template, prefix).map((repository) =>
        choice.prefixes.length === 1 ? repository : { ...repository, id: `${index + 1}-${repository.id}` },
      ),
    );
  }
  if (choice.from === 'project') {
    const { inputs } = defaultVersion(project, choice.version);
    return repositoriesOf(project, choice.use === 'rpm-build' ? inputs.rpmBuild : inputs.imageBuild);
  }
  const release = await builtRelease(workspace);
  return release.channels.map(({ name }) => ({
    id: name,
    address: { baseUri: pathToFileURL(channelFolder(workspace, release, name)).href },
    kind: 'binary',
    gpgKey: undefined,
    arches: [],
  }));
}

function defaultVersion(project: Project, name: string): DistroVersion {
  const distro = project.distros.get(project.project.defaultDistro?.name ?? '');
  const version = distro?.versions.get(name);
  if (version !== undefined) return version;
  throw new WeirError('unknown-version', `the project's default distro has no version ${name}`, {
    hint: didYouMean(name, distro?.versions.keys() ?? []) ?? 'check [project] default-distro',
    exit: 2,
  });
}

/** One repository per architecture that its address depends on. */
export function perArch(
  repository: Repository,
  arches: readonly Architecture[],
): { readonly id: string; readonly address: string; readonly option: 'baseUri' | 'metalink' }[] {
  const option = 'metalink' in repository.address ? 'metalink' : 'baseUri';
  const template = 'metalink' in repository.address ? repository.address.metalink : repository.address.baseUri;
  const wanted = arches.filter((arch) => repository.arches.length === 0 || repository.arches.includes(arch));
  if (wanted.length === 0) return [];
  if (!template.includes('$basearch')) return [{ id: repository.id, address: template, option }];
  return wanted.map((arch) => ({
    id: wanted.length === 1 ? repository.id : `${repository.id}-${arch}`,
    address: template.replaceAll('$basearch', arch),
    option,
  }));
}

function localFolder(address: string): string | undefined {
  if (address.startsWith('/')) return address;
  return address.startsWith('file://') ? fileURLToPath(address) : undefined;
}
