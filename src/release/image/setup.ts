import { isUtf8 } from 'node:buffer';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { valueDigest } from '../../base/digest.ts';
import { systemCode, WeirError } from '../../base/errors.ts';
import type { Engine } from '../../engine/action.ts';
import { putBytes, putFile, readBlobText, type Store } from '../../engine/store.ts';
import type { ImageSetup, WeirImage } from '../../project/model/image.ts';
import { type AccountFiles, withAccounts } from '../../tree/accounts.ts';
import { type Laid, layOver, resolverOf } from '../../tree/lay-over.ts';
import { withEntries } from '../../tree/overlayfs.ts';
import type { Entry, Tree } from '../../tree/tree.ts';

/** A setup whose files are in the content store: nothing in it is a path on the host. */
export interface StoredSetup extends Omit<ImageSetup, 'overlays' | 'files'> {
  readonly laid: readonly Laid[];
}

/** A definition as evidence has it: files by their digests. */
export type StoredDefinition = Omit<WeirImage, 'setup'> & { readonly setup?: unknown };

/** Puts the files of a setup into the content store. @throws WeirError `no-file` (exit 2) */
export async function storeSetup(store: Store, setup: ImageSetup): Promise<StoredSetup> {
  const laid: Laid[] = [];
  for (const folder of setup.overlays) laid.push(...(await overlay(store, folder, '')));
  for (const { from, content = '', to, mode } of setup.files) {
    if (from === undefined) {
      laid.push({ kind: 'file', path: to, mode: mode ?? 0o644, ...(await putBytes(store, content)) });
      continue;
    }
    const info = await lstat(from).catch((error: unknown) => refuse(from, error));
    if (!info.isFile()) throw refused(from, 'this is not a regular file');
    laid.push({ kind: 'file', path: to, mode: mode ?? modeOf(info.mode), ...(await putFile(store, from)) });
  }
  const { overlays: _overlays, files: _files, ...rest } = setup;
  return { ...rest, laid };
}

/** Permissions do not follow the umask of whoever checked the files out: only the executable bit counts. */
function modeOf(mode: number): number {
  return (mode & 0o111) === 0 ? 0o644 : 0o755;
}

async function overlay(store: Store, folder: string, path: string): Promise<Laid[]> {
  const names = await readdir(join(folder, path), 'buffer').catch((error: unknown) => refuse(folder, error));
  const laid: Laid[] = path === '' ? [] : [{ kind: 'directory', path }];
  const odd = names.find((name) => !isUtf8(name));
  if (odd !== undefined) throw refused(join(folder, path), `a name in this folder is not UTF-8: ${odd.toString()}`);
  for (const name of names.map(String).sort()) {
    const inner = `${path}/${name}`;
    const file = join(folder, inner);
    const info = await lstat(file);
    if (info.isDirectory()) laid.push(...(await overlay(store, folder, inner)));
    else if (info.isSymbolicLink()) laid.push({ kind: 'symlink', path: inner, target: await readlink(file) });
    else if (info.isFile()) {
      laid.push({ kind: 'file', path: inner, mode: modeOf(info.mode), ...(await putFile(store, file)) });
    } else throw refused(file, 'this is neither a file nor a folder nor a link');
  }
  return laid;
}

function refuse(file: string, error: unknown): never {
  const code = systemCode(error);
  throw refused(file, code === 'ENOENT' ? 'no such file' : `cannot read the file (${code})`);
}

function refused(file: string, why: string): WeirError {
  return new WeirError('no-file', why, { where: { file }, hint: "the image's setup names it", exit: 2 });
}

/** The definition with a stored setup in place of its own, for digests and evidence. */
export function storedDefinition(definition: WeirImage, setup: StoredSetup | undefined): StoredDefinition {
  const { setup: _own, ...rest } = definition;
  if (setup === undefined) return rest;
  const { laid, ...others } = setup;
  return { ...rest, setup: { ...others, files: laid.length, filesDigest: valueDigest(laid) } };
}

