import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionTypes } from '../../src/image/disk.ts';
import { otherTypes } from '../../src/lint/disk-types.ts';
import { containerRules, diskRules, wslRules } from '../../src/lint/lint.ts';
import { checkRules, passes, type Target, type Verdict } from '../../src/lint/rule.ts';
import { type ContainerParts, distroless, lintContainer } from './good-container.ts';
import { type DiskParts, factsOf, goodParts, mebibyte, uuids, writeGpt } from './good-disk.ts';
import { lintWsl, type WslParts } from './good-wsl.ts';
import { symlink } from './tar.ts';

// Every rule has a case here in which it cannot check, and which must not pass. That every rule also has a case that breaks it is
// tested in disk.test.ts, container.test.ts and wsl.test.ts.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-lint-blind-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Blindness<Parts> {
  readonly rules: readonly string[];
  readonly how: string;
  readonly change: (parts: Parts) => void;
  readonly target?: Target;
}

function expectBlind(verdicts: readonly Verdict[], rules: readonly string[]): void {
  const status = new Map(verdicts.map((verdict) => [verdict.rule, verdict.status]));
  expect(Object.fromEntries(rules.map((rule) => [rule, status.get(rule)]))).toEqual(
    Object.fromEntries(rules.map((rule) => [rule, 'unchecked'])),
  );
  expect(passes(verdicts)).toBe(false);
  for (const { findings, status: each } of verdicts) {
    if (each === 'unchecked') expect(findings.map(({ message }) => message).join()).toMatch(/^not checked: ./);
  }
}

const named = (rules: readonly { readonly id: string }[]): string[] => rules.map(({ id }) => id).sort();
const covered = (cases: readonly Blindness<never>[], always: readonly string[]): string[] =>
  [...new Set([...cases.flatMap(({ rules }) => rules), ...always])].sort();

