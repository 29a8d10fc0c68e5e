// Reading the git repository that contains a project; it is never written to. Upstream's repositories are in
// git.ts.

import { createHash } from 'node:crypto';
import { WeirError } from '../base/errors.ts';
import { type RunResult, run } from '../base/process.ts';
import { openReader } from './git-objects.ts';
import { gitEnvironment, gitFailed, runGit } from './git-run.ts';

/** A git repository with a working tree. */
export interface Repository {
  readonly gitDir: string;
  /** The working tree's top folder, absolute. */
  readonly top: string;
  /** Whether it is a shallow clone. */
  readonly shallow: boolean;
  /** The hash of object ids. */
  readonly objectFormat: 'sha1' | 'sha256';
}

/** git's record of a file. */
export interface TreeFile {
  /** `100644`, `100755`, `120000` for a symbolic link. */
  readonly mode: string;
  /** Object id of its content. */
  readonly oid: string;
}

/** Paths relative to the top → files. */
export type FileTree = ReadonlyMap<string, TreeFile>;

/** A commit with its changes against its first parent, or against nothing. */
export interface ChangingCommit {
  readonly commit: string;
  /** When it was committed, in seconds since 1970. */
  readonly time: number;
  readonly author: string;
  readonly email: string;
  /** Subject and body. */
  readonly message: string;
  /** Path → the file after the commit; undefined if deleted. */
  readonly changes: ReadonlyMap<string, TreeFile | undefined>;
}

/** Settings that override user settings which would change git's output. */
const plain = ['core.quotePath=false', 'log.showSignature=false', 'i18n.logOutputEncoding=UTF-8'];

function git(repository: Repository, args: readonly string[]): Promise<RunResult> {
  return runGit(repository.gitDir, args, { cwd: repository.top, settings: plain });
}

/**
 * The repository whose working tree contains a folder; undefined if there is none, or no git.
 * @throws WeirError `git-failed` if git rejects an existing one
 */
export async function findRepository(dir: string): Promise<Repository | undefined> {
  const asked = ['--absolute-git-dir', '--show-toplevel', '--is-shallow-repository', '--show-object-format'];
  const result = await run(['git', '-C', dir, 'rev-parse', ...asked], { env: gitEnvironment() }).catch(
    (error: unknown) => {
      if (error instanceof WeirError && error.code === 'no-program') return undefined;
      throw error;
    },
  );
  if (result === undefined || (result.code !== 0 && /not a git repository/i.test(result.stderr))) return undefined;
  const [gitDir, top, shallow, format] = result.stdout.split('\n');
  // A bare repository, or a folder inside `.git`, has no working tree.
  if (result.code !== 0 && /work tree/i.test(result.stderr)) return undefined;
  if (result.code !== 0 || gitDir === undefined || top === undefined)
    throw gitFailed(`git cannot read the repository of ${dir}`, result.stderr);
  return { gitDir, top, shallow: shallow === 'true', objectFormat: format === 'sha256' ? 'sha256' : 'sha1' };
}

/** The commit that a name refers to. @throws WeirError (exit 2) `unknown-ref` */
export async function commitOf(repository: Repository, ref: string): Promise<string> {
  const result = await git(repository, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]);
  const commit = result.stdout.trim();
  if (result.code === 0 && commit !== '') return commit;
  throw new WeirError('unknown-ref', `the project's git has no commit ${ref}`, {
    hint: repository.shallow
      ? 'the clone is shallow: run git fetch --unshallow'
      : 'name a branch, a tag or a commit; a branch of a remote is REMOTE/BRANCH',
    exit: 2,
  });
}

/** The checked-out commit; undefined if there is none yet. */
export async function headOf(repository: Repository): Promise<string | undefined> {
  const result = await git(repository, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);
  return result.code === 0 ? result.stdout.trim() : undefined;
}

/** The files of a commit. Submodules are left out. */
export async function filesOf(repository: Repository, commit: string): Promise<FileTree> {
  const result = await git(repository, ['ls-tree', '-r', '-z', '--full-tree', commit]);
  if (result.code !== 0) throw gitFailed(`git cannot list ${commit}`, result.stderr);
  const tree = new Map<string, TreeFile>();
  for (const entry of result.stdout.split('\0')) {
    const tab = entry.indexOf('\t');
    const [mode, type, oid] = entry.slice(0, tab).split(' ');
    if (type === 'blob') tree.set(entry.slice(tab + 1), { mode: mode!, oid: oid! });
  }
  return tree;
}

/** Reads contents by their object ids; each is read once. Close it when done. */
export interface ContentReader {
  readonly read: (oid: string) => Promise<Buffer>;
  readonly close: () => void;
}

/** @throws WeirError `git-failed` if the repository lacks one of its own objects */
export function openContents(repository: Repository): ContentReader {
  const reader = openReader(repository.gitDir);
  const known = new Map<string, Promise<Buffer>>();
  const read = async (oid: string): Promise<Buffer> => {
    const object = await reader.read(oid);
    if (object === undefined) throw gitFailed(`the project's git lacks the object ${oid}`, '');
    return object.bytes;
  };
  return {
    read: (oid) => {
      let found = known.get(oid);
      if (found === undefined) {
        found = read(oid);
        known.set(oid, found);
      }
      return found;
    },
    close: reader.close,
  };
}

/** The object id of a content in the repository. */
export function objectId(content: Uint8Array, repository: Pick<Repository, 'objectFormat'>): string {
  return createHash(repository.objectFormat).update(`blob ${content.length}\0`).update(content).digest('hex');
}

/**
 * The first-parent history up to a commit, oldest first, without commits that only change excluded paths.
 * @param except paths relative to the top
 */
export async function changesUpTo(
  repository: Repository,
  commit: string,
  except: readonly string[] = [],
): Promise<ChangingCommit[]> {
  const format = '--format=%x01%H%x02%ct%x02%an%x02%ae%x02%B%x03';
  const shape = ['--raw', '-z', '--no-abbrev', '--no-renames', '--root', '--diff-merges=first-parent'];
  const paths = [':(top)', ...except.map((path) => `:(top,exclude,literal)${path}`)];
  const args = ['log', '--first-parent', '--reverse', ...shape, format, commit, '--', ...paths];
  const result = await git(repository, args);
  if (result.code !== 0) throw gitFailed(`git cannot list the history of ${commit}`, result.stderr);
  return result.stdout
    .split('\x01')
    .slice(1)
    .map((record) => {
      const end = record.lastIndexOf('\x03');
      const [hash, time, author, email, ...message] = record.slice(0, end).split('\x02');
      return {
        commit: hash!,
        time: Number(time),
        author: author!,
        email: email!,
        message: message.join('\x02').trimEnd(),
        changes: rawChanges(record.slice(end + 1)),
      };
    });
}

/** `:oldmode newmode oldid newid status`, NUL, path, NUL: the raw format of git-diff-tree(1). */
function rawChanges(text: string): Map<string, TreeFile | undefined> {
  const changes = new Map<string, TreeFile | undefined>();
  const fields = text.split('\0');
  for (let at = 0; at + 1 < fields.length; at++) {
    const match = /^\s*:\d+ (\d+) [0-9a-f]+ ([0-9a-f]+) [A-Z]/.exec(fields[at]!);
    if (match === null) continue;
    const [, mode, oid] = match;
    const blob = mode !== '000000' && mode !== '160000';
    changes.set(fields[++at]!, blob ? { mode: mode!, oid: oid! } : undefined);
  }
  return changes;
}
