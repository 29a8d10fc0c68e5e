import {
  closeSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemCode, WeirError } from '../base/errors.ts';
import type { ReadAt } from './read-at.ts';
import { memberReader, type TarMember } from './tar.ts';

/**
 * A folder that archives are unpacked into, one after the other; nothing else writes to it. It remembers what was written and
 * resolves links on the way to a name from that memory, as if the folder were the root. The system never follows a link, so no
 * archive can write outside of the folder.
 */
export interface Folder {
  /** Writes a member, replacing one with the same name; for a folder, a link is followed. @throws WeirError `bad-tar`, `bad-member` */
  readonly place: (archive: ReadAt, member: TarMember) => void;
  readonly directory: (path: string) => void;
  readonly symlink: (path: string, target: string) => void;
  readonly file: (path: string, text: string) => void;
  /** The kind of file a path leads to after following all links; undefined if it does not exist. */
  readonly kindOf: (path: string) => 'file' | 'directory' | undefined;
  /** Whether a link with this name exists, whatever its target. */
  readonly isLink: (path: string) => boolean;
}

type Placed = { readonly kind: 'directory' | 'file' } | { readonly kind: 'symlink'; readonly target: string };

const chunk = 1 << 20;

/** Linux allows 4,096 bytes for a path, including the folder's own, and 255 for one component. */
const longestPath = 3072;
const longestPart = 255;

/** The kernel's limit on links followed in one path. */
const mostLinks = 40;

/** @param root an existing, empty folder */
export function openFolder(root: string): Folder {
  /** By path from the root, without links in it; the root itself is ``. */
  const placed = new Map<string, Placed>([['', { kind: 'directory' }]]);
  const parents = new Map<string, string>();
  const onDisk = (path: string): string => join(root, path);

  /**
   * The folder that a path leads to. @param make whether to create missing folders on the way
   * @returns undefined if there is none
   */
  const folderAt = (path: string, make: boolean): string | undefined => {
    const known = parents.get(path);
    if (known !== undefined) return known;
    const found = follow(path, make);
    if (found === undefined || placed.get(found)?.kind !== 'directory') return undefined;
    parents.set(path, found);
    return found;
  };
  /** The path after following all links. */
  const follow = (path: string, make: boolean): string | undefined => {
    const waiting = path.split('/').reverse();
    let at = '';
    let links = 0;
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
        continue;
      }
      if (placed.get(at)?.kind !== 'directory') return undefined;
      const next = at === '' ? name : `${at}/${name}`;
      const entry = placed.get(next);
      if (entry === undefined) {
        if (!make) return undefined;
        mkdirSync(onDisk(next), 0o755);
        placed.set(next, { kind: 'directory' });
      } else if (entry.kind === 'symlink') {
        if (++links > mostLinks) throw badMember(path, 'leads through too many links');
        if (entry.target.startsWith('/')) at = '';
        waiting.push(...entry.target.split('/').reverse());
        continue;
      }
      at = next;
    }
    return at;
  };

  /** The path of a member on disk: its folder without links, then its name. */
  const placeOf = (path: string, make: boolean): string => {
    const parts = path.split('/');
    if (path === '' || parts.some((part) => part === '' || part === '.' || part === '..')) {
      throw badMember(path, 'is not a valid file name');
    }
    if (path.length > longestPath || parts.some((part) => Buffer.byteLength(part) > longestPart)) {
      throw badMember(path.slice(0, longestPart), '… is too long for a file system');
    }
    const name = parts.at(-1)!;
    const folder = folderAt(parts.slice(0, -1).join('/'), make);
    if (folder === undefined) throw badMember(path, 'is below something that is not a folder');
    return folder === '' ? name : `${folder}/${name}`;
  };

  /** Removes what is at a path, so that nothing is written through it. */
  const clear = (at: string, path: string): void => {
    const before = placed.get(at);
    if (before === undefined) return;
    try {
      if (before.kind === 'directory') rmdirSync(onDisk(at));
      else unlinkSync(onDisk(at));
    } catch (error) {
      if (systemCode(error) !== 'ENOTEMPTY') throw error;
      throw badMember(path, 'would replace a folder that is not empty');
    }
    placed.delete(at);
    // Only a link or a folder can have been part of another path.
    if (before.kind !== 'file') parents.clear();
  };

  const directory = (path: string, mode = 0o755): void => {
    if (folderAt(path, false) !== undefined) return;
    const at = placeOf(path, true);
    clear(at, path);
    // Must stay writable for the files still to come.
    mkdirSync(onDisk(at), mode | 0o700);
    placed.set(at, { kind: 'directory' });
  };
  const symlink = (path: string, target: string): void => {
    const at = placeOf(path, true);
    clear(at, path);
    symlinkSync(target, onDisk(at));
    placed.set(at, { kind: 'symlink', target });
  };
  const file = (path: string, mode: number, write: (fd: number) => void): void => {
    const at = placeOf(path, true);
    clear(at, path);
    const fd = openSync(onDisk(at), 'wx', mode);
    try {
      placed.set(at, { kind: 'file' });
      write(fd);
    } finally {
      closeSync(fd);
    }
  };
  const hardlink = (path: string, target: string): void => {
    const from = placeOf(target, false);
    if (placed.get(from)?.kind !== 'file') throw badMember(path, `is a hard link to ${target}, which is not a file`);
    const at = placeOf(path, true);
    if (at === from) return;
    clear(at, path);
    linkSync(onDisk(from), onDisk(at));
    placed.set(at, { kind: 'file' });
  };

  return {
    place: (archive, member) => {
      const { path, kind, mode, size, mtime } = member;
      if (kind === 'directory') {
        if (path !== '') directory(path, mode & 0o777);
      } else if (kind === 'symlink') symlink(path, member.target);
      else if (kind === 'hardlink') hardlink(path, member.target);
      else if (kind === 'file') {
        file(path, mode & 0o777, (fd) => {
          const read = memberReader(archive, member);
          for (let at = 0; at < size; at += chunk) writeAll(fd, read(at, chunk));
          futimesSync(fd, mtime, mtime);
        });
      } else
        throw badMember(
          path,
          kind === 'unknown' ? `has the unknown type ${JSON.stringify(member.type)}` : `is an unsupported ${kind}`,
        );
    },
    directory,
    symlink,
    file: (path, text) => file(path, 0o644, (fd) => writeAll(fd, Buffer.from(text))),
    kindOf: (path) => {
      const at = follow(path, false);
      const kind = at === undefined ? undefined : placed.get(at)?.kind;
      return kind === 'symlink' ? undefined : kind;
    },
    isLink: (path) => placed.get(placeOf(path, false))?.kind === 'symlink',
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

function badMember(path: string, what: string): WeirError {
  return new WeirError('bad-member', `${path === '' ? 'a member without a name' : path} ${what}`);
}
