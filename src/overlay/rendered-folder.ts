// The folder of rendered specs, which the project keeps in git: comparing it with what it should be, and writing it.
// All at once and not by promises: the files are many and small, and threads of their own do this.

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
import { systemCode } from '../base/errors.ts';
import { diskError, isAbandoned, isTemporary, temporaryName } from '../base/files.ts';
import type { Project } from '../project/model.ts';
import { type RenderedComponent, type RenderedFile, renderedHeader } from './render.ts';

/** The folder of rendered specs. */
export function renderedSpecsDir({ project, root }: Pick<Project, 'project' | 'root'>): string {
  return project.renderedSpecsDir ?? join(root, 'specs');
}

/** A file of the rendered folder that is not as it should be. */
export interface StaleFile {
  /** Relative to the rendered specs' folder. */
  readonly path: string;
  readonly state: 'missing' | 'changed' | 'extra';
}

/** A file as it was when it was known to be right; one that still looks the same need not be read again. */
export interface FileStamp {
  /** Relative to the component's folder. */
  readonly name: string;
  readonly digest: Digest;
  readonly executable: boolean;
  /** Inode, size, and time of the last change. */
  readonly look: string;
}

/** A component's folder beside what it should be. */
export interface FolderState {
  readonly stale: readonly StaleFile[];
  /** Of all files, where they are as they should be. */
  readonly stamps: readonly FileStamp[];
}

/** Compares a component's folder with what it should be; nothing is written. @param root the rendered specs' folder */
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
  // Extra files first: one may stand where a folder has to be.
  const order = { extra: 0, changed: 1, missing: 2 };
  stale.sort((a, b) => order[a.state] - order[b.state] || (a.path < b.path ? -1 : 1));
  return { stale, stamps };
}

/**
 * Writes what differs and removes what no longer belongs into the component's folder. @param root the rendered specs' folder
 * @returns what was not as it should be
 * @throws WeirError `not-writable`, `no-space`
 */
export function writeRendered(root: string, rendered: RenderedComponent): FolderState {
  const { stale, stamps } = checkRendered(root, rendered);
  const written: FileStamp[] = [];
  const top = join(root, rendered.dir);
  for (const { path, state } of stale) {
    const target = join(root, path);
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
  return { stale, stamps: [...stamps, ...written] };
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
      // Empty folders are no files, so nobody has found this one extra.
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
 * Whether a component's folder has these files and no others, as they were. @param dir the component's folder
 * @returns the stamps as they are now, or undefined where anything differs
 */
export function asStamped(dir: string, stamps: readonly FileStamp[]): readonly FileStamp[] | undefined {
  const there = filesBelow(dir);
  if (there.length !== stamps.length) return undefined;
  let current: readonly FileStamp[] = stamps;
  for (const [index, stamp] of stamps.entries()) {
    const path = join(dir, stamp.name);
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info?.isFile() !== true || isExecutable(info) !== stamp.executable) return undefined;
    const look = lookOf(info);
    if (look === stamp.look) continue;
    // Copied, checked out or touched: its content says whether that was all.
    if (sha256(readFileSync(path)) !== stamp.digest) return undefined;
    current = current.with(index, { ...stamp, look });
  }
  return current;
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
      // Only what Weir wrote is ever called an orphan.
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

/** Removes an orphan, and the folder of its letter where it was the last in it. */
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
    throw error;
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

/** What another run writes just now will have another name in a moment; one that was killed left it for good. */
function isOthersTemporary(path: string, name: string): boolean {
  if (!isTemporary(name)) return false;
  const info = lstatSync(path, { throwIfNoEntry: false });
  return info === undefined || !isAbandoned(name, info.mtimeMs);
}
