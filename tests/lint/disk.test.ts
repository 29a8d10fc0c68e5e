import { describe, expect, test } from 'vitest';
import { partitionTypes } from '../../src/image/disk.ts';
import { otherTypes } from '../../src/lint/disk-types.ts';
import { diskRules } from '../../src/lint/lint.ts';
import { checkRules, passes, type Target, type Verdict } from '../../src/lint/rule.ts';
import { type DiskParts, factsOf, goodParts, mebibyte, pe, setChecksum, uuids, writeGpt } from './good-disk.ts';
import { symlink } from './tar.ts';

const targets = ['generic', 'azure-gen1', 'azure-gen2', 'kubernetes'] as const;

async function lint(change: (parts: DiskParts) => void, target: Target): Promise<Verdict[]> {
  const parts = goodParts();
  change(parts);
  return checkRules(diskRules, factsOf(parts), target);
}

const notHolding = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ status }) => status !== 'holds').map(({ rule }) => rule);
const messages = (verdicts: readonly Verdict[]): string =>
  verdicts.flatMap(({ findings }) => findings.map(({ where, message }) => `${where}: ${message}`)).join('\n');

test.each(targets)('every rule holds for a valid disk: %s', async (target) => {
  const verdicts = await lint(() => {}, target);
  expect(messages(verdicts)).toBe('');
  expect(passes(verdicts)).toBe(true);
  expect(verdicts.length).toBeGreaterThan(25);
});

/** A clock that a script configures before chronyd starts, with these options. */
const helper = (options: string) => (parts: DiskParts) => {
  delete parts.root['/etc/chrony.d/azure.conf'];
  parts.root['/usr/lib/systemd/system/chronyd.service.d/50-clock.conf'] =
    '[Service]\nExecStartPre=-+/usr/libexec/clock\n';
  parts.root['/usr/libexec/clock'] =
    `#!/bin/sh\nfor clock in /dev/ptp_hyperv; do\n  echo "refclock PHC $clock ${options}"\ndone\n`;
};

test('a clock that a script configures before chronyd starts counts', async () => {
  expect(notHolding(await lint(helper('poll 3 dpoll -2 offset 0'), 'azure-gen2'))).toEqual([]);
});

interface Damage {
  readonly rule: string;
  readonly how: string;
  readonly change: (parts: DiskParts) => void;
  readonly says: RegExp;
  /** By default Azure's machine generation 2. */
  readonly target?: Target;
  /** Rules that can no longer check. */
  readonly blinds?: readonly string[];
}

const root = (parts: DiskParts) => parts.partitions.find(({ type }) => type === partitionTypes.rootX86_64)!;
const extra = (parts: DiskParts, type: string) =>
  parts.partitions.push({ type, offset: 7 * mebibyte, size: mebibyte / 2, uuid: uuids.disk, name: 'more' });
/** A new file in the root. */
const file =
  (path: string, content = 'x') =>
  (parts: DiskParts) => {
    parts.root[path] = content;
  };
const word = (added: string) => (parts: DiskParts) => {
  parts.commandLine += ` ${added}`;
};
const without = (removed: RegExp) => (parts: DiskParts) => {
  parts.commandLine = parts.commandLine.replace(removed, '');
};
const edit = (path: string, from: string | RegExp, to: string) => (parts: DiskParts) => {
  const before = parts.root[path] as string;
  parts.root[path] = before.replace(from, to);
  expect(parts.root[path]).not.toBe(before);
};
const remove = (path: string) => (parts: DiskParts) => {
  expect(parts.root[path]).toBeDefined();
  delete parts.root[path];
};
const footer = (change: (footer: Buffer) => void) => (parts: DiskParts) => {
  parts.patchFooter = (bytes) => {
    change(bytes);
    setChecksum(bytes);
  };
};
const patch = (change: (disk: Buffer) => void) => (parts: DiskParts) => {
  parts.patch = change;
};
const service = '/etc/systemd/system/multi-user.target.wants/sshd.service';

