import { join } from 'node:path';
import { didYouMean, WeirError, withContext } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Distro } from '../project/model/distro.ts';
import type { Project } from '../project/model/project.ts';
import type { ComponentLock } from './component-lock.ts';
import type { RevisionSpec } from './git-revision.ts';
import type { GitRepository } from './git-run.ts';
import { localGitDir, localPath, openGitStore, openRepository } from './git-store.ts';

/** Where an upstream component comes from. */
export interface Upstream {
  /** The component's name upstream. */
  readonly name: string;
  readonly distro: Distro;
  /** The address of its dist-git: a URL, or an absolute path. */
  readonly uri: string;
  /** The revision to use: the lock's commit, else the configured one, else the snapshot, else the branch's head. */
  readonly revision: RevisionSpec;
}

/**
 * A component's upstream by the configuration and the lock, if any; nothing is fetched.
 * @returns undefined for a component with a local spec or without a spec
 * @throws WeirError (exit 2) `unknown-distro`, `no-dist-git`
 */
export function upstreamOf(
  component: ResolvedComponent,
  project: Pick<Project, 'distros' | 'seed'>,
  lock: Pick<ComponentLock, 'upstreamCommit'> | undefined,
): Upstream | undefined {
  const { spec } = component;
  if (spec?.type !== 'upstream') return undefined;
  const distro = project.distros.get(spec.distro.name);
  if (distro === undefined) {
    const hint = didYouMean(spec.distro.name, project.distros.keys());
    throw new WeirError('unknown-distro', `no distro ${spec.distro.name} is configured`, {
      where: { file: component.origin.file, line: component.origin.line, component: component.name },
      ...(hint === undefined ? {} : { hint }),
      exit: 2,
    });
  }
  const base =
    distro.distGitBaseUri ?? (project.seed?.distGit === undefined ? undefined : `${project.seed.distGit}/$pkg`);
  if (base === undefined) {
    throw new WeirError('no-dist-git', `the distro ${distro.name} has no dist-git-base-uri`, { exit: 2 });
  }
  const version = spec.distro.version ?? distro.defaultVersion;
  const branch = version === undefined ? undefined : distro.versions.get(version)?.distGitBranch;
  const commit = lock?.upstreamCommit ?? spec.commit;
  const { snapshot } = spec.distro;
  return {
    name: spec.name,
    distro,
    uri: distGitUri(base, spec.name),
    revision: {
      ...(commit === undefined ? {} : { commit }),
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(branch === undefined ? {} : { branch }),
    },
  };
}

/** The address of the dist-git only; undefined if there is none or the configuration is invalid, which is reported when the component is used. */
export function upstreamAddress(component: ResolvedComponent, project: Pick<Project, 'distros' | 'seed'>): string[] {
  try {
    const upstream = upstreamOf(component, project, undefined);
    return upstream === undefined ? [] : [upstream.uri];
  } catch {
    return [];
  }
}

/**
 * Adds to an error about a component's sources the component's name, and its place if the configuration is the cause and
 * the error has no place.
 */
export function ofComponent(error: WeirError, { name, origin }: Pick<ResolvedComponent, 'name' | 'origin'>): WeirError {
  const misconfigured = error.exit === 2 && error.where?.file === undefined;
  const place = misconfigured ? { file: origin.file, line: origin.line } : error.where;
  return withContext(error, { where: { ...place, component: name } });
}

/** The address of a component's dist-git. Parts of a URL are escaped, those of a path or of ssh's `host:path` are not. */
export function distGitUri(base: string, name: string): string {
  const isUrl = /^(?:[a-z][a-z0-9+.-]*:\/\/|file:)/i.test(base);
  // A function, because `$` in a name has a meaning in replacement strings.
  return base.replaceAll('$pkg', () => (isUrl ? encodeURIComponent(name) : name));
}

/** A component's dist-git: a git repository, or a plain folder of files without history. */
export type DistGit =
  | { readonly kind: 'git'; readonly repository: GitRepository }
  | { readonly kind: 'folder'; readonly folder: string };

/**
 * Opens a dist-git without fetching. A path may also name the folder that contains all dist-gits.
 * @throws WeirError `no-dist-git` (exit 2) if a path does not exist
 */
export async function openDistGit(upstream: Pick<Upstream, 'name' | 'uri'>, cache: string): Promise<DistGit> {
  const { name, uri } = upstream;
  const local = localPath(uri);
  let from = uri;
  if (local !== undefined) {
    const folders = [local, join(local, name)];
    for (const folder of folders) {
      if (localGitDir(folder) === undefined && (await exists(join(folder, `${name}.spec`)))) {
        return { kind: 'folder', folder };
      }
    }
    if (!(await exists(local))) {
      throw new WeirError('no-dist-git', `the dist-git of ${name} does not exist`, { details: [local], exit: 2 });
    }
    if (localGitDir(local) === undefined) from = folders[1]!;
  }
  return { kind: 'git', repository: await openRepository(openGitStore(cache), from) };
}
