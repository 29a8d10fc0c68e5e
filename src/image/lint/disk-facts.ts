import type { ReadAt } from '../../archive/read-at.ts';
import { partitionTypes } from '../disk.ts';
import { type ModuleIndex, parseModules } from '../kernel-modules.ts';
import { type BootEntry, bootEntries } from './boot-entries.ts';
import { type Files, readBytes, readText } from './files.ts';
import { type Gpt, type GptPartition, readGpt } from './gpt.ts';
import type { Decompress } from './initrd-modules.ts';
import { once, unreadable } from './rule.ts';

export type DiskFormat = 'raw' | 'qcow2' | 'vhd';

/** A disk as it was opened. */
export interface OpenDisk {
  readonly format: DiskFormat;
  /** bytes of the artefact's own file */
  readonly fileSize: number;
  /** bytes of the disk in it */
  readonly size: number;
  /** Reads the disk, whatever the format. */
  readonly read: ReadAt;
  /** The last 512 bytes of a VHD. */
  readonly footer?: Buffer;
}

/** How what lies on a disk is read. */
export interface DiskReaders {
  /** @param offset bytes @param size bytes */
  readonly fat: (offset: number, size: number) => Promise<Files>;
  readonly ext4: (offset: number, size: number) => Promise<Files>;
  /** What the file system's own checker has to say against it. */
  readonly checkExt4: (offset: number, size: number) => Promise<readonly string[]>;
  /** Names of the packages in an RPM database. */
  readonly packages: (database: Buffer) => Promise<readonly string[]>;
  readonly decompress: Decompress;
}

/**
 * What rules ask of a disk. All but the first is read when it is asked for; what cannot be read throws `unreadable`, but for
 * the two that `when` may ask: the copies of the partition table, and the architecture.
 */
export interface DiskFacts {
  readonly disk: OpenDisk;
  /** Both copies of the partition table, however damaged. */
  readonly copies: () => Gpt;
  /** A partition table with something in it. */
  readonly gpt: () => Gpt;
  readonly architecture: () => 'x86_64' | 'aarch64';
  /** The EFI system partition's files; undefined where there is no such partition. */
  readonly esp: () => Promise<Files | undefined>;
  readonly rootPartition: () => GptPartition;
  readonly root: () => Promise<Files>;
  readonly rootProblems: () => Promise<readonly string[]>;
  readonly bootEntries: () => Promise<readonly BootEntry[]>;
  /** Modules and built-in parts of a kernel release, from the root. */
  readonly modules: (release: string) => Promise<ModuleIndex | undefined>;
  /** Names of installed packages. */
  readonly packages: () => Promise<readonly string[]>;
}

/** Type GUIDs that only the linter knows, of the UEFI specification, Linux and the Discoverable Partitions Specification. */
export const otherTypes = {
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  boot: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  swap: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  lvm: 'e6d6d379-f507-44c2-a23c-238f2a3df928',
  raid: 'a19d880f-05fc-4d3b-a006-743f0f84911e',
  luks: 'ca7d7ccb-63ed-4c53-861c-1742536059cc',
} as const;

const rootTypes: readonly string[] = [partitionTypes.rootX86_64, partitionTypes.rootArm64];

export function diskFacts(disk: OpenDisk, readers: DiskReaders): DiskFacts {
  const copies = once(() => readGpt(disk.read, disk.size));
  const gpt = (): Gpt => {
    if (copies().partitions.length === 0) throw unreadable('the disk has no partition table that can be read');
    return copies();
  };
  const partition = (type: string) => gpt().partitions.find((each) => each.type === type);
  const rootPartition = once(() => {
    const { partitions } = gpt();
    const found =
      partitions.find(({ type }) => rootTypes.includes(type)) ??
      partitions.filter(({ type }) => type === otherTypes.linux).sort((a, b) => b.size - a.size)[0];
    if (found === undefined) throw unreadable('no partition is of a type that a root has');
    return found;
  });
  const root = once(async () => {
    const { number, offset, size } = rootPartition();
    if (!hasExt4(disk.read, offset))
      throw unreadable(`partition ${number} has no ext4 file system, as a root has here`);
    return readers.ext4(offset, size);
  });
  const esp = once(async () => {
    const found = partition(partitionTypes.esp);
    return found === undefined ? undefined : readers.fat(found.offset, found.size);
  });
  const xbootldr = async (): Promise<Files | undefined> => {
    const found = partition(otherTypes.boot);
    if (found === undefined) return undefined;
    return hasExt4(disk.read, found.offset)
      ? readers.ext4(found.offset, found.size)
      : readers.fat(found.offset, found.size);
  };
  return {
    disk,
    copies,
    gpt,
    rootPartition,
    root,
    esp,
    architecture: () =>
      copies().partitions.some(({ type }) => type === partitionTypes.rootArm64) ? 'aarch64' : 'x86_64',
    rootProblems: once(async () => {
      const { offset, size } = rootPartition();
      await root();
      return readers.checkExt4(offset, size);
    }),
    bootEntries: once(async () => {
      const [onEsp, onBoot, onRoot] = await Promise.all([esp(), xbootldr(), root()]);
      return bootEntries(
        [
          ...(onEsp === undefined ? [] : [{ name: 'esp', files: onEsp, folder: '' }]),
          ...(onBoot === undefined ? [] : [{ name: 'boot', files: onBoot, folder: '' }]),
          { name: 'root', files: onRoot, folder: '/boot' },
        ],
        readers.decompress,
      );
    }),
    modules: async (release) => {
      const files = await root();
      const folder = `/usr/lib/modules/${release}`;
      const [dep, builtin] = await Promise.all(
        ['modules.dep', 'modules.builtin'].map((name) => readText(files, `${folder}/${name}`)),
      );
      return dep === undefined || builtin === undefined ? undefined : parseModules(dep, builtin);
    },
    packages: once(async () => installedPackages(await root(), readers.packages)),
  };
}

/** Where distributions have the RPM database, the one of today first. */
export const rpmDatabases = ['/usr/lib/sysimage/rpm/rpmdb.sqlite', '/var/lib/rpm/rpmdb.sqlite'];

/** @throws WeirError `unreadable` where there is no database */
export async function installedPackages(files: Files, read: DiskReaders['packages']): Promise<readonly string[]> {
  for (const path of rpmDatabases) {
    const database = await readBytes(files, path);
    if (database !== undefined) return read(database);
  }
  throw unreadable('the image has no RPM database');
}

/** The superblock's magic number (kernel documentation, "ext4 Data Structures and Algorithms"). */
function hasExt4(read: ReadAt, offset: number): boolean {
  const magic = read(offset + 1024 + 0x38, 2);
  return magic.length === 2 && magic.readUInt16LE(0) === 0xef53;
}

/** UUID and label of an ext4 file system. */
export function ext4Names(read: ReadAt, offset: number): { readonly uuid: string; readonly label: string } | undefined {
  if (!hasExt4(read, offset)) return undefined;
  const block = read(offset + 1024, 1024);
  const hex = block.toString('hex', 0x68, 0x78);
  const uuid = [0, 8, 12, 16, 20].map((at, index, all) => hex.slice(at, all[index + 1])).join('-');
  return { uuid, label: block.toString('utf8', 0x78, 0x88).replace(/\0.*$/s, '') };
}

/** A partition as findings name it. */
export function partitionName({ number, name }: Pick<GptPartition, 'number' | 'name'>): string {
  return name === '' ? `partition ${number}` : `partition ${number} (${name})`;
}