/** Rules on boot entries, for Azure. */
const eachEntry = [
  ...['root-on-disk', 'serial-console', 'early-console', 'no-quiet-boot', 'kernel-modules'],
  ...['hyperv-drivers', 'provisioning-modules'],
];

const damages: readonly Damage[] = [
  {
    rule: 'fixed-vhd',
    how: 'raw',
    change: (parts) => {
      parts.format = 'raw';
    },
    says: /the disk is raw/,
  },
  {
    rule: 'fixed-vhd',
    how: 'qcow2',
    change: (parts) => {
      parts.format = 'qcow2';
    },
    says: /the disk is qcow2/,
  },
  {
    rule: 'vhd-footer',
    how: 'a bit',
    change: (parts) => {
      parts.patchFooter = (bytes) => {
        bytes[30]! ^= 1;
      };
    },
    says: /checksum is wrong/,
  },
  {
    rule: 'vhd-footer',
    how: 'nothing',
    change: (parts) => {
      parts.patchFooter = (bytes) => {
        bytes.fill(0);
      };
    },
    says: /no footer/,
  },
  {
    rule: 'vhd-footer',
    how: 'dynamic',
    change: footer((bytes) => {
      bytes.writeUInt32BE(3, 60);
    }),
    says: /dynamic, not fixed/,
  },
  {
    rule: 'vhd-footer',
    how: 'size',
    change: footer((bytes) => {
      bytes.writeBigUInt64BE(9n * 1048576n, 48);
    }),
    says: /current size is 9437184/,
  },
  {
    rule: 'vhd-footer',
    how: 'version',
    change: footer((bytes) => {
      bytes.writeUInt32BE(2, 12);
    }),
    says: /version/,
  },
  {
    rule: 'vhd-footer',
    how: 'features',
    change: footer((bytes) => {
      bytes.writeUInt32BE(0, 8);
    }),
    says: /bit 1/,
  },
  {
    rule: 'vhd-footer',
    how: 'offset',
    change: footer((bytes) => {
      bytes.writeUInt32BE(512, 16);
    }),
    says: /data offset/,
  },
  {
    rule: 'vhd-footer',
    how: 'geometry',
    change: footer((bytes) => {
      bytes.writeUInt8(3, 58);
    }),
    says: /geometry is \d+\/3\/17/,
  },
  {
    rule: 'vhd-footer',
    how: 'no UUID',
    change: footer((bytes) => {
      bytes.fill(0, 68, 84);
    }),
    says: /no UUID/,
  },
  {
    rule: 'disk-size',
    how: 'a sector too many',
    change: (parts) => {
      parts.size += 512;
    },
    says: /not a whole number of MiB/,
  },
  {
    rule: 'protective-mbr',
    how: 'another type',
    change: patch((disk) => {
      disk[450] = 0x83;
    }),
    says: /no entry of type EE/,
  },
  {
    rule: 'protective-mbr',
    how: 'no signature',
    change: patch((disk) => {
      disk[510] = 0;
    }),
    says: /no signature/,
  },
  {
    rule: 'gpt-primary',
    how: 'header',
    change: patch((disk) => {
      disk[512 + 60]! ^= 1;
    }),
    says: /sector 1: the header's CRC/,
  },
  {
    rule: 'gpt-primary',
    how: 'list',
    change: patch((disk) => {
      disk[1024 + 60]! ^= 1;
    }),
    says: /list of partitions' CRC/,
  },
  {
    rule: 'gpt-primary',
    how: 'gone',
    change: patch((disk) => {
      disk.fill(0, 512, 1024);
    }),
    says: /no header/,
  },
  {
    rule: 'gpt-backup',
    how: 'header',
    change: patch((disk) => {
      disk[disk.length - 500]! ^= 1;
    }),
    says: /sector 16383: the header's CRC/,
  },
  {
    rule: 'gpt-backup',
    how: 'list',
    change: patch((disk) => {
      disk[disk.length - 33 * 512]! ^= 1;
    }),
    says: /CRC/,
  },
  {
    rule: 'gpt-backup',
    how: 'another table',
    change: (parts) => {
      parts.patch = (disk) => {
        const other = Buffer.from(disk);
        writeGpt(other, parts.partitions.slice(0, 1), uuids.disk);
        other.copy(disk, 8 * mebibyte - 33 * 512, 8 * mebibyte - 33 * 512);
      };
    },
    says: /differ/,
  },
  {
    rule: 'partition-places',
    how: 'overlap',
    change: (parts) => {
      parts.partitions[0]!.size += 512;
    },
    says: /partition 2 \(bios\): it overlaps partition 1 \(esp\)/,
  },
  {
    rule: 'partition-places',
    how: 'over the backup',
    change: (parts) => {
      root(parts).size = 5 * mebibyte;
    },
    says: /outside the usable/,
  },
  {
    rule: 'partition-places',
    how: 'negative',
    change: (parts) => {
      parts.partitions[0]!.size = -mebibyte / 2;
    },
    says: /ends before it starts/,
    blinds: [
      'plain-partitions',
      'no-swap-partition',
      'efi-boot-loader',
      'boot-entry',
      ...eachEntry,
      'selinux-enforcing',
      'no-shared-secrets',
    ],
  },
  {
    rule: 'partition-alignment',
    how: 'a sector on',
    change: (parts) => {
      root(parts).offset += 512;
    },
    says: /not a whole MiB/,
  },
  { rule: 'plain-partitions', how: 'type', change: (parts) => extra(parts, otherTypes.lvm), says: /it is LVM/ },
  {
    rule: 'plain-partitions',
    how: 'content',
    change: (parts) => {
      extra(parts, otherTypes.linux);
      parts.patch = (disk) => {
        disk.write('LABELONE', 7 * mebibyte + 512);
      };
    },
    says: /it is LVM/,
    blinds: ['no-swap-partition'],
  },
  {
    rule: 'plain-partitions',
    how: 'encrypted',
    change: (parts) => {
      extra(parts, otherTypes.linux);
      parts.patch = (disk) => {
        disk.write('LUKS\xba\xbe', 7 * mebibyte, 'latin1');
      };
    },
    says: /it is LUKS/,
    blinds: ['no-swap-partition'],
  },
  { rule: 'no-swap-partition', how: 'type', change: (parts) => extra(parts, otherTypes.swap), says: /it is swap/ },
  {
    rule: 'no-swap-partition',
    how: 'content',
    change: (parts) => {
      extra(parts, otherTypes.linux);
      parts.patch = (disk) => {
        disk.write('SWAPSPACE2', 7 * mebibyte + 4086);
      };
    },
    says: /it is swap/,
  },
  {
    rule: 'bios-boot-code',
    how: 'none',
    target: 'azure-gen1',
    change: patch((disk) => {
      disk.fill(0, 0, 440);
    }),
    says: /no boot code/,
  },
  {
    rule: 'bios-boot-code',
    how: 'no second stage',
    target: 'azure-gen1',
    change: patch((disk) => {
      disk.fill(0, 2 * mebibyte, 3 * mebibyte);
    }),
    says: /no second stage to load/,
  },
  {
    rule: 'efi-boot-loader',
    how: 'none',
    change: (parts) => {
      parts.esp = {};
    },
    says: /esp:\/EFI\/BOOT\/BOOTX64.EFI: there is no boot loader/,
  },
  {
    rule: 'efi-boot-loader',
    how: 'another machine',
    change: (parts) => {
      parts.esp = { '/EFI/BOOT/BOOTX64.EFI': pe({}, 0xaa64) };
    },
    says: /it is for aarch64/,
  },
  {
    rule: 'efi-boot-loader',
    how: 'no program',
    change: (parts) => {
      parts.esp = { '/EFI/BOOT/BOOTX64.EFI': 'hello' };
    },
    says: /not an EFI program/,
  },
  {
    rule: 'boot-loader',
    how: 'neither',
    target: 'generic',
    change: (parts) => {
      parts.esp = {};
      parts.patch = (disk) => {
        disk.fill(0, 0, 440);
      };
    },
    says: /there is no boot loader[\s\S]*no boot code/,
  },
  {
    rule: 'boot-entry',
    how: 'no kernel',
    change: (parts) => {
      parts.unifiedKernel['.linux'] = '';
    },
    says: /weir.efi: its .linux is missing/,
  },
  {
    rule: 'root-on-disk',
    how: 'PARTUUID',
    change: word('root=PARTUUID=00000000-0000-0000-0000-000000000001'),
    says: /not on this disk/,
  },
  { rule: 'root-on-disk', how: 'UUID', change: word(`root=UUID=${uuids.root}`), says: /not on this disk/ },
  { rule: 'root-on-disk', how: 'LABEL', change: word('root=LABEL=other'), says: /root=LABEL=other/ },
  { rule: 'serial-console', how: 'another', change: without(/console=ttyS0\S*/), says: /console=ttyS0 is not/ },
  { rule: 'early-console', how: 'none', change: without(/earlyprintk=ttyS0/), says: /earlyprintk/ },
  { rule: 'no-quiet-boot', how: 'quiet', change: word('quiet'), says: /quiet is on/ },
  { rule: 'no-quiet-boot', how: 'rhgb', change: word('rhgb'), says: /rhgb is on/ },
  {
    rule: 'kernel-modules',
    how: 'another release',
    change: (parts) => {
      parts.unifiedKernel['.uname'] = '1.0';
    },
    says: /no modules of 1.0/,
    blinds: ['provisioning-modules'],
  },
  {
    rule: 'kernel-modules',
    how: 'no release',
    change: (parts) => {
      delete parts.unifiedKernel['.uname'];
    },
    says: /release of its kernel is unknown/,
    blinds: ['provisioning-modules'],
  },
  {
    rule: 'hyperv-drivers',
    how: 'network',
    change: (parts) => {
      parts.modulesInInitrd.pop();
    },
    says: /hv_netvsc is neither/,
  },
  {
    rule: 'hyperv-drivers',
    how: 'all',
    change: (parts) => {
      parts.modulesInInitrd = [];
    },
    says: /hv_vmbus[\s\S]*hv_storvsc/,
  },
  {
    rule: 'provisioning-modules',
    how: 'udf',
    change: (parts) => {
      parts.root[moduleFile(parts, 'dep')] = '';
    },
    says: /no udf/,
  },
  {
    rule: 'provisioning-modules',
    how: 'vfat',
    change: (parts) => {
      parts.root[moduleFile(parts, 'builtin')] = '';
    },
    says: /no vfat/,
  },
  {
    rule: 'root-file-system',
    how: 'damaged',
    change: (parts) => {
      parts.problems.push('Free blocks count wrong');
    },
    says: /partition 3 \(root\): Free blocks/,
  },
  { rule: 'os-release', how: 'gone', change: remove('/usr/lib/os-release'), says: /no such file/ },
  {
    rule: 'os-release',
    how: 'no version',
    change: edit('/usr/lib/os-release', /VERSION_ID=.*\n/, ''),
    says: /VERSION_ID is missing/,
  },
  {
    rule: 'rpm-database',
    how: 'gone',
    target: 'generic',
    change: remove('/usr/lib/sysimage/rpm/rpmdb.sqlite'),
    says: /no such file/,
  },
  {
    rule: 'rpm-database',
    how: 'empty',
    target: 'generic',
    change: (parts) => {
      parts.packages = [];
    },
    says: /no packages/,
  },
  {
    rule: 'fstab-on-disk',
    how: 'UUID',
    change: edit('/etc/fstab', uuids.file, uuids.disk),
    says: /UUID=.* is not on this disk/,
  },
  {
    rule: 'no-swap-in-fstab',
    how: 'a file',
    change: edit('/etc/fstab', /$/, '/swap none swap defaults 0 0\n'),
    says: /there is swap: \/swap/,
  },
  {
    rule: 'selinux-enforcing',
    how: 'permissive',
    change: edit('/etc/selinux/config', 'enforcing', 'permissive'),
    says: /SELINUX is permissive/,
  },
  { rule: 'selinux-enforcing', how: 'on the command line', change: word('enforcing=0'), says: /has enforcing=0/ },
  {
    rule: 'selinux-enforcing',
    how: 'no policy',
    change: remove('/etc/selinux/targeted/policy/policy.35'),
    says: /no policy/,
  },
  { rule: 'selinux-enforcing', how: 'relabel', change: file('/.autorelabel', ''), says: /relabel/ },
  { rule: 'selinux-enforcing', how: 'none at all', change: remove('/etc/selinux/config'), says: /not set up/ },
  {
    rule: 'selinux-labels',
    how: 'a link',
    change: (parts) => {
      parts.unlabelled.push('/etc/os-release');
    },
    says: /\/etc\/os-release: 1 files/,
  },
  {
    rule: 'selinux-labels',
    how: 'a file',
    change: (parts) => {
      parts.unlabelled.push('/etc/passwd');
    },
    says: /\/etc\/passwd: 1 files/,
  },
  { rule: 'sshd-enabled', how: 'not wanted', change: remove(service), says: /neither sshd/ },
  {
    rule: 'sshd-enabled',
    how: 'masked',
    change: (parts) => {
      parts.root['/etc/systemd/system/sshd.service'] = symlink('/dev/null');
    },
    says: /neither sshd/,
  },
  {
    rule: 'sshd-enabled',
    how: 'no unit',
    change: remove('/usr/lib/systemd/system/sshd.service'),
    says: /neither sshd/,
  },
  {
    rule: 'azure-packages',
    how: 'one less',
    change: (parts) => {
      parts.packages = parts.packages.filter((name) => name !== 'hyperv-daemons');
    },
    says: /hyperv-daemons is not installed/,
  },
  {
    rule: 'azure-services',
    how: 'agent',
    change: remove(service.replace('sshd', 'waagent')),
    says: /waagent.service does not start/,
  },
  {
    rule: 'azure-services',
    how: 'chrony',
    change: remove('/usr/lib/systemd/system/chronyd.service'),
    says: /chrony has no unit/,
  },
  {
    rule: 'cloud-init-azure',
    how: 'others too',
    change: remove('/etc/cloud/cloud.cfg.d/91-azure.cfg'),
    says: /cloud.cfg: datasource_list is \[ NoCloud, Azure \]/,
  },
  {
    rule: 'cloud-init-azure',
    how: 'a later file',
    change: file('/etc/cloud/cloud.cfg.d/99.cfg', 'datasource_list:\n  - "Ec2"\n  - None\nother: 1\n'),
    says: /99.cfg: datasource_list is \[ Ec2, None \]/,
  },
  { rule: 'cloud-init-azure', how: 'off', change: file('/etc/cloud/cloud-init.disabled'), says: /turned off/ },
  {
    rule: 'cloud-init-azure',
    how: 'unset',
    change: (parts) => {
      remove('/etc/cloud/cloud.cfg.d/91-azure.cfg')(parts);
      remove('/etc/cloud/cloud.cfg')(parts);
    },
    says: /nothing sets/,
  },
  {
    rule: 'waagent-settings',
    how: 'swap',
    change: edit('/etc/waagent.conf', 'EnableSwap=n', 'EnableSwap=y'),
    says: /EnableSwap is y/,
  },
  {
    rule: 'waagent-settings',
    how: 'commented',
    change: edit('/etc/waagent.conf', 'Provisioning', '# Provisioning'),
    says: /Provisioning.Agent is not set/,
  },
  { rule: 'waagent-settings', how: 'gone', change: remove('/etc/waagent.conf'), says: /no such file/ },
  {
    rule: 'chrony-hyperv-clock',
    how: 'not named',
    change: edit('/etc/chrony.conf', 'confdir', '#confdir'),
    says: /not used/,
  },
  {
    rule: 'chrony-hyperv-clock',
    how: 'poll',
    change: edit('/etc/chrony.d/azure.conf', 'dpoll -2', 'dpoll 2'),
    says: /lacks dpoll -2/,
  },
  { rule: 'chrony-hyperv-clock', how: "a program's", change: helper('poll 3 offset 0'), says: /lacks dpoll -2/ },
  ...nodeDamages(),
  { rule: 'no-ssh-host-keys', how: 'a key', change: file('/etc/ssh/ssh_host_ed25519_key'), says: /host key/ },
  { rule: 'no-authorized-keys', how: "root's", change: file('/root/.ssh/authorized_keys'), says: /\/root\/.ssh/ },
  {
    rule: 'no-authorized-keys',
    how: 'of a person',
    change: file('/home/me/.ssh/authorized_keys2'),
    says: /\/home\/me/,
  },
  {
    rule: 'no-passwords',
    how: 'a hash',
    change: edit('/etc/shadow', '!unprovisioned', '$y$j9T$abc$def'),
    says: /root has a password hash/,
  },
  {
    rule: 'no-passwords',
    how: 'a locked hash',
    change: edit('/etc/shadow', '!unprovisioned', '!$6$abc$def'),
    says: /root has a password hash/,
  },
  {
    rule: 'no-passwords',
    how: 'an old hash',
    change: edit('/etc/shadow', '!unprovisioned', 'ab01FAX.bQRSU'),
    says: /root has a password hash/,
  },
  {
    rule: 'no-passwords',
    how: 'empty',
    change: edit('/etc/shadow', ':*:', '::'),
    says: /nobody has an empty password/,
  },
  {
    rule: 'no-passwords',
    how: 'in passwd',
    change: edit('/etc/passwd', 'root:x', 'root:'),
    says: /root has an empty password/,
  },
  {
    rule: 'no-user-accounts',
    how: 'a person',
    change: edit('/etc/passwd', /$/, 'me:x:1000:1000::/home/me:/bin/bash\n'),
    says: /me \(1000\)/,
  },
  {
    rule: 'machine-id',
    how: 'made',
    change: file('/etc/machine-id', '0123456789abcdef0123456789abcdef\n'),
    says: /already/,
  },
  {
    rule: 'machine-id',
    how: "dbus's",
    change: file('/var/lib/dbus/machine-id', '0123456789abcdef0123456789abcdef\n'),
    says: /dbus.*already/,
  },
  { rule: 'no-shared-secrets', how: 'seed', change: file('/var/lib/systemd/random-seed'), says: /random-seed/ },
  {
    rule: 'no-resolv-conf',
    how: 'servers',
    change: file('/etc/resolv.conf', 'nameserver 192.0.2.1\n'),
    says: /192.0.2.1/,
  },
  { rule: 'no-logs', how: 'journal', change: file('/var/log/journal/1/system.journal'), says: /system.journal/ },
  { rule: 'no-package-caches', how: 'metadata', change: file('/var/cache/libdnf5/repo/repomd.xml'), says: /1 files/ },
  { rule: 'no-leftovers', how: 'history', change: file('/root/.bash_history'), says: /interactive session/ },
  { rule: 'no-leftovers', how: 'temporary', change: file('/tmp/a/b'), says: /temporary/ },
  {
    rule: 'no-leftovers',
    how: 'cloud-init',
    change: file('/var/lib/cloud/data/instance-id'),
    says: /cloud-init's state/,
  },
];

