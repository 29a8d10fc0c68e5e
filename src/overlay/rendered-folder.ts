// The folder of rendered specs, which the project keeps in git: comparing it with its expected content, and writing it.
// Synchronous and without promises: the files are many and small, and this runs on worker threads.

import {
  type Dirent,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Digest, sha256 } from '../base/digest.ts';
import { systemCode, WeirError } from '../base/errors.ts';
import { diskError, isAbandoned, isTemporary, temporaryName } from '../base/files.ts';
import { byName, compareText } from '../base/order.ts';
import { refuseReadOnly } from '../base/read-only.ts';
import { type RenderedComponent, type RenderedFile, renderedHeader } from './render.ts';

/** A file of the rendered folder that differs from the expected one. */
export interface StaleFile {
  /** Relative to the rendered specs' folder. */
  readonly path: string;
  readonly state: 'missing' | 'changed' | 'extra';
}

/** The stamp of a file from when its content was verified; a match skips reading the file. */
export interface FileStamp {
  /** Relative to the component's folder. */
  readonly name: string;
  readonly digest: Digest;
  readonly executable: boolean;
  /** Inode, size, and time of the last change. */
  readonly look: string;
}

/** The stamps of a component's folder from when its content was verified. */
export interface FolderStamp {
  /** Sorted by name. */
  readonly files: readonly FileStamp[];
  /** The stamp of the folder itself, which changes when a file is added or removed; missing if it has subfolders. */
  readonly look?: string;
}

/** A component's folder compared with its expected content. */
export interface FolderState {
  readonly stale: readonly StaleFile[];
  /** Stamps of the files that are up to date. */
  readonly stamp: FolderStamp;
}

/** Compares a component's folder with its expected content; nothing is written. @param root the rendered specs' folder */
export function checkRendered(root: string, rendered: RenderedComponent): FolderState {
  const stale: StaleFile[] = [];
  const stamps: FileStamp[] = [];
  const dir = join(root, rendered.dir);
  const there = new Set(filesBelow(dir));
  for (const [name, file] of rendered.files) {
    const path = `${rendered.dir}/${name}`;
    if (!there.delete(name)) {
      stale.push({ path, state: 'missing' });
      continue;
    }
    const info = lstatSync(join(dir, name));
    const same = info.isFile() && isExecutable(info) === file.executable && info.size === file.bytes.length;
    if (same && readFileSync(join(dir, name)).equals(file.bytes)) stamps.push(stampOf(name, file, info));
    else stale.push({ path, state: 'changed' });
  }
  for (const name of there) stale.push({ path: `${rendered.dir}/${name}`, state: 'extra' });
  // Extra files first: one may be at the path of a folder to create.
  const order = { extra: 0, changed: 1, missing: 2 };
  stale.sort((a, b) => order[a.state] - order[b.state] || compareText(a.path, b.path));
  return { stale, stamp: folderStamp(dir, stamps) };
}

/**
 * Writes files that differ and removes extra ones in a component's folder. @param root the rendered specs' folder
 * @returns the files that differed
 * @throws WeirError `not-writable`, `no-space`, `read-only`
 */
export function writeRendered(root: string, rendered: RenderedComponent): FolderState {
  const { stale, stamp } = checkRendered(root, rendered);
  const written: FileStamp[] = [];
  const top = join(root, rendered.dir);
  for (const { path, state } of stale) {
    const target = join(root, path);
    refuseReadOnly(target);
    try {
      if (state === 'extra') {
        rmSync(target, { force: true });
        removeEmpty(dirname(target), top);
        continue;
      }
      const name = path.slice(rendered.dir.length + 1);
      written.push(replaceFile(target, name, rendered.files.get(name)!));
    } catch (error) {
      throw diskError(error, target);
    }
  }
  return { stale, stamp: stale.length === 0 ? stamp : folderStamp(top, [...stamp.files, ...written]) };
}

