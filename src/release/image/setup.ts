import { isUtf8 } from 'node:buffer';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, valueDigest } from '../../base/digest.ts';
import { type Place, systemCode, WeirError } from '../../base/errors.ts';
import { compareText } from '../../base/order.ts';
import { putBytes, putFile, type Store } from '../../engine/store.ts';
import type { ImageSetup, SetupFolder, WeirImage } from '../../project/model/image.ts';
import { type Laid, layOver } from '../../tree/lay-over.ts';
import type { Tree } from '../../tree/tree.ts';

/** A setup whose files are in the content store: nothing in it is a path on the host, except for places. */
export interface StoredSetup extends Omit<ImageSetup, 'overlays' | 'files'> {
  readonly laid: readonly Laid[];
}

/** A definition as evidence has it: files and accounts by their digests. */
export type StoredDefinition = Omit<WeirImage, 'setup' | 'custom'> & {
  readonly setup?: unknown;
  readonly custom?: unknown;
};

/** The setups of a definition in their order: its own, and that of a customization. */
export async function storedSetups(store: Store, { setup, custom }: WeirImage): Promise<StoredSetup[]> {
  const setups = [setup, custom].filter((each) => each !== undefined);
  return Promise.all(setups.map((each) => storeSetup(store, each)));
}

/** Puts the files of a setup into the content store. @throws WeirError `no-file` (exit 2) with the place of what names a file */
export async function storeSetup(store: Store, setup: ImageSetup): Promise<StoredSetup> {
  const laid: Laid[] = [];
  for (const folder of setup.overlays) laid.push(...(await overlay(store, folder)));
  for (const { from, content = '', to, mode, place } of setup.files) {
    const asked = { kind: 'file', path: to, ...placed(place) } as const;
    if (from === undefined) {
      laid.push({ ...asked, mode: mode ?? 0o644, ...(await putBytes(store, content)) });
      continue;
    }
    // What is named may be a link.
    const info = await stat(from).catch((error: unknown) => refuse(from, error, place));
    if (!info.isFile()) throw refused(from, 'this is not a regular file', place);
    const blob = await putFile(store, from).catch((error: unknown) => refuse(from, error, place));
    laid.push({ ...asked, mode: mode ?? modeOf(info.mode), ...blob });
  }
  const { overlays: _overlays, files: _files, ...rest } = setup;
  return { ...rest, laid };
}

function placed(place: Place | undefined): { readonly place?: Place } {
  return place === undefined ? {} : { place };
}

/** Permissions do not follow the umask of whoever checked the files out: only the executable bit counts. */
function modeOf(mode: number): number {
  return (mode & 0o111) === 0 ? 0o644 : 0o755;
}

async function overlay(store: Store, asked: SetupFolder): Promise<Laid[]> {
  const { from, to = '', newFolderMode, knownFolderMode, fileMode, place } = asked;
  const top = await stat(from).catch((error: unknown) => refuse(from, error, place));
  if (!top.isDirectory()) throw refused(from, 'this is not a folder', place);
  const modes = {
    ...(newFolderMode === undefined ? {} : { mode: newFolderMode }),
    ...(knownFolderMode === undefined ? {} : { knownMode: knownFolderMode }),
  };
  return folder('');

  async function folder(path: string): Promise<Laid[]> {
    const own = { kind: 'directory', path: `${to}${path}`, ...modes, ...placed(place) } as const;
    const laid: Laid[] = own.path === '' ? [] : [own];
    const names = await readdir(join(from, path), 'buffer').catch((error: unknown) => refuse(from, error, place));
    const odd = names.find((name) => !isUtf8(name));
    if (odd !== undefined) {
      throw refused(join(from, path), `a name in this folder is not UTF-8: ${odd.toString()}`, place);
    }
    for (const name of names.map(String).sort(compareText)) {
      const inner = `${path}/${name}`;
      const file = join(from, inner);
      const info = await lstat(file).catch((error: unknown) => refuse(file, error, place));
      const here = { path: `${to}${inner}`, ...placed(place) };
      if (info.isDirectory()) laid.push(...(await folder(inner)));
      // A link stays a link: it could bring in files from outside the folder, or lead in a circle.
      else if (info.isSymbolicLink()) laid.push({ ...here, kind: 'symlink', target: await readlink(file) });
      else if (info.isFile()) {
        const blob = await putFile(store, file).catch((error: unknown) => refuse(file, error, place));
        laid.push({ ...here, kind: 'file', mode: fileMode ?? modeOf(info.mode), ...blob });
      } else throw refused(file, 'this is neither a file nor a folder nor a link', place);
    }
    return laid;
  }
}

function refuse(file: string, error: unknown, place: Place | undefined): never {
  if (error instanceof WeirError) throw error;
  const code = systemCode(error);
  throw refused(file, code === 'ENOENT' ? 'no such file' : `cannot read the file (${code})`, place);
}

function refused(file: string, why: string, place: Place | undefined): WeirError {
  if (place !== undefined) return new WeirError('no-file', `${file}: ${why}`, { where: place, exit: 2 });
  return new WeirError('no-file', why, { where: { file }, hint: "the image's setup names it", exit: 2 });
}

/**
 * The definition with stored setups in place of its own, for digests and evidence. What evidence shows of an account is its name:
 * a hash of a password is not for everyone who reads it.
 */
export function storedDefinition(definition: WeirImage, setups: readonly StoredSetup[]): StoredDefinition {
  const { setup, custom, ...rest } = definition;
  const named = [setup === undefined ? [] : ['setup'], custom === undefined ? [] : ['custom']].flat();
  return { ...rest, ...Object.fromEntries(named.map((name, index) => [name, shown(setups[index]!)])) };
}

function shown(setup: StoredSetup): unknown {
  const { laid, users, groups = [], ...others } = setup;
  return {
    ...others,
    files: laid.length,
    filesDigest: valueDigest(laid.map(withoutPlace)),
    groups: groups.map(withoutPlace),
    users: users.map(({ name }) => name),
    usersDigest: valueDigest(users.map(withoutPlace)),
  };
}

/** Digest of all that a setup puts into an image. */
export function setupDigest(setup: StoredSetup): Digest {
  return valueDigest(shown(setup));
}

function withoutPlace<T extends { readonly place?: Place }>({ place: _place, ...rest }: T): Omit<T, 'place'> {
  return rest;
}

/**
 * The files of a setup, then its locale, keyboard map and time zone: what is named wins over a file of an overlay.
 * @throws WeirError `file-conflict` (exit 2); `no-timezone` (exit 2) for a time zone that no package has
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
