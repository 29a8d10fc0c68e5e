import { readFileSync, writeFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatOwner, isAlive, type Owner, ownerOf, parseOwner } from '../base/alive.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { withLock } from '../base/file-lock.ts';
import { readIfExists } from '../base/files.ts';
import type { RunResult } from '../base/process.ts';
import { type GitRepository, gitFailed, type RetryOptions, runGit, runPatiently } from './git-run.ts';

/**
 * Brings what a refspec names, without the contents of files where the server can leave them out.
 * @returns git's result, and whether the clone was found to have names of another length than upstream and got upstream's
 */
export function fetchRefs(
  repository: GitRepository,
  refspec: string,
  retry: RetryOptions,
): Promise<RunResult & { readonly otherNames: boolean }> {
  return alone(repository, async () => {
    const ask = (): Promise<RunResult> => runPatiently(() => fetch(repository, [refspec], true), retry);
    const first = await ask();
    // `init` cannot know what names upstream has: only a server that is asked says so.
    const otherNames = first.code !== 0 && /mismatched algorithms: client sha1; server sha256/.test(first.stderr);
    if (!otherNames) return { ...first, otherNames };
    await takeLongNames(repository.gitDir);
    return { ...(await ask()), otherNames };
  });
}

/** Whether a repository's objects have SHA-256 names, 64 digits long. False too where its configuration is not in it. */
export function hasLongNames(gitDir: string): boolean {
  try {
    return /^\s*objectformat\s*=\s*"?sha256\b/im.test(readFileSync(join(gitDir, 'config'), 'utf8'));
  } catch (error) {
    // The `.git` of a further work tree is a file.
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}

/** Gives a clone that has no object yet the names of SHA-256 (gitrepository-layout(5), `extensions.objectFormat`). */
async function takeLongNames(gitDir: string): Promise<void> {
  for (const [key, value] of [
    ['core.repositoryFormatVersion', '1'],
    ['extensions.objectFormat', 'sha256'],
  ]) {
    const { code, stderr } = await runGit(gitDir, ['config', '--local', key!, value!]);
    if (code !== 0) throw gitFailed('git could not configure a repository in the cache', stderr);
  }
}

/** Brings objects that a partial clone lacks, all in one go. @returns git's result */
export function fetchMissing(
  repository: GitRepository,
  ids: readonly string[],
  retry: RetryOptions,
): Promise<RunResult> {
  return alone(repository, async () => {
    const asked = await runPatiently(() => fetch(repository, ['--stdin'], true, ids), retry);
    if (asked.code === 0) return asked;
    // A server that gives no object by its name alone has to give everything.
    const whole = ['--refetch', '+refs/*:refs/weir/whole/*'];
    const all = await runPatiently(() => fetch(repository, whole, false), retry);
    return all.code === 0 ? all : asked;
  });
}

/**
 * A fetch by a remote that is configured for this one command: a repository that knows no promisor never asks one behind our back
 * while it is read, one object at a time and even where the run is offline.
 */
function fetch(
  repository: GitRepository,
  args: readonly string[],
  partial: boolean,
  ids?: readonly string[],
): Promise<RunResult> {
  const filter = 'blob:none';
  const settings = [
    `remote.origin.url=${repository.url}`,
    ...(partial ? ['remote.origin.promisor=true', `remote.origin.partialclonefilter=${filter}`] : []),
    // What is wanted by name has no history to compare.
    ...(ids === undefined ? [] : ['fetch.negotiationAlgorithm=noop']),
  ];
  const fixed = ['--quiet', '--no-tags', '--no-prune', '--no-write-fetch-head', '--recurse-submodules=no'];
  const [option, ...rest] = args[0]!.startsWith('--') ? args : ['--no-auto-gc', ...args];
  return runGit(
    repository.gitDir,
    ['fetch', ...fixed, ...(partial ? [`--filter=${filter}`] : []), option!, 'origin', ...rest],
    {
      settings,
      started: (pid) => writeFileSync(join(repository.gitDir, fetching), formatOwner(ownerOf(pid))),
      ...(ids === undefined ? {} : { input: `${ids.join('\n')}\n` }),
    },
  );
}

/** Ends a git and what it started, and waits until it is gone. */
async function end(owner: Owner, gitDir: string): Promise<void> {
  try {
    process.kill(-owner.pid, 'SIGTERM');
  } catch (error) {
    // Gone meanwhile, or another user's.
    if (!['ESRCH', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  }
  for (let looks = 0; looks < 100 && isAlive(owner) === true; looks++)
    await new Promise((done) => setTimeout(done, 20));
  if (isAlive(owner) !== true) return;
  throw new WeirError('locked', `a git that an earlier run started (process ${owner.pid}) still fetches`, {
    where: { file: gitDir },
  });
}

/** One fetch at a time in a repository: another run's, or another component's of the same upstream, waits. */
async function alone<T>(repository: GitRepository, work: () => Promise<T>): Promise<T> {
  const lock = join(repository.gitDir, 'weir-lock');
  for (let wait = 20; ; wait = Math.min(wait * 2, 1000)) {
    try {
      return await withLock(lock, async () => {
        await clearLeftovers(repository.gitDir);
        const result = await work();
        await rm(join(repository.gitDir, fetching), { force: true });
        return result;
      });
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'locked') throw error;
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

/** Says which git fetches into a repository: it can live longer than the weir that started it. */
const fetching = 'weir-git';

/** Milliseconds after which what a git of another container left is nobody's: it writes to its pack all the time. */
const foreignAge = 600_000;

/**
 * Removes what a git that was killed left: lock files, which would stop every later fetch, and half-written packs. One whose
 * weir is gone but that still runs is ended first, as nobody waits for it any more.
 * @throws WeirError `locked` where it goes on nevertheless
 */
async function clearLeftovers(gitDir: string): Promise<void> {
  const owner = parseOwner((await readIfExists(join(gitDir, fetching))) ?? '');
  const alive = owner === undefined ? false : isAlive(owner);
  if (owner !== undefined && alive === true) await end(owner, gitDir);
  const below = async (folder: string): Promise<string[]> =>
    (await readdir(join(gitDir, folder), { recursive: true }).catch(() => [])).map((name) =>
      join(gitDir, folder, name),
    );
  const own = (await readdir(gitDir)).map((name) => join(gitDir, name));
  const refs = (await below('refs')).filter((path) => path.endsWith('.lock'));
  const packs = (await below('objects/pack')).filter((path) => /\/(?:\.tmp-|tmp_)[^/]*$/.test(path));
  for (const path of [...own.filter((each) => each.endsWith('.lock')), ...refs, ...packs]) {
    if (alive === undefined) {
      const info = await stat(path).catch(() => undefined);
      if (info === undefined || Date.now() - info.mtimeMs < foreignAge) continue;
    }
    await rm(path, { force: true });
  }
}
