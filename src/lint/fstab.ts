import { posix } from 'node:path';
import { below, type Files, readSuspect, settingLines } from './files.ts';
import { isMasked } from './units.ts';

/** A file system mounted at boot. */
export interface Mount {
  /** As written: `UUID=…`, `/dev/sda1`, `server:/share`. */
  readonly device: string;
  readonly place: string;
  readonly type: string;
  readonly options: readonly string[];
  /** Where it is configured: the line of fstab, or the path of the unit. */
  readonly line: string;
}

/** Mounts of fstab(5); empty if there is no such file. @throws WeirError `unreadable` */
export async function fstabMounts(files: Files): Promise<Mount[]> {
  return settingLines((await readSuspect(files, '/etc/fstab')) ?? '').map((line) => {
    const [device = '', place = '', type = '', options = ''] = line.split(/\s+/).map(unescaped);
    return { device, place, type, options: options.split(','), line };
  });
}

/** Spaces in a field are written as `\040`. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Mounts of systemd units (systemd.mount(5)). @throws WeirError `unreadable` */
export async function unitMounts(files: Files): Promise<Mount[]> {
  const units = new Map<string, string>();
  for (const folder of ['/usr/lib/systemd/system', '/etc/systemd/system']) {
    for (const [path] of below(files, folder)) {
      const name = posix.basename(path);
      if (name.endsWith('.mount') && posix.basename(posix.dirname(path)) === 'system') units.set(name, path);
    }
  }
  const mounts: Mount[] = [];
  for (const [name, path] of units) {
    if (isMasked(files, name)) continue;
    const text = (await readSuspect(files, path)) ?? '';
    const value = (key: string): string => new RegExp(`^${key}[ \\t]*=[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
    mounts.push({
      ...{ device: value('What'), place: value('Where'), type: value('Type'), options: value('Options').split(',') },
      line: path,
    });
  }
  return mounts;
}

const kernelTypes = new Set(
  (
    'autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue overlay proc ' +
    'pstore ramfs securityfs selinuxfs sysfs tmpfs tracefs'
  ).split(' '),
);
const networkTypes = new Set('9p afs ceph cifs glusterfs lustre nfs nfs4 smb3 virtiofs'.split(' '));

/** The kind of source that a mount's content comes from. */
export function mountSource({ device, type, options }: Mount): 'disk' | 'kernel' | 'folder' | 'network' {
  if (kernelTypes.has(type)) return 'kernel';
  if (options.includes('bind') || options.includes('rbind')) return 'folder';
  if (
    networkTypes.has(type) ||
    type.startsWith('fuse') ||
    options.includes('_netdev') ||
    /^\/\/|^[^/=]+:/.test(device)
  ) {
    return 'network';
  }
  // A file in the root, such as a swap file.
  return device.startsWith('/') && !device.startsWith('/dev/') ? 'folder' : 'disk';
}

/** Whether the system boots if the mount fails. */
export function mayBeMissing({ options }: Mount): boolean {
  return options.includes('nofail') || options.includes('noauto');
}
