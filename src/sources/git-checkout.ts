import { WeirError } from '../base/errors.ts';
import { fetchMissing } from './git-fetch.ts';
import { type CommitFile, filesOfTree, writeFiles } from './git-files.ts';
import { type GitObject, parseCommit } from './git-objects.ts';
import { readObject } from './git-readers.ts';
import { type GitRepository, gitFailed, type RetryOptions } from './git-run.ts';
import { type LfsPointer, lfsPointer } from './lfs.ts';

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
