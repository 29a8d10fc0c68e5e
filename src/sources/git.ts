import { readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { exists, temporaryName, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';
import { fetchMissing, fetchRefs, hasLongNames } from './git-fetch.ts';
import { type CommitFile, filesOfTree, writeFiles } from './git-files.ts';
import { type CommitData, type GitObject, type GitReader, openReader, parseCommit } from './git-objects.ts';
import { type GitRepository, gitFailed, type RetryOptions, runGit } from './git-run.ts';
import { type LfsPointer, lfsPointer } from './lfs.ts';

/**
 * Every upstream repository that was ever requested, shared by all projects and runs. Each is a bare partial clone of its
 * own. One repository for thousands of upstreams would get slower with each: git asks the promisor remotes of a repository
 * one after the other for missing objects, keeps them all in one configuration file, and searches all packs for each
 * object.
 */
export interface GitStore {
  readonly dir: string;
}

/** The revision to use. If no field is set: the head of the default branch. */
export interface RevisionSpec {
  /** 7 to 40 hex digits, or 64; takes precedence over the other fields. */
  readonly commit?: string;
  /** RFC 3339: the last commit on the branch's first-parent line that is not younger. */
  readonly snapshot?: string;
  readonly branch?: string;
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

function clonePath(store: GitStore, url: string): string {
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

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isThere(path: string): boolean {
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

/** Recently used readers, the last used at the end; each is a process. */
const readers = new Map<string, GitReader>();
const mostReaders = 8;

function readerOf(repository: GitRepository): GitReader {
  const { gitDir } = repository;
  const reader = readers.get(gitDir) ?? openReader(gitDir);
  readers.delete(gitDir);
  readers.set(gitDir, reader);
  for (const [key, oldest] of readers) {
    if (readers.size <= mostReaders) break;
    readers.delete(key);
    oldest.close();
  }
  return reader;
}

/** One process that reads the objects of several repositories. */
interface SharedReader {
  readonly reader: GitReader;
  readonly gitDirs: readonly string[];
}

const shared = new Map<string, SharedReader>();

/**
 * Reads the objects of these repositories through one process until `done` is called: with thousands of repositories, starting a
 * process for each takes longer than all other work. An object id identifies the content, so it does not matter which repository it comes
 * from; names that are not ids are still looked up in their own repository.
 * @param urls as for `openRepository`; repositories that do not exist yet, or in unusual places, are left out
 */
export function readTogether(store: GitStore, urls: readonly string[]): { readonly done: () => void } {
  const gitDirs = [...new Set(urls.flatMap((url) => plainGitDir(store, url) ?? []))];
  const [first, ...rest] = gitDirs;
  if (first === undefined || rest.length === 0) return { done: () => {} };
  const objects = rest.map((gitDir) => join(gitDir, 'objects'));
  const group: SharedReader = { reader: openReader(first, objects), gitDirs };
  for (const gitDir of gitDirs) shared.set(gitDir, group);
  return { done: () => part(group) };
}

function part(group: SharedReader): void {
  for (const gitDir of group.gitDirs) if (shared.get(gitDir) === group) shared.delete(gitDir);
  group.reader.close();
}

/** Closes the readers of a repository that are out of date. */
function forget({ gitDir }: GitRepository): void {
  readers.get(gitDir)?.close();
  readers.delete(gitDir);
  const group = shared.get(gitDir);
  if (group !== undefined) part(group);
}

/** The `objects` folder of a repository, if it has the usual layout and a path that is valid in a list. */
function plainGitDir(store: GitStore, url: string): string | undefined {
  const local = localPath(url);
  const gitDir = local === undefined ? clonePath(store, url) : localGitDir(local);
  if (gitDir === undefined || !isThere(join(gitDir, 'objects')) || /[:"\n]/.test(gitDir)) return undefined;
  // A process reads ids of one length only, so repositories with SHA-256 ids are left out.
  return hasLongNames(gitDir) ? undefined : gitDir;
}

const wholeId = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Whether a text is a complete id of one of the two lengths. */
export function isObjectId(text: string): boolean {
  return wholeId.test(text);
}

/** Whether a commit id is complete, in a repository with SHA-1 or one with SHA-256 ids. */
function isWhole(repository: GitRepository, commit: string): boolean {
  return commit.length === (hasLongNames(repository.gitDir) ? 64 : 40);
}

/** The object from the shared process; undefined if that process does not have it, or there is none. */
async function readShared(gitDir: string, name: string): Promise<GitObject | undefined> {
  const group = shared.get(gitDir);
  if (group === undefined) return undefined;
  const id = wholeId.test(name) ? name : idOfRef(gitDir, name);
  if (id === undefined) return undefined;
  try {
    return await group.reader.read(id);
  } catch (error) {
    // One of the repositories is damaged: each is then read separately, and only the damaged one fails.
    part(group);
    if (error instanceof WeirError && error.code === 'git-failed') return undefined;
    throw error;
  }
}

/** The id in a ref's own file, where small repositories keep it. */
function idOfRef(gitDir: string, ref: string): string | undefined {
  if (ref !== 'HEAD' && !/^refs\/(?:heads|weir)\//.test(ref)) return undefined;
  const text = textOf(join(gitDir, ref));
  const symbolic = ref === 'HEAD' && text !== undefined ? /^ref: (refs\/heads\/.*)$/.exec(text)?.[1] : undefined;
  const found = symbolic === undefined ? text : textOf(join(gitDir, symbolic));
  return found !== undefined && wholeId.test(found) ? found : undefined;
}

/** An object by id or another name. @throws WeirError `ambiguous-commit`, `git-failed` */
export async function readObject(repository: GitRepository, name: string): Promise<GitObject | undefined> {
  return (await readShared(repository.gitDir, name)) ?? (await readOwn(repository, name));
}

async function readOwn(repository: GitRepository, name: string): Promise<GitObject | undefined> {
  try {
    return await readerOf(repository).read(name);
  } catch (error) {
    // A failed reader cannot be used again.
    if (error instanceof WeirError && error.code !== 'ambiguous-commit') readers.delete(repository.gitDir);
    throw error;
  }
}

/** The commit that a ref, or another name, refers to; undefined if there is none. */
export async function readCommit(repository: GitRepository, name: string): Promise<CommitData | undefined> {
  const object = await readShared(repository.gitDir, name);
  return object?.type === 'commit' ? parseCommit(object) : findCommit(repository, name);
}

/** A commit by a user-supplied name: it must be this repository's. */
async function findCommit(repository: GitRepository, name: string): Promise<CommitData | undefined> {
  const object = await readOwn(repository, `${name}^{commit}`);
  return object === undefined ? undefined : parseCommit(object);
}

/**
 * The commit of a revision, with its history, in the repository. A full commit id that is present, and a past snapshot that
 * was requested before, need no network.
 * @throws WeirError `no-commit`, `no-branch`, `bad-branch`, `ambiguous-commit`, `offline`, `git-failed`
 */
export async function resolveCommit(
  repository: GitRepository,
  revision: RevisionSpec,
  retry: RetryOptions = {},
): Promise<string> {
  const { url } = repository;
  checkBranch(revision.branch);
  const before =
    revision.snapshot === undefined || revision.commit !== undefined ? undefined : momentOf(revision.snapshot);
  if (!repository.remote) {
    const found = await findRevision(repository, revision, before, localHeads(revision.branch));
    if (found !== undefined) return found;
    throw await notThere(repository, revision, localHeads(revision.branch));
  }
  const ref = refOf(revision.branch);
  const pinned = retry.fresh === true && revision.commit === undefined ? undefined : readPin(repository, revision);
  if (pinned !== undefined && (await readCommit(repository, pinned)) !== undefined) return pinned;
  if (revision.commit !== undefined) {
    const there = await findCommit(repository, revision.commit.toLowerCase());
    if (there !== undefined) {
      await writePin(repository, revision, there.id);
      return there.id;
    }
  }
  if (retry.offline === true) {
    // A past snapshot does not change, so an older fetch is sufficient.
    const there = await findRevision(repository, revision, before, [ref]);
    if (there !== undefined) return there;
    throw new WeirError('offline', `${url} is not in the cache, and this run is offline`, {
      hint: 'run once without --offline',
    });
  }
  const source = revision.branch === undefined ? 'HEAD' : `refs/heads/${revision.branch}`;
  const fetched = await fetchRefs(repository, `+${source}:${ref}`, retry);
  if (fetched.otherNames) forget(repository);
  // A failed fetch does not make the earlier state of a branch valid.
  const told = fetched.code === 0 || revision.commit !== undefined;
  let found = told ? await findRevision(repository, revision, before, [ref]) : undefined;
  if (found === undefined && revision.commit !== undefined) {
    // A commit that is not on the branch: servers send it by its full id, or with a branch that contains it.
    const id = revision.commit.toLowerCase();
    const beside = (): ReturnType<typeof fetchRefs> =>
      isWhole(repository, id)
        ? fetchRefs(repository, `+${id}:refs/weir/commits/${id}`, retry)
        : fetchRefs(repository, '+refs/heads/*:refs/weir/all/*', retry);
    let rest = await beside();
    if (rest.otherNames) {
      forget(repository);
      // After the fetch, it is known that the id is complete.
      if (isWhole(repository, id)) rest = await beside();
    }
    if (rest.code === 0) found = await findRevision(repository, revision, before, [ref]);
  }
  if (found === undefined) {
    if (fetched.code === 0) throw await notThere(repository, revision, [ref]);
    const missing = revision.branch !== undefined && /couldn't find remote ref/i.test(fetched.stderr);
    if (missing) throw new WeirError('no-branch', `${url} has no branch ${revision.branch}`, { exit: 2 });
    throw gitFailed(`git could not fetch ${url}`, fetched.stderr);
  }
  await writePin(repository, revision, found);
  return found;
}

function refOf(branch: string | undefined): string {
  return `refs/weir/heads/${sha256(branch ?? 'HEAD').slice(0, 16)}`;
}

/** A plain clone has its origin's branches only under `remotes` until they are checked out. */
function localHeads(branch: string | undefined): string[] {
  return branch === undefined ? ['HEAD'] : [`refs/heads/${branch}`, `refs/remotes/origin/${branch}`];
}

async function findRevision(
  repository: GitRepository,
  revision: RevisionSpec,
  before: number | undefined,
  heads: readonly string[],
): Promise<string | undefined> {
  if (revision.commit !== undefined) return (await findCommit(repository, revision.commit.toLowerCase()))?.id;
  for (const head of heads) {
    let commit = await readCommit(repository, head);
    if (commit === undefined) continue;
    while (commit !== undefined && before !== undefined && commit.time > before) {
      const [parent] = commit.parents as readonly (string | undefined)[];
      commit = parent === undefined ? undefined : await readCommit(repository, parent);
    }
    return commit?.id;
  }
  return undefined;
}

async function notThere(
  repository: GitRepository,
  revision: RevisionSpec,
  heads: readonly string[],
): Promise<WeirError> {
  const { url } = repository;
  if (revision.commit !== undefined)
    return new WeirError('no-commit', `${url} has no commit ${revision.commit}`, { exit: 2 });
  for (const head of heads) {
    if ((await readCommit(repository, head)) === undefined) continue;
    return new WeirError('no-commit', `${url} has no commit as old as the snapshot ${revision.snapshot ?? ''}`, {
      hint: 'use a later snapshot, or pin this component with upstream-commit',
      exit: 2,
    });
  }
  const what = revision.branch === undefined ? 'commits yet' : `branch ${revision.branch}`;
  return new WeirError('no-branch', `${url} has no ${what}`, { exit: 2 });
}

/** The rules of git-check-ref-format(1) that prevent a wrong name from meaning something other than a branch. */
function checkBranch(branch: string | undefined): void {
  if (branch === undefined || !/^-|[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|^$/.test(branch)) return;
  throw new WeirError('bad-branch', `invalid branch name ${JSON.stringify(branch)}`, { exit: 2 });
}

/** Seconds since 1970. */
function momentOf(snapshot: string): number {
  const time = Date.parse(snapshot);
  if (Number.isNaN(time)) {
    throw new WeirError('bad-snapshot', `invalid snapshot ${JSON.stringify(snapshot)}`, {
      hint: 'use a date and time such as 2026-02-24T00:00:00Z',
      exit: 2,
    });
  }
  return Math.floor(time / 1000);
}

/**
 * The file that records the commit of a revision once it can no longer change: a commit that the repository has, or a past
 * snapshot. Later runs then need no request to upstream.
 */
function pinPath(repository: GitRepository, revision: RevisionSpec): string | undefined {
  let key: string;
  if (revision.commit !== undefined) {
    key = `commit ${revision.commit.toLowerCase()}`;
  } else {
    if (revision.snapshot === undefined) return undefined;
    const seconds = momentOf(revision.snapshot);
    if (!(seconds * 1000 < Date.now())) return undefined;
    key = `${revision.branch ?? 'HEAD'}\0${seconds}`;
  }
  return join(repository.gitDir, 'weir-pins', sha256(key).slice(0, 32));
}

function readPin(repository: GitRepository, revision: RevisionSpec): string | undefined {
  const path = pinPath(repository, revision);
  const text = path === undefined ? undefined : textOf(path);
  return text !== undefined && wholeId.test(text) ? text : undefined;
}

async function writePin(repository: GitRepository, revision: RevisionSpec, commit: string): Promise<void> {
  const path = pinPath(repository, revision);
  if (path !== undefined) await writeAtomic(path, `${commit}\n`);
}

/**
 * What can be read about a revision without running git or contacting upstream: `commit` if it can no longer change, and, for a
 * repository on this machine, a text that changes whenever its refs change (undefined if unknown).
 */
export function knownRevision(
  store: GitStore,
  url: string,
  revision: RevisionSpec,
): { readonly commit?: string; readonly refs?: string } {
  if (revision.commit !== undefined && wholeId.test(revision.commit.toLowerCase())) {
    return { commit: revision.commit.toLowerCase() };
  }
  const local = localPath(url);
  if (local === undefined) {
    const gitDir = clonePath(store, url);
    const commit = readPin({ url, gitDir, remote: true }, revision);
    return commit === undefined ? {} : { commit };
  }
  const gitDir = localGitDir(local);
  // An additional work tree has its refs elsewhere, and a reftable has no files to compare.
  if (
    revision.commit !== undefined ||
    gitDir === undefined ||
    !isThere(join(gitDir, 'refs')) ||
    isThere(join(gitDir, 'reftable'))
  ) {
    return {};
  }
  const paths = ['HEAD', 'packed-refs', 'shallow'];
  if (revision.branch === undefined) {
    const head = /^ref: (refs\/.*)$/.exec(textOf(join(gitDir, 'HEAD')) ?? '')?.[1];
    if (head !== undefined) paths.push(head);
  } else {
    paths.push(...localHeads(revision.branch));
  }
  const states = paths.map((path) => {
    const info = statSync(join(gitDir, path), { throwIfNoEntry: false });
    return info === undefined ? '-' : `${info.ino} ${info.size} ${info.mtimeMs}`;
  });
  return { refs: [gitDir, ...states].join('\n') };
}

/** Objects by id, in order; objects that a partial clone lacks are fetched together. */
async function readObjects(
  repository: GitRepository,
  ids: readonly string[],
  retry: RetryOptions,
): Promise<GitObject[]> {
  const found = await Promise.all(ids.map((id) => readObject(repository, id)));
  const missing = ids.filter((_, index) => found[index] === undefined);
  if (missing.length > 0 && repository.remote) {
    if (retry.offline === true) {
      throw new WeirError('offline', `files of ${repository.url} are not in the cache, and this run is offline`, {
        hint: 'run once without --offline',
      });
    }
    const fetched = await fetchMissing(repository, missing, retry);
    if (fetched.code !== 0) throw gitFailed(`git could not fetch ${repository.url}`, fetched.stderr);
    for (const [index, id] of ids.entries()) found[index] ??= await readObject(repository, id);
  }
  return found.map((object, index) => {
    if (object !== undefined) return object;
    throw new WeirError('git-failed', `${repository.url} lacks the object ${ids[index]}`, {
      hint: repository.remote
        ? `remove ${repository.gitDir}: the next run fetches it again`
        : 'check for a shallow or damaged clone, and fetch it again',
    });
  });
}

/**
 * The files of a commit by path.
 * @throws WeirError `bad-file-name`, `offline`, `git-failed`
 */
export async function commitFiles(
  repository: GitRepository,
  commit: string,
  retry: RetryOptions = {},
): Promise<Map<string, CommitFile>> {
  const [object] = await readObjects(repository, [commit], retry);
  return filesOfTree((ids) => readObjects(repository, ids, retry), parseCommit(object!).tree);
}

/**
 * Writes a commit's files into an empty folder.
 * @returns the files that are Git LFS pointers, by path
 * @throws WeirError as `commitFiles`
 */
export async function checkOut(
  repository: GitRepository,
  commit: string,
  dir: string,
  retry: RetryOptions = {},
): Promise<Map<string, LfsPointer>> {
  const files = await commitFiles(repository, commit, retry);
  await writeFiles(files, dir);
  const pointers = new Map<string, LfsPointer>();
  for (const [name, { bytes }] of files) {
    const pointer = lfsPointer(bytes);
    if (pointer !== undefined) pointers.set(name, pointer);
  }
  return pointers;
}

/** Contents of files by id, in order; contents that a partial clone lacks are fetched in one request. @throws WeirError `offline`, `git-failed` */
export async function readBlobs(
  repository: GitRepository,
  ids: readonly string[],
  retry: RetryOptions = {},
): Promise<Buffer[]> {
  return (await readObjects(repository, ids, retry)).map((object) => object.bytes);
}
