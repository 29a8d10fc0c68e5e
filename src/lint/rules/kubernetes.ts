import { posix } from 'node:path';
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { byKey } from '../../base/order.ts';
import type { DiskFacts } from '../disk-facts.ts';
import { below, type Files, readSuspect, settingLines } from '../files.ts';
import { type Complaint, looking, type Rule, unreadable } from '../rule.ts';
import { hasUnit, isEnabled } from '../units.ts';
import { eachEntry, kernelParts } from './boot.ts';

const kubernetes = { kubernetes: 'error' } as const;

const wantedPackages = [
  ...['containerd', 'runc', 'containernetworking-plugins', 'conntrack-tools', 'ethtool', 'ipset', 'iptables-nft'],
  ...['nftables', 'socat', 'iscsi-initiator-utils', 'nfs-utils', 'cifs-utils', 'jq', 'psmisc', 'sysstat'],
];

const packages: Rule<DiskFacts> = {
  id: 'kubernetes-packages',
  appliesTo: kubernetes,
  why: 'The kubelet and pod networks run these programs on the node, some of them only for certain volumes.',
  check: async (facts) => {
    const installed = new Set(await facts.packages());
    return wantedPackages
      .filter((name) => !installed.has(name))
      .map((name) => ({ message: `${name} is not installed` }));
  },
};

const runtime: Rule<DiskFacts> = {
  id: 'containerd-enabled',
  appliesTo: kubernetes,
  why: 'Without a running runtime, a kubelet never joins its cluster.',
  check: async ({ root }) => {
    const files = await root();
    const unit = 'containerd.service';
    if (isEnabled(files, unit)) return [];
    return [{ message: hasUnit(files, unit) ? `${unit} does not start at boot` : `there is no ${unit}` }];
  },
};

const settings: Rule<DiskFacts> = {
  id: 'containerd-settings',
  appliesTo: kubernetes,
  why: "Two managers of control groups make a node unstable; without SELinux a container may read another's files.",
  check: async ({ root }) => {
    const { cgroup, selinux } = await containerdConfig(await root());
    const complaints: Complaint[] = [];
    if (cgroup !== true) complaints.push({ message: 'SystemdCgroup is not true', where: mainConfig });
    if (selinux !== true) complaints.push({ message: 'enable_selinux is not true', where: mainConfig });
    return complaints;
  },
};

const pauseImage: Rule<DiskFacts> = {
  id: 'pause-image-pinned',
  appliesTo: kubernetes,
  why: 'Every pod starts with this image: if it changes or is garbage-collected, no pod starts.',
  check: async ({ root }) => {
    const { pause } = await containerdConfig(await root());
    if (pause === undefined) return [{ message: 'the sandbox image is not set', where: mainConfig }];
    const [, tag] = /[^/]:([\w.-]+)$/.exec(pause) ?? [];
    const pinned = pause.includes('@sha256:') || (tag !== undefined && tag !== 'latest');
    return pinned ? [] : [{ message: `${pause} has neither a version nor a digest`, where: mainConfig }];
  },
};

const mainConfig = '/etc/containerd/config.toml';

interface ContainerdConfig {
  readonly cgroup: unknown;
  readonly selinux: unknown;
  readonly pause: string | undefined;
}

/** The effective configuration of containerd with its imports; format versions 3 and 2. */
async function containerdConfig(files: Files): Promise<ContainerdConfig> {
  const main = await readToml(files, mainConfig);
  const configs = [main];
  for (const pattern of strings(main.imports)) {
    const glob = posix.resolve(posix.dirname(mainConfig), pattern);
    const paths = below(files, posix.dirname(glob)).map(([path]) => path);
    for (const path of paths.filter((each) => posix.matchesGlob(each, glob)).sort()) {
      configs.push(await readToml(files, path));
    }
  }
  // The last setting counts.
  const find = (...path: readonly string[]): unknown =>
    configs.map((config) => lookUp(config, ['plugins', ...path])).findLast((value) => value !== undefined);
  const either = (...path: readonly string[]): unknown =>
    find('io.containerd.cri.v1.runtime', ...path) ?? find('io.containerd.grpc.v1.cri', ...path);
  const name = either('containerd', 'default_runtime_name') ?? 'runc';
  const pause =
    find('io.containerd.cri.v1.images', 'pinned_images', 'sandbox') ??
    find('io.containerd.grpc.v1.cri', 'sandbox_image');
  return {
    cgroup: either('containerd', 'runtimes', String(name), 'options', 'SystemdCgroup'),
    selinux: either('enable_selinux'),
    pause: typeof pause === 'string' ? pause : undefined,
  };
}

async function readToml(files: Files, path: string): Promise<TomlTable> {
  const text = await readSuspect(files, path);
  if (text === undefined) return {};
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof TomlError)
      throw unreadable(`${path} is not valid TOML: ${error.message.split('\n')[0]}`, error);
    throw error;
  }
}

