import { awkOnlyPrints, findOnlyPrints, sedOnlyPrints, sortOnlyPrints, uniqOnlyPrints } from './script-languages.ts';

/** The effect of a scriptlet's command on a tree. */
export interface Effect {
  /**
   * `none`: the command changes nothing. `finaliser`: a finaliser or the image kind does its work. `kernel` and `network`: it cannot work
   * on a tree, because it needs a running system or the network. `run`: it changes the tree and is run.
   */
  readonly kind: 'none' | 'finaliser' | 'kernel' | 'network' | 'run';
  /** The finaliser, the reason why the command cannot work on a tree, or the command that is run. */
  readonly by: string;
}

const none: Effect = { kind: 'none', by: '' };
const finaliser = (by: string): Effect => ({ kind: 'finaliser', by });

/** Shell built-ins and programs that only read, print or test, whatever their options. */
const looking = new Set(
  (
    ': true false test [ [[ ]] echo printf getent id which type grep egrep fgrep zgrep sleep set shift export ' +
    'local declare typeset readonly unset read umask let break continue cd pushd popd pwd basename dirname readlink realpath ' +
    'cat head tail cut tr wc uname stat ls expr seq diff cmp getenforce selinuxenabled ' +
    'selinuxdefcon matchpathcon systemd-detect-virt vmware-checkvm pgrep pidof ps shopt wait logger lsmod modinfo ' +
    'arch nproc getopt printenv getopts sync ldd'
  ).split(' '),
);

/** Programs that signal processes, of which a tree has none. */
const signalling = new Set('kill killall pkill killall5'.split(' '));

/** The finaliser that makes users. */
export const systemUsers = 'system users';

const finalisers: Readonly<Record<string, string>> = {
  ldconfig: 'library cache',
  'systemd-sysusers': systemUsers,
  'systemd-tmpfiles': 'temporary files (at boot)',
  'systemd-update-helper': 'presets',
  depmod: 'kernel modules',
  'weak-modules': 'kernel modules',
  restorecon: 'SELinux labels',
  fixfiles: 'SELinux labels',
  setfiles: 'SELinux labels',
  chcon: 'SELinux labels',
  semodule: 'SELinux policy store',
  load_policy: 'SELinux policy store',
  'kernel-install': 'boot files (by the image kind)',
  'new-kernel-pkg': 'boot files (by the image kind)',
  installkernel: 'boot files (by the image kind)',
  dracut: 'boot files (by the image kind)',
  mkinitrd: 'boot files (by the image kind)',
  grubby: 'boot files (by the image kind)',
  bootctl: 'boot files (by the image kind)',
  'grub2-mkconfig': 'boot files (by the image kind)',
  'grub2-install': 'boot files (by the image kind)',
};

const kernel: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'sysctl systemd-sysctl systemd-binfmt modprobe insmod rmmod setenforce mount umount swapon swapoff auditctl augenrules ip iptables ip6tables nft ebtables ipset dmsetup losetup efibootmgr setkeycodes loadkeys hwclock telinit'
      .split(' ')
      .map((name) => [name, 'the running kernel']),
  ),
  // These programs change a policy store that is built only after all scriptlets have run.
  semanage: 'a finished SELinux policy store',
  setsebool: 'a finished SELinux policy store',
};

const network = new Set('curl wget dnf dnf5 yum microdnf ping nslookup dig rsync scp ssh'.split(' '));

/** Verbs of systemctl that act on a running system, or only print. */
const runtimeVerbs = new Set(
  (
    'start stop restart try-restart reload reload-or-restart reload-or-try-restart try-reload-or-restart force-reload condrestart ' +
    'kill isolate clean freeze thaw reset-failed set-property daemon-reload daemon-reexec status show cat list-units list-unit-files ' +
    'list-timers list-sockets list-jobs list-dependencies is-active is-enabled is-failed is-system-running get-default ' +
    'show-environment set-environment unset-environment import-environment cancel help'
  ).split(' '),
);

const udevVerbs = new Set('control trigger settle info monitor test test-builtin wait verify'.split(' '));

/**
 * The effect of a command. It is `none` only if the command certainly changes nothing: no option and no text in a language of
 * its own may write.
 * @param words its name, without folders, and its arguments
 * @param expanded indexes of the words that the shell expands
 */
