import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { withLock } from '../base/lock.ts';
import type { RunResult } from '../base/process.ts';
import { type GitRepository, type Patience, runGit, runPatiently } from './git-run.ts';

/** Brings what a refspec names, without the contents of files where the server can leave them out. @returns git's result */
export function fetchRefs(repository: GitRepository, refspec: string, patience: Patience): Promise<RunResult> {
  return alone(repository, () => runPatiently(() => fetch(repository, [refspec], true), patience));
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
