import { posix } from 'node:path';
import { type ContainerFacts, isDebug, isDistroless } from '../container-facts.ts';
import { otherDatabases, rpmDatabases } from '../disk-facts.ts';
import { type Files, findFile, readText, resolvePath, unseenBelow } from '../files.ts';
import { type Complaint, type Rule, unreadable } from '../rule.ts';
import { accounts } from './leftovers.ts';

const container = { container: 'error' } as const;

const layout: Rule<ContainerFacts> = {
  id: 'oci-blobs',
  appliesTo: container,
  why: 'Every blob is named by its digest; a runtime rejects an image with a missing or changed blob.',
  check: ({ image }) => image.problems,
};

/** Programs that are usually setuid; others are reported more strictly. */
const expectedSetuid = new Set(
  (
    'chage chfn chsh crontab dbus-daemon-launch-helper expiry fusermount fusermount3 gpasswd mount ' +
    'newgidmap newgrp newuidmap pam_timestamp_check passwd pkexec polkit-agent-helper-1 ssh-keysign su ' +
    'sudo umount unix_chkpwd unix_update utempter write'
  ).split(' '),
);

const noSetuid: Rule<ContainerFacts> = {
  id: 'no-setuid-surprises',
  appliesTo: { container: 'warning' },
  why: "A setuid program bypasses the container's user; distroless images need none.",
  check: async (facts) => {
    const files = await facts.root();
    const found = [...files.nodes].flatMap(([where, { kind, mode }]): Complaint[] => {
      if (kind !== 'file' || (mode & 0o6000) === 0) return [];
      const expected = where.startsWith('/usr/') && expectedSetuid.has(posix.basename(where));
      if (expected && !isDistroless(facts)) return [];
      return [{ message: `it is ${(mode & 0o4000) === 0 ? 'setgid' : 'setuid'} (${mode.toString(8)})`, where }];
    });
    return [...found, ...unseenBelow(files, '/')];
  },
};

const noDevices: Rule<ContainerFacts> = {
  id: 'no-device-nodes',
  appliesTo: container,
  why: 'The runtime creates devices. One in an image cannot be unpacked without root, and with root it is a way out.',
  check: async ({ root }) => {
    const files = await root();
    const found = [...files.nodes].filter(([, { kind }]) => kind === 'other');
    return [
      ...found.map(([where]) => ({ message: 'it is a device node or a pipe', where })),
      ...unseenBelow(files, '/'),
    ];
  },
};

const inventory: Rule<ContainerFacts> = {
  id: 'package-inventory',
  appliesTo: container,
  why: 'Scanners find packages by the RPM database or by the two manifests; an image without either looks empty and safe.',
  check: async ({ root, packages }) => {
    const files = await root();
    const database = rpmDatabases.find((path) => findFile(files, path) !== undefined);
    const complaints = await manifestProblems(files);
    if (complaints.length > 0) return complaints;
    const list = findFile(files, `${manifests}/container-manifest-2`);
    if (database !== undefined && list !== undefined) {
      return [
        { message: `it is beside ${database}: scanners read both, and count every package twice`, where: manifests },
      ];
    }
    if (database !== undefined) {
      return (await packages()).length > 0 ? [] : [{ message: 'the RPM database has no packages', where: database }];
    }
    if (list !== undefined) return [];
    const other = otherDatabases.find((path) => findFile(files, path) !== undefined);
    if (other !== undefined) throw unreadable(`${other} is an unsupported database`);
    return [{ message: 'there is neither an RPM database nor a list of packages', where: manifests }];
  },
};

const manifests = '/var/lib/rpmmanifest';

/** Scanners stop at the first line that does not have ten fields. */
async function manifestProblems(root: Files): Promise<Complaint[]> {
  const where = `${manifests}/container-manifest-2`;
  const text = await readText(root, where);
  if (text === undefined) return [];
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length === 0) return [{ message: 'it lists no packages', where }];
  return lines.flatMap((line, index) => {
    const count = line.split('\t').length;
    return count === 10 ? [] : [{ message: `line ${index + 1} has ${count} fields, not 10`, where }];
  });
}

