import { posix } from 'node:path';
import { iniSettings } from '../../image/ini.ts';
import { distributionConf } from '../../image/wsl.ts';
import { elfMachine } from '../architecture.ts';
import { type Files, findFile, nodeAt, readBytes, readText, resolvePath, unseenBelow } from '../files.ts';
import type { Complaint, Rule } from '../rule.ts';
import { hasUnit, isMasked } from '../units.ts';
import type { WslFacts } from '../wsl-facts.ts';
import { accounts } from './leftovers.ts';

// Microsoft's rules for .wsl distributions: learn.microsoft.com, "Build a custom Linux distribution for WSL".

const wsl = { wsl: 'error' } as const;
const mebibyte = 1 << 20;

const archive: Rule<WslFacts> = {
  id: 'wsl-archive',
  appliesTo: wsl,
  why: 'WSL unpacks a gzipped tar with the root at its top; other formats fail with some versions.',
  check: ({ archive: { compression, problem, root } }) => {
    if (problem !== undefined) return [{ message: problem }];
    if (compression !== 'gzip') {
      return [{ message: compression === undefined ? 'it is not compressed' : `it is compressed with ${compression}` }];
    }
    const files = root();
    return ['/etc', '/usr']
      .filter((path) => resolvePath(files, path) === undefined)
      .map((path) => ({ message: `there is no ${path} at its top` }));
  },
};

async function distribution({ root }: WslFacts): Promise<ReadonlyMap<string, string>> {
  return iniSettings((await readText(await root(), distributionConf)) ?? '');
}

const distributionKeys = [
  'oobe.command',
  'oobe.defaultuid',
  'oobe.defaultname',
  'shortcut.enabled',
  'shortcut.icon',
  'windowsterminal.enabled',
  'windowsterminal.profiletemplate',
];

const conf: Rule<WslFacts> = {
  id: 'wsl-distribution-conf',
  appliesTo: wsl,
  why: "This file defines the distribution's name and its setup at first start; WSL rejects unknown keys.",
  check: async (facts) => {
    const files = await facts.root();
    const complaints = fileProblems(files, distributionConf, { modes: [0o644, 0o664] });
    if (findFile(files, distributionConf) === undefined) return complaints;
    const settings = await distribution(facts);
    const where = distributionConf;
    for (const key of settings.keys()) {
      if (!distributionKeys.includes(key)) complaints.push({ message: `unknown key ${key}`, where });
    }
    const name = settings.get('oobe.defaultname') ?? '';
    if (name === '') complaints.push({ message: 'oobe.defaultName is missing', where });
    else if (!/^[A-Za-z0-9._-]+$/.test(name)) {
      complaints.push({
        message: `oobe.defaultName ${name} has characters other than letters, digits and . _ -`,
        where,
      });
    }
    const uid = settings.get('oobe.defaultuid');
    if (uid !== '1000') complaints.push({ message: `oobe.defaultUid is ${uid ?? 'missing'}, not 1000`, where });
    return complaints;
  },
};

const firstRun: Rule<WslFacts> = {
  id: 'wsl-first-run',
  appliesTo: wsl,
  why: "The first start creates the user's account; without it, users work as root.",
  check: async (facts) => {
    const command = (await distribution(facts)).get('oobe.command');
    if (command === undefined) return [{ message: 'oobe.command is missing', where: distributionConf }];
    return fileProblems(await facts.root(), command, {
      modes: [0o755, 0o775],
      folders: ['/usr/lib/wsl/', '/usr/libexec/wsl/'],
    });
  },
};

const appearance: Rule<WslFacts> = {
  id: 'wsl-appearance',
  appliesTo: wsl,
  why: "The start menu's icon and the terminal's profile are read from the image, in places where users do not delete them.",
  check: async (facts) => {
    const files = await facts.root();
    const settings = await distribution(facts);
    const options = { modes: [0o644, 0o664], folders: ['/usr/lib/wsl/', '/usr/share/wsl/'], largest: mebibyte };
    const icon = settings.get('shortcut.icon');
    const profile = settings.get('windowsterminal.profiletemplate');
    const complaints: Complaint[] = [];
    if (icon === undefined) complaints.push({ message: 'shortcut.icon is missing', where: distributionConf });
    else {
      complaints.push(...fileProblems(files, icon, options));
      const bytes = await readBytes(files, icon);
      if (bytes !== undefined && bytes.toString('hex', 0, 4) !== iconMagic) {
        complaints.push({ message: 'not an icon (ICO)', where: icon });
      }
    }
    if (profile !== undefined) {
      complaints.push(...fileProblems(files, profile, options));
      const text = await readText(files, profile);
      if (text !== undefined && !isJson(text)) complaints.push({ message: 'invalid JSON', where: profile });
    }
    return complaints;
  },
};

/** Two zero bytes, then type 1. */
const iconMagic = '00000100';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface Wanted {
  readonly modes: readonly number[];
  readonly folders?: readonly string[];
  /** Size limit in bytes. */
  readonly largest?: number;
  /** Whether it may belong to a group other than root's. */
  readonly anyGroup?: boolean;
}

function fileProblems(files: Files, where: string, { modes, folders, largest, anyGroup }: Wanted): Complaint[] {
  const node = findFile(files, where);
  if (node === undefined) return [{ message: 'no such file', where }];
  const complaints: Complaint[] = [];
  if (!modes.includes(node.mode)) {
    const wanted = modes.map((mode) => mode.toString(8).padStart(4, '0')).join(' or ');
    complaints.push({ message: `its mode is ${node.mode.toString(8).padStart(4, '0')}, not ${wanted}`, where });
  }
  if (node.uid !== 0) complaints.push({ message: `it belongs to ${node.uid}, not to root`, where });
  if (anyGroup !== true && node.gid !== 0)
    complaints.push({ message: `it belongs to group ${node.gid}, not to root`, where });
  if (folders?.some((folder) => where.startsWith(folder)) === false) {
    complaints.push({ message: `it is not in ${folders.join(' or ')}`, where });
  }
  if (largest !== undefined && node.size > largest)
    complaints.push({ message: `it is too large: ${node.size} bytes, the limit is ${largest}`, where });
  return complaints;
}

