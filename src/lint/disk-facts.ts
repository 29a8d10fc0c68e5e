import type { ReadAt } from '../archive/read-at.ts';
import { partitionTypes } from '../image/disk.ts';
import { identifyFileSystem } from '../image/filesystem-identity.ts';
import { type ModuleIndex, parseModules } from '../image/kernel-modules.ts';
import { type Architecture, architectureOfFiles, architectureOfTypes } from './architecture.ts';
import { type BootEntry, bootEntries } from './boot-entries.ts';
import type { IdentifiedPartition } from './devices.ts';
import { contentName, diskRoot } from './disk-root.ts';
import { otherTypes } from './disk-types.ts';
import { type Files, readBytes, readText, resolvePath } from './files.ts';
import { type Gpt, type GptPartition, readGpt } from './gpt.ts';
import type { Decompress } from './initrd-modules.ts';
import { once, unreadable } from './rule.ts';

export type DiskFormat = 'raw' | 'qcow2' | 'vhd' | 'vhdx';

/** An opened disk. */
export interface OpenDisk {
  readonly format: DiskFormat;
  /** Size of the artefact's file in bytes. */
  readonly fileSize: number;
  /** Size of the disk in bytes. */
  readonly size: number;
  /** Reads the disk, in any format. */
  readonly read: ReadAt;
  /** The last 512 bytes of a VHD. */
  readonly footer?: Buffer;
}

/** Readers for the content of a disk. */
export interface DiskReaders {
  /** @param offset bytes @param size bytes */
  readonly vfat: (offset: number, size: number) => Promise<Files>;
  readonly ext4: (offset: number, size: number) => Promise<Files>;
  /** Errors of the file system according to its checker. @throws WeirError `unreadable` if it could not check */
  readonly checkExt4: (offset: number, size: number) => Promise<readonly string[]>;
  /** Names of the packages in an RPM database. */
  readonly packages: (database: Buffer) => Promise<readonly string[]>;
  readonly decompress: Decompress;
}

/** The facts about a disk that rules need. All except the first are read on demand and throw `unreadable` on failure. */
export interface DiskFacts {
  readonly disk: OpenDisk;
  /** Both copies of the partition table, even if damaged. */
  readonly copies: () => Gpt;
  /** A partition table with entries and at least one valid copy. */
  readonly gpt: () => Gpt;
  /** Content of each partition. */
  readonly contents: () => readonly IdentifiedPartition[];
  readonly architecture: () => Promise<Architecture>;
  /** The files of the EFI system partition; undefined if there is none. */
  readonly esp: () => Promise<Files | undefined>;
  readonly rootPartition: () => GptPartition;
  /** The system's files, with everything mounted into the root. */
  readonly root: () => Promise<Files>;
  readonly rootProblems: () => Promise<readonly string[]>;
  readonly bootEntries: () => Promise<readonly BootEntry[]>;
  /** Modules and built-in modules of a kernel release, from the root. */
  readonly modules: (release: string) => Promise<ModuleIndex | undefined>;
  /** Names of installed packages. */
  readonly packages: () => Promise<readonly string[]>;
}

const rootTypes: readonly string[] = [partitionTypes.rootX86_64, partitionTypes.rootArm64];

