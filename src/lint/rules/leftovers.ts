import { posix } from 'node:path';
import {
  below,
  canSee,
  type FileNode,
  type Files,
  findIgnoringCase,
  readSuspect,
  resolvePath,
  settingLines,
  unseenBelow,
} from '../files.ts';
import { azureErrorElseWarning, type Complaint, diskError, looking, type Rule } from '../rule.ts';

/** What both disks and containers have. */
export interface RootFacts {
  readonly root: () => Promise<Files>;
  /** Of a disk: undefined where it has no EFI system partition. */
  readonly esp?: () => Promise<Files | undefined>;
}

type RootRule = Rule<RootFacts>;

const everywhere = { ...diskError, container: 'error', wsl: 'error' } as const;

const noHostKeys: RootRule = {
  id: 'no-ssh-host-keys',
  appliesTo: everywhere,
  why: 'A host key in an image is the same on every machine and known to all who have the image: anybody could pose as any of them.',
  check: async ({ root }) => {
    const files = await root();
    return [
      ...inFolder(files, '/etc/ssh', /^ssh_host_.*_key(\.pub)?$/, 'a host key is left; each machine makes its own'),
      ...unseenBelow(files, '/etc/ssh'),
    ];
  },
};

const noAuthorizedKeys: RootRule = {
  id: 'no-authorized-keys',
  appliesTo: everywhere,
  why: 'Whoever has the private key to it gets into every machine made from the image.',
  check: async ({ root }) => {
    const files = await root();
    const message = 'a key that lets somebody in';
    const all = named(files, /\/\.ssh\/authorized_keys[^/]*$|^\/etc\/ssh\/authorized_keys/, message);
    // Homes can be elsewhere, or links.
    const inHomes = await looking(async () => {
      const people = accounts((await readSuspect(files, '/etc/passwd')) ?? '');
      const folders = new Set(people.map(({ home }) => posix.join('/', home, '.ssh')));
      return [...folders].flatMap((folder) => [
        ...inFolder(files, folder, /^authorized_keys/, message),
        ...unseenBelow(files, folder),
      ]);
    });
    const known = new Set(all.map(({ where }) => where));
    return [...all, ...inHomes.filter(({ where }) => !known.has(where)), ...unseenBelow(files, '/')];
  },
};

const noPasswords: RootRule = {
  id: 'no-passwords',
  appliesTo: everywhere,
  why: 'A password in an image is the password of every machine made from it, and an empty one lets anybody in.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    const lists = ['passwd', 'shadow', 'group', 'gshadow'].flatMap((name) => [`/etc/${name}`, `/etc/${name}-`]);
    for (const path of lists) {
      const found = await looking(async () =>
        settingLines((await readSuspect(files, path)) ?? '').flatMap((line): Complaint[] => {
          const [name, field] = line.split(':');
          // A group without a password has none to ask for.
          const problem = /\/g/.test(path) && field === '' ? undefined : passwordProblem(field);
          return problem === undefined ? [] : [{ message: `${name} has ${problem}`, where: path }];
        }),
      );
      complaints.push(...found);
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
    accounts((await readSuspect(await root(), '/etc/passwd')) ?? '')
      .filter(({ uid }) => uid >= 1000 && uid < 60_000)
      .map(({ name, uid }) => ({ message: `${name} (${uid}) is an account of a person`, where: '/etc/passwd' })),
};

/** Accounts in passwd(5). */
export function accounts(text: string): Account[] {
  return settingLines(text).map((line) => {
    const [name = '', , uid, , , home = '', shell = ''] = line.split(':');
    return { name, uid: Number(uid), home, shell };
  });
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  readonly shell: string;
}

const machineId: RootRule = {
  id: 'machine-id',
  appliesTo: everywhere,
  why: 'Machines with one id get one DHCP lease, and their logs mix; each has to make its own at its first start.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    for (const where of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
      const found = await looking(async (): Promise<Complaint[]> => {
        const id = (await readSuspect(files, where))?.trim() ?? '';
        return id === '' || id === 'uninitialized' ? [] : [{ message: `it is ${id} already`, where }];
      });
      complaints.push(...found);
    }
    return complaints;
  },
};

