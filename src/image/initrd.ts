import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { WeirError } from '../base/errors.ts';
import { blobFileNow, readBlobText, type Store } from '../engine/store.ts';
import { runTool, type Toolbox } from '../toolbox/tool.ts';
import type { FileEntry, Tree } from '../tree/tree.ts';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import { deviceAliases, flatDependencies, moduleClosure, moduleName, parseModules } from './kernel-modules.ts';

/** The modules of an initramfs, by the time at which they are loaded. */
export interface InitrdModules {
  /** Loaded if modules.alias maps a present device to them. */
  readonly devices: readonly string[];
  /** Loaded if no root appears: hardware that many machines have, but rarely with the root on it. */
  readonly late: readonly string[];
  /** Loaded at once. */
  readonly always: readonly string[];
  /** Additional dependencies beyond modules.dep: SCSI controllers bring the SCSI disk driver. */
  readonly along: Readonly<Record<string, readonly string[]>>;
}

export interface InitrdOptions {
  /** Kernel release: name of the folder in /usr/lib/modules. */
  readonly kernel: string;
  /** Path of a static busybox on the host. */
  readonly busybox: string;
  /** Modules to include; modules built into the kernel are skipped. */
  readonly modules: InitrdModules;
  /** Modules needed to find a root: an error if they are neither built in nor available. */
  readonly required: readonly string[];
  /** Timestamp of all files, seconds since 1970. */
  readonly epoch: number;
}

/**
 * Modules for roots on virtio, NVMe, SCSI, SATA and IDE disks, on Hyper-V and VMware. Network drivers are included: Azure
 * requires its own, and udev configures an existing card seconds faster than one whose driver it has to load first.
 */
export const rootModules: InitrdModules = {
  devices: [
    'virtio_pci',
    'virtio_blk',
    'virtio_scsi',
    'virtio_net',
    'nvme',
    'hv_vmbus',
    'hv_storvsc',
    'hv_netvsc',
    'vmw_pvscsi',
    'vmxnet3',
    'sd_mod',
  ],
  // Loading these drivers waits for a probe of every port, connected or not.
  late: ['ahci', 'ata_piix'],
  always: ['crc32c', 'ext4'],
  along: {
    virtio_scsi: ['sd_mod'],
    hv_storvsc: ['sd_mod'],
    vmw_pvscsi: ['sd_mod'],
    ahci: ['sd_mod'],
    ata_piix: ['sd_mod'],
  },
};

const applets = ['cat', 'echo', 'findfs', 'ls', 'modprobe', 'mount', 'sh', 'sleep', 'switch_root', 'uname'];

/**
 * Builds a small initramfs as a zstd-compressed cpio archive at `out`: busybox, the modules, and a script that mounts the root
 * file system from the kernel's command line and runs its init. It takes tenths of a second; a generic one takes tens of
 * seconds without KVM.
 * @param tree contains the kernel's modules with depmod's files
 * @param work scratch folder
 * @returns the modules that it loads, and the modules that were requested but that the kernel lacks
 * @throws WeirError `no-modules`, `missing-module`, `not-static`
 */
export async function makeInitrd(
  toolbox: Toolbox,
  store: Store,
  tree: Tree,
  out: string,
  work: string,
  options: InitrdOptions,
): Promise<{ readonly modules: readonly string[]; readonly missing: readonly string[] }> {
  const folder = `/usr/lib/modules/${options.kernel}`;
  const files = new Map<string, FileEntry>();
  for (const entry of tree.entries) {
    if (entry.kind === 'file' && entry.path.startsWith(`${folder}/`)) {
      files.set(entry.path.slice(folder.length + 1), entry);
    }
  }
  const read = async (name: string): Promise<string> => {
    const entry = files.get(name);
    if (entry === undefined) {
      throw new WeirError('no-modules', `the tree has no ${folder}/${name}`, {
        hint: 'add the kernel package to the image, and run depmod on the tree',
      });
    }
    return readBlobText(store, entry.digest);
  };
  const index = parseModules(await read('modules.dep'), await read('modules.builtin'));
  const { devices, late, always, along } = options.modules;
  const { paths, missing } = moduleClosure(index, [...always, ...devices, ...late, ...Object.values(along).flat()]);
  const lost = options.required.find((name) => missing.includes(name));
  if (lost !== undefined) {
    throw new WeirError('missing-module', `the kernel ${options.kernel} lacks ${lost}, both built in and as a module`);
  }
  const blobs = paths.map((path) => {
    const entry = files.get(path);
    if (entry === undefined) {
      throw new WeirError('missing-module', `modules.dep names ${path}, which is missing from the tree`);
    }
    return { path, blob: blobFileNow(store, entry.digest) };
  });
  const modules = await readModules(toolbox, blobs, join(work, 'modules'));
  const busybox = await readFile(options.busybox);
  if (!isStaticElf(busybox)) {
    throw new WeirError('not-static', 'busybox for the initrd must be statically linked', {
      where: { file: options.busybox },
    });
  }
  const settings: InitrdSettings = {
    kernel: options.kernel,
    dep: flatDependencies(index, paths.map(moduleName), along),
    alias: deviceAliases(await read('modules.alias'), devices),
    always: always.filter((name) => index.modules.has(name)),
    late: late.filter((name) => index.modules.has(name)),
  };
  const archive = cpioArchive(initrdEntries(busybox, modules, settings), options.epoch);
  const plain = join(work, 'initrd.cpio');
  await writeFile(plain, archive);
  // The toolbox's zstd, not Node's: its version is locked, so the bytes do not depend on the host's Node.
  await runTool(toolbox, {
    argv: ['zstd', '--quiet', '--force', '--single-thread', '-15', plain, '-o', join(work, 'initrd.zst')],
    binds: [{ from: work, writable: true }],
  });
  await copyFile(join(work, 'initrd.zst'), out);
  return { modules: modules.map((module) => module.name), missing };
}

