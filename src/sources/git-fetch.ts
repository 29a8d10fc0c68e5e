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
 * Fetches a refspec, without file contents if the server supports that.
 * @returns git's result, and whether the clone had to switch to upstream's object format
 */
export function fetchRefs(
  repository: GitRepository,
  refspec: string,
  retry: RetryOptions,
): Promise<RunResult & { readonly otherNames: boolean }> {
  return alone(repository, async () => {
    const ask = (): Promise<RunResult> => runPatiently(() => fetch(repository, [refspec], true), retry);
    const first = await ask();
    // `init` cannot know upstream's object format: only the server does.
    const otherNames = first.code !== 0 && /mismatched algorithms: client sha1; server sha256/.test(first.stderr);
    if (!otherNames) return { ...first, otherNames };
    await takeLongNames(repository.gitDir);
    return { ...(await ask()), otherNames };
  });
}

/** Whether a repository uses SHA-256 object ids, 64 digits long. Also false if its configuration is elsewhere. */
export function hasLongNames(gitDir: string): boolean {
  try {
    return /^\s*objectformat\s*=\s*"?sha256\b/im.test(readFileSync(join(gitDir, 'config'), 'utf8'));
  } catch (error) {
    // The `.git` of an additional work tree is a file.
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}

/** Switches a clone without objects to SHA-256 (gitrepository-layout(5), `extensions.objectFormat`). */
async function takeLongNames(gitDir: string): Promise<void> {
  for (const [key, value] of [
    ['core.repositoryFormatVersion', '1'],
    ['extensions.objectFormat', 'sha256'],
  ]) {
    const { code, stderr } = await runGit(gitDir, ['config', '--local', key!, value!]);
    if (code !== 0) throw gitFailed('git could not configure a repository in the cache', stderr);
  }
}

/** Fetches objects that a partial clone lacks, in one request. @returns git's result */
export function fetchMissing(
  repository: GitRepository,
  ids: readonly string[],
  retry: RetryOptions,
): Promise<RunResult> {
  return alone(repository, async () => {
    const asked = await runPatiently(() => fetch(repository, ['--stdin'], true, ids), retry);
    if (asked.code === 0) return asked;
    // A server that does not serve single objects by id must send everything.
    const whole = ['--refetch', '+refs/*:refs/weir/whole/*'];
    const all = await runPatiently(() => fetch(repository, whole, false), retry);
    return all.code === 0 ? all : asked;
  });
}

/**
 * A fetch from a remote that is configured for this one command only. A repository without a configured promisor remote never
 * fetches objects implicitly while it is read, one at a time, even when the run is offline.
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
    // Objects requested by id have no history to compare.
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

/** Kills a git and its child processes, and waits until they have ended. */
async function end(owner: Owner, gitDir: string): Promise<void> {
  try {
    process.kill(-owner.pid, 'SIGTERM');
  } catch (error) {
    // Already ended, or another user's.
    if (!['ESRCH', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  }
  for (let looks = 0; looks < 100 && isAlive(owner) === true; looks++)
    await new Promise((done) => setTimeout(done, 20));
  if (isAlive(owner) !== true) return;
  throw new WeirError('locked', `a git process of an earlier run is still fetching (process ${owner.pid})`, {
    where: { file: gitDir },
  });
}

/** One fetch at a time per repository: other runs, and other components with the same upstream, wait. */
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

/** Records the git that fetches into a repository: it can outlive the weir that started it. */
const fetching = 'weir-git';

/** Milliseconds after which the files of a git in another container count as abandoned: a running one keeps writing its pack. */
const foreignAge = 600_000;

/**
 * Removes what a killed git left: lock files, which would block every later fetch, and half-written packs. A git that still
 * runs although its weir has ended is killed first, because no run waits for it any more.
 * @throws WeirError `locked` if it cannot be stopped
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
