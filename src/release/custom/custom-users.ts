import { readFile } from 'node:fs/promises';
import { sha256 } from '../../base/digest.ts';
import { WeirError } from '../../base/errors.ts';
import { putBytes, readBlobText, type Store } from '../../engine/store.ts';
import { runTool, type Toolbox } from '../../toolbox/tool.ts';
import { withEntries } from '../../tree/overlayfs.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Customization, CustomUser } from './customization.ts';
import type { TreePaths } from './tree-paths.ts';
import { problem } from './yaml.ts';

/** Read by systemd-sysusers when the tree is finalised. */
const sysusers = '/usr/lib/sysusers.d/00-image.conf';
const firstUid = 1000;

/**
 * Adds groups and accounts as a file of sysusers.d(5), home folders with the content of /etc/skel, and SSH keys. What exists
 * already, such as root, keeps its number and shell.
 * @throws WeirError `bad-image-config` (exit 2) for a key file that cannot be read
 */
export async function addUsers(
  store: Store,
  paths: TreePaths,
  custom: Pick<Customization, 'groups' | 'users' | 'placeOf'>,
  clock: number,
): Promise<void> {
  const { groups, users } = custom;
  if (groups.length + users.length === 0) return;
  const taken = new Set(users.flatMap(({ uid }) => (uid === undefined ? [] : [uid])));
  let next = firstUid;
  const free = (): number => {
    while (taken.has(next)) next++;
    taken.add(next);
    return next;
  };
  const lines = groups.map(({ name, gid }) => `g ${name} ${gid ?? '-'}`);
  for (const [index, user] of users.entries()) {
    const { name, uid, primaryGroup, secondaryGroups = [] } = user;
    const home = homeOf(user);
    if (name !== 'root') {
      if (primaryGroup !== undefined) lines.push(`g ${primaryGroup} -`);
      const id = `${uid ?? free()}${primaryGroup === undefined ? '' : `:${primaryGroup}`}`;
      const shell = user.startupCommand ?? (paths.find('/usr/bin/bash') === undefined ? '/bin/sh' : '/bin/bash');
      lines.push(`u ${name} ${id} "${name}" ${home} ${shell}`);
    }
    lines.push(...secondaryGroups.map((group) => `m ${name} ${group}`));
    await addHome(store, paths, user, await keysOf(custom, user, index), clock);
  }
  const owned = { user: 'root', group: 'root', mtime: clock, packages: [] } as const;
  const blob = await putBytes(store, `${[...new Set(lines)].join('\n')}\n`);
  paths.put({ ...owned, kind: 'file', path: sysusers, mode: 0o644, ...blob });
}

function homeOf({ name, homeDirectory }: CustomUser): string {
  return (homeDirectory ?? (name === 'root' ? '/root' : `/home/${name}`)).replace(/\/+$/, '');
}

async function keysOf(custom: Pick<Customization, 'placeOf'>, user: CustomUser, index: number): Promise<string[]> {
  const keys = [...(user.sshPublicKeys ?? [])];
  for (const [at, path] of (user.sshPublicKeyPaths ?? []).entries()) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) {
      throw problem(custom.placeOf(['os', 'users', index, 'sshPublicKeyPaths', at]), `cannot read ${path}`);
    }
    keys.push(...text.split('\n').filter((line) => line.trim() !== ''));
  }
  return keys;
}

async function addHome(
  store: Store,
  paths: TreePaths,
  user: CustomUser,
  keys: readonly string[],
  clock: number,
): Promise<void> {
  const { name, primaryGroup } = user;
  const group = name === 'root' ? 'root' : (primaryGroup ?? name);
  const owned = { user: name, group, mtime: clock, packages: [] } as const;
  const home = homeOf(user);
  if (paths.find(home) === undefined) {
    paths.put({ ...owned, kind: 'directory', path: home, mode: 0o700 });
    for (const entry of paths.below('/etc/skel')) {
      paths.put({ ...entry, ...owned, path: `${home}${entry.path.slice('/etc/skel'.length)}` });
    }
  }
  if (keys.length === 0) return;
  paths.put({ ...owned, kind: 'directory', path: `${home}/.ssh`, mode: 0o700 });
  const blob = await putBytes(store, `${keys.join('\n')}\n`);
  paths.put({ ...owned, kind: 'file', path: `${home}/.ssh/authorized_keys`, mode: 0o600, ...blob });
}