interface LoadedModule {
  readonly name: string;
  readonly content: Buffer;
}

/** The modules' uncompressed content, in order. */
async function readModules(
  toolbox: Toolbox,
  modules: readonly { readonly path: string; readonly blob: string }[],
  work: string,
): Promise<LoadedModule[]> {
  await mkdir(work, { recursive: true });
  const packed = modules.filter((module) => module.path.endsWith('.xz'));
  for (const { path, blob } of packed) await copyFile(blob, join(work, basename(path)));
  if (packed.length > 0) {
    await runTool(toolbox, {
      argv: ['xz', '--decompress', '--force', '--', ...packed.map(({ path }) => join(work, basename(path)))],
      binds: [{ from: work, writable: true }],
    });
  }
  const loaded: LoadedModule[] = [];
  for (const { path, blob } of modules) {
    const name = moduleName(path);
    if (path.endsWith('.xz')) loaded.push({ name, content: await readFile(join(work, basename(path, '.xz'))) });
    else if (path.endsWith('.zst')) loaded.push({ name, content: zstdDecompressSync(await readFile(blob)) });
    else loaded.push({ name, content: await readFile(blob) });
  }
  return loaded;
}

/** Configuration of the initramfs's modprobe and script. */
export interface InitrdSettings {
  readonly kernel: string;
  /** Content of modules.dep and modules.alias. */
  readonly dep: string;
  readonly alias: string;
  readonly always: readonly string[];
  readonly late: readonly string[];
}

/** Files of the initramfs, parents first. */
export function initrdEntries(
  busybox: Uint8Array,
  modules: readonly LoadedModule[],
  settings: InitrdSettings,
): CpioEntry[] {
  const folder = (path: string): CpioEntry => ({ kind: 'directory', path, mode: 0o755 });
  const text = (path: string, content: string, mode = 0o644): CpioEntry => {
    return { kind: 'file', path, mode, content: Buffer.from(content) };
  };
  const below = `lib/modules/${settings.kernel}`;
  return [
    ...['bin', 'dev', 'lib', 'lib/modules', below, 'proc', 'sys', 'sysroot'].map(folder),
    { kind: 'character', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, content: busybox },
    ...applets.map((name): CpioEntry => ({ kind: 'symlink', path: `bin/${name}`, mode: 0o777, target: 'busybox' })),
    text(`${below}/modules.dep`, settings.dep),
    text(`${below}/modules.alias`, settings.alias),
    ...modules.map(({ name, content }): CpioEntry => {
      return { kind: 'file', path: `${below}/${name}.ko`, mode: 0o644, content };
    }),
    text('init', initScript(settings), 0o755),
  ];
}

/** Whether an ELF file has no interpreter (PT_INTERP, type 3, in its 64-bit program headers). */
function isStaticElf(bytes: Buffer): boolean {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2) return false;
  const start = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  for (let i = 0; i < count; i++) if (bytes.readUInt32LE(start + i * size) === 3) return false;
  return true;
}

