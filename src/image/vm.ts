import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { exists } from '../base/files.ts';
import { blobFileNow, type Store } from '../engine/store.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import type { FileEntry, Tree } from '../tree/tree.ts';
import { grubConfiguration, installBios } from './bios.ts';
import { makeDisk, type Partition, partitionTypes } from './disk.ts';
import { type DiskFiles, type FormatOptions, makeFormats } from './disk-formats.ts';
import { makeEsp } from './esp.ts';
import { checkExt4, ext4Size, makeExt4 } from './ext4.ts';
import { makeInitrd, rootModules } from './initrd.ts';
import { makeUki } from './uki.ts';
import { seededUuid } from './uuid.ts';

export interface VmOptions extends FormatOptions {
  readonly arch: 'x86_64' | 'aarch64';
  /** Kernel parameters, without root=. */
  readonly commandLine: readonly string[];
  /** Minimum size of the disk in bytes. */
  readonly size: number;
  /** Size of the EFI system partition in bytes. */
  readonly espSize: number;
  readonly rootLabel: string;
  /** Seconds that the boot menu is shown; by default there is none. */
  readonly bootTimeout?: number;
  /** Folder of the tree whose files the EFI system partition gets, in place of Weir's boot loader and kernel. */
  readonly espFolder?: string;
  /** Whether to write SELinux contexts. */
  readonly selinux: boolean;
}

export interface Vm extends DiskFiles {
  /** Disk size in bytes. */
  readonly size: number;
  /** Release of the kernel, absent if the image brings its own boot loader; so are the next two. */
  readonly kernel?: string;
  readonly commandLine?: string;
  /** Modules in the initrd, in load order. */
  readonly modules?: readonly string[];
  readonly rootUuid: string;
  readonly rootPartitionUuid: string;
}

/** What a disk is made from, and where. */
export interface VmSource {
  readonly toolbox: Toolbox;
  readonly store: Store;
  readonly tree: Tree;
  /** Output folder. */
  readonly out: string;
  /** Scratch folder. */
  readonly work: string;
}

type RootUuids = Pick<Vm, 'rootUuid' | 'rootPartitionUuid'>;

/** Architecture-specific names: systemd's files and UEFI's fallback loader. */
const architectures = {
  x86_64: { boot: 'systemd-bootx64.efi', stub: 'linuxx64.efi.stub', fallback: 'BOOTX64.EFI', type: 'rootX86_64' },
  aarch64: { boot: 'systemd-bootaa64.efi', stub: 'linuxaa64.efi.stub', fallback: 'BOOTAA64.EFI', type: 'rootArm64' },
} as const;

/**
 * Builds a disk that boots by UEFI: systemd-boot on the EFI system partition starts a unified kernel image, whose small initrd
 * mounts the ext4 root. On x86-64 it also boots by BIOS (`installBios`). The tree must contain the kernel
 * (/usr/lib/modules/<release>/vmlinuz and depmod's files) and an os-release. systemd-boot, its stub and busybox come from the
 * tree, else from the toolbox. At the first boot the root grows to its disk if the tree is configured for it (repart.d, fstab).
 * @throws WeirError `no-kernel`, `no-boot-loader`, and the errors of the parts
 */
export async function makeVm(source: VmSource, options: VmOptions): Promise<Vm> {
  const { toolbox, out, work } = source;
  const rootPartitionUuid = seededUuid(options.uuidSeed, 'root partition');
  const rootUuid = seededUuid(options.uuidSeed, 'root file system');
  const uuids = { rootUuid, rootPartitionUuid };
  if (options.espFolder !== undefined) {
    return { ...(await makeOwnVm(source, options, uuids, options.espFolder)), ...uuids };
  }
  const commandLine = [`root=PARTUUID=${rootPartitionUuid}`, ...options.commandLine].join(' ');
  // Tools write to separate scratch folders, apart from their inputs.
  const disks = join(work, 'disks');
  for (const folder of [disks, join(work, 'uki'), join(work, 'initrd'), join(work, 'bios')]) await mkdir(folder);
  const parts = await bootParts(source, { ...options, commandLine });

  const raw = join(disks, `${options.name}.raw`);
  let modules: readonly string[] = [];
  const { size } = await makeDisk(toolbox, raw, {
    uuid: seededUuid(options.uuidSeed, 'disk'),
    size: options.size,
    partitions: [
      ...(options.arch === 'x86_64' ? [biosPartition(toolbox, work, options)] : []),
      espPartition(toolbox, parts, options, async () => {
        modules = await unifiedKernel(source, parts, commandLine, options.epoch);
      }),
      rootPartition(source, options, uuids),
    ],
  });
  const made = await makeFormats(toolbox, raw, size, out, options);
  return { ...made, size, kernel: parts.kernel, commandLine, ...uuids, modules };
}

