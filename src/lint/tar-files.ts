import { posix } from 'node:path';
import type { ReadAt } from '../archive/read-at.ts';
import { readMember, readTar, type TarKind, type TarMember } from '../archive/tar.ts';
import type { FileNode, Files } from './files.ts';
import { RootBuilder } from './root-builder.ts';

const kinds: Readonly<Record<Exclude<TarKind, 'hardlink' | 'unknown'>, FileNode['kind']>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
  'character-device': 'other',
  'block-device': 'other',
  fifo: 'other',
};

/** How to unpack an archive. */
export interface TarOptions {
  /**
   * The archive is a container layer: `.wh.NAME` removes what is below, `.wh..wh..opq` everything in the folder (OCI Image
   * Format Specification, "Whiteouts"). Otherwise these are normal files.
   */
  readonly whiteouts?: boolean;
}

/** Unpacks an archive on top of existing files. @throws WeirError `bad-tar`, `unreadable` */
export function addTar(builder: RootBuilder, read: ReadAt, { whiteouts = false }: TarOptions = {}): void {
  builder.nextLayer();
  for (const member of readTar(read)) {
    const path = `/${member.path}`;
    if (!whiteouts || !addWhiteout(builder, path)) addMember(builder, path, member, read);
  }
}

const whiteout = '.wh.';

/** @returns whether it is a whiteout */
function addWhiteout(builder: RootBuilder, path: string): boolean {
  const name = posix.basename(path);
  if (!name.startsWith(whiteout)) return false;
  const folder = posix.dirname(path);
  if (name === '.wh..wh..opq') builder.clear(folder);
  // Other names with this prefix are internal to AUFS.
  else if (!name.startsWith('.wh..wh.')) builder.remove(posix.join(folder, name.slice(whiteout.length)));
  return true;
}

function addMember(builder: RootBuilder, path: string, member: TarMember, read: ReadAt): void {
  if (member.kind === 'hardlink') {
    builder.link(path, `/${member.target}`);
    return;
  }
  if (member.kind === 'unknown') {
    // A volume label (GNU tar manual, "Including a Label in the Archive").
    if (member.type !== 'V') builder.hide(path, `it has the unknown member type ${member.type}`);
    return;
  }
  const { mode, uid, gid, size, target } = member;
  const kind = kinds[member.kind];
  const node: FileNode = {
    ...{ kind, mode, uid, gid, size },
    ...(kind === 'symlink' ? { target } : {}),
    ...(member.xattrs?.has('security.selinux') === true ? { labelled: true } : {}),
  };
  builder.place(path, { node, read: () => readMember(read, member) });
}

/** The files of archives unpacked on top of each other. @throws WeirError `bad-tar`, `unreadable` */
export function tarFiles(archives: readonly ReadAt[], options: TarOptions = {}): Files {
  const builder = new RootBuilder();
  for (const read of archives) addTar(builder, read, options);
  return builder.files();
}
