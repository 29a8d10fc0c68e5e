import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, readIfExists, temporaryName, writeAtomic } from '../base/files.ts';
import { lastLines, type RunResult, run } from '../base/process.ts';

/** One bare repository for all of upstream's: objects that repositories share are there once. */
export interface GitStore {
  readonly dir: string;
}

/** What of a repository is wanted. Without all three: the head of its default branch. */
export interface GitWish {
  /** 7 to 40 hex digits; wins. */
  readonly commit?: string;
  /** RFC 3339: the last commit on the branch's first-parent line that is not younger. */
  readonly snapshot?: string;
  readonly branch?: string;
}

/** Whether to ask upstream at all, and how often; the fields are those of a download. */
export interface Patience {
  readonly offline?: boolean;
  readonly attempts?: number;
  readonly wait?: (attempt: number) => Promise<void>;
}

export async function openGitStore(cache: string): Promise<GitStore> {
  const dir = join(cache, 'git');
  if (!(await exists(join(dir, 'HEAD')))) {
    await mkdir(dir, { recursive: true });
    await gitOk({ dir }, ['init', '--quiet', '--bare', dir]);
  }
  return { dir };
}

function git(store: GitStore, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  // The user's own git configuration stays in force: it may know the way through a proxy.
  const settings = [
    // Runs share the store, and only a slow fetch may wait, not one that stands still.
    ...['gc.auto=0', 'maintenance.auto=false', 'http.lowSpeedLimit=1', 'http.lowSpeedTime=60'],
    // Files come out as they went in.
    ...['core.autocrlf=false', 'core.attributesFile=/dev/null'],
  ];
  const fixed = settings.flatMap((setting) => ['-c', setting]);
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      (pair): pair is [string, string] => pair[1] !== undefined && !/^GIT_(DIR|WORK_TREE|INDEX_FILE)$/.test(pair[0]),
    ),
  );
  return run(['git', '--git-dir', store.dir, ...fixed, ...args], {
    env: { ...inherited, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C', ...env },
  });
}

