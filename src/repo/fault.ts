import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { byKey } from '../base/order.ts';

/** A difference between a published folder and what was built. */
export interface Fault {
  readonly path: string;
  /** `extra`: the file is not part of the build. */
  readonly fault: 'wrong' | 'missing' | 'extra';
  readonly message: string;
}

/** Permission bits of published files: readable by everyone, whoever serves them. */
export const fileMode = 0o644;
export const folderMode = 0o755;

/** `0644` */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/**
 * Why a path cannot be read as a file of the build; undefined if it can. Links are not followed and pipes not read: their
 * content is not what is published.
 */
export async function unreadableFile(dir: string, path: string): Promise<Fault | undefined> {
  const wrong = (message: string): Fault => ({ path, fault: 'wrong', message });
  try {
    const info = await lstat(join(dir, path));
    if (info.isSymbolicLink()) return wrong('it is a symbolic link');
    if (!info.isFile()) return wrong('it is not a file');
    await (await open(join(dir, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)).close();
    return undefined;
  } catch (error) {
    return failed(path, error);
  }
}

/** Why a path is not a folder of the build; undefined if it is one. */
export async function wrongFolder(dir: string, path = ''): Promise<Fault | undefined> {
  try {
    const info = await lstat(join(dir, path));
    if (info.isSymbolicLink()) return { path, fault: 'wrong', message: 'it is a symbolic link' };
    return info.isDirectory() ? undefined : { path, fault: 'wrong', message: 'it is not a folder' };
  } catch (error) {
    return failed(path, error);
  }
}

/** Faults found by a step that reads a file; a file that cannot be read is a fault, too. */
export async function readingFaults(path: string, read: () => Promise<readonly Fault[]>): Promise<readonly Fault[]> {
  try {
    return await read();
  } catch (error) {
    return [failed(path, error)];
  }
}

/**
 * Every path below a folder except folders, sorted. Faults are unreadable folders; empty folders, which no build creates; modes other
 * than `fileMode` and `folderMode`; and owners other than the top folder's.
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
      shapes.push({ path: folder, fault: 'extra', message: 'empty folder, which no build creates' });
    for (const [name, isFolder] of names) {
      if (root !== undefined) shapes.push(...(await shapeFaults(dir, join(folder, name), root)));
      if (isFolder) await visit(join(folder, name));
      else paths.push(join(folder, name));
    }
  };
  await visit('');
  return { paths: paths.sort(), faults: [...faults, ...shapes] };
}

/** Only the first fault of each path. */
export function onceEach(faults: readonly Fault[]): Fault[] {
  const said = new Map<string, Fault>();
  for (const fault of faults) if (!said.has(fault.path)) said.set(fault.path, fault);
  return [...said.values()];
}

/** Faults in the attributes of a file or folder, not its content. @param owner of the whole folder */
export async function shapeFaults(
  dir: string,
  path: string,
  owner: { readonly uid: number; readonly gid: number },
): Promise<Fault[]> {
  const info = await lstat(join(dir, path)).catch(() => undefined);
  if (info === undefined || !(info.isFile() || info.isDirectory())) return [];
  const wrong = (message: string): Fault[] => [{ path, fault: 'wrong', message }];
  const [mode, made] = [info.mode & 0o7777, info.isFile() ? fileMode : folderMode];
  if (mode !== made) return wrong(`its mode is ${modeText(mode)}, expected ${modeText(made)}`);
  if (info.uid === owner.uid && info.gid === owner.gid) return [];
  return wrong(`its owner is ${info.uid}:${info.gid}, expected ${owner.uid}:${owner.gid}`);
}

/** The entries of a folder, sorted, with whether each is a folder. Empty if it does not exist; a fault if it is unreadable or not a folder. */
export async function entriesOf(
  dir: string,
  path = '',
): Promise<{ readonly names: (readonly [string, boolean])[]; readonly faults: Fault[] }> {
  try {
    const found = await readdir(join(dir, path), { withFileTypes: true });
    const names = found.map((each) => [each.name, each.isDirectory()] as const);
    return { names: names.sort(byKey), faults: [] };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return { names: [], faults: [] };
    if (code === 'ENOTDIR') return { names: [], faults: [{ path, fault: 'wrong', message: 'it is not a folder' }] };
    return { names: [], faults: [failed(path, error)] };
  }
}

/** The faults with paths relative to a parent folder. */
export function within(folder: string, faults: readonly Fault[]): Fault[] {
  return faults.map((each) => ({ ...each, path: join(folder, each.path) }));
}

function failed(path: string, error: unknown): Fault {
  const code = systemCode(error);
  if (code === undefined) throw error;
  if (code === 'ENOENT' || code === 'ENOTDIR') return { path, fault: 'missing', message: 'it is missing' };
  if (code === 'ELOOP') return { path, fault: 'wrong', message: 'it is a symbolic link' };
  return { path, fault: 'wrong', message: 'it cannot be read' };
}
