import { WeirError } from '../base/errors.ts';
import { readBlobText, type Store } from '../engine/store.ts';
import type { Entry, Tree } from './tree.ts';

/** User and group ids by name. */
export interface Owners {
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
}

/** The ids in the tree's own /etc/passwd and /etc/group; root is 0 if they do not list it. */
export async function treeOwners(store: Store, tree: Tree): Promise<Owners> {
  const wanted = new Map<string, Entry>();
  for (const entry of tree.entries) {
    if (entry.path === '/etc/passwd' || entry.path === '/etc/group') wanted.set(entry.path, entry);
  }
  const read = async (path: string): Promise<Map<string, number>> => {
    const entry = wanted.get(path);
    const text = entry?.kind === 'file' ? await readBlobText(store, entry.digest) : '';
    return parseIds(text);
  };
  return { users: await read('/etc/passwd'), groups: await read('/etc/group') };
}

/** Name → id from a passwd(5) or group(5) file; both have them in the first and third field. */
export function parseIds(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    // The first line with a name counts, as for getpwnam(3).
    if (name !== undefined && id !== undefined && /^\d+$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  if (!ids.has('root')) ids.set('root', 0);
  return ids;
}

/** The ids of an entry's owner. @throws WeirError `unknown-owner` */
export function ownerOf(owners: Owners, entry: Entry): { readonly uid: number; readonly gid: number } {
  const uid = owners.users.get(entry.user) ?? numeric(entry.user);
  const gid = owners.groups.get(entry.group) ?? numeric(entry.group);
  if (uid === undefined) throw unknown(entry, 'user', entry.user, '/etc/passwd');
  if (gid === undefined) throw unknown(entry, 'group', entry.group, '/etc/group');
  return { uid, gid };
}

/** An owner that a scriptlet set by number and that has no name. */
function numeric(name: string): number | undefined {
  return /^\d{1,10}$/.test(name) ? Number(name) : undefined;
}

function unknown(entry: Entry, what: string, name: string, file: string): WeirError {
  const from = entry.packages[0];
  return new WeirError('unknown-owner', `${entry.path} belongs to the ${what} ${name}, which is not in ${file}`, {
    ...(from === undefined ? {} : { where: { package: from } }),
    hint: `add a package that creates the ${what}, in ${file} or with a file in /usr/lib/sysusers.d`,
  });
}