export const noLabels: Rule<Pick<ContainerFacts, 'root'>> = {
  id: 'no-selinux-labels',
  appliesTo: { container: 'error', wsl: 'error' },
  why: "Only root on a host with SELinux can unpack contexts, and that host's policy sets its own.",
  check: async ({ root }) => {
    const files = await root();
    const found = [...files.nodes].filter(([, { labelled }]) => labelled === true);
    const [first] = found;
    return [
      ...(first === undefined ? [] : [{ message: `${found.length} files have an SELinux context`, where: first[0] }]),
      ...unseenBelow(files, '/'),
    ];
  },
};

const shells = ['sh', 'bash', 'dash', 'ash', 'ksh', 'zsh', 'fish', 'tcsh', 'csh', 'busybox', 'toybox'];
const managers = [
  'rpm',
  'dnf',
  'dnf5',
  'microdnf',
  'tdnf',
  'yum',
  'zypper',
  'apk',
  'apt',
  'apt-get',
  'dpkg',
  'pip',
  'pip3',
  'npm',
];
const programFolders = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/usr/local/sbin', '/usr/libexec'];

/** Findings for programs with these names, and for unreadable folders. */
async function programs(facts: ContainerFacts, names: readonly string[], message: string): Promise<Complaint[]> {
  const files = await facts.root();
  // A symlink to a missing folder leads to no programs.
  const real = new Set(programFolders.flatMap((each) => resolvePath(files, each) ?? []));
  const found = [...files.nodes].filter(
    ([path, { kind }]) => kind !== 'directory' && real.has(posix.dirname(path)) && names.includes(posix.basename(path)),
  );
  const blind = [...real].flatMap((each) => unseenBelow(files, each));
  return [...found.map(([where]) => ({ message, where })), ...blind];
}

const noShell: Rule<ContainerFacts> = {
  id: 'distroless-no-shell',
  appliesTo: container,
  why: 'Most attacks start with a shell; a distroless image promises to have none.',
  when: (facts) => isDistroless(facts) && !isDebug(facts),
  check: (facts) => programs(facts, shells, 'there is a shell'),
};

const noManager: Rule<ContainerFacts> = {
  id: 'distroless-no-package-manager',
  appliesTo: container,
  why: 'A running distroless image must not be extended.',
  when: isDistroless,
  check: (facts) => programs(facts, managers, 'there is a package manager'),
};

const distrolessAccounts = [
  { name: 'root', uid: 0 },
  { name: 'nobody', uid: 65_534 },
  { name: 'nonroot', uid: 65_532 },
];

const distrolessUsers: Rule<ContainerFacts> = {
  id: 'distroless-users',
  appliesTo: container,
  why: 'Other images and Kubernetes policies rely on these three accounts without a login.',
  when: isDistroless,
  check: async (facts) => {
    const where = '/etc/passwd';
    const there = accounts((await readText(await facts.root(), where)) ?? '');
    const missing = distrolessAccounts
      .filter(({ name, uid }) => !there.some((each) => each.name === name && each.uid === uid))
      .map(({ name, uid }) => ({ message: `there is no ${name} with uid ${uid}`, where }));
    if (isDebug(facts)) return missing;
    const open = there.filter(({ shell }) => shell !== '' && !/\/(nologin|false|shutdown|halt|sync)$/.test(shell));
    return [...missing, ...open.map(({ name, shell }) => ({ message: `${name} has the shell ${shell}`, where }))];
  },
};

/** Rules for containers only. */
export const containerOnlyRules: readonly Rule<ContainerFacts>[] = [
  layout,
  inventory,
  noDevices,
  noSetuid,
  noLabels,
  noShell,
  noManager,
  distrolessUsers,
];
