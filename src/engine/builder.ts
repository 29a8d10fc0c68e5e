import { lstatSync, readFileSync } from 'node:fs';
import { lchown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builder, type Jail, type UntrustedStep } from './jail.ts';

/** Files and folders on the host's disk that an untrusted step gets in addition to its root. */
export interface Home {
  /** Becomes /var/tmp. */
  readonly temporary: string;
  /** The root's account files, with the builder added. */
  readonly passwd: string;
  readonly group: string;
  /** The file to which bubblewrap writes the PID of the sandbox's first process. */
  readonly info: string;
  /** The builder's UID on the host, if it is not the UID that runs Weir. */
  readonly owner?: number;
}

/** Whether Weir runs as root; untrusted code then gets its own UID. */
export const isRoot = process.getuid?.() === 0;

/** Creates the builder's account and its /var/tmp, and makes the builder the owner of the folders that it may write. */
export async function layOutHome(jail: Jail, spec: UntrustedStep, scratch: string): Promise<Home> {
  const files = {
    temporary: join(scratch, 'var-tmp'),
    passwd: join(scratch, 'passwd'),
    group: join(scratch, 'group'),
    info: join(scratch, 'info'),
  };
  await mkdir(files.temporary);
  const owner = isRoot ? outsideId(jail) : undefined;
  const { name } = builder;
  const { uid, gid } = jail.kind === 'bubblewrap' || owner === undefined ? builder : { uid: owner, gid: owner };
  const others = (file: string, id: number): string =>
    textOf(join(spec.root, 'etc', file))
      .split('\n')
      .filter((line) => line !== '' && line.split(':')[2] !== String(id) && !line.startsWith(`${name}:`))
      .map((line) => `${line}\n`)
      .join('');
  await writeFile(files.passwd, `${others('passwd', uid)}${name}:x:${uid}:${gid}:builder:/builddir:/bin/bash\n`);
  await writeFile(files.group, `${others('group', gid)}${name}:x:${gid}:\n`);
  if (owner === undefined) return files;
  const writable = (spec.binds ?? []).filter((bind) => bind.writable === true).map((bind) => bind.from);
  for (const folder of [files.temporary, ...writable]) await chownAll(folder, owner);
  return { ...files, owner };
}

/**
 * Unused UIDs of the host: above those that containers get (systemd.io/UIDS-GIDS), or, in a container with fewer UIDs, those
 * that systemd uses for services without an account.
 * @param map text of /proc/self/uid_map: lines of first id inside, first id outside, count (user_namespaces(7))
 */
export function freeIds(map: string): { readonly first: number; readonly count: number } {
  const large = { first: 0x70000000, count: 65_536 };
  const holds = map.split('\n').some((line) => {
    const [inside = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return inside <= large.first && inside + count >= large.first + large.count;
  });
  return holds ? large : { first: 61_184, count: 4_336 };
}

let steps = 0;

/**
 * The builder's UID on the host. In a chroot each step has its own, which tells its leftover processes from those of another
 * step.
 */
function outsideId(jail: Jail): number {
  const { first, count } = jail.freeIds;
  if (jail.kind !== 'chroot') return first + builder.uid;
  const others = builder.uid + 1;
  return first + others + ((process.pid * 16 + steps++) % (count - others));
}

function textOf(path: string): string {
  // The root is untrusted: a link in it must not lead to a file of the host.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return '';
  return readFileSync(path, 'utf8');
}

async function chownAll(path: string, id: number): Promise<void> {
  await lchown(path, id, id);
  if (lstatSync(path).isDirectory()) for (const name of await readdir(path)) await chownAll(join(path, name), id);
}

/** Arguments for setpriv that switch to a user without a way back. */
export function stepDown(id: number): string[] {
  const without = ['--clear-groups', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
  return ['--reuid', String(id), '--regid', String(id), ...without, '--'];
}
