import { crc32, zstdCompressSync } from 'node:zlib';
import { bytesReader } from '../../src/archive/read-at.ts';
import { cpioArchive } from '../../src/image/cpio.ts';
import { partitionTypes } from '../../src/image/disk.ts';
import { vhdFooter } from '../../src/image/vhd.ts';
import { type DiskFacts, type DiskFormat, type DiskReaders, diskFacts } from '../../src/lint/disk-facts.ts';
import { otherTypes } from '../../src/lint/disk-types.ts';
import type { FileNode, Files } from '../../src/lint/files.ts';
import { unreadable } from '../../src/lint/rule.ts';
import { tarFiles } from '../../src/lint/tar-files.ts';
import { fatBytes } from './fat.ts';
import { type Content, symlink, tar } from './tar.ts';

export const mebibyte = 1 << 20;
export const release = '7.2.0-1.x86_64';
export const uuids = {
  disk: '11111111-2222-3333-4444-555555555555',
  root: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  file: '01234567-89ab-cdef-0123-456789abcdef',
};

export interface TestPartition {
  type: string;
  offset: number;
  size: number;
  uuid: string;
  name: string;
  attributes?: bigint;
}

/** The parts of a test disk; a test changes some of them. */
export interface DiskParts {
  format: DiskFormat;
  size: number;
  partitions: TestPartition[];
  commandLine: string;
  modulesInInitrd: string[];
  unifiedKernel: Record<string, Content>;
  esp: Record<string, Content>;
  root: Record<string, Content>;
  packages: string[];
  /** Paths without an SELinux context. */
  unlabelled: string[];
  problems: string[];
  /** The file system's checker fails to run. */
  checkerFails: boolean;
  /** The EFI system partition contains only the loader, and nothing to boot. */
  noUnifiedKernel: boolean;
  /** Files of extra ext4 partitions, by the partition's offset in bytes. */
  otherRoots: Record<number, Record<string, Content>>;
  /** Changes the finished bytes. */
  patch: (disk: Buffer) => void;
  patchFooter: (footer: Buffer) => void;
}

const nodeConfig = `version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "registry.example/pause:3.10"
[plugins."io.containerd.cri.v1.runtime"]
enable_selinux = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = true
`;

const nodeSettings = `# node
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables=1
-net/ipv4/ip_forward = 1
vm.overcommit_memory = 1
kernel.panic = 10
kernel.panic_on_oops = 1
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 1048576
`;