const systemd: Rule<WslFacts> = {
  id: 'wsl-systemd',
  appliesTo: wsl,
  why: 'Without it, WSL starts its own init and no service runs; other settings are up to the user.',
  check: async ({ root }) => {
    const files = await root();
    const where = '/etc/wsl.conf';
    const complaints = fileProblems(files, where, { modes: [0o644, 0o664] });
    const text = await readText(files, where);
    if (text === undefined) return complaints;
    const settings = iniSettings(text);
    if (settings.get('boot.systemd') !== 'true') complaints.push({ message: 'systemd is not true in [boot]', where });
    for (const key of settings.keys()) {
      if (key !== 'boot.systemd') complaints.push({ message: `${key} is set, which is up to the user`, where });
    }
    return complaints;
  },
};

const wslAccounts: Rule<WslFacts> = {
  id: 'wsl-accounts',
  appliesTo: wsl,
  why: "root must be 0, and the first account's number must be free for the account created at first start.",
  check: async (facts) => {
    const files = await facts.root();
    const where = '/etc/passwd';
    const complaints = fileProblems(files, where, { modes: [0o644, 0o664] });
    complaints.push(...fileProblems(files, '/etc/shadow', { modes: [0o640, 0o600, 0], anyGroup: true }));
    const byUid = new Map<number, string>();
    for (const { name, uid } of accounts((await readText(files, where)) ?? '')) {
      const other = byUid.get(uid);
      if (other !== undefined) complaints.push({ message: `${name} and ${other} both have uid ${uid}`, where });
      byUid.set(uid, other ?? name);
    }
    if (byUid.get(0) !== 'root') complaints.push({ message: 'the uid of root is not 0', where });
    if (byUid.has(1000)) complaints.push({ message: `uid 1000 already belongs to ${byUid.get(1000)}`, where });
    return complaints;
  },
};

const programs: Rule<WslFacts> = {
  id: 'wsl-programs',
  appliesTo: wsl,
  why: 'WSL runs a shell and init by these names; they must be of one architecture.',
  check: async ({ root }) => {
    const files = await root();
    const complaints: Complaint[] = [];
    const seen = new Set<string>();
    for (const where of ['/bin/sh', '/bin/bash', '/sbin/init']) {
      const bytes = await readBytes(files, where);
      complaints.push(...fileProblems(files, where, { modes: [0o755, 0o775] }));
      if (bytes === undefined) continue;
      const machine = elfMachine(bytes);
      if (machine === undefined) complaints.push({ message: 'not a 64-bit program for x86_64 or aarch64', where });
      else seen.add(machine);
    }
    if (seen.size > 1) complaints.push({ message: `they are for ${[...seen].join(' and ')}`, where: '/bin/sh' });
    return complaints;
  },
};

/** Units that duplicate or undo WSL's own work. */
const unwanted = [
  'NetworkManager-wait-online.service',
  'NetworkManager.service',
  'console-getty.service',
  'networking.service',
  'systemd-networkd-wait-online.service',
  'systemd-networkd.service',
  'systemd-resolved.service',
  'systemd-tmpfiles-clean.service',
  'systemd-tmpfiles-clean.timer',
  'systemd-tmpfiles-setup-dev-early.service',
  'systemd-tmpfiles-setup-dev.service',
  'systemd-tmpfiles-setup.service',
  'systemd-vconsole-setup.service',
  'tmp.mount',
];

const units: Rule<WslFacts> = {
  id: 'wsl-units',
  appliesTo: wsl,
  why: 'WSL sets up the network, names, devices and /tmp itself; units that do so, too, fail or undo it.',
  check: async ({ root }) => {
    const files = await root();
    return unwanted
      .filter((unit) => hasUnit(files, unit) && !isMasked(files, unit))
      .map((unit) => ({ message: `${unit} is not masked`, where: `/etc/systemd/system/${unit}` }));
  },
};

const noKernel: Rule<WslFacts> = {
  id: 'wsl-no-kernel',
  appliesTo: wsl,
  why: "WSL has its own kernel: another kernel's files are large and never used.",
  check: async ({ root }) => {
    const files = await root();
    const found = [...files.nodes].filter(([path, { kind }]) => kind === 'file' && isKernel(path));
    return [...found.map(([where]) => ({ message: 'it is part of a kernel', where })), ...unseenBelow(files, '/')];
  },
};

function isKernel(path: string): boolean {
  if (/^\/usr\/lib\/modules\/[^/]+\/(vmlinuz|initramfs.*|initrd.*)$/.test(path)) return true;
  return path.startsWith('/boot/') && /^(vmlinuz|initramfs|initrd|System\.map)/.test(posix.basename(path));
}

const noResolvConf: Rule<WslFacts> = {
  id: 'wsl-no-resolv-conf',
  appliesTo: wsl,
  why: 'WSL writes /etc/resolv.conf at each start; an existing file or a dangling symlink prevents that.',
  check: async ({ root }) => {
    const where = '/etc/resolv.conf';
    return nodeAt(await root(), where) === undefined ? [] : [{ message: 'it exists', where }];
  },
};

/** Rules for WSL images only. */
export const wslOnlyRules: readonly Rule<WslFacts>[] = [
  archive,
  conf,
  firstRun,
  appearance,
  systemd,
  wslAccounts,
  programs,
  units,
  noKernel,
  noResolvConf,
];
