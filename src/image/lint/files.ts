import { posix } from 'node:path';

/** A file of an image. */
export interface FileNode {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** 0o0000–0o7777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** bytes; 0 for what is no regular file */
  readonly size: number;
  /** Where a symlink points, as it stands. */
  readonly target?: string;
  /** Whether it has an SELinux context, where the reader knows that. */
  readonly labelled?: boolean;
}

/** A file system of an image, read-only: the whole list at hand, contents when they are asked for. */
export interface Files {
  /** Absolute path → file, parents before children, without a slash at the end; `/` itself is there. */
  readonly nodes: ReadonlyMap<string, FileNode>;
  /** A regular file's content, by its path in `nodes`. @throws WeirError `unreadable` */
  readonly read: (path: string) => Promise<Buffer>;
}

/** The path in `nodes` that a path leads to when all symlinks are followed, or undefined where it leads nowhere. */
export function resolvePath(files: Files, path: string): string | undefined {
  let waiting = path.split('/');
  let at = '/';
  for (let links = 0; waiting.length > 0; ) {
    const name = waiting.shift()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = posix.dirname(at);
      continue;
    }
    const next = posix.join(at, name);
    const node = files.nodes.get(next);
    if (node === undefined) return undefined;
    if (node.kind !== 'symlink') {
      at = next;
      continue;
    }
    // As many as the kernel follows.
    if (++links > 40) return undefined;
    const target = node.target ?? '';
    if (target.startsWith('/')) at = '/';
    waiting = [...target.split('/'), ...waiting];
  }
  return at;
}

/** The regular file that a path leads to. */
export function findFile(files: Files, path: string): FileNode | undefined {
  const real = resolvePath(files, path);
  const node = real === undefined ? undefined : files.nodes.get(real);
  return node?.kind === 'file' ? node : undefined;
}

/** A file's content, symlinks followed, or undefined where there is no regular file. */
export async function readBytes(files: Files, path: string): Promise<Buffer | undefined> {
  const real = resolvePath(files, path);
  if (real === undefined || files.nodes.get(real)?.kind !== 'file') return undefined;
  return files.read(real);
}

export async function readText(files: Files, path: string): Promise<string | undefined> {
  return (await readBytes(files, path))?.toString('utf8');
}

/** All that lies below a folder, at any depth; nothing where there is no such folder. */
export function below(files: Files, folder: string): [string, FileNode][] {
  const real = resolvePath(files, folder);
  if (real === undefined) return [];
  const start = real === '/' ? '/' : `${real}/`;
  return [...files.nodes].filter(([path]) => path.startsWith(start) && path !== '/');
}

/** The path of a file on a file system that does not tell cases apart. */
export function findIgnoringCase(files: Files, path: string): string | undefined {
  const wanted = path.toLowerCase();
  for (const each of files.nodes.keys()) if (each.toLowerCase() === wanted) return each;
  return undefined;
}

/** Lines that are neither blank nor a comment, without spaces around them. */
export function settingLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