/** A disk that passes every rule for every target. */
export function goodParts(): DiskParts {
  return {
    format: 'vhd',
    size: 8 * mebibyte,
    partitions: [
      { type: partitionTypes.esp, offset: mebibyte, size: mebibyte, uuid: uuids.disk, name: 'esp' },
      { type: otherTypes.biosBoot, offset: 2 * mebibyte, size: mebibyte, uuid: uuids.file, name: 'bios' },
      { type: partitionTypes.rootX86_64, offset: 3 * mebibyte, size: 4 * mebibyte, uuid: uuids.root, name: 'root' },
    ],
    commandLine: `root=PARTUUID=${uuids.root} console=tty0 console=ttyS0,115200 earlyprintk=ttyS0`,
    modulesInInitrd: ['hv_vmbus', 'hv_storvsc', 'hv_netvsc'],
    unifiedKernel: { '.linux': 'kernel', '.uname': release },
    esp: { '/EFI/Boot/bootx64.efi': pe({}, 0x8664) },
    root: {
      '/bin': symlink('usr/bin'),
      '/usr/bin/bash': { content: 'elf', mode: 0o755 },
      '/usr/bin/sudo': { content: 'elf', mode: 0o4755 },
      '/boot/': '',
      '/etc/os-release': symlink('../usr/lib/os-release'),
      '/usr/lib/os-release': 'ID=weir\nVERSION_ID=4.0\nNAME="Weir Linux"\nPRETTY_NAME="Weir Linux 4.0"\n',
      '/usr/lib/sysimage/rpm/rpmdb.sqlite': 'database',
      '/etc/fstab': `# file systems\nPARTUUID=${uuids.root} / ext4 rw 0 1\nLABEL=root /again ext4 ro 0 0\nUUID=${uuids.file} /third ext4 ro 0 0\n`,
      '/etc/selinux/config': 'SELINUX=enforcing\nSELINUXTYPE=targeted\n',
      '/etc/selinux/targeted/policy/policy.35': 'policy',
      '/usr/lib/systemd/system/sshd.service': '[Service]',
      '/usr/lib/systemd/system/chronyd.service': '[Service]',
      '/usr/lib/systemd/system/waagent.service': '[Service]',
      '/usr/lib/systemd/system/cloud-init.service': '[Service]',
      '/usr/lib/systemd/system/containerd.service': '[Service]',
      ...Object.fromEntries(
        ['sshd', 'chronyd', 'waagent', 'cloud-init', 'containerd'].map((name) => [
          `/etc/systemd/system/multi-user.target.wants/${name}.service`,
          symlink(`/usr/lib/systemd/system/${name}.service`),
        ]),
      ),
      '/etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n',
      '/etc/group': 'root:x:0:\nwheel::10:\n',
      '/etc/shadow': 'root:!unprovisioned:20000::::::\nnobody:*:20000::::::\n',
      '/etc/machine-id': 'uninitialized\n',
      '/etc/resolv.conf': symlink('../run/systemd/resolve/stub-resolv.conf'),
      '/var/log/lastlog': '',
      '/var/log/README': 'see journalctl',
      '/var/cache/libdnf5/': '',
      '/etc/cloud/cloud.cfg': 'users: []\ndatasource_list: [ NoCloud, Azure ]\n',
      '/etc/cloud/cloud.cfg.d/91-azure.cfg': 'datasource_list: [ Azure ]\n',
      '/etc/waagent.conf':
        '# agent\nProvisioning.Agent=cloud-init\nResourceDisk.Format=n\nResourceDisk.EnableSwap=n # none\n',
      '/etc/chrony.conf': 'confdir /etc/chrony.d\nmakestep 1.0 3\n',
      '/etc/chrony.d/azure.conf': 'refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0 stratum 2\n',
      '/etc/containerd/config.toml': 'version = 3\nimports = ["conf.d/*.toml"]\n',
      '/etc/containerd/conf.d/50-node.toml': nodeConfig,
      '/usr/lib/modules-load.d/node.conf': '# node\noverlay\nbr_netfilter\n',
      '/usr/lib/sysctl.d/60-other.conf': 'net.ipv4.ip_forward = 0\nkernel.panic = 0\n',
      '/usr/lib/sysctl.d/70-node.conf': nodeSettings,
      [`/usr/lib/modules/${release}/modules.dep`]:
        'kernel/fs/udf/udf.ko.xz: kernel/lib/crc-itu-t.ko.xz\nkernel/lib/crc-itu-t.ko.xz:\nkernel/net/bridge/br_netfilter.ko.xz:\n',
      [`/usr/lib/modules/${release}/modules.builtin`]: 'kernel/fs/fat/vfat.ko\nkernel/fs/overlayfs/overlay.ko\n',
    },
    packages: [
      ...['bash', 'azure-vm-utils', 'hyperv-daemons', 'WALinuxAgent', 'cloud-init', 'containerd', 'runc', 'ipset'],
      ...['containernetworking-plugins', 'conntrack-tools', 'ethtool', 'iptables-nft', 'nftables', 'socat', 'jq'],
      ...['iscsi-initiator-utils', 'nfs-utils', 'cifs-utils', 'psmisc', 'sysstat'],
    ],
    unlabelled: [],
    problems: [],
    checkerFails: false,
    noUnifiedKernel: false,
    otherRoots: {},
    patch: () => {},
    patchFooter: () => {},
  };
}

/** Facts about a disk in memory. File systems are not written; their files come from archives instead. */
export function factsOf(parts: DiskParts): DiskFacts {
  const modules = parts.modulesInInitrd.map((name, index) => ({
    kind: 'file' as const,
    path: `modules/${index}-${name}.ko`,
    mode: 0o644,
    content: Buffer.from(`ELF\0license=GPL\0name=${name}\0`),
  }));
  const early = cpioArchive(
    [{ kind: 'file', path: 'kernel/x86/microcode', mode: 0o644, content: Buffer.from('m') }],
    0,
  );
  const initrd = Buffer.concat([early, Buffer.alloc(512), zstdCompressSync(cpioArchive(modules, 0))]);
  const unified = pe({ '.cmdline': `${parts.commandLine}\n\0\0`, '.initrd': initrd, ...parts.unifiedKernel }, 0x8664);
  const esp = { ...(parts.noUnifiedKernel ? {} : { '/EFI/Linux/weir.efi': unified }), ...parts.esp };
  const bytes = diskBytes(parts);
  const footer = vhdFooter({
    size: Math.floor(parts.size / mebibyte) * mebibyte,
    epoch: 1_790_000_000,
    uuid: uuids.disk,
  });
  footer.writeBigUInt64BE(BigInt(parts.size), 48);
  setChecksum(footer);
  parts.patchFooter(footer);
  const vhd = parts.format === 'vhd';
  const readers: DiskReaders = {
    vfat: async () => tarFiles([bytesReader(tar(esp))]),
    ext4: async (offset) =>
      labelled(tarFiles([bytesReader(tar(parts.otherRoots[offset] ?? parts.root))]), parts.unlabelled),
    checkExt4: async () => {
      if (parts.checkerFails) throw unreadable('e2fsck cannot check the file system');
      return parts.problems;
    },
    packages: async () => parts.packages,
    decompress: async (kind) => Promise.reject(new Error(`${kind} is not in a unit test`)),
  };
  const disk = {
    format: parts.format,
    size: parts.size,
    fileSize: parts.size + (vhd ? 512 : 0),
    read: bytesReader(bytes),
  };
  return diskFacts({ ...disk, ...(vhd ? { footer } : {}) }, readers);
}

