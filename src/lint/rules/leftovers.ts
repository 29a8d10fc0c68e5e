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

/** Facts common to disks and containers. */
export interface RootFacts {
  readonly root: () => Promise<Files>;
  /** Disks only: undefined without an EFI system partition. */
  readonly esp?: () => Promise<Files | undefined>;
}

type RootRule = Rule<RootFacts>;

const everywhere = { ...diskError, container: 'error', wsl: 'error' } as const;

const noHostKeys: RootRule = {
  id: 'no-ssh-host-keys',
  appliesTo: everywhere,
  why: 'A host key in an image is the same on every machine and known to everyone with the image, who can impersonate them all.',
  check: async ({ root }) => {
    const files = await root();
    return [
      ...inFolder(files, '/etc/ssh', /^ssh_host_.*_key(\.pub)?$/, 'leftover host key; each machine creates its own'),
      ...unseenBelow(files, '/etc/ssh'),
    ];
  },
};

const noAuthorizedKeys: RootRule = {
  id: 'no-authorized-keys',
  appliesTo: everywhere,
  why: 'The owner of the private key can log in to every machine made from the image.',
  check: async ({ root }) => {
    const files = await root();
    const message = 'a key that allows logins';
    const all = named(files, /\/\.ssh\/authorized_keys[^/]*$|^\/etc\/ssh\/authorized_keys/, message);
    // Homes can be elsewhere, or symlinks.
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
  why: 'A password in an image is the password of every machine made from it; an empty one lets anybody in.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    const lists = ['passwd', 'shadow', 'group', 'gshadow'].flatMap((name) => [`/etc/${name}`, `/etc/${name}-`]);
    for (const path of lists) {
      const found = await looking(async () =>
        settingLines((await readSuspect(files, path)) ?? '').flatMap((line): Complaint[] => {
          const [name, field] = line.split(':');
          // An empty password field of a group means no password.
          const problem = /\/g/.test(path) && field === '' ? undefined : passwordProblem(field);
          return problem === undefined ? [] : [{ message: `${name} has ${problem}`, where: path }];
        }),
      );
      complaints.push(...found);
    }
    return complaints;
  },
};

/** The access that a password field of shadow(5) allows. */
export function passwordProblem(field: string | undefined): string | undefined {
  if (field === undefined || field === 'x') return undefined;
  if (field === '') return 'an empty password';
  if (field.includes('$')) return 'a password hash';
  return field.startsWith('!') || field.startsWith('*') ? undefined : 'a password hash';
}

const noAccounts: RootRule = {
  id: 'no-user-accounts',
  appliesTo: azureErrorElseWarning,
  why: 'Personal accounts are created with a machine; one in the image exists on every machine.',
  check: async ({ root }) =>
    accounts((await readSuspect(await root(), '/etc/passwd')) ?? '')
      .filter(({ uid }) => uid >= 1000 && uid < 60_000)
      .map(({ name, uid }) => ({ message: `${name} (${uid}) is a personal account`, where: '/etc/passwd' })),
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
  why: 'Machines with the same id get the same DHCP lease and mix their logs; each must create its own at first boot.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    for (const where of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
      const found = await looking(async (): Promise<Complaint[]> => {
        const id = (await readSuspect(files, where))?.trim() ?? '';
        return id === '' || id === 'uninitialized' ? [] : [{ message: `it is already ${id}`, where }];
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
  why: 'Random seeds and host names belong to one machine; from an image, all machines would share them.',
  check: async ({ root, esp }) => {
    const files = await root();
    const message = 'each machine must create its own';
    const inRoot = await Promise.all(
      secrets.map((where) =>
        looking(async () => (((await readSuspect(files, where)) ?? '') === '' ? [] : [{ message, where }])),
      ),
    );
    // systemd-boot's random seed is on the EFI system partition, which can be mounted anywhere.
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
  // WSL has its own, stricter rule.
  appliesTo: { ...diskError, container: 'error' },
  why: 'Name servers of the build machine are not those of the machines made from the image.',
  check: async ({ root }) => {
    const where = '/etc/resolv.conf';
    const lines = settingLines((await readSuspect(await root(), where)) ?? '');
    return lines.length === 0
      ? []
      : [{ message: `leftover: ${lines[0]}`, where, hint: 'remove it, or link it to systemd-resolved' }];
  },
};

const noLogs: RootRule = {
  id: 'no-logs',
  appliesTo: everywhere,
  why: 'Logs in an image reveal the build machine and make builds differ.',
  check: async ({ root }) =>
    eachFilled(
      await root(),
      '/var/log',
      (where) => ({ message: 'a log is left over', where }),
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
  why: 'Downloaded repository metadata and packages are large and soon out of date.',
  check: async ({ root }) => {
    const files = await root();
    return caches.flatMap((folder): Complaint[] => {
      const left = eachFilled(files, folder, (where): Complaint => ({ message: '', where }));
      const seen = left.filter(({ unchecked }) => unchecked !== true);
      const message = `${seen.length} files are left over, such as ${seen[0]?.where}`;
      return [
        ...(seen.length === 0 ? [] : [{ message, where: folder }]),
        ...left.filter((each) => !seen.includes(each)),
      ];
    });
  },
};

const states = [
  { folder: '/var/lib/cloud/instances', what: "cloud-init's state of a run" },
  { folder: '/var/lib/cloud/data', what: "cloud-init's state of a run" },
  { folder: '/var/lib/waagent', what: "state of Azure's agent" },
  { folder: '/var/lib/dhclient', what: 'a DHCP lease' },
  { folder: '/var/lib/systemd/network', what: 'a DHCP lease' },
  { folder: '/var/lib/NetworkManager', what: 'state of a network' },
  { folder: '/tmp', what: 'a temporary file' },
  { folder: '/var/tmp', what: 'a temporary file' },
] as const;

const forgotten = [
  {
    pattern: /\/\.(bash_history|python_history|viminfo|lesshst|wget-hsts)$/,
    what: 'the history of an interactive session',
  },
  { pattern: /^\/root\/(anaconda-ks|original-ks)\.cfg$/, what: "an installer's answer file" },
  {
    pattern: /^\/etc\/udev\/rules\.d\/(70-persistent-net|75-persistent-net-generator)\.rules$/,
    what: "a network card's address",
  },
  { pattern: /^\/(etc|usr)\/.*\.rpm(save|new|orig)$/, what: 'an unmerged configuration file' },
];

const noLeftovers: RootRule = {
  id: 'no-leftovers',
  appliesTo: everywhere,
  why: 'New machines would take the state of a previous machine for their own.',
  check: async ({ root }) => {
    const all = await root();
    return [
      ...states.flatMap(({ folder, what }) =>
        eachFilled(all, folder, (where) => ({ message: `${what} is left over`, where })),
      ),
      ...forgotten.flatMap(({ pattern, what }) => named(all, pattern, `${what} is left over`)),
      ...unseenBelow(all, '/'),
    ];
  },
};

/** Rules against files that an image must not carry over from the machine that built it. */
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

/** A finding for each non-empty file below a folder, and for each unreadable part of it. */
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

/** A finding for each non-empty file in a folder with a matching name; none if the folder is unreadable. */
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

/** A finding for each non-empty file with a matching path. */
function named({ nodes }: Files, pattern: RegExp, message: string): Complaint[] {
  return [...nodes]
    .filter(([path, node]) => hasContent(node) && pattern.test(path))
    .map(([where]) => ({ message, where }));
}