/** Faults of a Kubernetes node. */
function nodeDamages(): Damage[] {
  const config = '/etc/containerd/conf.d/50-node.toml';
  const settings = '/usr/lib/sysctl.d/70-node.conf';
  const unit = '/usr/lib/systemd/system/containerd.service';
  const damages: readonly Omit<Damage, 'target'>[] = [
    {
      rule: 'kubernetes-packages',
      how: 'one less',
      change: (parts) => {
        parts.packages = parts.packages.filter((name) => name !== 'socat');
      },
      says: /socat is not installed/,
    },
    {
      rule: 'containerd-enabled',
      how: 'not wanted',
      change: remove(service.replace('sshd', 'containerd')),
      says: /not start/,
    },
    { rule: 'containerd-enabled', how: 'no unit', change: remove(unit), says: /there is no containerd/ },
    {
      rule: 'containerd-settings',
      how: 'control groups',
      change: edit(config, 'SystemdCgroup = true', ''),
      says: /SystemdCgroup is not true/,
    },
    {
      rule: 'containerd-settings',
      how: 'a later file',
      change: file(
        '/etc/containerd/conf.d/60.toml',
        '[plugins."io.containerd.cri.v1.runtime"]\nenable_selinux = false\n',
      ),
      says: /enable_selinux is not true/,
    },
    {
      rule: 'containerd-settings',
      how: 'another runtime',
      change: edit(config, 'enable_selinux', 'containerd.default_runtime_name = "kata"\nenable_selinux'),
      says: /SystemdCgroup/,
    },
    { rule: 'pause-image-pinned', how: 'no tag', change: edit(config, ':3.10', ''), says: /neither a version/ },
    { rule: 'pause-image-pinned', how: 'latest', change: edit(config, ':3.10', ':latest'), says: /neither a version/ },
    {
      rule: 'pause-image-pinned',
      how: 'a port is no tag',
      change: edit(config, 'registry.example/pause:3.10', 'registry.example:5000/pause'),
      says: /neither a version/,
    },
    { rule: 'pause-image-pinned', how: 'unset', change: edit(config, /sandbox = .*/, ''), says: /is not set/ },
    {
      rule: 'kubernetes-modules',
      how: 'not loaded',
      change: edit('/usr/lib/modules-load.d/node.conf', 'overlay\n', ''),
      says: /overlay is not loaded/,
    },
    {
      rule: 'kubernetes-modules',
      how: 'masked',
      change: file('/etc/modules-load.d/node.conf', ''),
      says: /br_netfilter is not loaded/,
    },
    {
      rule: 'kubernetes-modules',
      how: 'not there',
      change: (parts) => {
        const path = moduleFile(parts, 'dep');
        parts.root[path] = (parts.root[path] as string).replace('br_netfilter', 'other');
      },
      says: /the kernel has no br_netfilter/,
    },
    {
      rule: 'kubernetes-sysctl',
      how: 'unset',
      change: edit(settings, /^vm.*$/m, ''),
      says: /overcommit_memory is not set/,
    },
    {
      rule: 'kubernetes-sysctl',
      how: 'a later file',
      change: file('/etc/sysctl.d/99-other.conf', 'net.ipv4.ip_forward = 0\n'),
      says: /99-other.conf: net.ipv4.ip_forward is 0/,
    },
    {
      rule: 'kubernetes-sysctl',
      how: 'too few',
      change: edit(settings, '1048576', '8192'),
      says: /max_user_watches is 8192/,
    },
    { rule: 'cgroup-v2', how: 'the old one', change: word('systemd.unified_cgroup_hierarchy=0'), says: /hierarchy=0/ },
    { rule: 'cgroup-v2', how: 'no memory', change: word('cgroup_disable=memory'), says: /cgroup_disable/ },
  ];
  return damages.map((damage) => ({ ...damage, target: 'kubernetes' }));
}

