import { statSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { writeAtomic } from '../base/files.ts';
import { fetchRefs, hasLongNames } from './git-fetch.ts';
import { findCommit, forgetReaders, isObjectId, readCommit } from './git-readers.ts';
import { type GitRepository, gitFailed, type RetryOptions } from './git-run.ts';
import { clonePath, type GitStore, isThere, localGitDir, localPath, textOf } from './git-store.ts';

/** The revision to use. If no field is set: the head of the default branch. */
export interface RevisionSpec {
  /** 7 to 40 hex digits, or 64; takes precedence over the other fields. */
  readonly commit?: string;
  /** RFC 3339: the last commit on the branch's first-parent line that is not younger. */
  readonly snapshot?: string;
  readonly branch?: string;
}

/** Whether a commit id is complete, in a repository with SHA-1 or one with SHA-256 ids. */
function isWhole(repository: GitRepository, commit: string): boolean {
  return commit.length === (hasLongNames(repository.gitDir) ? 64 : 40);
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
  if (fetched.otherNames) forgetReaders(repository);
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
      forgetReaders(repository);
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
  return text !== undefined && isObjectId(text) ? text : undefined;
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
  if (revision.commit !== undefined && isObjectId(revision.commit.toLowerCase())) {
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