// Errors go to the console and end in a kernel panic, so that panic= on the command line decides what follows. A shell here
// would bypass every login.
const initScript = ({ always, late }: InitrdSettings): string => `#!/bin/sh
# Mounts the root file system that the kernel's command line names and gives over to its init.
export PATH=/bin

die() {
  echo "initrd: $*"
  echo "initrd: command line: $(cat /proc/cmdline)"
  echo "initrd: block devices: $(ls /sys/class/block | while read -r name; do echo -n "$name "; done)"
  echo "initrd: giving up, the kernel panics now"
  sleep 1
  exit 1
}

mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev || echo "initrd: no devtmpfs"
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys

root=
mode=ro
type=ext4
flags=
init=/usr/lib/systemd/systemd
wait=60
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root="\${word#root=}" ;;
    rootfstype=*) type="\${word#rootfstype=}" ;;
    rootflags=*) flags=",\${word#rootflags=}" ;;
    rootwait=*) wait="\${word#rootwait=}" ;;
    init=*) init="\${word#init=}" ;;
    ro) mode=ro ;;
    rw) mode=rw ;;
  esac
done
# 0 would be no time at all, and what begins with it an octal number.
case "$wait" in
  "" | 0* | *[!0-9]*) wait=60 ;;
esac
case "$root" in
  PARTUUID=* | PARTLABEL=* | UUID=* | LABEL=* | /dev/*) ;;
  "") die "no root= on the command line" ;;
  *) die "root=$root is none of PARTUUID=, PARTLABEL=, UUID=, LABEL=, /dev/..." ;;
esac

# A device names its driver, so nothing is loaded that would only find out that it has nothing to do. A driver that fails says
# nothing: only the root's absence counts.
probe() {
  modprobe -abq $(cat /sys/bus/acpi/devices/*/modalias /sys/bus/pci/devices/*/modalias /sys/bus/virtio/devices/*/modalias \\
    /sys/bus/vmbus/devices/*/modalias /sys/bus/scsi/devices/*/modalias 2>/dev/null) 2>/dev/null
}

# Beside the search for the root, and twice: buses first, then what is on them.
(
  ${modprobe(always)}
  probe
  probe
  echo >/loaded
) &

by_uevent() {
  for file in /sys/class/block/*/uevent; do
    # The pattern itself, as long as there is no block device.
    [ -e "$file" ] || continue
    name=
    found=
    while IFS='=' read -r key value; do
      case "$key" in
        DEVNAME) name="$value" ;;
        "$1") [ "$value" = "$2" ] && found=1 ;;
      esac
    done < "$file"
    if [ -n "$found" ] && [ -e "/dev/$name" ]; then
      echo "/dev/$name"
      return
    fi
  done
}

find_root() {
  case "$root" in
    PARTUUID=*) by_uevent PARTUUID "\${root#PARTUUID=}" ;;
    PARTLABEL=*) by_uevent PARTNAME "\${root#PARTLABEL=}" ;;
    UUID=* | LABEL=*) findfs "$root" 2>/dev/null ;;
    /dev/*) [ -b "$root" ] && echo "$root" ;;
  esac
}

tries=0
device="$(find_root)"
while [ -z "$device" ] && [ "$tries" -lt $((wait * 50)) ]; do
  sleep 0.02
  tries=$((tries + 1))
  # Disks come when they like, SCSI's above all.
  if [ $((tries % 10)) = 0 ]; then
    probe
    ${modprobe(late)}
  fi
  device="$(find_root)"
done
[ -n "$device" ] || die "no block device is $root after $wait seconds"

# The file system's driver may still be on its way.
${modprobe(always)}
mount -t "$type" -o "$mode$flags" "$device" /sysroot || die "$device cannot be mounted as $type"
# A link in the new root is followed there, not here: that it exists is enough.
[ -e "/sysroot$init" ] || [ -L "/sysroot$init" ] || die "there is no $init on $device"
# A network card is to be there before udev asks for it. But a driver that never comes back does not hold the start.
tries=0
while [ ! -e /loaded ] && [ "$tries" -lt $((wait * 50)) ]; do
  sleep 0.02
  tries=$((tries + 1))
done
[ -e /loaded ] || echo "initrd: after $wait seconds a driver is still loading; going on without it"
for dir in dev proc sys; do
  [ -d "/sysroot/$dir" ] || die "there is no folder /$dir on $device"
  mount --move "/$dir" "/sysroot/$dir"
done
exec switch_root /sysroot "$init"
`;

function modprobe(names: readonly string[]): string {
  return names.length === 0 ? ':' : `modprobe -aq ${names.join(' ')} 2>/dev/null`;
}
