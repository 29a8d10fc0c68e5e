import { posix } from 'node:path';
import { below, type FileNode, type Files, readText, settingLines } from '../files.ts';
import { azureErrorElseWarning, type Complaint, diskError, type Rule } from '../rule.ts';

/** What both disks and containers have. */
export interface RootFacts {
  readonly root: () => Promise<Files>;
}

type RootRule = Rule<RootFacts>;

const everywhere = { ...diskError, container: 'error', wsl: 'error' } as const;

const noHostKeys: RootRule = {
  id: 'no-ssh-host-keys',
  appliesTo: everywhere,
  why: 'A host key in an image is the same on every machine and known to all who have the image: anybody could pose as any of them.',
  check: async ({ root }) =>
    named(await root(), /^\/etc\/ssh\/ssh_host_.*_key(\.pub)?$/, 'a host key is left; each machine makes its own'),
};

const noAuthorizedKeys: RootRule = {
  id: 'no-authorized-keys',
  appliesTo: everywhere,
  why: 'Whoever has the private key to it gets into every machine made from the image.',
  check: async ({ root }) =>
    named(await root(), /\/\.ssh\/authorized_keys[^/]*$|^\/etc\/ssh\/authorized_keys/, 'a key that lets somebody in'),
};

const noPasswords: RootRule = {
  id: 'no-passwords',
  appliesTo: everywhere,
  why: 'A password in an image is the password of every machine made from it, and an empty one lets anybody in.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    for (const path of ['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/gshadow', '/etc/passwd-', '/etc/shadow-']) {
      for (const line of settingLines((await readText(files, path)) ?? '')) {
        const [name, field] = line.split(':');
        // A group without a password has none to ask for.
        const problem = /\/g/.test(path) && field === '' ? undefined : passwordProblem(field);
        if (problem !== undefined) complaints.push({ message: `${name} has ${problem}`, where: path });
      }
    }
    return complaints;
  },
};

/** What a password field of shadow(5) lets in. */
export function passwordProblem(field: string | undefined): string | undefined {
  if (field === undefined || field === 'x') return undefined;
  if (field === '') return 'an empty password';
  if (field.includes('$')) return 'a password hash';
  return field.startsWith('!') || field.startsWith('*') ? undefined : 'a password hash';
}

const noAccounts: RootRule = {
  id: 'no-user-accounts',
  appliesTo: azureErrorElseWarning,
  why: 'Accounts of people are made when a machine is; one that is in the image is on every machine.',
  check: async ({ root }) =>
    accounts((await readText(await root(), '/etc/passwd')) ?? '')
      .filter(({ uid }) => uid >= 1000 && uid < 60_000)
      .map(({ name, uid }) => ({ message: `${name} (${uid}) is an account of a person`, where: '/etc/passwd' })),
};

/** Accounts in passwd(5). */
export function accounts(text: string): { readonly name: string; readonly uid: number; readonly shell: string }[] {
  return settingLines(text).map((line) => {
    const [name = '', , uid, , , , shell = ''] = line.split(':');
    return { name, uid: Number(uid), shell };
  });
}

const machineId: RootRule = {
  id: 'machine-id',
  appliesTo: everywhere,
  why: 'Machines with one id get one DHCP lease, and their logs mix; each has to make its own at its first start.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    for (const where of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
      const id = (await readText(files, where))?.trim() ?? '';
      if (id !== '' && id !== 'uninitialized') complaints.push({ message: `it is ${id} already`, where });
    }
    return complaints;
  },
};

const secrets = [
  '/var/lib/systemd/random-seed',
  '/var/lib/systemd/credential.secret',
  '/boot/efi/loader/random-seed',
  '/var/lib/NetworkManager/secret_key',
  '/etc/NetworkManager/secret_key',
  '/etc/hostid',
  '/etc/iscsi/initiatorname.iscsi',
  '/etc/nvme/hostid',
  '/etc/nvme/hostnqn',
];

const noSharedSecrets: RootRule = {
  id: 'no-shared-secrets',
  appliesTo: everywhere,
  why: "Seeds of random numbers and names of hosts are one machine's own; from an image they are everybody's.",
  check: async ({ root }) => {
    const { nodes } = await root();
    return secrets
      .filter((path) => (nodes.get(path)?.size ?? 0) > 0)
      .map((where) => ({ message: 'each machine must make its own', where }));
  },
};

