import { posix } from 'node:path';
import { locateDevice } from '../devices.ts';
import { type DiskFacts, otherDatabases, partitionName, rpmDatabases } from '../disk-facts.ts';
import { below, type Files, findFile, nodeAt, readText, resolvePath, settingLines, unseenBelow } from '../files.ts';
import { fstabMounts, mayBeMissing, mountSource } from '../fstab.ts';
import { azureErrorElseWarning, type Complaint, diskError, looking, type Rule, unreadable } from '../rule.ts';
import { isEnabled } from '../units.ts';
import { eachEntry } from './boot.ts';

/** For Kubernetes nodes as well as Azure. */
const errorElseWarning = { ...azureErrorElseWarning, kubernetes: 'error' } as const;

const rootFileSystem: Rule<DiskFacts> = {
  id: 'root-file-system',
  appliesTo: diskError,
  why: 'A root with file system errors loses files, or is mounted read-only.',
  check: async (facts) => {
    const where = partitionName(facts.rootPartition());
    return (await facts.rootProblems()).map((message) => ({ message, where }));
  },
};

export const osRelease: Rule<{ readonly root: () => Promise<Files> }> = {
  id: 'os-release',
  appliesTo: { ...diskError, container: 'error', wsl: 'error' },
  why: 'Scanners, agents and cloud-init identify a system by os-release.',
  check: async ({ root }) => {
    const where = '/etc/os-release';
    const text = await readText(await root(), where);
    if (text === undefined) return [{ message: 'no such file', where }];
    const keys = new Set(settingLines(text).map((line) => line.replace(/=.*$/, '')));
    return ['ID', 'VERSION_ID', 'NAME', 'PRETTY_NAME']
      .filter((key) => !keys.has(key))
      .map((key) => ({ message: `${key} is missing`, where }));
  },
};

export const rpmDatabase: Rule<Pick<DiskFacts, 'root' | 'packages'>> = {
  id: 'rpm-database',
  appliesTo: { ...diskError, wsl: 'error' },
  why: 'Without the RPM database, packages cannot be updated, and scanners see none.',
  check: async ({ packages, root }) => {
    const files = await root();
    const where = rpmDatabases.find((path) => findFile(files, path) !== undefined);
    const other = otherDatabases.find((path) => findFile(files, path) !== undefined);
    if (where === undefined && other !== undefined) throw unreadable(`${other} is an unsupported database`);
    if (where === undefined) return [{ message: 'no such file', where: rpmDatabases[0]! }];
    return (await packages()).length > 0 ? [] : [{ message: 'it has no packages', where }];
  },
};

const noSwapInFstab: Rule<DiskFacts> = {
  id: 'no-swap-in-fstab',
  appliesTo: errorElseWarning,
  why: "Swap belongs on a machine's temporary disk, set up by an agent; the kubelet starts only without swap.",
  check: async ({ root }) =>
    (await fstabMounts(await root()))
      .filter(({ type }) => type === 'swap')
      .map(({ line }) => ({ message: `there is swap: ${line}`, where: '/etc/fstab' })),
};

const fstabOnDisk: Rule<DiskFacts> = {
  id: 'fstab-on-disk',
  appliesTo: diskError,
  why: 'A missing file system in fstab delays the boot by a minute and a half, then stops it.',
  check: async (facts) => {
    const where = '/etc/fstab';
    return (await fstabMounts(await facts.root())).flatMap((mount): Complaint[] => {
      const source = mountSource(mount);
      if (mayBeMissing(mount) || source === 'kernel' || source === 'folder') return [];
      const located =
        source === 'network'
          ? ({ state: 'unknown', why: `${mount.device} is a network file system` } as const)
          : locateDevice(facts.contents(), mount.device);
      if (located.state === 'found') return [];
      if (located.state === 'unknown') return [{ message: located.why, where, unchecked: true }];
      return [{ message: `${mount.device} is not on this disk`, where }];
    });
  },
};

const selinux: Rule<DiskFacts> = {
  id: 'selinux-enforcing',
  appliesTo: errorElseWarning,
  why: 'SELinux confines each service; a system booted without it must be relabelled before enabling it.',
  check: async (facts) => {
    const files = await facts.root();
    const where = '/etc/selinux/config';
    const text = await readText(files, where);
    if (text === undefined) return [{ message: 'SELinux is not set up', where }];
    const settings = shellSettings(text);
    const complaints: Complaint[] = [];
    if (settings.get('SELINUX') !== 'enforcing') {
      complaints.push({
        message: `SELINUX is ${settings.get('SELINUX') ?? 'not set'}`,
        where,
        hint: 'SELINUX=enforcing',
      });
    }
    const policy = `/etc/selinux/${settings.get('SELINUXTYPE') ?? 'targeted'}/policy`;
    const policies = below(files, policy).filter(
      ([path, { kind, size }]) => posix.basename(path).startsWith('policy.') && kind === 'file' && size > 0,
    );
    if (policies.length === 0) complaints.push({ message: 'there is no policy', where: policy });
    const switched = await looking(() =>
      eachEntry(facts, ({ commandLine }) =>
        ['selinux=0', 'enforcing=0']
          .filter((word) => commandLine().includes(word))
          .map((word) => `the command line has ${word}`),
      ),
    );
    complaints.push(...switched);
    if (nodeAt(files, '/.autorelabel') !== undefined) {
      complaints.push({ message: 'the first boot would relabel everything and reboot', where: '/.autorelabel' });
    }
    return complaints;
  },
};

const selinuxLabels: Rule<DiskFacts> = {
  id: 'selinux-labels',
  appliesTo: errorElseWarning,
  why: 'Files without a context are unlabeled_t, which no service may read.',
  when: async ({ root }) => resolvePath(await root(), '/etc/selinux/config') !== undefined,
  check: async ({ root }) => {
    const files = await root();
    const bare = [...files.nodes].filter(([, { labelled }]) => labelled === false);
    const [first] = bare;
    return [
      ...(first === undefined
        ? []
        : [{ message: `${bare.length} files and folders have no SELinux context`, where: first[0] }]),
      ...unseenBelow(files, '/'),
    ];
  },
};

const sshd: Rule<DiskFacts> = {
  id: 'sshd-enabled',
  appliesTo: azureErrorElseWarning,
  why: 'SSH is the access to a cloud machine; without it, the machine cannot be reached.',
  check: async ({ root }) => {
    const files = await root();
    const units = ['sshd.service', 'sshd.socket', 'ssh.service', 'ssh.socket'];
    return units.some((unit) => isEnabled(files, unit))
      ? []
      : [{ message: 'neither sshd.service nor sshd.socket starts at boot', where: '/etc/systemd/system' }];
  },
};

/** `KEY=value` lines without quotes; the last one counts. */
export function shellSettings(text: string): ReadonlyMap<string, string> {
  return new Map(
    settingLines(text).flatMap((line): [string, string][] => {
      const [, key, value] = /^([\w.]+)\s*=\s*(.*)$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value!.replace(/\s+#.*$/, '').replace(/^(["'])(.*)\1$/, '$2')]];
    }),
  );
}

/** Rules on the root file system of a disk. */
export const rootRules: readonly Rule<DiskFacts>[] = [
  rootFileSystem,
  osRelease,
  rpmDatabase,
  fstabOnDisk,
  noSwapInFstab,
  selinux,
  selinuxLabels,
  sshd,
];
