import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sha256 } from '../base/digest.ts';
import { closest, WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import type { Architecture, DistroVersion, Project } from '../project/model.ts';
import { type Repository, repositoriesBelow, repositoriesOf } from '../project/repositories.ts';
import { runOnTerminal } from '../workspace/toolbox-commands.ts';
import type { ProjectWorkspace } from '../workspace/workspace.ts';
import { builtRelease, channelFolder } from './published.ts';

/** Where dnf sees its cache. */
const dnfCache = '/tmp/dnf';

/** Which repositories dnf is asked about. */
export type RepositoryChoice =
  /** Those of the release that was built last. */
  | { readonly from: 'release' }
  /** The inputs of a version of the project's default distro. */
  | { readonly from: 'project'; readonly version: string; readonly use: 'rpm-build' | 'image-build' }
  /** A template's layout below addresses. */
  | { readonly from: 'prefix'; readonly prefixes: readonly string[]; readonly template: string };

export interface QueryOptions {
  readonly arches: readonly Architecture[];
  readonly debuginfo: boolean;
  readonly sources: boolean;
}

/**
 * Runs dnf5 of the toolbox on this terminal with the chosen repositories and no others.
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
  /** Folder of this machine → where dnf sees it: a path of the host could hold what it takes apart. */
  const places = new Map<string, string>();
  for (const repository of repositories) {
    if (!options.debuginfo && repository.kind === 'debug') continue;
    if (!options.sources && repository.kind === 'source') continue;
    for (const { id, address, option } of perArch(repository, options.arches)) {
      const local = localFolder(address);
      // One that is not there is dnf's to report, as it reports an address that does not answer.
      const there = local !== undefined && (await exists(local));
      // Of a name of its own: dnf keeps what it read of a repository by its address.
      if (there) places.set(local, `/tmp/repos/${sha256(local).slice(0, 16)}`);
      const seen = there ? `file://${places.get(local)}` : address;
      argv.push(`--repofrompath=${id},${option === 'metalink' ? 'file:///nonexistent' : seen}`);
      if (option === 'metalink') argv.push(`--setopt=${id}.baseurl=`, `--setopt=${id}.metalink=${seen}`);
      // One that does not answer must not keep the others from it; dnf says which it was.
      argv.push(`--setopt=${id}.skip_if_unavailable=1`, `--setopt=${id}.gpgcheck=0`);
    }
  }
  if (argv.length === 0) {
    throw new WeirError('no-repositories', 'no repository is left to ask', {
      hint: 'weir repo query --help shows how they are chosen',
      exit: 2,
    });
  }
  const cache = join(workspace.cache, 'dnf');
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
  const near = closest(name, distro?.versions.keys() ?? [])[0];
  throw new WeirError('unknown-version', `the project's default distro has no version ${name}`, {
    hint: near === undefined ? 'see [project] default-distro' : `did you mean ${near}?`,
    exit: 2,
  });
}

/** One repository for each architecture that its address depends on. */
function perArch(
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