test('version 2 of the containerd configuration is supported, and invalid TOML does not pass', async () => {
  const old = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
enable_selinux = true
sandbox_image = "registry.example/pause@sha256:00"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
`;
  const only = (text: string) => (parts: DiskParts) => {
    file('/etc/containerd/config.toml', text)(parts);
  };
  expect(messages(await lint(only(old), 'kubernetes'))).toBe('');
  const broken = await lint(only('version = '), 'kubernetes');
  expect(notHolding(broken)).toEqual(['containerd-settings', 'pause-image-pinned']);
  expect(messages(broken)).toMatch(/not checked: \/etc\/containerd\/config.toml is not valid TOML/);
  expect(passes(broken)).toBe(false);
});

function moduleFile(parts: DiskParts, which: 'dep' | 'builtin'): string {
  return Object.keys(parts.root).find((path) => path.endsWith(`modules.${which}`))!;
}

describe('each fault is reported by its rule and no other', () => {
  test.each(damages)('$rule: $how', async ({ rule, change, says, target = 'azure-gen2', blinds = [] }) => {
    const verdicts = await lint(change, target);
    expect(messages(verdicts)).toMatch(says);
    expect(notHolding(verdicts)).toEqual([rule, ...blinds]);
    expect(verdicts.filter(({ status }) => status === 'unchecked').map(({ rule: id }) => id)).toEqual(blinds);
    const { severity } = verdicts.find((verdict) => verdict.rule === rule)!;
    expect(passes(verdicts)).toBe(severity === 'warning' && blinds.length === 0);
  });
  test('every rule has such a fault', () => {
    expect(new Set(damages.map(({ rule }) => rule))).toEqual(new Set(diskRules.map(({ id }) => id)));
  });
});

describe('not a fault', () => {
  const fine: readonly [string, (parts: DiskParts) => void][] = [
    [
      'a driver that is built in',
      (parts) => {
        parts.modulesInInitrd = [];
        parts.root[moduleFile(parts, 'builtin')] +=
          'drivers/hv/hv_vmbus.ko\ndrivers/scsi/hv_storvsc.ko\nnet/hv_netvsc.ko\n';
      },
    ],
    ['no root= at all', without(/root=\S+/)],
    ["qemu's geometry", footer((bytes) => bytes.write('ffff10ff', 56, 'hex'))],
    [
      'a root of the general type',
      (parts) => {
        root(parts).type = otherTypes.linux;
      },
    ],
    [
      'a boot sector of a bootable partition',
      (parts) => {
        parts.partitions.splice(1, 1);
        root(parts).attributes = 4n;
        parts.patch = (disk) => {
          disk.write('loader', 3 * mebibyte);
        };
      },
    ],
    [
      'a socket instead of the service',
      (parts) => {
        remove(service)(parts);
        parts.root['/usr/lib/systemd/system/sshd.socket'] = '[Socket]';
        parts.root['/etc/systemd/system/sockets.target.wants/sshd.socket'] = symlink(
          '/usr/lib/systemd/system/sshd.socket',
        );
      },
    ],
    ['a mount that may fail', edit('/etc/fstab', /$/, 'LABEL=data /data ext4 defaults,nofail 0 2\n')],
    ['an empty resolv.conf', file('/etc/resolv.conf', '# written by nobody\n')],
    ['no machine-id', remove('/etc/machine-id')],
  ];
  test.each(fine)('%s', async (_, change) => {
    for (const target of ['azure-gen1', 'azure-gen2'] as const) {
      const verdicts = await lint(change, target);
      expect(messages(verdicts)).toBe('');
    }
  });
});

describe('a disk that cannot be read', () => {
  test('without a partition table, no rule that depends on it passes', async () => {
    const verdicts = await lint((parts) => {
      parts.patch = (disk) => disk.fill(0, 512);
    }, 'azure-gen2');
    const status = (rule: string) => verdicts.find((verdict) => verdict.rule === rule)?.status;
    expect([status('gpt-primary'), status('gpt-backup'), status('no-passwords')]).toEqual([
      'broken',
      'broken',
      'unchecked',
    ]);
    expect([status('vhd-footer'), status('disk-size')]).toEqual(['holds', 'holds']);
    expect(passes(verdicts)).toBe(false);
  });
  test('an unchecked rule does not pass, even if its severity is only a warning', async () => {
    const verdicts = await lint((parts) => {
      parts.patch = (disk) => disk.fill(0, 3 * mebibyte, 4 * mebibyte);
    }, 'generic');
    expect(verdicts.find(({ rule }) => rule === 'sshd-enabled')).toMatchObject({
      status: 'unchecked',
      severity: 'warning',
    });
    expect(messages(verdicts)).toContain('partition 3 (root) is empty');
    expect(passes(verdicts)).toBe(false);
  });
});

describe('severities', () => {
  test('cloud requirements are warnings elsewhere', async () => {
    const verdicts = await lint(word('quiet'), 'generic');
    expect(notHolding(verdicts)).toEqual(['no-quiet-boot']);
    expect(passes(verdicts)).toBe(true);
  });
  test('Azure-only rules do not apply elsewhere', async () => {
    const ids = (await lint(() => {}, 'generic')).map(({ rule }) => rule);
    expect(ids).not.toContain('azure-packages');
    expect(ids).not.toContain('fixed-vhd');
    expect(ids).toContain('no-ssh-host-keys');
  });
});
