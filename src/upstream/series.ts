// A series of patches against a dist-git, made by git itself in a scratch repository that borrows the dist-git's objects.

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeAtomic } from '../base/files.ts';
import type { RunOptions } from '../base/process.ts';
import type { Author } from '../sources/author.ts';
import { hasLongNames } from '../sources/git-fetch.ts';
import type { CommitFile } from '../sources/git-files.ts';
import { type GitRepository, gitEnvironment, gitFailed, runGit } from '../sources/git-run.ts';

/** One commit of a series. */
export interface SeriesCommit {
  /** Subject and body. */
  readonly message: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Path → the file after the commit; undefined if deleted. */
  readonly changes: ReadonlyMap<string, CommitFile | undefined>;
}

/** A repository of our own, which reads the objects of another. */
export interface ScratchRepository {
  readonly gitDir: string;
  readonly author: Author;
}

/** Without the user's settings: many of them change the form of patches. */
function environment(author: Author, time?: number): Readonly<Record<string, string>> {
  const date = time === undefined ? {} : { GIT_AUTHOR_DATE: `${time} +0000`, GIT_COMMITTER_DATE: `${time} +0000` };
  return {
    ...gitEnvironment(),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
    ...date,
  };
}

async function git(
  { gitDir, author }: ScratchRepository,
  args: readonly string[],
  options: RunOptions & { readonly time?: number } = {},
): Promise<string> {
  const { time, env, ...rest } = options;
  const result = await runGit(gitDir, args, { ...rest, env: { ...environment(author, time), ...env } });
  if (result.code !== 0) throw gitFailed(`git ${args[0]} failed`, result.stderr);
  return result.stdout.trim();
}

/** @param dir a folder that does not exist yet */
export async function scratchRepository(
  source: GitRepository,
  dir: string,
  author: Author,
): Promise<ScratchRepository> {
  const made: ScratchRepository = { gitDir: dir, author };
  const format = `--object-format=${hasLongNames(source.gitDir) ? 'sha256' : 'sha1'}`;
  await mkdir(dir, { recursive: true });
  await git(made, ['init', '--quiet', '--bare', '--template=', format, dir]);
  // The `.git` of a work tree can be a file, and objects can be shared.
  const { code, stdout, stderr } = await runGit(source.gitDir, ['rev-parse', '--git-path', 'objects']);
  if (code !== 0) throw gitFailed(`git could not read ${source.gitDir}`, stderr);
  await writeAtomic(join(dir, 'objects/info/alternates'), `${resolve(stdout.trim())}\n`);
  return made;
}

/** Commits on top of each other. @returns the last one */
export async function commitSeries(
  repository: ScratchRepository,
  base: string,
  commits: readonly SeriesCommit[],
): Promise<string> {
  const index = { env: { GIT_INDEX_FILE: join(repository.gitDir, 'series-index') } };
  await git(repository, ['read-tree', base], index);
  let parent = base;
  for (const { message, time, changes } of commits) {
    let input = '';
    for (const [path, file] of changes) {
      // Zero removes a path (git-update-index(1), --index-info).
      const id =
        file === undefined
          ? '0'.repeat(base.length)
          : await git(repository, ['hash-object', '-w', '--stdin'], { input: file.bytes });
      const mode = file === undefined ? '0' : file.executable ? '100755' : '100644';
      input += `${mode} ${id}\t${path}\0`;
    }
    await git(repository, ['update-index', '-z', '--index-info'], { ...index, input });
    const tree = await git(repository, ['write-tree'], index);
    parent = await git(repository, ['commit-tree', '-p', parent, '-F', '-', tree], { input: message, time });
  }
  return parent;
}

/** Writes the patches of a series. @returns their names, in order */
export async function formatPatches(
  repository: ScratchRepository,
  base: string,
  tip: string,
  into: string,
): Promise<string[]> {
  const shape = [
    '--full-index',
    '--binary',
    '--no-signature',
    '--zero-commit',
    '--no-renames',
    '--encode-email-headers',
  ];
  await git(repository, ['format-patch', '--quiet', ...shape, '-o', into, `${base}..${tip}`]);
  return (await readdir(into)).sort();
}

/**
 * Applies patches by `git am` to a checkout of a commit.
 * @param dir an empty folder for the checkout
 * @param keepCr whether line ends with a carriage return are kept, which mail does not preserve
 * @returns the tree, and what git said if it failed
 */
export async function applySeries(
  source: GitRepository,
  author: Author,
  base: string,
  patches: readonly string[],
  dir: string,
  keepCr: boolean,
): Promise<{ readonly tree: string } | { readonly said: string }> {
  const gitDir = join(dir, '.git');
  const work = await scratchRepository(source, gitDir, author);
  const at = { cwd: dir, env: { GIT_WORK_TREE: dir } };
  await git(work, ['config', 'core.bare', 'false']);
  await writeFile(join(gitDir, 'HEAD'), 'ref: refs/heads/series\n');
  await git(work, ['update-ref', 'refs/heads/series', base]);
  await git(work, ['-c', 'core.autocrlf=false', 'reset', '--quiet', '--hard', base], at);
  const args = [
    '-c',
    'core.autocrlf=false',
    '-c',
    'commit.gpgSign=false',
    'am',
    '--quiet',
    ...(keepCr ? ['--keep-cr'] : []),
  ];
  const { code, stderr, stdout } = await runGit(gitDir, [...args, ...patches], {
    cwd: dir,
    env: { ...environment(author), GIT_WORK_TREE: dir },
  });
  if (code !== 0) return { said: stderr === '' ? stdout : stderr };
  return { tree: await git(work, ['rev-parse', 'HEAD^{tree}']) };
}

/** The tree of a commit. */
export function treeOf(repository: ScratchRepository, commit: string): Promise<string> {
  return git(repository, ['rev-parse', `${commit}^{tree}`]);
}
