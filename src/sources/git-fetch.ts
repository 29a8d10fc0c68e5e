import { readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import { withLock } from '../base/lock.ts';
import type { RunResult } from '../base/process.ts';
import { type GitRepository, gitFailed, type Patience, runGit, runPatiently } from './git-run.ts';

/**
 * Brings what a refspec names, without the contents of files where the server can leave them out.
 * @returns git's result, and whether the clone was found to have names of another length than upstream and got upstream's
 */
export function fetchRefs(
  repository: GitRepository,
  refspec: string,
  patience: Patience,
): Promise<RunResult & { readonly otherNames: boolean }> {
  return alone(repository, async () => {
    const ask = (): Promise<RunResult> => runPatiently(() => fetch(repository, [refspec], true), patience);
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
  patience: Patience,
): Promise<RunResult> {
  return alone(repository, async () => {
    const asked = await runPatiently(() => fetch(repository, ['--stdin'], true, ids), patience);
    if (asked.code === 0) return asked;
    // A server that gives no object by its name alone has to give everything.
    const whole = ['--refetch', '+refs/*:refs/weir/whole/*'];
    const all = await runPatiently(() => fetch(repository, whole, false), patience);
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
    { settings, ...(ids === undefined ? {} : { input: `${ids.join('\n')}\n` }) },
  );
}

/** One fetch at a time in a repository: another run's, or another component's of the same upstream, waits. */
async function alone<T>(repository: GitRepository, work: () => Promise<T>): Promise<T> {
  const lock = join(repository.gitDir, 'weir-lock');
  for (let wait = 20; ; wait = Math.min(wait * 2, 1000)) {
    try {
      return await withLock(lock, async () => {
        await clearLeftovers(repository.gitDir);
        return work();
      });
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'locked') throw error;
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

/** Removes what a git that was killed left: lock files, which would stop every later fetch, and half-written packs. */
async function clearLeftovers(gitDir: string): Promise<void> {
  const below = async (folder: string): Promise<string[]> =>
    (await readdir(join(gitDir, folder), { recursive: true }).catch(() => [])).map((name) =>
      join(gitDir, folder, name),
    );
  const own = (await readdir(gitDir)).map((name) => join(gitDir, name));
  const refs = (await below('refs')).filter((path) => path.endsWith('.lock'));
  const packs = (await below('objects/pack')).filter((path) => /\/(?:\.tmp-|tmp_)[^/]*$/.test(path));
  for (const path of [...own.filter((each) => each.endsWith('.lock')), ...refs, ...packs])
    await rm(path, { force: true });
}