function lookUp(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Readonly<Record<string, unknown>>)[key] : undefined),
    value,
  );
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/**
 * The files of a folder such as `sysctl.d` in systemd's order: by name, and of equal names only the first (sysctl.d(5),
 * modules-load.d(5)).
 */
function dropIns(files: Files, folder: string): string[] {
  const byName = new Map<string, string>();
  for (const place of ['/etc', '/usr/local/lib', '/usr/lib']) {
    for (const [path] of below(files, `${place}/${folder}`)) {
      const name = posix.basename(path);
      if (name.endsWith('.conf') && !byName.has(name)) byName.set(name, path);
    }
  }
  return [...byName].sort(byKey).map(([, path]) => path);
}

const wantedModules = ['overlay', 'br_netfilter'];

const modules: Rule<DiskFacts> = {
  id: 'kubernetes-modules',
  appliesTo: kubernetes,
  why: 'Without br_netfilter, packets between pods of a node bypass service rules, and its settings do not exist.',
  check: async (facts) => {
    const files = await facts.root();
    const texts = await Promise.all(dropIns(files, 'modules-load.d').map((path) => readSuspect(files, path)));
    const loaded = new Set(texts.flatMap((text) => settingLines(text ?? '')));
    const complaints: Complaint[] = wantedModules
      .filter((name) => !loaded.has(name))
      .map((name) => ({ message: `${name} is not loaded at boot`, where: '/usr/lib/modules-load.d' }));
    const inKernel = await looking(() =>
      eachEntry(facts, async (entry) => {
        const index = await kernelParts(facts, entry);
        return wantedModules
          .filter((name) => !index.builtin.has(name) && !index.modules.has(name))
          .map((name) => `the kernel has no ${name}`);
      }),
    );
    return [...complaints, ...inKernel];
  },
};

const wantedSettings: Readonly<Record<string, number>> = {
  'net.bridge.bridge-nf-call-iptables': 1,
  'net.bridge.bridge-nf-call-ip6tables': 1,
  'net.ipv4.ip_forward': 1,
  'vm.overcommit_memory': 1,
  'kernel.panic': 10,
  'kernel.panic_on_oops': 1,
};

/** Settings where higher values are fine, too. */
const least: Readonly<Record<string, number>> = {
  'fs.inotify.max_user_instances': 8192,
  'fs.inotify.max_user_watches': 524288,
};

const sysctl: Rule<DiskFacts> = {
  id: 'kubernetes-sysctl',
  appliesTo: kubernetes,
  why: 'With other settings the kubelet rejects the kernel, pods reach no services, or logs cannot be followed.',
  check: async ({ root }) => {
    const files = await root();
    const found = new Map<string, { readonly value: string; readonly where: string }>();
    for (const where of dropIns(files, 'sysctl.d')) {
      for (const line of settingLines((await readSuspect(files, where)) ?? '')) {
        const [, key, value] = /^-?([^\s=]+)\s*=\s*(.*)$/.exec(line) ?? [];
        // If a slash comes first, slashes separate the words and dots are literal.
        const name = key?.match(/[./]/)?.[0] === '/' ? key.replaceAll('/', '.') : key;
        if (name !== undefined) found.set(name, { value: value!, where });
      }
    }
    const wrong = (name: string, good: (value: number) => boolean, wanted: string): Complaint[] => {
      const setting = found.get(name);
      if (setting === undefined) return [{ message: `${name} is not set`, hint: wanted }];
      if (setting.value !== '' && good(Number(setting.value))) return [];
      return [{ message: `${name} is ${setting.value}`, where: setting.where, hint: wanted }];
    };
    return [
      ...Object.entries(wantedSettings).flatMap(([name, value]) => wrong(name, (is) => is === value, `${value}`)),
      ...Object.entries(least).flatMap(([name, value]) => wrong(name, (is) => is >= value, `at least ${value}`)),
    ];
  },
};

/** Parameters that enable the old control groups, or disable limits of pods. */
const oldGroups = /^(systemd\.unified_cgroup_hierarchy=(0|no|off|false)|SYSTEMD_CGROUP_.*|cgroup_disable=.*)$/;

const groups: Rule<DiskFacts> = {
  id: 'cgroup-v2',
  appliesTo: kubernetes,
  why: 'The kubelet limits pods by cgroup v2 and no longer starts on v1.',
  check: (facts) =>
    eachEntry(facts, ({ commandLine }) =>
      commandLine()
        .filter((word) => oldGroups.test(word))
        .map((word) => `${word} is on the command line`),
    ),
};

/** Rules for a Kubernetes node. */
export const kubernetesRules: readonly Rule<DiskFacts>[] = [
  packages,
  runtime,
  settings,
  pauseImage,
  modules,
  sysctl,
  groups,
];
