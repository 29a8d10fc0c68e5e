import { attribute, type PreferenceName, type ResolvedKiwi } from './resolve.ts';
import type { XmlElement } from './xml.ts';

/** Variables of settings that Weir does not read: KIWI sets them all the same, and scripts with `set -u` need them. */
const empty = [
  ...['bootkernel', 'bootprofile', 'btrfs_root_is_snapper_snapshot', 'btrfs_root_is_snapshot', 'compressed', 'delete'],
  ...['drivers', 'fsmountoptions', 'gpt_hybrid_mbr', 'hybridpersistent', 'hybridpersistent_filesystem', 'installboot'],
  ...['ramonly', 'rootpartuuid', 'showlicense', 'strip_delete', 'strip_libs', 'strip_tools', 'target_removable'],
  ...['vga', 'wwid_wait_timeout'],
];

/** The same for an image with `<oemconfig>`. */
const emptyOem = [
  ...['bootwait', 'devicefilter', 'kboot', 'multipath_scan', 'nicfilter', 'partition_install', 'ramdisksize', 'reboot'],
  ...['rebootinteractive', 'recovery', 'recoveryID', 'recoveryInPlace', 'recoveryPartSize', 'resizeonce', 'rootMB'],
  ...[
    'shutdown',
    'shutdowninteractive',
    'silentboot',
    'silentinstall',
    'silentverify',
    'skipverify',
    'swapMB',
    'title',
  ],
  ...['unattended', 'unattended_id', 'vmcp_parmfile'],
];

/**
 * The variables that KIWI gives to scripts, by their names (KIWI's documentation, "Profile Environment Variables"). Like in KIWI,
 * one without a value is empty; only those of preferences are missing without them.
 */
export function kiwiEnvironment({
  name,
  displayName,
  profiles,
  preferences,
  type,
}: ResolvedKiwi): Record<string, string> {
  const preference = (key: PreferenceName): string | undefined => preferences[key]?.value;
  const child = (element: string): XmlElement | undefined => type.children.find((each) => each.name === element);
  const said = (key: string): string => attribute(type, key) ?? '';
  const loader = child('bootloader');
  const isDisk = said('image') === 'oem';
  const all: Readonly<Record<string, string | undefined>> = {
    ...Object.fromEntries(empty.map((key) => [`kiwi_${key}`, ''])),
    ...(child('oemconfig') === undefined ? {} : Object.fromEntries(emptyOem.map((key) => [`kiwi_oem${key}`, '']))),
    ...(isDisk ? { kiwi_install_volid: 'INSTALL' } : {}),
    kiwi_boot_timeout: (loader && attribute(loader, 'timeout')) ?? '',
    kiwi_bootloader: (loader && attribute(loader, 'name')) ?? 'grub2',
    kiwi_bootloader_console: consoles((loader && attribute(loader, 'console')) ?? ''),
    kiwi_cmdline: said('kernelcmdline'),
    kiwi_devicepersistency: said('devicepersistency'),
    kiwi_displayname: displayName,
    kiwi_firmware: said('firmware'),
    kiwi_iname: name,
    kiwi_initrd_system: said('initrd_system') || (isDisk ? 'dracut' : 'none'),
    kiwi_iversion: preference('version'),
    kiwi_keytable: preference('keytable'),
    kiwi_language: preference('locale'),
    kiwi_luks_empty_passphrase: 'false',
    kiwi_profiles: profiles.join(','),
    kiwi_shasum_suffix: 'sha256',
    kiwi_startsector: '2048',
    kiwi_target_blocksize: '512',
    kiwi_timezone: preference('timezone'),
    kiwi_type: said('image'),
  };
  const set = Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  return Object.fromEntries(set.sort(byKey));
}

/** Consoles for output and input. @param said one for both, or two */
function consoles(said: string): string {
  const [output = '', input = output] = said.split(' ');
  return [output, input].map((each) => (each === '' || each === 'none' ? 'default' : each)).join(':');
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

/** The text of /.profile, which scripts source. */
export function profileText(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([key, value]) => `${key}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/**
 * The text of /.kconfig: those functions of KIWI's that make sense in any distribution. Scripts source it.
 */
export const kconfigText = `# Functions for scripts of KIWI descriptions.
Echo() { echo "$@"; }
Debug() { test "\${DEBUG:-0}" -ne 1 || echo "+++++> $*"; }
Rm() { echo "rm $*"; rm -f -- "$@"; }
baseSystemdServiceInstalled() {
  local unit folder
  for folder in /etc/systemd/system /usr/lib/systemd/system; do
    for unit in "$1" "$1.service" "$1.mount"; do
      test ! -e "$folder/$unit" || { echo "$folder/$unit"; return; }
    done
  done
}
baseSystemdCall() {
  local service=$1
  shift
  test -z "$(baseSystemdServiceInstalled "$service")" || systemctl "$@" "$service"
}
baseInsertService() { baseSystemdCall "$1" enable; }
baseRemoveService() { baseSystemdCall "$1" disable; }
baseService() {
  case "$2" in
    on) baseInsertService "$1" ;;
    off) baseRemoveService "$1" ;;
    *) echo "baseService: expected on or off, not '$2'" >&2; return 1 ;;
  esac
}
baseSetRunlevel() {
  case "$1" in
    1 | rescue.target) systemctl set-default rescue.target ;;
    3 | multi-user.target) systemctl set-default multi-user.target ;;
    5 | graphical.target) systemctl set-default graphical.target ;;
    *) echo "baseSetRunlevel: unknown run level '$1'" >&2; return 1 ;;
  esac
}
baseUpdateSysConfig() {
  test ! -f "$1" || sed -i "s|^$2=.*|$2=\\"$3\\"|" "$1"
}
`;