function replaceFile(target: string, name: string, file: RenderedFile): FileStamp {
  const temporary = temporaryName(target);
  try {
    try {
      writeFileSync(temporary, file.bytes, { mode: file.executable ? 0o755 : 0o644, flag: 'wx' });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(temporary, file.bytes, { mode: file.executable ? 0o755 : 0o644, flag: 'wx' });
    }
    const stamp = stampOf(name, file, statSync(temporary));
    try {
      renameSync(temporary, target);
    } catch (error) {
      // Empty folders are not files, so the comparison did not list them.
      if (systemCode(error) !== 'EISDIR') throw error;
      rmSync(target, { recursive: true });
      renameSync(temporary, target);
    }
    return stamp;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Whether a component's folder has exactly these files, unchanged. @param dir the component's folder
 * @returns the current stamp, the same object if nothing changed; undefined if a file differs
 */
export function asStamped(dir: string, stamp: FolderStamp): FolderStamp | undefined {
  try {
    return stampNow(dir, stamp);
  } catch (error) {
    // A file is where a folder must be: rendering the component reports it.
    if (systemCode(error) === 'ENOTDIR' || (error instanceof WeirError && error.code === 'not-a-folder'))
      return undefined;
    throw error;
  }
}

function stampNow(dir: string, stamp: FolderStamp): FolderStamp | undefined {
  // If the folder's own stamp is the same, no entry was added or removed and it need not be listed.
  const folderLook = lookOfFolder(dir);
  if (folderLook === undefined || folderLook !== stamp.look) {
    const there = new Set(filesBelow(dir));
    if (there.size !== stamp.files.length || stamp.files.some(({ name }) => !there.has(name))) return undefined;
  }
  let { files } = stamp;
  for (const [index, file] of files.entries()) {
    const path = join(dir, file.name);
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info?.isFile() !== true || isExecutable(info) !== file.executable) return undefined;
    const look = lookOf(info);
    if (look === file.look) continue;
    // Copied, checked out or touched: only the content shows whether it changed.
    if (sha256(readFileSync(path)) !== file.digest) return undefined;
    files = files.with(index, { ...file, look });
  }
  if (files === stamp.files && (stamp.look === undefined || stamp.look === folderLook)) return stamp;
  return { files, ...(stamp.look === undefined || folderLook === undefined ? {} : { look: folderLook }) };
}

function folderStamp(dir: string, stamps: readonly FileStamp[]): FolderStamp {
  const files = stamps.toSorted(byName);
  const look = files.some(({ name }) => name.includes('/')) ? undefined : lookOfFolder(dir);
  return { files, ...(look === undefined ? {} : { look }) };
}

function lookOfFolder(dir: string): string | undefined {
  const info = lstatSync(dir, { throwIfNoEntry: false });
  return info === undefined ? undefined : `${info.ino} ${info.mtimeMs}`;
}

function stampOf(name: string, file: RenderedFile, info: Stats): FileStamp {
  return { name, digest: sha256(file.bytes), executable: file.executable, look: lookOf(info) };
}

function lookOf({ ino, size, mtimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}

function isExecutable({ mode }: Stats): boolean {
  return (mode & 0o100) !== 0;
}

/** Rendered folders of components that the project no longer has, relative to the rendered specs' folder. */
export function orphanedFolders(root: string, names: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const letter of list(root)) {
    if (!letter.isDirectory() || letter.name.length !== 1) continue;
    for (const entry of list(join(root, letter.name))) {
      if (!entry.isDirectory() || names.has(entry.name)) continue;
      // Only what Weir wrote is reported as an orphan.
      if (isOurs(join(root, letter.name, entry.name, `${entry.name}.spec`))) found.push(`${letter.name}/${entry.name}`);
    }
  }
  return found.sort();
}

function isOurs(spec: string): boolean {
  try {
    return readFileSync(spec, 'latin1').includes(renderedHeader[0]!);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return false;
    throw error;
  }
}

/** Removes an orphan, and its letter's folder if that is then empty. */
export function removeOrphan(root: string, path: string): void {
  rmSync(join(root, path), { recursive: true, force: true });
  removeEmpty(dirname(join(root, path)), root);
}

function removeEmpty(dir: string, top: string): void {
  let current = dir;
  while (current.length > top.length && list(current).length === 0) {
    rmdirSync(current);
    current = dirname(current);
  }
}

function list(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw diskError(error, dir);
  }
}

function filesBelow(dir: string, below = '', found: string[] = []): string[] {
  for (const entry of list(join(dir, below))) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) filesBelow(dir, name, found);
    else if (!isOthersTemporary(join(dir, name), entry.name)) found.push(name);
  }
  return found;
}

/** A temporary file: another run is about to rename it, or a killed run left it. */
function isOthersTemporary(path: string, name: string): boolean {
  if (!isTemporary(name)) return false;
  const info = lstatSync(path, { throwIfNoEntry: false });
  return info === undefined || !isAbandoned(name, info.mtimeMs);
}