/** The one's complement of the sum of all bytes except its own four. */
export function setChecksum(footer: Buffer): void {
  footer.writeUInt32BE(0, 64);
  footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
}

function labelled(files: Files, unlabelled: readonly string[]): Files {
  const nodes = [...files.nodes].map(([path, node]): [string, FileNode] => [
    path,
    { ...node, labelled: !unlabelled.includes(path) },
  ]);
  return { ...files, nodes: new Map(nodes) };
}

function diskBytes({ size, partitions, patch }: DiskParts): Buffer {
  const disk = Buffer.alloc(size);
  disk.write('boot code', 0);
  disk[450] = 0xee;
  disk.writeUInt16LE(0xaa55, 510);
  writeGpt(disk, partitions, uuids.disk);
  for (const { type, name, offset } of partitions) {
    if (type === otherTypes.biosBoot) disk.write('second stage', offset);
    if (type === partitionTypes.esp) fatBytes({ size, label: 'EFI' }).copy(disk, offset);
    if (name !== 'root') continue;
    disk.writeUInt16LE(0xef53, offset + 1024 + 0x38);
    disk.write(uuids.file.replaceAll('-', ''), offset + 1024 + 0x68, 'hex');
    disk.write('root', offset + 1024 + 0x78);
  }
  patch(disk);
  return disk;
}

/** Both copies of a partition table, as in the UEFI specification. */
export function writeGpt(disk: Buffer, partitions: readonly TestPartition[], diskUuid: string): void {
  const last = Math.floor(disk.length / 512) - 1;
  const entries = Buffer.alloc(128 * 128);
  for (const [index, { type, uuid, name, offset, size, attributes = 0n }] of partitions.entries()) {
    const at = index * 128;
    entries.write(guid(type), at, 'hex');
    entries.write(guid(uuid), at + 16, 'hex');
    entries.writeBigUInt64LE(BigInt(offset / 512), at + 32);
    entries.writeBigUInt64LE(BigInt((offset + size) / 512 - 1), at + 40);
    entries.writeBigUInt64LE(attributes, at + 48);
    entries.write(name, at + 56, 'utf16le');
  }
  for (const [lba, other, list] of [
    [1, last, 2],
    [last, 1, last - 32],
  ] as const) {
    const header = Buffer.alloc(92);
    header.write('EFI PART', 0);
    header.writeUInt32LE(0x00010000, 8);
    header.writeUInt32LE(92, 12);
    header.writeBigUInt64LE(BigInt(lba), 24);
    header.writeBigUInt64LE(BigInt(other), 32);
    header.writeBigUInt64LE(34n, 40);
    header.writeBigUInt64LE(BigInt(last - 33), 48);
    header.write(guid(diskUuid), 56, 'hex');
    header.writeBigUInt64LE(BigInt(list), 72);
    header.writeUInt32LE(128, 80);
    header.writeUInt32LE(128, 84);
    header.writeUInt32LE(crc32(entries), 88);
    header.writeUInt32LE(crc32(header), 16);
    header.copy(disk, lba * 512);
    entries.copy(disk, list * 512);
  }
}

function guid(text: string): string {
  const [a, b, c, d, e] = text.split('-');
  const swap = (part: string) => Buffer.from(part, 'hex').reverse().toString('hex');
  return swap(a!) + swap(b!) + swap(c!) + d! + e!;
}

/** A minimal PE file with these sections. */
export function pe(sections: Readonly<Record<string, Content>>, machine: number): Buffer {
  const entries = Object.entries(sections).map(([name, content]) => ({
    name,
    content: Buffer.from(content as string),
  }));
  const header = Buffer.alloc(64 + 24 + entries.length * 40);
  header.write('MZ', 0);
  header.writeUInt32LE(64, 0x3c);
  header.write('PE\0\0', 64, 'latin1');
  header.writeUInt16LE(machine, 68);
  header.writeUInt16LE(entries.length, 70);
  let at = header.length;
  for (const [index, { name, content }] of entries.entries()) {
    const entry = 88 + index * 40;
    header.write(name, entry);
    header.writeUInt32LE(content.length, entry + 8);
    // A section is padded in the file.
    header.writeUInt32LE(content.length + 3, entry + 16);
    header.writeUInt32LE(at, entry + 20);
    at += content.length + 3;
  }
  return Buffer.concat([header, ...entries.flatMap(({ content }) => [content, Buffer.alloc(3)])]);
}
