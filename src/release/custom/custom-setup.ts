import { readFile } from 'node:fs/promises';
import type { Place } from '../../base/errors.ts';
import type { ImageSetup, SetupUser } from '../../project/model/image.ts';
import type { YamlPath } from '../../yaml/document.ts';
import type { CustomOs, CustomUser } from './custom-schema.ts';
import { checkedHash } from './passwords.ts';
import { problem } from './yaml.ts';

type PlaceOf = (path: YamlPath) => Place;

/**
 * The files, groups and accounts of a configuration as the setup of an image.
 * @param from makes a path of the configuration absolute
 * @returns the setup, and the passwords that have to be hashed, by the names of accounts
 * @throws WeirError `bad-image-config` (exit 2) with the line of a key or password that cannot be read
 */
export async function customSetup(
  { additionalDirs = [], additionalFiles = [], groups = [], users = [] }: CustomOs,
  from: (path: string) => string,
  placeOf: PlaceOf,
): Promise<{ readonly setup: ImageSetup; readonly passwords: ReadonlyMap<string, string> }> {
  const passwords = new Map<string, string>();
  const setup: ImageSetup = {
    ...{ excludeDocs: false, scripts: [], environment: {}, temporary: [] },
    overlays: additionalDirs.map((dir, index) => ({
      from: from(dir.source),
      to: dir.destination,
      ...(dir.newDirPermissions === undefined ? {} : { newFolderMode: dir.newDirPermissions }),
      ...(dir.mergedDirPermissions === undefined ? {} : { knownFolderMode: dir.mergedDirPermissions }),
      ...(dir.childFilePermissions === undefined ? {} : { fileMode: dir.childFilePermissions }),
      place: placeOf(['os', 'additionalDirs', index, 'source']),
    })),
    files: additionalFiles.map(({ source, content, destination, permissions }, index) => ({
      ...(source === undefined ? {} : { from: from(source) }),
      ...(content === undefined ? {} : { content }),
      to: destination,
      ...(permissions === undefined ? {} : { mode: permissions }),
      place: placeOf(['os', 'additionalFiles', index]),
    })),
    groups: groups.map(({ name, gid }, index) => ({
      ...{ name, place: placeOf(['os', 'groups', index]) },
      ...(gid === undefined ? {} : { id: gid }),
    })),
    users: await Promise.all(
      users.map(async (user, index) => {
        const at: PlaceOf = (path) => placeOf(['os', 'users', index, ...path]);
        const secret = await passwordOf(user, from, at);
        if (secret?.plain !== undefined) passwords.set(user.name, secret.plain);
        return setupUser(user, await keysOf(user, from, at), secret?.hash, at([]));
      }),
    ),
  };
  return { setup, passwords };
}

function setupUser(user: CustomUser, sshKeys: readonly string[], hash: string | undefined, place: Place): SetupUser {
  const { name, uid, passwordExpiresDays, primaryGroup, secondaryGroups = [], startupCommand, homeDirectory } = user;
  return {
    name,
    groups: primaryGroup === undefined ? [] : [primaryGroup],
    memberOf: secondaryGroups,
    ...(uid === undefined ? {} : { id: uid }),
    ...(hash === undefined ? {} : { passwordHash: hash }),
    ...(passwordExpiresDays === undefined ? {} : { passwordDays: passwordExpiresDays }),
    ...(startupCommand === undefined ? {} : { shell: startupCommand }),
    ...(homeDirectory === undefined ? {} : { home: homeDirectory }),
    ...(sshKeys.length === 0 ? {} : { sshKeys }),
    place,
  };
}

async function keysOf(user: CustomUser, from: (path: string) => string, placeOf: PlaceOf): Promise<string[]> {
  const keys = [...(user.sshPublicKeys ?? [])];
  for (const [index, path] of (user.sshPublicKeyPaths ?? []).entries()) {
    const text = await textOf(from(path), placeOf(['sshPublicKeyPaths', index]));
    keys.push(...text.split('\n').filter((line) => line.trim() !== ''));
  }
  return keys;
}

/** What a configuration says about a password: its hash, or the password itself. */
async function passwordOf(
  { password }: CustomUser,
  from: (path: string) => string,
  placeOf: PlaceOf,
): Promise<{ readonly hash?: string; readonly plain?: string } | undefined> {
  if (password === undefined) return undefined;
  if (password.type === 'locked') return { hash: '!' };
  const value = password.value ?? '';
  const isFile = password.type.endsWith('-file');
  const text = isFile ? (await textOf(from(value), placeOf(['password', 'value']))).replace(/\r?\n$/, '') : value;
  return password.type.startsWith('hashed') ? { hash: checkedHash(text, placeOf(['password'])) } : { plain: text };
}

async function textOf(path: string, place: Place): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) throw problem(place, `cannot read ${path}`);
  return text;
}
