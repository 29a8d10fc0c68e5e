import { dirname } from 'node:path';
import type { ReadAt } from '../../archive/read-at.ts';
import { WeirError } from '../../base/errors.ts';
import { fatFiles } from '../../lint/fat-files.ts';
import { linkResolver } from '../../tree/compose.ts';

/** What debugfs says to a command. */
export type AskDebugfs = (command: string) => Promise<string>;

/** What debugfs's `stat` says about a file. */
export interface Ext4Facts {
  readonly type: string;
  /** Four octal digits. */
  readonly mode: string;
  readonly user: string;
  readonly group: string;
  /** Target of a symbolic link that is stored in the inode. */
  readonly target?: string;
}

/**
 * Checks that a file can be written at a path of a FAT file system. Its names do not tell capital letters from small ones.
 * @param offset of the file system, bytes @param size bytes @throws WeirError `bad-path` (exit 2); `unreadable`
 */
export function checkFatPath(read: ReadAt, offset: number, size: number, path: string): void {
  const kinds = new Map([...fatFiles(read, offset, size).nodes].map(([at, { kind }]) => [at.toLowerCase(), kind]));
  if (kinds.get(path.toLowerCase()) === 'directory') throw badPath('is a folder in the partition');
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) {
    if ((kinds.get(folder.toLowerCase()) ?? 'directory') === 'directory') continue;
    throw badPath(`cannot be written: ${folder} is not a folder in the partition`);
  }
}

/**
 * The path on an ext4 file system without links among its folders, and what is there.
 * @throws WeirError `bad-path` (exit 2) if it is not the path of a file
 */
export async function ext4Path(
  ask: AskDebugfs,
  path: string,
): Promise<{ readonly path: string; readonly before: Ext4Facts | undefined }> {
  const links = new Map<string, string>();
  for (;;) {
    const at = linkResolver(links)(path);
    const found = await linkAmong(ask, foldersOf(at));
    if (found === undefined) {
      const before = factsOf(await ask(`stat "${at}"`));
      if (before === undefined || before.type === 'regular') return { path: at, before };
      throw badPath(`is a ${before.type} in the partition, not a regular file`);
    }
    if (links.has(found.path)) throw badPath('leads in a circle of links in the partition');
    links.set(found.path, found.target);
  }
}

/** The folders above a path, the first one first, without `/`. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) folders.unshift(folder);
  return folders;
}

async function linkAmong(
  ask: AskDebugfs,
  folders: readonly string[],
): Promise<{ readonly path: string; readonly target: string } | undefined> {
  for (const folder of folders) {
    const facts = factsOf(await ask(`stat "${folder}"`));
    if (facts === undefined) return undefined;
    if (facts.type === 'directory') continue;
    if (facts.type !== 'symlink') throw badPath(`cannot be written: ${folder} is not a folder in the partition`);
    // A long target is in a block of its own, as if it were a file's content.
    const target = facts.target ?? (await ask(`cat "${folder}"`));
    // It becomes part of the next command.
    if (/["\p{Cc}]/u.test(target)) throw badPath(`cannot be written: ${folder} is a link with an odd target`);
    return { path: folder, target };
  }
  return undefined;
}

/** Reads debugfs's `stat`; undefined if there is no such path. */
export function factsOf(text: string): Ext4Facts | undefined {
  const [, type, mode] = /Type: (\S+)\s+Mode:\s+(\d{4})/.exec(text) ?? [];
  const [, user, group] = /User:\s+(\d+)\s+Group:\s+(\d+)/.exec(text) ?? [];
  if (type === undefined || mode === undefined || user === undefined || group === undefined) return undefined;
  const target = /^Fast link dest: "(.*)"$/m.exec(text)?.[1];
  return { type, mode, user, group, ...(target === undefined ? {} : { target }) };
}

function badPath(message: string): WeirError {
  return new WeirError('bad-path', message, { exit: 2 });
}
