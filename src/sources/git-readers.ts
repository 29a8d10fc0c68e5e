import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { hasLongNames } from './git-fetch.ts';
import { type CommitData, type GitObject, type GitReader, openReader, parseCommit } from './git-objects.ts';
import type { GitRepository } from './git-run.ts';
import { clonePath, type GitStore, isThere, localGitDir, localPath, textOf } from './git-store.ts';

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
export function forgetReaders({ gitDir }: GitRepository): void {
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
export async function findCommit(repository: GitRepository, name: string): Promise<CommitData | undefined> {
  const object = await readOwn(repository, `${name}^{commit}`);
  return object === undefined ? undefined : parseCommit(object);
}
