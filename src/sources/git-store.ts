import { readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { exists, temporaryName, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { type GitRepository, gitFailed, runGit } from './git-run.ts';

/**
 * Every upstream repository that was ever requested, shared by all projects and runs. Each is a bare partial clone of its
 * own. One repository for thousands of upstreams would get slower with each: git asks the promisor remotes of a repository
 * one after the other for missing objects, keeps them all in one configuration file, and searches all packs for each
 * object.
 */
export interface GitStore {
  readonly dir: string;
}

export function openGitStore(cache: string): GitStore {
  return { dir: cachePath(cache, 'git') };
}

/**
 * Opens a repository by its address: any URL that git knows, or a path. A repository on this machine is read in place and never
 * written; others are cloned into the store.
 * @throws WeirError `no-dist-git` for a local path that is not a repository
 */
export async function openRepository(store: GitStore, url: string): Promise<GitRepository> {
  const local = localPath(url);
  if (local !== undefined) {
    const gitDir = localGitDir(local);
    if (gitDir !== undefined) return { url, gitDir, remote: false };
    throw new WeirError('no-dist-git', `there is no git repository at ${local}`, { exit: 2 });
  }
  const gitDir = clonePath(store, url);
  if (!(await exists(join(gitDir, 'HEAD')))) await createClone(store, url, gitDir);
  return { url, gitDir, remote: true };
}

/** Where the clone of a repository is. */
export function clonePath(store: GitStore, url: string): string {
  return join(store.dir, sha256(url).slice(0, 32));
}

/** The path of an address on this machine; undefined for all others. @throws WeirError `no-dist-git` for `file://host/` */
export function localPath(url: string): string | undefined {
  if (!/^file:/i.test(url)) return /^[^/]*:/.test(url) ? undefined : resolve(url);
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new WeirError('no-dist-git', `${url} is not a path on this machine`, { exit: 2, cause: error });
  }
}

/** The `.git` of a folder, or the folder itself if it is bare; undefined if it is not a repository. */
export function localGitDir(folder: string): string | undefined {
  // The `.git` of a submodule or an additional work tree is a file, which git accepts like a folder.
  if (isThere(join(folder, '.git'))) return join(folder, '.git');
  return isThere(join(folder, 'HEAD')) && isThere(join(folder, 'objects')) ? folder : undefined;
}

/** The text of a small file, without blanks around it; undefined if there is none. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether there is something at a path. */
export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function createClone(store: GitStore, url: string, gitDir: string): Promise<void> {
  await mkdir(store.dir, { recursive: true });
  const temporary = temporaryName(gitDir);
  try {
    const made = await runGit(temporary, ['init', '--quiet', '--bare', '--template=', temporary]);
    if (made.code !== 0) throw gitFailed('git could not create a repository in the cache', made.stderr);
    await writeAtomic(join(temporary, 'description'), `${url}\n`);
    await rename(temporary, gitDir);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // Another run was faster.
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
