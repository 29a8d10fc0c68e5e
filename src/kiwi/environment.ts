import { attribute, type PreferenceName, type ResolvedKiwi } from './resolve.ts';
import type { XmlElement } from './xml.ts';

/**
 * The variables that KIWI gives to scripts, by their names (KIWI's documentation, "Profile Environment Variables"). Like KIWI, an
 * empty one is left away.
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
  const all = {
    kiwi_bootloader: child('bootloader') && attribute(child('bootloader')!, 'name'),
    kiwi_bootloader_console: child('bootloader') && attribute(child('bootloader')!, 'console'),
    kiwi_cmdline: attribute(type, 'kernelcmdline'),
    kiwi_devicepersistency: attribute(type, 'devicepersistency'),
    kiwi_displayname: displayName,
    kiwi_firmware: attribute(type, 'firmware'),
    kiwi_iname: name,
    kiwi_initrd_system: attribute(type, 'initrd_system'),
    kiwi_iversion: preference('version'),
    kiwi_keytable: preference('keytable'),
    kiwi_language: preference('locale'),
    kiwi_profiles: profiles.join(','),
    kiwi_timezone: preference('timezone'),
    kiwi_type: attribute(type, 'image'),
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) => (value === undefined || value === '' ? [] : [[key, value]])),
  );
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