/**
 * A disk whose EFI system partition holds what the image has in a folder: its own boot loader, and a kernel that finds the root
 * by the type of its partition. The root has that folder empty, to mount the partition there.
 */
async function makeOwnVm(
  source: VmSource,
  options: VmOptions,
  uuids: RootUuids,
  folder: string,
): Promise<Pick<Vm, 'files' | 'digests' | 'size'>> {
  const { toolbox, store, tree, out, work } = source;
  const { arch, name, uuidSeed, espSize, epoch } = options;
  const inside = `${folder}/`;
  const files = tree.entries.flatMap((entry) =>
    entry.kind === 'file' && entry.path.startsWith(inside)
      ? [[entry.path.slice(inside.length), blobFileNow(store, entry.digest)] as const]
      : [],
  );
  const { fallback } = architectures[arch];
  if (!files.some(([path]) => path.toUpperCase() === `EFI/BOOT/${fallback}`)) {
    throw new WeirError('no-boot-loader', `the image has no boot loader ${inside}EFI/BOOT/${fallback}`, {
      hint: 'have a package or a script put it there, or remove boot-loader = "image"',
    });
  }
  const root = { ...tree, entries: tree.entries.filter(({ path }) => !path.startsWith(inside)) };
  const disks = join(work, 'disks');
  await mkdir(disks);
  const raw = join(disks, `${name}.raw`);
  const esp: Partition = {
    name: 'esp',
    type: partitionTypes.esp,
    uuid: seededUuid(uuidSeed, 'esp partition'),
    size: espSize,
    fill: (target) =>
      makeEsp(toolbox, target, {
        ...{ label: 'ESP', volumeId: espVolumeId(uuidSeed), epoch },
        files: Object.fromEntries(files),
      }),
  };
  const { size } = await makeDisk(toolbox, raw, {
    uuid: seededUuid(uuidSeed, 'disk'),
    size: options.size,
    partitions: [esp, rootPartition({ ...source, tree: root }, options, uuids)],
  });
  return { ...(await makeFormats(toolbox, raw, size, out, options)), size };
}

/** Boot files: host paths, except for the kernel's release. */
interface BootParts {
  /** Kernel release. */
  readonly kernel: string;
  readonly linux: string;
  readonly busybox: string;
  readonly osRelease: string;
  readonly stub: string;
  readonly loader: string;
  readonly loaderConf: string;
  readonly grub: string;
  /** Written by `unifiedKernel`. */
  readonly initrd: string;
  /** Written by `unifiedKernel`. */
  readonly uki: string;
}

/** Finds the boot loader, the kernel and their parts, and writes their configuration. */
async function bootParts(
  { toolbox, store, tree, work }: VmSource,
  {
    arch,
    name,
    commandLine,
    bootTimeout = 0,
  }: Pick<VmOptions, 'arch' | 'name' | 'bootTimeout'> & { readonly commandLine: string },
): Promise<BootParts> {
  const names = architectures[arch];
  const kernel = kernelRelease(tree);
  const files = new Map<string, FileEntry>();
  for (const entry of tree.entries) if (entry.kind === 'file') files.set(entry.path, entry);
  const fromTree = (path: string): string | undefined => {
    const entry = files.get(path);
    return entry === undefined ? undefined : blobFileNow(store, entry.digest);
  };
  const fromEither = async (path: string, debianPackage: string): Promise<string> => {
    const found = fromTree(path) ?? join(toolbox.root, path);
    if (await exists(found)) return found;
    throw new WeirError('no-boot-loader', `neither the image nor the toolbox has ${path}`, {
      hint: `add ${debianPackage} to the image or to the toolbox`,
    });
  };
  const busybox = await fromEither('/usr/bin/busybox', 'busybox-static');
  const stub = await fromEither(`/usr/lib/systemd/boot/efi/${names.stub}`, 'systemd-boot-efi');
  const osRelease = fromTree('/usr/lib/os-release') ?? fromTree('/etc/os-release');
  if (osRelease === undefined) {
    throw new WeirError('no-os-release', 'the tree has no /usr/lib/os-release', {
      hint: 'add the release package of the distribution to the image',
    });
  }
  const loader = await fromEither(`/usr/lib/systemd/boot/efi/${names.boot}`, 'systemd-boot-efi');
  const loaderConf = join(work, 'loader.conf');
  // Without a wish no menu: nobody sits in front of a cloud machine, and it would delay each boot.
  await writeFile(loaderConf, `timeout ${bootTimeout}\neditor no\nconsole-mode keep\n`);
  const grub = join(work, 'grub.cfg');
  const folder = biosFolder(kernel);
  const entry = {
    title: name,
    kernel: `${folder}/linux`,
    initrd: `${folder}/initrd`,
    commandLine,
    timeout: bootTimeout,
  };
  await writeFile(grub, grubConfiguration(entry));
  const linux = fromTree(`/usr/lib/modules/${kernel}/vmlinuz`)!;
  const [initrd, uki] = [join(work, 'initrd.img'), join(work, 'uki', 'uki.efi')];
  return { kernel, linux, busybox, osRelease, stub, loader, loaderConf, grub, initrd, uki };
}

