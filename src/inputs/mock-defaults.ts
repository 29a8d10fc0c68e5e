import type { Value } from './mock-evaluate.ts';
import { type FilePosition, textAt } from './mock-text.ts';

/*
 * Options that mock sets before it reads a configuration (setup_default_config_opts): those that Weir uses, and those that
 * configurations extend or refer to. Values that mock takes from its host are left out.
 */

type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** Environment variables of a build in mock. */
export const defaultEnvironment: Readonly<Record<string, string>> = {
  TERM: 'vt100',
  SHELL: '/bin/bash',
  HOME: '/builddir',
  HOSTNAME: 'mock',
  PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
  PROMPT_COMMAND: String.raw`printf "\033]0;<mock-chroot>\007"`,
  PS1: String.raw`<mock-chroot> \s-\v\$ `,
  LANG: 'C.UTF-8',
};

const enabledPlugins = ['bind_mount', 'hw_info', 'mount', 'package_state', 'root_cache', 'selinux', 'yum_cache'];
const disabledPlugins = [
  'buildroot_lock',
  'ccache',
  'chroot_scan',
  'compress_logs',
  'expand_spec',
  'export_buildroot_image',
  'lvm_root',
  'overlayfs',
  'pm_request',
  'procenv',
  'rpkg_preprocessor',
  'rpmautospec',
  'scm',
  'showrc',
  'sign',
  'system_monitor',
  'tmpfs',
  'unbreq',
];

/** Whether mock enables a plugin by default. */
export function isEnabledByMock(plugin: string): boolean {
  return enabledPlugins.includes(plugin);
}

/** Default options of plugins in mock that configurations extend. */
export const pluginDefaults: Readonly<Record<string, Plain>> = {
  bind_mount: { dirs: [], create_dirs: false },
  mount: { dirs: [] },
  rpmautospec: { requires: ['rpmautospec'], cmd_base: ['/usr/bin/rpmautospec', 'process-distgit'] },
};

function pluginConf(): Plain {
  const made: Record<string, Plain> = {};
  for (const name of [...enabledPlugins, ...disabledPlugins]) {
    made[`${name}_enable`] = isEnabledByMock(name);
    made[`${name}_opts`] = pluginDefaults[name] ?? {};
  }
  return made;
}

const subcommands = { remove: ['--allowerasing'], repoquery: ['--allowerasing'], makecache: ['--allowerasing'] };

const defaults = (arch: string): Readonly<Record<string, Plain>> => ({
  basedir: '/var/lib/mock',
  resultdir: '{{basedir}}/{{root}}/result',
  rootdir: '{{basedir}}/{{root}}/root',
  cache_topdir: '/var/cache/mock',
  chroothome: '/builddir',
  chrootuser: 'mockbuild',
  chrootgroup: 'mock',
  // Weir builds each architecture on a machine of that architecture.
  host_arch: arch,
  target_arch: arch,
  repo_arch: null,
  repo_arch_map: {},
  releasever: null,
  forcearch: null,
  chroot_setup_cmd: 'groupinstall buildsys-build',
  chroot_additional_packages: [],
  user_agent: 'Mock ({{ root }}; {{ target_arch }})',
  plugins: [...enabledPlugins, ...disabledPlugins],
  plugin_conf: pluginConf(),
  environment: defaultEnvironment,
  macros: {},
  files: {},
  dnf_vars: {},
  more_buildreqs: {},
  scm_opts: {},
  'no-config': {},
  extra_chroot_dirs: [],
  nspawn_args: ['--capability=cap_ipc_lock'],
  exclude_from_homedir_cleanup: ['build/SOURCES', '.bash_history', '.bashrc'],
  module_enable: [],
  module_install: [],
  module_setup_commands: [],
  bootstrap_chroot_additional_packages: [],
  bootstrap_module_enable: [],
  bootstrap_module_install: [],
  bootstrap_module_setup_commands: [],
  copy_host_users: [],
  package_manager: 'dnf',
  yum_install_command: 'install yum yum-utils',
  yum_common_opts: [],
  yum_builddep_opts: [],
  dnf4_install_command: 'install python3-dnf python3-dnf-plugins-core',
  dnf4_common_opts: ['--setopt=deltarpm=False', '--setopt=allow_vendor_change=yes', '--allowerasing'],
  dnf4_builddep_opts: [],
  dnf4_disable_plugins: ['local', 'spacewalk', 'versionlock'],
  dnf4_avoid_opts: {},
  dnf5_install_command: 'install dnf5 dnf5-plugins',
  dnf5_common_opts: ['--setopt=deltarpm=False', '--setopt=allow_vendor_change=yes', '--allowerasing'],
  dnf5_disable_plugins: [],
  dnf5_avoid_opts: subcommands,
});

const mocksOwn = [
  'chroot_name',
  'chrootgid',
  'chrootuid',
  'config_file',
  'config_path',
  'config_paths',
  'hostname',
  'mock_run_uuid',
  'plugin_dir',
  'rpmbuild_arch',
  'version',
];

/** Whether mock sets an option from its host or from its command line, so that its value is unknown here. */
export function isMocksOwn(name: string): boolean {
  return mocksOwn.includes(name);
}

/** A fresh copy of mock's defaults, as far as configurations can refer to them. */
export function defaultOptions(arch: string): Map<string, Value> {
  const position: FilePosition = { file: "mock's defaults", line: 1, column: 1 };
  const value = (plain: Plain): Value => {
    if (typeof plain === 'string') return textAt(plain, position);
    if (plain === null || typeof plain !== 'object') return plain;
    if (isList(plain)) return plain.map(value);
    return new Map(Object.entries(plain).map(([key, item]) => [key, value(item)]));
  };
  return new Map(Object.entries(defaults(arch)).map(([key, plain]) => [key, value(plain)]));
}

function isList(plain: Plain): plain is readonly Plain[] {
  return Array.isArray(plain);
}

const aliases = new Map([
  ['yum.conf', 'dnf.conf'],
  ['dnf4.conf', 'dnf.conf'],
  ['dnf5.conf', 'dnf.conf'],
  ...['command', 'common_opts', 'install_command', 'disable_plugins', 'avoid_opts', 'builddep_opts'].map(
    (name) => [`dnf_${name}`, `dnf4_${name}`] as const,
  ),
]);

/** The name under which mock keeps an option: `yum.conf` and `dnf.conf` are one. */
export function optionName(key: string): string {
  return aliases.get(key) ?? key;
}
