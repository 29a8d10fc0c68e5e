/** What a command of a scriptlet means for a tree that is composed. */
export interface Effect {
  /**
   * `none`: it changes nothing. `finaliser`: a finaliser or the image kind does it. `kernel` and `network`: it cannot work on a tree.
   * `run`: it changes the tree.
   */
  readonly kind: 'none' | 'finaliser' | 'kernel' | 'network' | 'run';
  /** The finaliser, or why it cannot work, or what is run. */
  readonly by: string;
}

const none: Effect = { kind: 'none', by: '' };
const finaliser = (by: string): Effect => ({ kind: 'finaliser', by });

/** Shell built-ins and programs that only look, print or decide. */
const looking = new Set(
  (
    ': true false test [ [[ ]] echo printf getent id which type grep egrep fgrep zgrep sleep set shift export ' +
    'local declare typeset readonly unset read umask let break continue cd pushd popd pwd basename dirname readlink realpath ' +
    'cat head tail cut tr awk gawk sort uniq wc uname date hostname stat ls expr seq diff cmp getenforce selinuxenabled ' +
    'selinuxdefcon matchpathcon systemd-detect-virt vmware-checkvm pgrep pidof ps shopt trap wait logger lsmod modinfo ' +
    'arch nproc file getopt printenv lsinitrd compgen getopts hash alias rpmquery sync ldd'
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
  // They change a policy store that is built after all scriptlets have run.
  semanage: 'a finished SELinux policy store',
  setsebool: 'a finished SELinux policy store',
};

const network = new Set('curl wget dnf dnf5 yum microdnf ping nslookup dig rsync scp ssh'.split(' '));

/** Verbs of systemctl that change unit files; others act on a running system. */
const unitFileVerbs = new Set(
  'enable disable reenable mask unmask link revert set-default add-wants add-requires edit'.split(' '),
);

/** The effect of a command. @param words its name, without folders, and its arguments */
export function effectOf(words: readonly string[]): Effect {
  const [name = '', ...rest] = words;
  const verb = rest.find((word) => !word.startsWith('-')) ?? '';
  if (looking.has(name) || signalling.has(name)) return none;
  if (name in finalisers) return finaliser(finalisers[name]!);
  if (name in kernel) return { kind: 'kernel', by: kernel[name]! };
  if (network.has(name)) return { kind: 'network', by: name };
  switch (name) {
    case 'exit':
    case 'return':
      // In %pre it stops the package.
      return /^[1-9]\d*$/.test(verb) ? run(`${name} ${verb}`) : none;
    case 'sed':
      return rest.some((word) => /^(?:-[a-zA-Z]*i|--in-place)/.test(word)) ? run(name) : none;
    case 'find':
      return rest.some((word) => /^-(?:delete|exec|execdir|ok|fprint)/.test(word)) ? run(name) : none;
    case 'command':
      return rest[0] === '-v' || rest[0] === '-V' ? none : effectOf(rest);
    case 'exec':
    case 'eval':
    case 'nice':
    case 'nohup':
    case 'env':
      return rest.length === 0 ? none : effectOf(rest.filter((word) => !/^[A-Za-z_]\w*=/.test(word)));
    case 'systemctl':
      if (/^preset/.test(verb)) return finaliser('presets');
      return unitFileVerbs.has(verb) ? run(`systemctl ${verb}`) : finaliser('no running system');
    case 'service':
    case 'invoke-rc.d':
    case 'initctl':
    case 'dbus-send':
    case 'busctl':
      return finaliser('no running system');
    case 'firewall-cmd':
      return rest.includes('--reload') ? finaliser('no running system') : run(name);
    case 'udevadm':
      return verb === 'hwdb' ? run('udevadm hwdb') : finaliser('no running system');
    case 'git':
      return /^(?:clone|fetch|pull|push|ls-remote|submodule)$/.test(verb) ? { kind: 'network', by: name } : run(name);
    case 'rpm':
      return rest.some((word) => /^(?:-q|--query|-E|--eval)/.test(word))
        ? none
        : { kind: 'kernel', by: 'an rpm database that no transaction uses' };
    default:
      return run(name);
  }
}

function run(what: string): Effect {
  return { kind: 'run', by: what };
}