async function gitOk(
  store: GitStore,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<string> {
  const result = await git(store, args, env);
  if (result.code !== 0) {
    throw new WeirError('git-failed', `git ${args[0]} ended with exit code ${result.code}`, {
      details: lastLines(result.stderr, 5),
    });
  }
  return result.stdout.trim();
}

/**
 * The commit that a wish means, its objects in the store. A full commit that is there already needs no network.
 * @throws WeirError `git-failed`, `no-commit`, `offline`
 */
export async function resolveCommit(
  store: GitStore,
  url: string,
  wish: GitWish,
  patience: Patience = {},
): Promise<string> {
  const ref = `refs/weir/${sha256(url).slice(0, 16)}/${sha256(wish.branch ?? 'HEAD').slice(0, 16)}`;
  if (wish.commit !== undefined) {
    const there = await findCommit(store, wish.commit, ref);
    if (there !== undefined) return there;
  }
  const pin = pinPath(store, url, wish);
  const pinned = pin === undefined ? undefined : (await readIfExists(pin))?.trim();
  if (pinned !== undefined && (await findCommit(store, pinned, ref)) !== undefined) return pinned;
  if (patience.offline === true) {
    // A snapshot in the past does not move, so an older fetch answers too.
    const there = wish.commit === undefined ? await onBranch(store, ref, wish.snapshot) : undefined;
    if (there !== undefined) return there;
    throw new WeirError('offline', `${url} is not in the cache, and this run is offline`);
  }
  const source = wish.branch === undefined ? 'HEAD' : `refs/heads/${wish.branch}`;
  await fetchRef(store, url, `+${source}:${ref}`, patience);
  if (wish.commit === undefined) {
    const found = await onBranch(store, ref, wish.snapshot);
    if (found !== undefined) {
      if (pin !== undefined) await writeAtomic(pin, `${found}\n`);
      return found;
    }
    throw new WeirError('no-commit', `${url} has no commit as old as the snapshot ${wish.snapshot ?? ''}`, { exit: 2 });
  }
  const found = await findCommit(store, wish.commit, ref);
  if (found !== undefined) return found;
  // A commit beside the branch: servers give it when it is asked for by its whole name.
  if (wish.commit.length === 40) {
    const asked = await git(store, fetchArgs(url, wish.commit));
    if (asked.code === 0) return wish.commit;
  }
  throw new WeirError('no-commit', `${url} has no commit ${wish.commit}`, { exit: 2 });
}

function fetchArgs(url: string, refspec: string): string[] {
  return ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--', url, refspec];
}

/** What git says when the network or the server is the reason, so that another attempt may do. */
const passing =
  /could not resolve host|timed out|connection reset|connection refused|rpc failed|early eof|hung up|returned error: (?:429|5\d\d)|too slow/i;

async function fetchRef(store: GitStore, url: string, refspec: string, patience: Patience): Promise<void> {
  const wait = patience.wait ?? ((attempt: number) => new Promise((done) => setTimeout(done, 500 * 2 ** attempt)));
  for (let attempt = 1; ; attempt++) {
    const result = await git(store, fetchArgs(url, refspec));
    if (result.code === 0) return;
    if (attempt >= (patience.attempts ?? 4) || !passing.test(result.stderr)) {
      throw new WeirError('git-failed', `git could not fetch ${url}`, { details: lastLines(result.stderr, 5) });
    }
    await wait(attempt);
  }
}

/** Where the commit of a snapshot is remembered, once the snapshot is in the past: then no later run asks upstream. */
function pinPath(store: GitStore, url: string, wish: GitWish): string | undefined {
  if (wish.commit !== undefined || wish.snapshot === undefined) return undefined;
  const time = Date.parse(wish.snapshot);
  if (!(time < Date.now())) return undefined;
  return join(store.dir, 'weir-pins', sha256(`${url}\0${wish.branch ?? 'HEAD'}\0${time}`));
}

async function findCommit(store: GitStore, commit: string, ref: string): Promise<string | undefined> {
  if (commit.length === 40) {
    const known = await git(store, ['cat-file', '-e', `${commit}^{commit}`]);
    return known.code === 0 ? commit : undefined;
  }
  // A short name is looked up in this repository's history only: the store has others' too.
  const history = await git(store, ['rev-list', ref]);
  if (history.code !== 0) return undefined;
  const found = history.stdout.split('\n').filter((line) => line.startsWith(commit.toLowerCase()));
  if (found.length > 1) {
    throw new WeirError('ambiguous-commit', `${commit} is the beginning of ${found.length} commits`, {
      details: found.slice(0, 5),
      exit: 2,
    });
  }
  return found[0];
}

async function onBranch(store: GitStore, ref: string, snapshot: string | undefined): Promise<string | undefined> {
  const before = snapshot === undefined ? [] : [`--before=${snapshot}`];
  const result = await git(store, ['rev-list', '-1', '--first-parent', ...before, ref]);
  const commit = result.stdout.trim();
  return result.code === 0 && commit !== '' ? commit : undefined;
}

/** Writes a commit's files into an empty folder. */
export async function checkOut(store: GitStore, commit: string, dir: string): Promise<void> {
  const index = temporaryName(join(store.dir, 'index'));
  try {
    await mkdir(dir, { recursive: true });
    const env = { GIT_INDEX_FILE: index, GIT_WORK_TREE: dir };
    await gitOk(store, ['read-tree', commit], env);
    await gitOk(store, ['checkout-index', '--all', '--quiet', `--prefix=${dir}/`], env);
  } finally {
    await rm(index, { force: true });
  }
}

/** A commit of a history, for release numbers and changelogs. */
export interface HistoryCommit {
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  readonly author: string;
  readonly email: string;
  readonly subject: string;
}

/** The first-parent history of some paths in a repository (its `.git` or a bare one), newest first. */
export async function historyOf(
  gitDir: string,
  commit: string,
  paths: readonly string[],
): Promise<HistoryCommit[] | undefined> {
  const format = '--format=%H%x00%ct%x00%an%x00%ae%x00%s%x1e';
  const result = await git({ dir: gitDir }, ['log', '--first-parent', format, commit, '--', ...paths]);
  if (result.code !== 0) return undefined;
  return result.stdout
    .split('\x1e')
    .map((record) => record.trim().split('\0'))
    .filter((fields) => fields.length === 5)
    .map(([hash, time, author, email, subject]) => ({
      commit: hash!,
      time: Number(time),
      author: author!,
      email: email!,
      subject: subject!,
    }));
}

/** How many commits a dist-git has since (and with) the one that last changed the spec's Version. */
export async function commitsSinceVersion(store: GitStore, commit: string, spec: string): Promise<number> {
  const changed = await gitOk(store, ['log', '-1', '--first-parent', '--format=%H', '-G^Version:', commit, '--', spec]);
  if (changed === '') return 1;
  return 1 + Number(await gitOk(store, ['rev-list', '--count', '--first-parent', `${changed}..${commit}`]));
}
