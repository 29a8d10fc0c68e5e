import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isAlive, thisProcess } from './alive.ts';
import { systemCode, WeirError } from './errors.ts';
import { refuseReadOnly } from './read-only.ts';

/** Identifies the process that owns a temporary file. */
const owner = [thisProcess.pid, thisProcess.namespace, Number(thisProcess.started)]
  .map((each) => each.toString(36))
  .join('-');

/** A fresh name beside `path`, on the same file system, which makes the later rename atomic. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${owner}-${randomBytes(4).toString('hex')}.tmp`);
}

/** Whether a name was made by `temporaryName`. */
export function isTemporary(name: string): boolean {
  return temporaryPattern.test(name);
}

const temporaryPattern = /^\.([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+)-[0-9a-f]{8}\.tmp$/;

/**
 * Whether a name belongs to a temporary file whose process has exited. Processes in other containers that share the cache
 * cannot be checked; their files count as abandoned after a day.
 */
export function isAbandoned(name: string, mtimeMs: number): boolean {
  const [, ...parts] = temporaryPattern.exec(name) ?? [];
  if (parts.length === 0) return false;
  const [pid, namespace, started] = parts.map((part) => Number.parseInt(part, 36));
  const alive = isAlive({ pid: pid!, namespace: namespace!, started: String(started) });
  return alive === undefined ? Date.now() - mtimeMs > 86_400_000 : !alive;
}

/**
 * Writes a file atomically: readers see the old content or the new, never a part. Creates parent folders.
 * @throws WeirError `read-only`, see `refuseReadOnly`; those of `diskError`, and `not-writable` if no folder can be made there
 */
export async function writeAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  refuseReadOnly(path);
  const temporary = temporaryName(path);
  try {
    makeFolder(dirname(path));
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(data);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (systemCode(error) !== 'ENOENT') throw diskError(error, path);
    // Parent folders were made: here none can be, as below /proc.
    throw new WeirError('not-writable', 'cannot write here: the folder cannot be made', {
      where: { file: path },
      cause: error,
    });
  }
}

/** As `mkdir -p`. Node's own never ends where a file system such as /proc answers that a folder's parent is not there. */
export function makeFolder(dir: string): void {
  for (let turn = 0; ; turn++) {
    try {
      mkdirSync(dir);
      return;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EEXIST') return;
      if (code !== 'ENOENT' || turn > 0 || dirname(dir) === dir) throw error;
    }
    makeFolder(dirname(dir));
  }
}

/** Like `writeAtomic`, without giving other work a turn. The folder must exist. */
export function writeAtomicSync(path: string, data: string): void {
  const temporary = temporaryName(path);
  try {
    writeFileSync(temporary, data, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw diskError(error, path);
  }
}

/** Writes only if the content differs, which leaves times alone and watchers quiet. @returns whether it wrote */
export async function writeIfChanged(path: string, data: string): Promise<boolean> {
  const before = await readIfExists(path);
  if (before === data) return false;
  await writeAtomic(path, data);
  return true;
}

/**
 * A text file's content, or undefined if the file does not exist.
 * @throws WeirError `not-a-file`, `not-a-folder` (exit 2) for the wrong kind of file; `not-readable` without permission
 */
export async function readIfExists(path: string): Promise<string | undefined> {
  try {
    const info = await stat(path);
    if (!info.isFile() && !info.isDirectory()) throw notRegular(path);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof WeirError) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES' || code === 'EPERM') {
      const hint = 'check the permissions of the file and of its parent folders';
      throw new WeirError('not-readable', 'cannot read the file', { where: { file: path }, hint, cause: error });
    }
    throw diskError(error, code === 'EISDIR' ? path : dirname(path));
  }
}

/** The error of a file that is not one to read: reading a named pipe would wait for a writer. */
export function notRegular(path: string): WeirError {
  return new WeirError('not-a-file', 'this is not a regular file', { where: { file: path }, exit: 2 });
}

/**
 * Sorted names in a folder that end in `ending`, without it; hidden ones are skipped. Empty if the folder is missing.
 * @throws WeirError `not-a-folder` (exit 2)
 */
export async function namesEndingIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw diskError(error, folder);
  });
  return names
    .filter((name) => name.endsWith(ending) && !name.startsWith('.'))
    .map((name) => name.slice(0, -ending.length))
    .sort();
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

/** The error for a full disk. @param path what was being written */
export function noSpace(path: string, cause?: unknown): WeirError {
  return new WeirError('no-space', 'no space left on the device', {
    where: { file: path },
    hint: 'free some space, or set XDG_CACHE_HOME to a folder on a larger file system; the next run resumes from finished work',
    cause,
  });
}

/** The error for reaching the limit of open files. */
export function tooManyFiles(path: string | undefined, cause?: unknown): WeirError {
  return new WeirError('too-many-files', 'too many open files', {
    ...(path === undefined ? {} : { where: { file: path } }),
    hint: 'raise the limit, for example with `ulimit -n 1024`; the next run resumes from finished work',
    cause,
  });
}

/** Turns "no space left", "permission denied" and "too many open files" into WeirErrors; returns other errors unchanged. */
export function diskError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === 'EMFILE' || code === 'ENFILE') return tooManyFiles(path, error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return noSpace(path, error);
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new WeirError('not-writable', 'cannot write here: permission denied or read-only file system', {
      where: { file: path },
      cause: error,
    });
  }
  if (code === 'EISDIR') {
    return new WeirError('not-a-file', 'this is a folder, not a file', {
      where: { file: path },
      exit: 2,
      cause: error,
    });
  }
  if (code === 'ENOTDIR') {
    return new WeirError('not-a-folder', 'this is not a folder', { where: { file: path }, exit: 2, cause: error });
  }
  return error;
}

/** How many tasks may run at once under a low limit of open files: six files per task, plus those of Node itself. */
function mostAtOnce(): number {
  const said = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return said === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((Number(said) - 24) / 6));
}

let atOnce: number | undefined;

/**
 * Runs `work` over `items`, at most `limit` at a time (fewer under a low limit of open files); results are in order. After
 * the first failure nothing new starts.
 */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  atOnce ??= mostAtOnce();
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed && next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index]!, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(limit, atOnce, items.length) }, worker));
  for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