/** Folder of kernel and initrd on the EFI system partition for GRUB, which cannot read a unified kernel image. */
function biosFolder(kernel: string): string {
  return `weir/${kernel}`;
}

/** Builds the initrd and the unified kernel image. @returns modules in the initrd, in load order */
async function unifiedKernel(
  { toolbox, store, tree, work }: VmSource,
  { kernel, linux, busybox, osRelease, stub, initrd, uki }: BootParts,
  commandLine: string,
  epoch: number,
): Promise<readonly string[]> {
  const { modules } = await makeInitrd(toolbox, store, tree, initrd, join(work, 'initrd'), {
    kernel,
    busybox,
    modules: rootModules,
    required: ['ext4'],
    epoch,
  });
  await makeUki(toolbox, uki, { kernel: linux, release: kernel, initrd, commandLine, osRelease, stub, epoch });
  return modules;
}

/** GRUB's core image, for machines without UEFI. */
function biosPartition(toolbox: Toolbox, work: string, { uuidSeed }: VmOptions): Partition {
  return {
    name: 'bios',
    type: partitionTypes.biosBoot,
    uuid: seededUuid(uuidSeed, 'bios partition'),
    size: 1 << 20,
    fill: (target) => installBios(toolbox, target, espVolumeId(uuidSeed), join(work, 'bios')),
  };
}

/** Volume serial number of the EFI system partition, 8 hexadecimal digits. */
export function espVolumeId(uuidSeed: string): string {
  return seededUuid(uuidSeed, 'esp volume').slice(0, 8);
}

/** The EFI system partition. @param unify builds the initrd and the unified kernel image, in parallel with the root */
function espPartition(
  toolbox: Toolbox,
  parts: BootParts,
  { arch, uuidSeed, espSize, epoch }: VmOptions,
  unify: () => Promise<void>,
): Partition {
  const names = architectures[arch];
  const { kernel, linux, loader, loaderConf, grub, initrd, uki } = parts;
  const folder = biosFolder(kernel);
  const files = {
    [`EFI/BOOT/${names.fallback}`]: loader,
    [`EFI/systemd/${names.boot}`]: loader,
    'loader/loader.conf': loaderConf,
    [`EFI/Linux/weir-${kernel}.efi`]: uki,
    ...(arch === 'x86_64' ? { 'grub/grub.cfg': grub, [`${folder}/linux`]: linux, [`${folder}/initrd`]: initrd } : {}),
  };
  return {
    name: 'esp',
    type: partitionTypes.esp,
    uuid: seededUuid(uuidSeed, 'esp partition'),
    size: espSize,
    fill: async (target) => {
      await unify();
      await makeEsp(toolbox, target, { label: 'ESP', volumeId: espVolumeId(uuidSeed), epoch, files });
    },
  };
}

/** The root file system. */
function rootPartition(
  { toolbox, store, tree, work }: VmSource,
  { arch, rootLabel: label, uuidSeed, epoch, selinux }: VmOptions,
  { rootUuid, rootPartitionUuid }: RootUuids,
): Partition {
  return {
    name: 'root',
    type: partitionTypes[architectures[arch].type],
    uuid: rootPartitionUuid,
    size: ext4Size(tree),
    fill: async (target) => {
      await makeExt4(toolbox, store, tree, target, work, { label, uuid: rootUuid, uuidSeed, epoch, selinux });
      await checkExt4(toolbox, target);
    },
  };
}

/** The release of the tree's only kernel. @throws WeirError `no-kernel`, `two-kernels` */
export function kernelRelease(tree: Tree): string {
  const releases: string[] = [];
  for (const { path, kind } of tree.entries) {
    const match = /^\/usr\/lib\/modules\/([^/]+)\/vmlinuz$/.exec(path);
    if (match !== null && kind === 'file') releases.push(match[1]!);
  }
  if (releases.length > 1) {
    throw new WeirError('two-kernels', `the image has ${releases.length} kernels: ${releases.join(', ')}`, {
      hint: 'a disk image must have exactly one kernel; remove the others',
    });
  }
  const [release] = releases;
  if (release === undefined) {
    throw new WeirError('no-kernel', 'the image has no kernel', {
      hint: "add the kernel package to the image's packages",
      exit: 2,
    });
  }
  return release;
}
