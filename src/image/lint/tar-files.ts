import { posix } from 'node:path';
import type { ReadAt } from '../../archive/read-at.ts';
import { readMember, readTar, type TarKind } from '../../archive/tar.ts';
import { WeirError } from '../../base/errors.ts';
import type { FileNode, Files } from './files.ts';

const kinds: Readonly<Partial<Record<TarKind, FileNode['kind']>>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
};

/**
 * The files that tar archives make when they are unpacked one over the other, as a container's layers are: `.wh.NAME` takes
 * away what is below (OCI Image Format Specification, "Whiteouts"). @throws WeirError `bad-tar`
 */
export function tarFiles(layers: readonly ReadAt[]): Files {
  interface Placed {
    readonly node: FileNode;
    readonly read: () => Buffer;
  }
  const placed = new Map<string, Placed>();
  const remove = (path: string, itself: boolean): void => {
    if (itself) placed.delete(path);
    const inside = path === '/' ? '/' : `${path}/`;
    for (const each of placed.keys()) if (each.startsWith(inside) && each !== '/') placed.delete(each);
  };
  const folder: FileNode = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0 };
  placed.set('/', { node: folder, read: () => Buffer.alloc(0) });
  for (const read of layers) {
    const added = new Map<string, Placed>();
    for (const member of readTar(read)) {
      const path = `/${member.path}`;
      const name = posix.basename(path);
      if (name === '.wh..wh..opq') remove(posix.dirname(path), false);
      else if (name.startsWith('.wh.')) remove(posix.join(posix.dirname(path), name.slice(4)), true);
      else if (member.kind === 'hardlink') {
        const to = added.get(`/${member.target}`) ?? placed.get(`/${member.target}`);
        if (to !== undefined) added.set(path, to);
      } else {
        const { mode, uid, gid, size, target } = member;
        const kind = kinds[member.kind] ?? 'other';
        const node: FileNode = {
          ...{ kind, mode, uid, gid, size },
          ...(kind === 'symlink' ? { target } : {}),
          ...(member.xattrs?.has('security.selinux') === true ? { labelled: true } : {}),
        };
        added.set(path, { node, read: () => readMember(read, member) });
      }
    }
    for (const [path, each] of added) {
      // What was in a folder goes with it.
      if (each.node.kind !== 'directory' && placed.get(path)?.node.kind === 'directory') remove(path, true);
      placed.set(path, each);
    }
  }
  const sorted = [...placed].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    nodes: new Map(sorted.map(([path, { node }]) => [path, node])),
    read: async (path) => placed.get(path)!.read(),
  };
}

/** What makes an archive unreadable, or undefined. */
export function tarProblem(read: ReadAt): string | undefined {
  try {
    for (const _ of readTar(read));
    return undefined;
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'bad-tar') throw error;
    return error.message;
  }
}
