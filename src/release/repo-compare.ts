import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { didYouMean, WeirError } from '../base/errors.ts';
import { exists, mapLimit } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { plural } from '../base/plural.ts';
import { inStage } from '../base/progress.ts';
import { withScratch } from '../engine/scratch.ts';
import { blobFile } from '../engine/store.ts';
import { type InputRepository, inputPriority, type Variables, withVariables } from '../inputs/input-repository.ts';
import { fetchMetadata } from '../inputs/metadata.ts';
import { type IndexedPackage, PackageIndex, writePackageIndex } from '../inputs/package-index.ts';
import { isDebugPackage } from '../project/channel.ts';
import type { Project } from '../project/model/project.ts';
import type { Architecture } from '../project/model/release.ts';
import { type Repository, repositoriesBelow, repositoriesOf, templateNamed } from '../project/repositories.ts';
import { type ChangedName, compareNames, type NameChange, nameChanges, typeOf } from '../repo/compare.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type ProjectWorkspace, toolboxStage } from '../workspace/workspace.ts';
import { perArch, type QueryOptions } from './repo-query.ts';

export interface CompareOptions extends QueryOptions {
  /** The layout of repositories below addresses; undefined if an address is a repository. */
  readonly template: string | undefined;
}

/** One side of a comparison, as it was found. */
export interface ComparedSide {
  /** What was asked for. */
  readonly asked: string;
  readonly repositories: readonly { readonly id: string; readonly address: string }[];
  readonly packages: number;
}

export interface RepositoryComparison {
  readonly left: ComparedSide;
  readonly right: ComparedSide;
  readonly arches: readonly Architecture[];
  /** Numbers of package names. */
  readonly counts: Readonly<Record<NameChange | 'same', number>>;
  readonly packages: readonly ChangedName[];
}

/**
 * Compares the NEVRAs of two sides by package name; what is in the packages is not compared. A side is an address, a folder
 * with repositories, the name of a repository or repository set of the project, or a snapshot of the output folder.
 * @throws WeirError `unknown-repository`, `no-repositories`, `unknown-template`, `bad-option` (exit 2); those of `fetchMetadata` and
 *   `writePackageIndex`: a side that cannot be read whole is never compared
 */
export async function compareRepositories(
  workspace: ProjectWorkspace,
  left: string,
  right: string,
  options: CompareOptions,
): Promise<RepositoryComparison> {
  if (options.template !== undefined) checkTemplate(workspace, options.template, [left, right]);
  const found = [await sideOf(workspace, left, options), await sideOf(workspace, right, options)] as const;
  const toolbox = await toolboxStage(workspace, 'core');
  const [a, b] = await Promise.all(found.map((each) => readSide(workspace, toolbox, each, options)));
  const { changed, same } = compareNames(a!.packages, b!.packages);
  const counts: Record<string, number> = { same };
  for (const change of Object.keys(nameChanges))
    counts[change] = changed.filter((each) => each.change === change).length;
  return {
    left: { ...a!, packages: a!.packages.length },
    right: { ...b!, packages: b!.packages.length },
    arches: options.arches,
    counts: counts as RepositoryComparison['counts'],
    packages: changed,
  };
}

/** Refuses a layout that is unknown, or about no side: only addresses have one. */
function checkTemplate({ project }: ProjectWorkspace, template: string, sides: readonly string[]): void {
  templateNamed(project, template);
  if (sides.some(isAddress)) return;
  throw new WeirError('bad-option', '--template has no effect: neither side is a URL', {
    hint: 'leave it out, or give the base of the repositories as a URL (https:, file:)',
    exit: 2,
  });
}

function isAddress(asked: string): boolean {
  return /^(https?|file):\/\//.test(asked);
}

interface Side {
  readonly asked: string;
  readonly repositories: readonly Repository[];
}

async function sideOf(workspace: ProjectWorkspace, asked: string, options: CompareOptions): Promise<Side> {
  const { project } = workspace;
  if (isAddress(asked)) {
    const repositories =
      options.template === undefined
        ? [repositoryAt('repository', asked)]
        : repositoriesBelow(project, options.template, asked);
    return { asked, repositories };
  }
  const { rpmRepos, rpmRepoSets } = project.resources;
  if (rpmRepoSets.has(asked)) return { asked, repositories: repositoriesOf(project, [{ set: asked }]) };
  if (rpmRepos.has(asked)) return { asked, repositories: repositoriesOf(project, [{ repo: asked }]) };
  for (const folder of [...(await snapshotFolders(workspace, asked)), resolve(asked)]) {
    if (!(await exists(folder))) continue;
    const repositories = await repositoriesIn(folder, options.arches);
    if (repositories.length > 0) return { asked, repositories };
    throw new WeirError('no-repositories', `there is no repository for ${options.arches.join(', ')} in this folder`, {
      where: { file: folder },
      hint: 'name a folder that has repodata/repomd.xml in it, or at most three folders below',
      exit: 2,
    });
  }
  const names = [...rpmRepoSets.keys(), ...rpmRepos.keys()];
  throw new WeirError(
    'unknown-repository',
    `${asked} is neither a repository of the project nor a folder or a snapshot`,
    {
      hint:
        didYouMean(asked, names) ??
        'give a URL, a folder, a snapshot, or a name of [resources.rpm-repos] or [resources.rpm-repo-sets]',
      exit: 2,
    },
  );
}

