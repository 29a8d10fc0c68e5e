import { posix } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { type Complaint, unreadable } from './rule.ts';

/** A file in an image. */
export interface FileNode {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** 0o0000–0o7777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Size in bytes; 0 unless a regular file. */
  readonly size: number;
  /** Target of a symlink, unresolved. */
  readonly target?: string;
  /** Whether it has an SELinux context, if the reader supports that. */
  readonly labelled?: boolean;
}

/** A read-only file system of an image: the list is complete, contents are read on demand. */
export interface Files {
  /** Absolute path → file, parents before children, without trailing slashes; includes `/`. */
  readonly nodes: ReadonlyMap<string, FileNode>;
  /** Paths in `nodes` with unreadable content below, and why. */
  readonly unseen: ReadonlyMap<string, string>;
  /** Content of a regular file, by its path in `nodes`. @throws WeirError `unreadable` */
  readonly read: (path: string) => Promise<Buffer>;
}

/** Result of resolving all symlinks of a path. */
type Walked =
  | { readonly state: 'found'; readonly path: string }
  | { readonly state: 'missing' }
  /** A symlink's target is missing; `to` is the missing path. */
  | { readonly state: 'dangling'; readonly to: string }
  | { readonly state: 'circle' };

/** @throws WeirError `unreadable` if it leads into an unreadable place */
function walk({ nodes, unseen }: Files, path: string): Walked {
  let waiting = path.split('/');
  /** Number of remaining names of the path itself, after the names inserted by symlinks. */
  let own = waiting.length;
  let at = '/';
  let links = 0;
  while (waiting.length > 0) {
    const name = waiting.shift()!;
    const isOwn = waiting.length < own;
    if (isOwn) own = waiting.length;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = posix.dirname(at);
      continue;
    }
    const why = unseen.get(at);
    if (why !== undefined) throw unreadable(`${path} is in ${at}, which is unreadable: ${why}`);
    const next = posix.join(at, name);
    const node = nodes.get(next);
    if (node === undefined) {
      return isOwn ? { state: 'missing' } : { state: 'dangling', to: posix.join(next, ...waiting) };
    }
    if (node.kind !== 'symlink') {
      at = next;
      continue;
    }
    // The kernel's limit.
    if (++links > 40) return { state: 'circle' };
    const target = node.target ?? '';
    if (target.startsWith('/')) at = '/';
    waiting = [...target.split('/'), ...waiting];
  }
  return { state: 'found', path: at };
}

/**
 * The path in `nodes` after following all symlinks, or undefined if it does not exist.
 * @throws WeirError `unreadable` if it leads into an unreadable place
 */
export function resolvePath(files: Files, path: string): string | undefined {
  const walked = walk(files, path);
  return walked.state === 'found' ? walked.path : undefined;
}

/** The file with this name: symlinks are resolved in its parents, but not for itself. @throws WeirError `unreadable` */
export function nodeAt(files: Files, path: string): FileNode | undefined {
  const above = resolvePath(files, posix.dirname(path));
  if (above === undefined) return undefined;
  checkSeen(files, above, path);
  const own = posix.join(above, posix.basename(path));
  checkSeen(files, own, path);
  return files.nodes.get(own);
}

function checkSeen({ unseen }: Files, real: string, path: string): void {
  const why = unseen.get(real);
  if (why !== undefined) throw unreadable(`${path}: ${why}`);
}

/** The regular file that a path resolves to. @throws WeirError `unreadable` */
export function findFile(files: Files, path: string): FileNode | undefined {
  const real = resolvePath(files, path);
  if (real === undefined) return undefined;
  checkSeen(files, real, path);
  const node = files.nodes.get(real);
  return node?.kind === 'file' ? node : undefined;
}

/** A file's content with symlinks resolved, or undefined if there is no regular file. @throws WeirError `unreadable` */
export async function readBytes(files: Files, path: string): Promise<Buffer | undefined> {
  return findFile(files, path) === undefined ? undefined : files.read(resolvePath(files, path)!);
}

export async function readText(files: Files, path: string): Promise<string | undefined> {
  return (await readBytes(files, path))?.toString('utf8');
}

/** File systems of the running system: targets of symlinks into them are in no image. */
const madeAtStart = /^\/(run|proc|sys|dev|var\/run)(\/|$)/;

/**
 * A file that must not contain certain things. Undefined only if the image has no file of that name: an existing file that
 * cannot be read does not pass.
 * @throws WeirError `unreadable`, also for a dangling link and for anything but a regular file
 */
export async function readSuspect(files: Files, path: string): Promise<string | undefined> {
  const walked = walk(files, path);
  if (walked.state === 'missing') return undefined;
  if (walked.state === 'dangling') {
    if (madeAtStart.test(walked.to)) return undefined;
    throw unreadable(`${path} leads to ${walked.to}, which is not in the image`);
  }
  if (walked.state === 'circle') throw unreadable(`${path} leads through a symlink loop`);
  checkSeen(files, walked.path, path);
  const node = files.nodes.get(walked.path)!;
  if (node.kind !== 'file') {
    throw unreadable(`${path} is ${node.kind === 'directory' ? 'a folder' : 'a device or a pipe'}, not a file`);
  }
  return (await files.read(walked.path)).toString('utf8');
}

/** All files below a folder at any depth; empty if there is no such folder. @throws WeirError `unreadable` */
export function below(files: Files, folder: string): [string, FileNode][] {
  const real = resolvePath(files, folder);
  if (real === undefined) return [];
  checkSeen(files, real, folder);
  const start = real === '/' ? '/' : `${real}/`;
  return [...files.nodes].filter(([path]) => path.startsWith(start) && path !== '/');
}

/**
 * The unreadable parts that `below` leaves out, as findings for rules about forbidden files. A link to a folder that is not
 * in the image counts too.
 */
export function unseenBelow(files: Files, folder: string): Complaint[] {
  const blind = (message: string, where: string): Complaint => ({ message, where, unchecked: true });
  let walked: Walked;
  try {
    walked = walk(files, folder);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'unreadable') throw error;
    return [blind(error.message, folder)];
  }
  if (walked.state === 'circle') return [blind('it leads through a symlink loop', folder)];
  if (walked.state === 'dangling' && !madeAtStart.test(walked.to)) {
    return [blind(`it leads to ${walked.to}, which is not in the image`, folder)];
  }
  if (walked.state !== 'found') return [];
  const { path: real } = walked;
  const start = real === '/' ? '/' : `${real}/`;
  return [...files.unseen]
    .filter(([path]) => path.startsWith(start) || path === real)
    .map(([path, why]) => blind(why, path === real ? folder : path));
}

/** Whether the content of a folder is visible; a missing folder is. */
export function canSee(files: Files, folder: string): boolean {
  return unseenBelow(files, folder).every(({ where }) => where !== folder);
}

/**
 * A regular file on a case-insensitive file system, by the path in `nodes` that it leads to.
 * @throws WeirError `unreadable`
 */
export function findIgnoringCase(files: Files, path: string): string | undefined {
  const wanted = path.toLowerCase();
  for (const each of files.nodes.keys()) {
    if (each.toLowerCase() === wanted && findFile(files, each) !== undefined) return resolvePath(files, each);
  }
  return undefined;
}

/** Trimmed lines, without blank lines and comments. */
export function settingLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