describe('a disk', () => {
  const mib = 7 * mebibyte;
  const other = '99999999-8888-7777-6666-555555555555';
  /** An extra partition, with these bytes at its start. */
  const more =
    (type: string, start: string, also: (parts: DiskParts) => void = () => {}) =>
    (parts: DiskParts): void => {
      parts.partitions.push({ type, offset: mib, size: mebibyte / 2, uuid: other, name: 'more' });
      parts.patch = (disk) => disk.write(start, mib, 'latin1');
      also(parts);
    };
  const rootType = (parts: DiskParts, start: string): void => {
    parts.patch = (disk) => {
      disk.fill(0, 3 * mebibyte, 3 * mebibyte + 8192);
      disk.write(start, 3 * mebibyte, 'latin1');
    };
  };
  const noEntry = (parts: DiskParts): void => {
    parts.noUnifiedKernel = true;
  };
  const put =
    (files: DiskParts['root']) =>
    (parts: DiskParts): void => {
      Object.assign(parts.root, files);
    };

  const entryRules = ['root-on-disk', 'serial-console', 'no-quiet-boot', 'kernel-modules', 'hyperv-drivers'];
  const rootRules = [
    ...['root-file-system', 'os-release', 'rpm-database', 'fstab-on-disk', 'no-swap-in-fstab', 'selinux-enforcing'],
    ...['selinux-labels', 'sshd-enabled', 'azure-packages', 'azure-services', 'cloud-init-azure', 'waagent-settings'],
    ...['chrony-hyperv-clock', 'no-ssh-host-keys', 'no-authorized-keys', 'no-passwords', 'no-user-accounts'],
    ...['machine-id', 'no-shared-secrets', 'no-resolv-conf', 'no-logs', 'no-package-caches', 'no-leftovers'],
  ];
  const leftOnVar = ['no-logs', 'no-package-caches', 'no-leftovers', 'no-shared-secrets', 'machine-id'];

  const cases: readonly Blindness<DiskParts>[] = [
    {
      rules: ['gpt-primary', 'gpt-backup', 'partition-places', 'boot-entry', 'os-release'],
      how: 'sectors of 4096 bytes',
      change: (parts) => {
        parts.patch = (disk) => {
          disk.copy(disk, 4096, 512, 1024);
          disk.fill(0, 512, 1024);
        };
      },
    },
    {
      rules: ['partition-places', 'partition-alignment', 'plain-partitions', 'no-swap-partition', 'root-on-disk'],
      how: 'a table of which neither copy is in order',
      change: (parts) => {
        parts.patch = (disk) => {
          disk[512 + 60]! ^= 1;
          disk[disk.length - 500]! ^= 1;
        };
      },
    },
    {
      rules: ['bios-boot-code'],
      how: 'a table of which neither copy is in order, for the first generation',
      target: 'azure-gen1',
      change: (parts) => {
        parts.patch = (disk) => {
          disk[512 + 60]! ^= 1;
          disk[disk.length - 500]! ^= 1;
        };
      },
    },
    {
      rules: ['plain-partitions', 'no-swap-partition'],
      how: 'a partition with what nobody knows',
      change: more(otherTypes.linux, 'what is this'),
    },
    {
      rules: ['plain-partitions', 'no-swap-partition'],
      how: 'a partition that ends after the end of the disk',
      change: (parts) => {
        parts.partitions.push({
          ...{ type: otherTypes.linux, offset: 7 * mebibyte, size: 4 * mebibyte },
          ...{ uuid: uuids.disk, name: 'far' },
        });
      },
    },
    {
      rules: ['efi-boot-loader', 'boot-entry', ...entryRules],
      how: 'an EFI system partition without a file system',
      change: (parts) => {
        parts.patch = (disk) => disk.fill(0, mebibyte, 2 * mebibyte);
      },
    },
    {
      rules: ['boot-loader'],
      how: 'an EFI system partition without a file system, and no code for a BIOS',
      target: 'generic',
      change: (parts) => {
        parts.patch = (disk) => {
          disk.fill(0, mebibyte, 2 * mebibyte);
          disk.fill(0, 0, 440);
        };
      },
    },
    {
      rules: ['early-console', 'serial-console'],
      how: 'nothing that says the architecture',
      change: (parts) => {
        parts.partitions.find(({ name }) => name === 'root')!.type = otherTypes.linux;
        parts.esp = {};
      },
    },
    {
      rules: [...entryRules, 'provisioning-modules', 'selinux-enforcing'],
      how: 'no boot entry',
      change: noEntry,
    },
    {
      rules: ['kubernetes-modules', 'cgroup-v2'],
      how: 'no boot entry on a node',
      target: 'kubernetes',
      change: noEntry,
    },
    {
      rules: ['provisioning-modules'],
      how: 'modules of another release',
      change: (parts) => {
        parts.unifiedKernel['.uname'] = '1.0';
      },
    },
    {
      rules: ['hyperv-drivers'],
      how: 'drivers that are not in the initrd, and nothing that says what is built in',
      change: (parts) => {
        parts.unifiedKernel['.uname'] = '1.0';
        parts.modulesInInitrd = [];
      },
    },
    {
      rules: ['hyperv-drivers'],
      how: 'an initrd that is none',
      change: (parts) => {
        parts.unifiedKernel['.initrd'] = 'what is this';
      },
    },
    {
      rules: ['root-on-disk'],
      how: 'a name that depends on the machine',
      change: (parts) => {
        parts.commandLine += ' root=/dev/sda3';
      },
    },
    {
      rules: [...rootRules, 'boot-entry'],
      how: 'a root with a file system that is not read',
      change: (parts) => rootType(parts, 'XFSB'),
    },
    {
      rules: [
        ...['containerd-enabled', 'containerd-settings', 'pause-image-pinned', 'kubernetes-packages'],
        ...['kubernetes-modules', 'kubernetes-sysctl', 'cgroup-v2'],
      ],
      how: 'a root with a file system that is not read, on a node',
      target: 'kubernetes',
      change: (parts) => rootType(parts, 'XFSB'),
    },
    {
      rules: ['os-release', 'no-passwords', 'no-logs'],
      how: 'a root without a system in it',
      change: (parts) => {
        parts.root = { '/data/x': '' };
      },
    },
    {
      rules: ['root-file-system'],
      how: 'a checker that does not work',
      change: (parts) => {
        parts.checkerFails = true;
      },
    },
    {
      rules: leftOnVar,
      how: '/var on a partition of its type that is not read',
      change: more(otherTypes.var, 'XFSB', (parts) => {
        for (const path of Object.keys(parts.root)) if (path.startsWith('/var/')) delete parts.root[path];
        parts.root['/var/'] = '';
      }),
    },
    {
      rules: leftOnVar,
      how: '/var by fstab',
      change: more(otherTypes.linux, 'XFSB', (parts) => {
        parts.root['/etc/fstab'] += `PARTUUID=${other} /var xfs defaults 0 0\n`;
      }),
    },
    {
      rules: leftOnVar,
      how: '/var by a unit',
      change: more(otherTypes.linux, 'XFSB', (parts) => {
        parts.root['/etc/systemd/system/var.mount'] =
          `[Mount]\nWhat=/dev/disk/by-partuuid/${other}\nWhere=/var\nType=xfs\n`;
      }),
    },
    {
      rules: [...leftOnVar, 'fstab-on-disk'],
      how: '/var by a name that depends on the machine',
      change: more(otherTypes.linux, 'XFSB', put({ '/etc/fstab': '/dev/sda4 /var xfs defaults 0 0\n' })),
    },
    {
      rules: ['os-release', 'rpm-database', 'sshd-enabled', 'kernel-modules', 'waagent-settings'].slice(0, 4),
      how: '/usr on a partition that is not read',
      change: (parts) => {
        more(otherTypes.usrX86_64, 'XFSB')(parts);
        for (const path of Object.keys(parts.root)) if (path.startsWith('/usr/')) delete parts.root[path];
        parts.root['/usr/'] = '';
      },
    },
    {
      rules: ['fstab-on-disk'],
      how: 'a UUID that a partition with what nobody knows can have',
      change: more(otherTypes.linux, 'what is this', (parts) => {
        parts.root['/etc/fstab'] += 'UUID=99999999-0000-0000-0000-000000000000 /data auto defaults 0 0\n';
      }),
    },
    {
      rules: ['fstab-on-disk'],
      how: 'a file system over the network',
      change: (parts) => {
        parts.root['/etc/fstab'] += 'server:/share /data nfs defaults 0 0\n';
      },
    },
    {
      rules: ['rpm-database'],
      how: 'a database of an older rpm',
      target: 'generic',
      change: (parts) => {
        delete parts.root['/usr/lib/sysimage/rpm/rpmdb.sqlite'];
        parts.root['/var/lib/rpm/Packages'] = 'Berkeley DB';
      },
    },
    {
      rules: ['azure-packages'],
      how: 'no RPM database',
      change: (parts) => {
        delete parts.root['/usr/lib/sysimage/rpm/rpmdb.sqlite'];
      },
    },
    {
      rules: ['no-passwords'],
      how: 'a link to what is not in the image',
      change: put({ '/etc/shadow': symlink('/data/shadow') }),
    },
    {
      rules: ['no-passwords', 'no-user-accounts', 'no-authorized-keys'],
      how: 'a folder where the list of accounts should be',
      change: (parts) => {
        delete parts.root['/etc/passwd'];
        parts.root['/etc/passwd/x'] = '';
      },
    },
    { rules: ['machine-id'], how: 'a link in a circle', change: put({ '/etc/machine-id': symlink('machine-id') }) },
    {
      rules: ['no-resolv-conf'],
      how: 'a link to what is not in the image',
      change: put({ '/etc/resolv.conf': symlink('/data/resolv.conf') }),
    },
    {
      rules: ['no-authorized-keys'],
      how: 'a home that is not in the image',
      change: put({ '/root': symlink('/data/root') }),
    },
    {
      rules: ['no-ssh-host-keys'],
      how: 'a folder of settings that is not in the image',
      change: put({ '/etc/ssh': symlink('/data/ssh') }),
    },
    {
      rules: ['containerd-settings', 'pause-image-pinned'],
      how: 'a file that is no TOML',
      target: 'kubernetes',
      change: put({ '/etc/containerd/config.toml': 'version = ' }),
    },
    {
      rules: ['kubernetes-sysctl'],
      how: 'a later file that is not in the image',
      target: 'kubernetes',
      change: put({ '/etc/sysctl.d/99-x.conf': symlink('/data/x.conf') }),
    },
  ];

  test.each(cases)('$how: $rules', async ({ rules, change, target = 'azure-gen2' }) => {
    const parts = goodParts();
    change(parts);
    expectBlind(await checkRules(diskRules, factsOf(parts), target), rules);
  });
  test('every rule has such a case, or checks only what is always readable', () => {
    const always = ['fixed-vhd', 'vhd-footer', 'disk-size', 'protective-mbr'];
    expect(covered(cases, always)).toEqual(named(diskRules));
  });
  test('the content of a readable extra partition is checked', async () => {
    const parts = goodParts();
    more(otherTypes.linux, '')(parts);
    parts.patch = (disk) => {
      disk.writeUInt16LE(0xef53, mib + 1024 + 0x38);
    };
    parts.otherRoots = { [mib]: { '/log/messages': 'a log' } };
    parts.root['/etc/fstab'] += `PARTUUID=${other} /var ext4 defaults 0 0\n`;
    const verdicts = await checkRules(diskRules, factsOf(parts), 'azure-gen2');
    expect(verdicts.filter(({ status }) => status !== 'holds').map(({ rule }) => rule)).toEqual(['no-logs']);
  });
  test('an unmounted extra partition affects no rule', async () => {
    const parts = goodParts();
    more(otherTypes.linux, 'XFSB')(parts);
    parts.root['/etc/fstab'] += '/dev/sdb1 /mnt auto defaults,nofail 0 2\n';
    parts.partitions.pop();
    parts.patch = () => {};
    expect(passes(await checkRules(diskRules, factsOf(parts), 'azure-gen2'))).toBe(true);
  });
  test('the backup table is used if the primary is damaged, even with a wrong field', async () => {
    const parts = goodParts();
    parts.patch = (disk) => {
      const grown = Buffer.alloc(disk.length - mebibyte);
      writeGpt(grown, parts.partitions, uuids.disk);
      grown.copy(disk, 512, 512, 34 * 512);
      disk.fill(0, disk.length - 512);
    };
    const verdicts = await checkRules(diskRules, factsOf(parts), 'azure-gen2');
    const status = (rule: string) => verdicts.find((each) => each.rule === rule)?.status;
    expect(['gpt-primary', 'gpt-backup', 'os-release'].map(status)).toEqual(['broken', 'broken', 'holds']);
    expect(partitionTypes.esp).toBe(parts.partitions[0]!.type);
  });
});