const secrets = [
  '/var/lib/systemd/random-seed',
  '/var/lib/systemd/credential.secret',
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
  check: async ({ root, esp }) => {
    const files = await root();
    const message = 'each machine must make its own';
    const inRoot = await Promise.all(
      secrets.map((where) =>
        looking(async () => (((await readSuspect(files, where)) ?? '') === '' ? [] : [{ message, where }])),
      ),
    );
    // systemd-boot's lies on the EFI system partition, wherever that is mounted.
    const onEsp = await looking(async () => {
      const loader = await esp?.();
      const path = loader && findIgnoringCase(loader, '/loader/random-seed');
      return path === undefined || loader!.nodes.get(path)!.size === 0 ? [] : [{ message, where: `esp:${path}` }];
    });
    return [...inRoot.flat(), ...onEsp];
  },
};

const noResolvConf: RootRule = {
  id: 'no-resolv-conf',
  // WSL has a stricter rule of its own.
  appliesTo: { ...diskError, container: 'error' },
  why: 'Name servers of the machine that built the image are not those of the machines that it makes.',
  check: async ({ root }) => {
    const where = '/etc/resolv.conf';
    const lines = settingLines((await readSuspect(await root(), where)) ?? '');
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
    eachFilled(
      await root(),
      '/var/log',
      (where) => ({ message: 'a log is left', where }),
      (path) => posix.basename(path).startsWith('README'),
    ),
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
    return caches.flatMap((folder): Complaint[] => {
      const left = eachFilled(files, folder, (where): Complaint => ({ message: '', where }));
      const seen = left.filter(({ unchecked }) => unchecked !== true);
      const message = `${seen.length} files are left, such as ${seen[0]?.where}`;
      return [
        ...(seen.length === 0 ? [] : [{ message, where: folder }]),
        ...left.filter((each) => !seen.includes(each)),
      ];
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
        eachFilled(all, folder, (where) => ({ message: `${what} is left`, where })),
      ),
      ...forgotten.flatMap(({ pattern, what }) => named(all, pattern, `${what} is left`)),
      ...unseenBelow(all, '/'),
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

/** A complaint for each file with content below a folder, and for each part of it that could not be looked at. */
function eachFilled(
  all: Files,
  folder: string,
  complaint: (path: string) => Complaint,
  except: (path: string) => boolean = () => false,
): Complaint[] {
  const blind = unseenBelow(all, folder);
  if (!canSee(all, folder)) return blind;
  const isFilled = ([path, { kind, size }]: [string, FileNode]) => kind === 'file' && size > 0 && !except(path);
  return [
    ...below(all, folder)
      .filter(isFilled)
      .map(([path]) => complaint(path)),
    ...blind,
  ];
}

/** A complaint for each file with content in a folder whose name matches; nothing where the folder cannot be seen. */
function inFolder(all: Files, folder: string, name: RegExp, message: string): Complaint[] {
  const real = canSee(all, folder) ? resolvePath(all, folder) : undefined;
  if (real === undefined) return [];
  return below(all, real)
    .filter(([path, node]) => posix.dirname(path) === real && hasContent(node) && name.test(posix.basename(path)))
    .map(([where]) => ({ message, where }));
}

function hasContent({ kind, size }: FileNode): boolean {
  return kind !== 'directory' && (kind !== 'file' || size > 0);
}

/** A complaint for each file with content whose path matches. */
function named({ nodes }: Files, pattern: RegExp, message: string): Complaint[] {
  return [...nodes]
    .filter(([path, node]) => hasContent(node) && pattern.test(path))
    .map(([where]) => ({ message, where }));
}
