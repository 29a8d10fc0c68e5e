import { putBytes, readBlobText, type Store } from '../../engine/store.ts';
import type { SetupUser } from '../../project/model/image.ts';
import { type AccountFiles, withAccounts } from '../../tree/accounts.ts';
import { layOver, resolverOf } from '../../tree/lay-over.ts';
import { withEntries } from '../../tree/overlayfs.ts';
import type { Entry, Tree } from '../../tree/tree.ts';
import type { StoredSetup } from './setup.ts';

/**
 * The tree with the groups and accounts of a setup. A new account gets a home folder with the content of /etc/skel, and SSH keys
 * go into that of any account.
 * @param setup whose files are in the tree @param clock seconds since 1970
 * @throws WeirError `invalid-account` (exit 2)
 */
export async function withUsers(store: Store, tree: Tree, setup: StoredSetup, clock: number): Promise<Tree> {
  const { users, groups = [] } = setup;
  if (users.length + groups.length === 0) return tree;
  const entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
  const before = await accountFiles(store, entries);
  const shell = ['/usr/bin/bash', '/bin/bash'].some((path) => entries.has(path)) ? '/bin/bash' : '/bin/sh';
  const after = withAccounts(before, setup, Math.floor(clock / 86_400), shell);
  const added: Entry[] = [];
  for (const [name, text] of Object.entries(after)) {
    const known = entries.get(`/etc/${name}`);
    const mode = name.includes('shadow') ? 0o000 : 0o644;
    const attributes = { path: `/etc/${name}`, user: 'root', group: 'root', packages: [], ...known, mtime: clock };
    added.push({ ...attributes, mode: known?.mode ?? mode, kind: 'file', ...(await putBytes(store, text)) } as Entry);
  }
  const rows = new Map(after.passwd.split('\n').map((line) => [line.split(':')[0]!, line.split(':')]));
  const groupNames = new Map(after.group.split('\n').map((line) => [line.split(':')[2]!, line.split(':')[0]!]));
  const known = new Set(before.passwd.split('\n').map((line) => line.split(':')[0]!));
  const resolve = resolverOf(tree.entries);
  const folderOf = (path: string): string => resolve(`${path}/x`).slice(0, -2);
  const laid = new Set(setup.laid.flatMap(({ kind, path }) => (kind === 'directory' ? [folderOf(path)] : [])));
  for (const user of users) {
    const [, , , gid, , field] = rows.get(user.name)!;
    const home = folderOf(field!);
    const owner = { user: user.name, group: groupNames.get(gid!) ?? gid!, mtime: clock, packages: [] };
    const isNew = !known.has(user.name);
    added.push(...homeEntries(tree, entries.get(home), home, owner, user, { isNew, isLaid: laid.has(home) }));
    if (user.sshKeys === undefined || user.sshKeys.length === 0) continue;
    const blob = await putBytes(store, `${user.sshKeys.join('\n')}\n`);
    added.push({ ...owner, kind: 'directory', path: `${home}/.ssh`, mode: 0o700 });
    added.push({ ...owner, kind: 'file', path: `${home}/.ssh/authorized_keys`, mode: 0o600, ...blob });
  }
  return layOver(withEntries(tree, added), [], clock);
}

async function accountFiles(store: Store, entries: ReadonlyMap<string, Entry>): Promise<AccountFiles> {
  const read = async (name: string): Promise<string> => {
    const entry = entries.get(`/etc/${name}`);
    return entry?.kind === 'file' ? readBlobText(store, entry.digest) : '';
  };
  const [passwd, group, shadow, gshadow] = await Promise.all(['passwd', 'group', 'shadow', 'gshadow'].map(read));
  return { passwd: passwd!, group: group!, shadow: shadow!, gshadow: gshadow! };
}

/**
 * What is new or changed in a home folder.
 * @param there what the tree has at its path @param state whether the account is new, and whether the setup lays the folder itself
 */
function homeEntries(
  { entries }: Tree,
  there: Entry | undefined,
  home: string,
  owner: Pick<Entry, 'user' | 'group' | 'mtime' | 'packages'>,
  { home: said }: SetupUser,
  { isNew, isLaid }: { readonly isNew: boolean; readonly isLaid: boolean },
): Entry[] {
  const within = entries.filter(({ path }) => path === home || path.startsWith(`${home}/`));
  const { user, group } = owner;
  const made: Entry[] = [];
  // As in KIWI, a new account gets what is in a home folder that is named for it.
  if (isNew && said !== undefined) made.push(...within.map((entry) => ({ ...entry, user, group })));
  const isOfPackage = there !== undefined && there.packages.length > 0;
  if (there !== undefined && (!isNew || isOfPackage)) return made;
  // A folder that came only with a file in it is as good as missing.
  if (there === undefined || !isLaid) made.push({ ...owner, kind: 'directory', path: home, mode: 0o700 });
  else made.push({ ...there, user, group });
  const taken = new Set(within.map(({ path }) => path));
  for (const entry of entries) {
    const path = `${home}${entry.path.slice('/etc/skel'.length)}`;
    if (entry.path.startsWith('/etc/skel/') && !taken.has(path)) made.push({ ...entry, ...owner, path });
  }
  return made;
}