/**
 * The files of a setup, then its locale, keyboard map and time zone: what is named wins over a file of an overlay.
 * @throws WeirError `no-timezone` (exit 2) for a time zone that no package has
 */
export async function withSetup(store: Store, tree: Tree, setup: StoredSetup, clock: number): Promise<Tree> {
  const { locale, keymap, timezone } = setup;
  const text = async (path: string, content: string): Promise<Laid> => ({
    ...{ kind: 'file', path, mode: 0o644 },
    ...(await putBytes(store, content)),
  });
  const settings: Laid[] = [];
  if (locale !== undefined) settings.push(await text('/etc/locale.conf', `LANG=${locale}\n`));
  if (keymap !== undefined) settings.push(await text('/etc/vconsole.conf', `KEYMAP=${keymap}\n`));
  const laid = layOver(tree, setup.laid, clock);
  if (timezone !== undefined) {
    const zone = `/usr/share/zoneinfo/${timezone}`;
    if (laid.entries.some(({ path, kind }) => path === zone && kind !== 'directory')) {
      settings.push({ kind: 'symlink', path: '/etc/localtime', target: `..${zone}` });
    } else if (timezone !== 'UTC') {
      // Without the link it is UTC.
      throw new WeirError('no-timezone', `the image has no time zone ${timezone}`, {
        hint: 'install tzdata, or name a zone that is in it',
        exit: 2,
      });
    }
  }
  return layOver(laid, settings, clock);
}

/** The tree with the accounts of a setup, and their home folders with /etc/skel. */
export async function withUsers({ store }: Engine, tree: Tree, { users }: StoredSetup, clock: number): Promise<Tree> {
  if (users.length === 0) return tree;
  const entries = new Map(tree.entries.map((entry) => [entry.path, entry]));
  const read = async (name: string): Promise<string> => {
    const entry = entries.get(`/etc/${name}`);
    return entry?.kind === 'file' ? readBlobText(store, entry.digest) : '';
  };
  const [passwd, group, shadow, gshadow] = await Promise.all(['passwd', 'group', 'shadow', 'gshadow'].map(read));
  const before: AccountFiles = { passwd: passwd!, group: group!, shadow: shadow!, gshadow: gshadow! };
  const after = withAccounts(before, users, Math.floor(clock / 86_400));
  const added: Entry[] = [];
  for (const [name, text] of Object.entries(after)) {
    const known = entries.get(`/etc/${name}`);
    const mode = name.includes('shadow') ? 0o000 : 0o644;
    const attributes = { path: `/etc/${name}`, user: 'root', group: 'root', packages: [], ...known, mtime: clock };
    added.push({ ...attributes, mode: known?.mode ?? mode, kind: 'file', ...(await putBytes(store, text)) } as Entry);
  }
  const rows = new Map(after.passwd.split('\n').map((line) => [line.split(':')[0]!, line.split(':')]));
  const groups = new Map(after.group.split('\n').map((line) => [line.split(':')[2]!, line.split(':')[0]!]));
  const resolve = resolverOf(tree.entries);
  const known = new Set(before.passwd.split('\n').map((line) => line.split(':')[0]!));
  for (const { name, home: said } of users) {
    const [, , , gid, , field] = rows.get(name)!;
    const home = resolve(`${field}/x`).slice(0, -2);
    const owner = { user: name, group: groups.get(gid!) ?? gid!, mtime: clock, packages: [] };
    if (entries.has(home)) {
      // As in KIWI, a new account gets what an overlay has in the home folder that is named for it.
      const { user, group } = owner;
      const isIn = (path: string): boolean => path === home || path.startsWith(`${home}/`);
      if (said !== undefined && !known.has(name)) {
        added.push(...tree.entries.filter(({ path }) => isIn(path)).map((entry) => ({ ...entry, user, group })));
      }
      continue;
    }
    added.push({ ...owner, kind: 'directory', path: home, mode: 0o700 });
    for (const entry of tree.entries) {
      if (entry.path.startsWith('/etc/skel/')) added.push({ ...entry, ...owner, path: home + entry.path.slice(9) });
    }
  }
  return layOver(withEntries(tree, added), [], clock);
}
