import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import { putBytes, putStream, type Store } from '../../engine/store.ts';
import type { Customization } from './customization.ts';
import type { TreePaths } from './tree-paths.ts';
import { problem } from './yaml.ts';

/** Adds the files and folders of a customization. @throws WeirError `bad-image-config` (exit 2) with the line */
export async function addFiles(
  store: Store,
  paths: TreePaths,
  custom: Pick<Customization, 'dirs' | 'files' | 'placeOf'>,
  clock: number,
): Promise<void> {
  const owned = { user: 'root', group: 'root', mtime: clock, packages: [] } as const;
  const put = async (path: string, source: string, mode: number | undefined, info: Stats): Promise<void> => {
    if (!info.isFile()) throw new WeirError('not-a-file', 'not a regular file', { where: { file: source }, exit: 2 });
    const blob = await putStream(store, createReadStream(source));
    paths.put({ ...owned, kind: 'file', path, mode: mode ?? info.mode & 0o7777, ...blob });
  };
  for (const [index, dir] of custom.dirs.entries()) {
    // A link stays a link: it would bring in files from outside the folder, or lead in a circle.
    const copy = async (from: string, to: string, info: Stats): Promise<void> => {
      if (info.isSymbolicLink()) {
        return paths.put({ ...owned, kind: 'symlink', path: to, mode: 0o777, target: await readlink(from) });
      }
      if (!info.isDirectory()) return put(to, from, dir.childFilePermissions, info);
      const before = paths.find(to);
      const mode = before === undefined ? (dir.newDirPermissions ?? info.mode & 0o7777) : dir.mergedDirPermissions;
      if (before === undefined) paths.put({ ...owned, kind: 'directory', path: to, mode: mode! });
      else if (before.kind === 'directory' && mode !== undefined) paths.put({ ...before, mode });
      for (const name of (await readdir(from)).sort(compareText)) {
        await copy(join(from, name), `${to}/${name}`, await lstat(join(from, name)));
      }
    };
    const path = ['os', 'additionalDirs', index, 'source'];
    await at(custom, path, async () => {
      const info = await stat(dir.source);
      if (!info.isDirectory()) throw new WeirError('not-a-folder', 'not a folder', { exit: 2 });
      await copy(dir.source, dir.destination.replace(/\/+$/, ''), info);
    });
  }
  for (const [index, file] of custom.files.entries()) {
    const path = ['os', 'additionalFiles', index];
    await at(custom, path, async () => {
      if (file.source !== undefined) {
        return put(file.destination, file.source, file.permissions, await stat(file.source));
      }
      const blob = await putBytes(store, file.content ?? '');
      paths.put({ ...owned, kind: 'file', path: file.destination, mode: file.permissions ?? 0o644, ...blob });
    });
  }
}

/** Gives errors of the disk and of the tree the line that asks for the file. */
async function at(
  { placeOf }: Pick<Customization, 'placeOf'>,
  path: readonly (string | number)[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') throw problem(placeOf(path), `there is no ${String((error as { path?: string }).path)}`);
    if (code === 'ELOOP' || code === 'EACCES') {
      throw problem(placeOf(path), `cannot read ${String((error as { path?: string }).path)}: ${code}`);
    }
    if (error instanceof WeirError && ['bad-path', 'not-a-file', 'not-a-folder'].includes(error.code)) {
      const named = error.where?.file === undefined ? '' : `${error.where.file}: `;
      throw problem(placeOf(path), `${named}${error.message}`);
    }
    throw error;
  }
}