describe('a container', () => {
  const layer =
    (files: ContainerParts['layers'][number]) =>
    (parts: ContainerParts): void => {
      parts.layers.push(files);
    };
  const rootRules = [
    ...['package-inventory', 'no-device-nodes', 'no-setuid-surprises', 'no-selinux-labels', 'os-release'],
    ...['no-ssh-host-keys', 'no-authorized-keys', 'no-passwords', 'machine-id', 'no-shared-secrets'],
    ...['no-resolv-conf', 'no-logs', 'no-package-caches', 'no-leftovers'],
  ];
  const distrolessRules = ['distroless-no-shell', 'distroless-no-package-manager', 'distroless-users'];
  const unknownType = { type: 'Y' };
  const cases: readonly Blindness<ContainerParts>[] = [
    {
      rules: ['oci-blobs', ...rootRules],
      how: 'a layer of a type that is not known',
      change: (parts) => {
        parts.compress = (data) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+xz', data });
      },
    },
    {
      rules: [...rootRules, ...distrolessRules],
      how: 'a layer that is not there',
      change: (parts) => {
        distroless(parts);
        parts.after = (blob) => rm(blob(0));
      },
    },
    {
      rules: ['os-release', 'no-passwords'],
      how: 'no layer at all',
      change: (parts) => {
        parts.layers = [];
      },
    },
    {
      rules: ['no-passwords', 'no-device-nodes', 'no-setuid-surprises', 'no-leftovers'],
      how: 'a member of a type that is not known',
      change: layer({ '/etc/shadow': unknownType }),
    },
    {
      rules: distrolessRules,
      how: 'members of a type that is not known',
      change: (parts) => {
        distroless(parts);
        layer({ '/etc/passwd': unknownType, '/usr/bin/sh': unknownType })(parts);
      },
    },
    {
      rules: ['package-inventory'],
      how: 'a database of another package manager',
      change: (parts) => {
        delete parts.layers[0]!['/usr/lib/sysimage/rpm/rpmdb.sqlite'];
        parts.layers[0]!['/var/lib/dpkg/status'] = 'Package: bash\n';
      },
    },
  ];
  test.each(cases)('$how: $rules', async ({ rules, change }) => {
    expectBlind(await lintContainer(folder, change), rules);
  });
  test('every rule has such a case', () => {
    const rules = containerRules.filter(({ appliesTo }) => appliesTo.container !== undefined);
    expect(covered(cases, [])).toEqual(named(rules));
  });
});

describe('a WSL image', () => {
  const ids = named(wslRules.filter(({ appliesTo }) => appliesTo.wsl !== undefined));
  const rootRules = ids.filter((id) => id !== 'wsl-archive');
  const cases: readonly Blindness<WslParts>[] = [
    {
      rules: rootRules,
      how: 'no archive',
      change: (parts) => {
        parts.pack = () => gzipSync(Buffer.alloc(2000, 'x'));
      },
    },
    {
      rules: rootRules,
      how: 'a compression that is not read',
      change: (parts) => {
        parts.pack = () => Buffer.from('fd377a585a00aaaa', 'hex');
      },
    },
    {
      rules: ['wsl-distribution-conf', 'wsl-first-run', 'wsl-appearance'],
      how: 'a member of a type that is not known',
      change: (parts) => {
        parts.files['/etc/wsl-distribution.conf'] = { type: 'Y' };
      },
    },
  ];
  test.each(cases)('$how: $rules', async ({ rules, change }) => {
    expectBlind(await lintWsl(folder, change), rules);
  });
  test('every rule has such a case, except the one on the archive itself', () => {
    expect(covered(cases, ['wsl-archive'])).toEqual(ids);
  });
});