export function diskFacts(disk: OpenDisk, readers: DiskReaders): DiskFacts {
  const copies = once(() => readGpt(disk.read, disk.size));
  const gpt = once((): Gpt => {
    const { primary, backup, partitions } = copies();
    if (!primary.sound && !backup.sound) throw unreadable('both copies of the partition table are damaged');
    if (partitions.length === 0) throw unreadable('the partition table is empty');
    return copies();
  });
  const contents = once((): readonly IdentifiedPartition[] =>
    gpt().partitions.map((partition) => ({
      partition,
      content: identifyFileSystem(disk.read, partition.offset, partition.size),
    })),
  );
  const ofType = (type: string) => contents().find(({ partition }) => partition.type === type);
  const rootPartition = once(() => {
    const { partitions } = gpt();
    const found =
      partitions.find(({ type }) => rootTypes.includes(type)) ??
      partitions.filter(({ type }) => type === otherTypes.linux).sort((a, b) => b.size - a.size)[0];
    if (found === undefined) throw unreadable('no partition has the type of a root');
    return found;
  });

  const read = new Map<number, Promise<Files>>();
  /** Reads each partition once; undefined for unsupported file systems. */
  const filesOf = async ({ partition, content }: IdentifiedPartition): Promise<Files | undefined> => {
    const { number, offset, size } = partition;
    const type = content.state === 'known' ? content.type : '';
    if (type !== 'ext4' && type !== 'vfat') return undefined;
    const files = read.get(number) ?? readers[type](offset, size);
    read.set(number, files);
    return files;
  };
  const readable = async (each: IdentifiedPartition): Promise<Files> => {
    const files = await filesOf(each);
    if (files === undefined) throw unreadable(`${partitionName(each.partition)} ${contentName(each)}`);
    return files;
  };
  const contentOf = ({ number }: GptPartition) => contents().find(({ partition }) => partition.number === number)!;
  const ownRoot = once(async () => readable(contentOf(rootPartition())));
  const whole = once(async () => diskRoot(await ownRoot(), rootPartition(), contents(), filesOf));
  const root = once(async () => {
    const { files } = await whole();
    const missing = ['/etc', '/usr'].find((path) => resolvePath(files, path) === undefined);
    if (missing !== undefined) {
      throw unreadable(`${partitionName(rootPartition())} has no ${missing}: not a supported system`);
    }
    return files;
  });
  const partitionFiles = async (type: string): Promise<Files | undefined> => {
    const found = ofType(type);
    return found && readable(found);
  };
  const esp = once(() => partitionFiles(partitionTypes.esp));
  return {
    disk,
    copies,
    gpt,
    contents,
    rootPartition,
    root,
    esp,
    architecture: once(async () => {
      const byTable = architectureOfTypes(gpt().partitions.map(({ type }) => type));
      return byTable ?? architectureOfFiles({ esp: await esp(), root });
    }),
    rootProblems: once(async () => {
      const { offset, size } = rootPartition();
      await ownRoot();
      return readers.checkExt4(offset, size);
    }),
    bootEntries: once(async () => {
      const [onEsp, onBoot, onRoot] = await Promise.all([esp(), partitionFiles(otherTypes.boot), root()]);
      const atBoot = (await whole()).mounted.get('/boot')?.type;
      const twice = atBoot === partitionTypes.esp || atBoot === otherTypes.boot;
      return bootEntries(
        [
          ...(onEsp === undefined ? [] : [{ name: 'esp', files: onEsp, folder: '' }]),
          ...(onBoot === undefined ? [] : [{ name: 'boot', files: onBoot, folder: '' }]),
          ...(twice ? [] : [{ name: 'root', files: onRoot, folder: '/boot' }]),
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

/** Paths of the RPM database, the current one first. */
export const rpmDatabases = ['/usr/lib/sysimage/rpm/rpmdb.sqlite', '/var/lib/rpm/rpmdb.sqlite'];

/** Unsupported package databases: rpm's older formats (before SQLite), and databases of other package managers. */
export const otherDatabases = [
  ...['Packages', 'Packages.db'].flatMap((name) => [`/usr/lib/sysimage/rpm/${name}`, `/var/lib/rpm/${name}`]),
  ...['/var/lib/dpkg/status', '/lib/apk/db/installed', '/usr/lib/apk/db/installed'],
];

/** @throws WeirError `unreadable` if there is no database */
export async function installedPackages(files: Files, read: DiskReaders['packages']): Promise<readonly string[]> {
  for (const path of rpmDatabases) {
    const database = await readBytes(files, path);
    if (database !== undefined) return read(database);
  }
  throw unreadable('the image has no RPM database');
}

/** Name of a partition in findings. */
export function partitionName({ number, name }: Pick<GptPartition, 'number' | 'name'>): string {
  return name === '' ? `partition ${number}` : `partition ${number} (${name})`;
}
