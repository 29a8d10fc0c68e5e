import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../base/errors.ts';

/** What is not as it was made. */
export interface Fault {
  readonly path: string;
  /** `extra`: nothing says that it should be there. */
  readonly fault: 'wrong' | 'missing' | 'extra';
  readonly message: string;
}

/** Permission bits of what is published: everybody may read it, whoever serves it. */
export const fileMode = 0o644;
export const folderMode = 0o755;

/** `0644` */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/**
 * Why a path in a folder can't be read as a file of the build's, undefined where it can. Nothing is read through a link or from
 * a pipe: what these lead to is not what is published.
 */
export async function unreadableFile(dir: string, path: string): Promise<Fault | undefined> {
  const wrong = (message: string): Fault => ({ path, fault: 'wrong', message });
  try {
    const info = await lstat(join(dir, path));
    if (info.isSymbolicLink()) return wrong('it is a link');
    if (!info.isFile()) return wrong('it is no file');
    await (await open(join(dir, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)).close();
    return undefined;
  } catch (error) {
    return failed(path, error);
  }
}

/** Why a path is no folder of the build's, undefined where it is one. */
export async function wrongFolder(dir: string, path = ''): Promise<Fault | undefined> {
  try {
    const info = await lstat(join(dir, path));
    if (info.isSymbolicLink()) return { path, fault: 'wrong', message: 'it is a link' };
    return info.isDirectory() ? undefined : { path, fault: 'wrong', message: 'it is no folder' };
  } catch (error) {
    return failed(path, error);
  }
}

/** What a step finds that reads a file; that the file can't be read is a fault of it. */
export async function readingFaults(path: string, read: () => Promise<readonly Fault[]>): Promise<readonly Fault[]> {
  try {
    return await read();
  } catch (error) {
    return [failed(path, error)];
  }
}

/**
 * Everything below a folder that is no folder, sorted. Faults are folders that can't be read or that hold nothing, which nobody makes;
 * modes other than those of what is published; and owners other than the folder's own.
 */
export async function filesWithin(dir: string): Promise<{ readonly paths: string[]; readonly faults: Fault[] }> {
  const paths: string[] = [];
  const faults: Fault[] = [];
  const shapes: Fault[] = [];
  const root = await lstat(dir).catch(() => undefined);
  const visit = async (folder: string): Promise<void> => {
    const { names, faults: found } = await entriesOf(dir, folder);
    faults.push(...found);
    if (names.length === 0 && found.length === 0 && folder !== '')
      shapes.push({ path: folder, fault: 'extra', message: 'an empty folder, which no build makes' });
    for (const [name, isFolder] of names) {
      if (root !== undefined) shapes.push(...(await shapeFaults(dir, join(folder, name), root)));
      if (isFolder) await visit(join(folder, name));
      else paths.push(join(folder, name));
    }
  };
  await visit('');
  return { paths: paths.sort(), faults: [...faults, ...shapes] };
}

/** The first of what is said of each path. */
export function onceEach(faults: readonly Fault[]): Fault[] {
  const said = new Map<string, Fault>();
  for (const fault of faults) if (!said.has(fault.path)) said.set(fault.path, fault);
  return [...said.values()];
}

/** What of a file or folder is not as it is published, but for its content. @param owner of it all */
export async function shapeFaults(
  dir: string,
  path: string,
  owner: { readonly uid: number; readonly gid: number },
): Promise<Fault[]> {
  const info = await lstat(join(dir, path)).catch(() => undefined);
  if (info === undefined || !(info.isFile() || info.isDirectory())) return [];
  const wrong = (message: string): Fault[] => [{ path, fault: 'wrong', message }];
  const [mode, made] = [info.mode & 0o7777, info.isFile() ? fileMode : folderMode];
  if (mode !== made) return wrong(`its mode is ${modeText(mode)}, ${modeText(made)} was made`);
  if (info.uid === owner.uid && info.gid === owner.gid) return [];
  return wrong(`it belongs to ${info.uid}:${info.gid}, the folder that it is in to ${owner.uid}:${owner.gid}`);
}

/** What stands in a folder, sorted, with whether it is a folder. One that is not there has nothing; no folder or an unreadable one is a fault. */
export async function entriesOf(
  dir: string,
  path = '',
): Promise<{ readonly names: (readonly [string, boolean])[]; readonly faults: Fault[] }> {
  try {
    const found = await readdir(join(dir, path), { withFileTypes: true });
    const names = found.map((each) => [each.name, each.isDirectory()] as const);
    return { names: names.sort(([a], [b]) => (a < b ? -1 : 1)), faults: [] };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return { names: [], faults: [] };
    if (code === 'ENOTDIR') return { names: [], faults: [{ path, fault: 'wrong', message: 'it is no folder' }] };
    return { names: [], faults: [failed(path, error)] };
  }
}

/** Faults of a folder as those of one above it. */
export function within(folder: string, faults: readonly Fault[]): Fault[] {
  return faults.map((each) => ({ ...each, path: join(folder, each.path) }));
}

function failed(path: string, error: unknown): Fault {
  const code = systemCode(error);
  if (code === undefined) throw error;
  if (code === 'ENOENT' || code === 'ENOTDIR') return { path, fault: 'missing', message: 'it is not there' };
  if (code === 'ELOOP') return { path, fault: 'wrong', message: 'it is a link' };
  return { path, fault: 'wrong', message: 'it cannot be read' };
}