const noResolvConf: RootRule = {
  id: 'no-resolv-conf',
  // WSL has a stricter rule of its own.
  appliesTo: { ...diskError, container: 'error' },
  why: 'Name servers of the machine that built the image are not those of the machines that it makes.',
  check: async ({ root }) => {
    const { nodes, read } = await root();
    const where = '/etc/resolv.conf';
    if (nodes.get(where)?.kind !== 'file') return [];
    const lines = settingLines((await read(where)).toString('utf8'));
    return lines.length === 0
      ? []
      : [{ message: `it is left: ${lines[0]}`, where, hint: 'leave it out, or link it to systemd-resolved' }];
  },
};

const noLogs: RootRule = {
  id: 'no-logs',
  appliesTo: everywhere,
  why: 'Logs in an image tell of the machine that built it, and make two builds differ.',
  check: async ({ root }) =>
    filled(await root(), '/var/log', (path) => posix.basename(path).startsWith('README')).map((where) => ({
      message: 'a log is left',
      where,
    })),
};

const caches = [
  '/var/cache/dnf',
  '/var/cache/libdnf5',
  '/var/cache/yum',
  '/var/cache/PackageKit',
  '/var/lib/dnf/repos',
];

const noPackageCaches: RootRule = {
  id: 'no-package-caches',
  appliesTo: everywhere,
  why: 'Repository metadata and packages that were downloaded are out of date when the image is used, and large.',
  check: async ({ root }) => {
    const files = await root();
    return caches.flatMap((folder) => {
      const left = filled(files, folder);
      return left.length === 0 ? [] : [{ message: `${left.length} files are left, such as ${left[0]}`, where: folder }];
    });
  },
};

const states = [
  { folder: '/var/lib/cloud/instances', what: "cloud-init's state of a machine that ran" },
  { folder: '/var/lib/cloud/data', what: "cloud-init's state of a machine that ran" },
  { folder: '/var/lib/waagent', what: "Azure's agent has run" },
  { folder: '/var/lib/dhclient', what: 'a DHCP lease' },
  { folder: '/var/lib/systemd/network', what: 'a DHCP lease' },
  { folder: '/var/lib/NetworkManager', what: 'state of a network' },
  { folder: '/tmp', what: 'a temporary file' },
  { folder: '/var/tmp', what: 'a temporary file' },
] as const;

const forgotten = [
  { pattern: /\/\.(bash_history|python_history|viminfo|lesshst|wget-hsts)$/, what: 'what somebody typed' },
  { pattern: /^\/root\/(anaconda-ks|original-ks)\.cfg$/, what: 'what the installer was told' },
  {
    pattern: /^\/etc\/udev\/rules\.d\/(70-persistent-net|75-persistent-net-generator)\.rules$/,
    what: "a network card's address",
  },
  { pattern: /^\/(etc|usr)\/.*\.rpm(save|new|orig)$/, what: 'a configuration file that was not merged' },
];

const noLeftovers: RootRule = {
  id: 'no-leftovers',
  appliesTo: everywhere,
  why: 'State of the machine that built the image, or that it ran on, is taken by new machines for their own.',
  check: async ({ root }) => {
    const all = await root();
    return [
      ...states.flatMap(({ folder, what }) =>
        filled(all, folder).map((where) => ({ message: `${what} is left`, where })),
      ),
      ...forgotten.flatMap(({ pattern, what }) => named(all, pattern, `${what} is left`)),
    ];
  },
};

/** Rules on what an image must not carry over from the machine that made it. */
export const leftoverRules: readonly RootRule[] = [
  noHostKeys,
  noAuthorizedKeys,
  noPasswords,
  noAccounts,
  machineId,
  noSharedSecrets,
  noResolvConf,
  noLogs,
  noPackageCaches,
  noLeftovers,
];

/** Files below a folder that have content. */
function filled(all: Files, folder: string, except: (path: string) => boolean = () => false): string[] {
  const isFilled = ([path, { kind, size }]: [string, FileNode]) => kind === 'file' && size > 0 && !except(path);
  return below(all, folder)
    .filter(isFilled)
    .map(([path]) => path);
}

/** A complaint for each file with content whose path matches. */
function named({ nodes }: Files, pattern: RegExp, message: string): Complaint[] {
  return [...nodes]
    .filter(([path, { kind, size }]) => kind !== 'directory' && (kind !== 'file' || size > 0) && pattern.test(path))
    .map(([where]) => ({ message, where }));
}