export function effectOf(words: readonly string[], expanded: ReadonlySet<number> = new Set()): Effect {
  const [name = '', ...rest] = words;
  const isExpanded = (index: number): boolean => expanded.has(index + 1);
  // A variable or a list of files may hold an option that writes.
  const mayBeOption = rest.some((word, index) => isExpanded(index) && /^[$`]/.test(word));
  const only = (looks: boolean): Effect => (looks ? none : run(name));
  const verb = rest.find((word) => !word.startsWith('-')) ?? '';
  if (looking.has(name) || signalling.has(name)) return none;
  if (name in finalisers) return finaliser(finalisers[name]!);
  if (name in kernel) return { kind: 'kernel', by: kernel[name]! };
  if (network.has(name)) return { kind: 'network', by: name };
  switch (name) {
    case 'exit':
    case 'return':
      // In %pre, a failure stops the installation of the package.
      return /^[1-9]\d*$/.test(verb) ? run(`${name} ${verb}`) : none;
    case 'sed':
      return only(!mayBeOption && sedOnlyPrints(rest, isExpanded));
    case 'awk':
    case 'gawk':
      return only(awkOnlyPrints(rest, isExpanded));
    case 'sort':
      return only(!mayBeOption && sortOnlyPrints(rest));
    case 'uniq':
      return only(!mayBeOption && uniqOnlyPrints(rest));
    case 'find':
      return only(!mayBeOption && findOnlyPrints(rest));
    case 'date':
      return rest.some((word) => /^(?:-[a-zA-Z]*s|--s|\d)/.test(word)) ? { kind: 'kernel', by: kernel.hwclock! } : none;
    case 'hostname':
      return rest.every((word) => /^-[^Fb]+$/.test(word)) ? none : { kind: 'kernel', by: kernel.hwclock! };
    case 'file':
      return only(!rest.some((word) => /^-(?:[^-]*C|-c)/.test(word)));
    case 'lsinitrd':
      return only(!rest.some((word) => word.startsWith('--u')));
    case 'compgen':
      return only(!rest.some((word) => /^-.*[CF]/.test(word)));
    case 'hash':
      return only(!rest.some((word) => /^-.*p/.test(word)));
    case 'alias':
      return only(!rest.some((word) => word.includes('=')));
    case 'trap':
      return only(/^-?$/.test(rest[0] ?? ''));
    case 'command':
      return rest[0] === '-v' || rest[0] === '-V' ? none : shifted(words, expanded, 1);
    case 'eval':
      return only(rest.length === 0);
    case 'exec':
    case 'nice':
    case 'nohup':
    case 'env': {
      const first = rest.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
      return first < 0 ? none : shifted(words, expanded, first + 1);
    }
    case 'systemctl':
      if (/^preset/.test(verb)) return finaliser('presets');
      // An unknown command may or may not need a running system, so it is run.
      if (!runtimeVerbs.has(verb)) return run(`systemctl ${verb}`.trim());
      return finaliser('no running system');
    case 'service':
    case 'invoke-rc.d':
    case 'initctl':
    case 'dbus-send':
    case 'busctl':
      return finaliser('no running system');
    case 'firewall-cmd':
      return rest.length > 0 && rest.every((word) => /^(?:--reload|--quiet|-q)$/.test(word))
        ? finaliser('no running system')
        : run(name);
    case 'udevadm':
      return udevVerbs.has(verb) ? finaliser('no running system') : run(`udevadm ${verb}`.trim());
    case 'git':
      return /^(?:clone|fetch|pull|push|ls-remote|submodule)$/.test(verb) ? { kind: 'network', by: name } : run(name);
    case 'rpm':
    case 'rpmquery':
      // Macros and options that start programs.
      if (rest.some((word) => /%\(|%\{[^}]*lua:|^--(?:pipe|load|rcfile)/.test(word))) return run(name);
      if (name === 'rpmquery') return none;
      return rest.some((word) => /^(?:-q|--query|-E|--eval)/.test(word))
        ? none
        : { kind: 'kernel', by: 'an rpm database that no transaction uses' };
    default:
      return run(name);
  }
}

/** The effect of a command that starts another command: `nice sort x`. */
function shifted(words: readonly string[], expanded: ReadonlySet<number>, by: number): Effect {
  return effectOf(words.slice(by), new Set([...expanded].map((index) => index - by)));
}

export function run(what: string): Effect {
  return { kind: 'run', by: what };
}