/** What a configuration says about each user's password, read from its file if it is in one. */
export type PasswordTexts = readonly (string | undefined)[];

/** Reads the files with passwords. @throws WeirError `bad-image-config` (exit 2) with the line */
export async function readPasswords({
  users,
  placeOf,
}: Pick<Customization, 'users' | 'placeOf'>): Promise<PasswordTexts> {
  return Promise.all(
    users.map(async ({ password }, index) => {
      if (password?.type.endsWith('-file') !== true) return password?.value;
      const text = await readFile(password.value!, 'utf8').catch(() => undefined);
      if (text !== undefined) return text.replace(/\r?\n$/, '');
      throw problem(placeOf(['os', 'users', index, 'password', 'value']), `cannot read ${password.value}`);
    }),
  );
}

/**
 * What the second field of shadow(5) gets for each user. A plain password is hashed with SHA-512.
 * @param seed of the salts, so that equal inputs give equal images; not made from a password
 * @throws WeirError `bad-image-config` (exit 2)
 */
export async function passwordHashes(
  toolbox: Toolbox,
  { users, placeOf }: Pick<Customization, 'users' | 'placeOf'>,
  texts: PasswordTexts,
  seed: string,
): Promise<(string | undefined)[]> {
  return Promise.all(
    users.map(async ({ name, password }, index) => {
      if (password === undefined) return undefined;
      if (password.type === 'locked') return '!';
      const text = texts[index] ?? '';
      const hash = password.type.startsWith('hashed') ? text : await hashed(toolbox, text, `${seed}/${name}`);
      if (/^[^:\n]+$/.test(hash)) return hash;
      throw problem(placeOf(['os', 'users', index, 'password']), 'a hash is one line without ":"');
    }),
  );
}

async function hashed(toolbox: Toolbox, text: string, seed: string): Promise<string> {
  const salt = `$6$${sha256(seed).slice(0, 16)}$`;
  // The password must not be in the list of processes.
  const { stdout } = await runTool(toolbox, {
    argv: ['perl', '-e', 'local $/; my $p = <STDIN>; print crypt($p, $ARGV[0])', salt],
    input: text,
  });
  if (!stdout.startsWith(salt)) throw new WeirError('tool-failed', 'the toolbox cannot hash a password');
  return stdout;
}

/**
 * Sets passwords and their age in the shadow(5) file of a finalised tree. @param hashes those of `passwordHashes`
 * @throws WeirError `bad-image-config` (exit 2)
 */
export async function withPasswords(
  store: Store,
  tree: Tree,
  custom: Pick<Customization, 'users' | 'placeOf'>,
  hashes: readonly (string | undefined)[],
): Promise<Tree> {
  const set = [...custom.users.entries()].filter(
    ([, user]) => user.password !== undefined || user.passwordExpiresDays !== undefined,
  );
  if (set.length === 0) return tree;
  const shadow = tree.entries.find(({ path }) => path === '/etc/shadow');
  const place = (index: number) => custom.placeOf(['os', 'users', index, 'name']);
  if (shadow?.kind !== 'file')
    throw problem(place(set[0]![0]), 'the image has no /etc/shadow, so no password can be set');
  const lines = (await readBlobText(store, shadow.digest)).split('\n');
  for (const [index, user] of set) {
    const at = lines.findIndex((line) => line.startsWith(`${user.name}:`));
    if (at < 0) throw problem(place(index), `the image has no account ${user.name} in its /etc/shadow`);
    const fields = lines[at]!.split(':');
    fields[1] = hashes[index] ?? fields[1]!;
    // The fifth field is the most days between two changes; -1 means no limit.
    if (user.passwordExpiresDays !== undefined)
      fields[4] = user.passwordExpiresDays < 0 ? '' : String(user.passwordExpiresDays);
    lines[at] = fields.join(':');
  }
  return withEntries(tree, [{ ...shadow, ...(await putBytes(store, lines.join('\n'))) }]);
}