/** Where a snapshot of this name may be: `out/repo/VERSION/NAME`, the project's version first. */
async function snapshotFolders({ out, project }: ProjectWorkspace, name: string): Promise<string[]> {
  const top = join(out, 'repo');
  const versions = await readdir(top).catch((): string[] => []);
  const own = project.release?.version;
  const ordered = versions.sort((a, b) => Number(b === own) - Number(a === own) || compareText(a, b));
  return [join(top, name), ...ordered.map((version) => join(top, version, name))];
}

/** Folders with `repodata` in a folder or up to three below it, except those for other architectures. */
async function repositoriesIn(top: string, arches: readonly Architecture[]): Promise<Repository[]> {
  const found: Repository[] = [];
  const look = async (folder: string, depth: number): Promise<void> => {
    if (await exists(join(folder, 'repodata/repomd.xml'))) {
      found.push(repositoryAt(relative(top, folder) || basename(folder), pathToFileURL(folder).href));
      return;
    }
    if (depth === 0) return;
    for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => compareText(a.name, b.name))) {
      const isOther = ['x86_64', 'aarch64'].includes(entry.name) && !arches.some((arch) => arch === entry.name);
      if (entry.isDirectory() && !entry.name.startsWith('.') && !isOther)
        await look(join(folder, entry.name), depth - 1);
    }
  };
  await look(top, 3);
  return found;
}

function repositoryAt(id: string, baseUri: string): Repository {
  return { id, address: { baseUri }, kind: 'binary', gpgKey: undefined, arches: [] };
}

interface ReadSide extends Omit<ComparedSide, 'packages'> {
  readonly packages: readonly IndexedPackage[];
}

async function readSide(
  workspace: ProjectWorkspace,
  toolbox: Toolbox,
  { asked, repositories }: Side,
  options: CompareOptions,
): Promise<ReadSide> {
  const wanted = repositories
    .filter(({ kind }) => (options.debuginfo || kind !== 'debug') && (options.sources || kind !== 'source'))
    .flatMap((repository) => perArch(repository, options.arches));
  if (wanted.length === 0) {
    throw new WeirError('no-repositories', `${asked} has no repository for ${options.arches.join(', ')}`, { exit: 2 });
  }
  return inStage(workspace.progress, asked, async (stage) => {
    const variables: Variables = { releasever: releaseVer(workspace.project), arch: options.arches[0]! };
    const listed = await mapLimit(wanted, 3, async ({ id, address: template, option }) => {
      const address = withVariables(template, variables);
      stage.update(address);
      const url = address.startsWith('/') ? pathToFileURL(address).href : address;
      return { id, address, packages: await packagesAt(workspace, toolbox, id, url, option) };
    });
    const packages = listed.flatMap((each) => each.packages).filter((pkg) => isWanted(pkg, options));
    return {
      result: { asked, repositories: listed.map(({ id, address }) => ({ id, address })), packages },
      summary: `${packages.length} packages of ${plural(listed.length, 'repository')}`,
      cached: false,
    };
  });
}

/** Some folders hold all kinds and architectures. */
function isWanted(pkg: IndexedPackage, { arches, debuginfo, sources }: CompareOptions): boolean {
  if (typeOf(pkg) === 'srpm') return sources && (debuginfo || !isDebugPackage(pkg.name));
  if (!debuginfo && isDebugPackage(pkg.name)) return false;
  const other = ['x86_64', 'aarch64'].find((arch) => arch === pkg.arch);
  return other === undefined || arches.some((arch) => arch === other);
}

async function packagesAt(
  { engine, cache }: ProjectWorkspace,
  toolbox: Toolbox,
  id: string,
  url: string,
  option: 'baseUri' | 'metalink',
): Promise<IndexedPackage[]> {
  const repository: InputRepository = {
    // dnf's ids have few characters; errors name the address as well.
    id: id.replace(/[^A-Za-z0-9_.:-]/g, '-'),
    address: option === 'metalink' ? { kind: 'metalink', url } : { kind: 'baseurl', urls: [url] },
    keys: [],
    checksSignatures: false,
    priority: inputPriority,
  };
  const { files } = await fetchMetadata({ engine, toolbox, cache }, repository, []);
  const primary = files.find(({ type }) => type === 'primary')!;
  return withScratch(engine.scratch, async (work) => {
    const index = join(work, 'index');
    const file = { path: await blobFile(engine.store, primary.sha256), name: basename(primary.path) };
    await writePackageIndex(toolbox, file, repository.id, index);
    return new PackageIndex(await readFile(index, 'utf8'), repository.id).all();
  });
}

function releaseVer({ release, project, distros }: Project): string {
  const { name = '', version } = project.defaultDistro ?? {};
  const distro = distros.get(name);
  const own = distro?.versions.get(version ?? distro.defaultVersion ?? '');
  return release?.version ?? own?.releaseVer ?? own?.name ?? '0';
}
