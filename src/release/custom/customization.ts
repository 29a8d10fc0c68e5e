import { dirname, resolve } from 'node:path';
import type { Place } from '../../base/errors.ts';
import type { ImageSetup } from '../../project/model/image.ts';
import type { YamlPath } from '../../yaml/document.ts';
import { type CustomConfig, type CustomUser, customSchema, packageListSchema, unsupported } from './custom-schema.ts';
import { customSetup } from './custom-setup.ts';
import { problem, readYaml, type YamlFile } from './yaml.ts';

/** What a configuration asks for. Packages of lists are among the others. */
export interface Customization {
  readonly file: string;
  readonly placeOf: (path: YamlPath) => Place;
  readonly hostname: string | undefined;
  readonly install: readonly string[];
  readonly remove: readonly string[];
  /** Where each of them is listed. */
  readonly removedAt: ReadonlyMap<string, Place>;
  readonly update: readonly string[];
  /** Files, groups and accounts, with their places. */
  readonly setup: ImageSetup;
  /** Passwords in plain text by the names of accounts; the hash of each has to go into the setup. */
  readonly passwords: ReadonlyMap<string, string>;
  readonly enable: readonly string[];
  readonly disable: readonly string[];
  readonly commandLine: readonly string[];
  readonly selinux: 'disabled' | 'permissive' | 'enforcing' | undefined;
  readonly input: string | undefined;
  readonly output: { readonly path?: string | undefined; readonly format?: string | undefined };
}

/**
 * Reads a configuration of Azure Linux's Image Customizer, as far as Weir does what it says: packages, files, users, services,
 * kernel command line, host name, SELinux mode. Files with keys and passwords are read, too.
 * @throws WeirError `bad-image-config` (exit 2) with the line, also for what Weir does not do; `not-readable`
 */
export async function readCustomization(path: string): Promise<Customization> {
  const yaml = await readYaml(path, customSchema, unsupported);
  const { os = {}, input, output } = yaml.data;
  const { packages = {} } = os;
  const from = (name: string): string => resolve(dirname(path), name);
  const read = async (lists: readonly string[] = []) =>
    (await Promise.all(lists.map((name) => readYaml(from(name), packageListSchema)))).flatMap(({ data, placeOf }) =>
      data.packages.map((name, index) => [name, placeOf(['packages', index])] as const),
    );
  const listed = async (lists?: readonly string[]): Promise<string[]> => (await read(lists)).map(([name]) => name);
  checkValues(yaml);
  const removed = [
    ...(await read(packages.removeLists)),
    ...(packages.remove ?? []).map((name, index) => [name, yaml.placeOf(['os', 'packages', 'remove', index])] as const),
  ];
  return {
    file: path,
    placeOf: yaml.placeOf,
    hostname: os.hostname,
    install: [...(await listed(packages.installLists)), ...(packages.install ?? [])],
    remove: removed.map(([name]) => name),
    removedAt: new Map(removed),
    update: [...(await listed(packages.updateLists)), ...(packages.update ?? [])],
    ...(await customSetup(os, from, yaml.placeOf)),
    enable: (os.services?.enable ?? []).map(unitName),
    disable: (os.services?.disable ?? []).map(unitName),
    commandLine: os.kernelCommandLine?.extraCommandLine ?? [],
    selinux: os.selinux?.mode === 'force-enforcing' ? 'enforcing' : os.selinux?.mode,
    input: input === undefined ? undefined : from(input.image.path),
    output: { ...output?.image, ...(output?.image.path === undefined ? {} : { path: from(output.image.path) }) },
  };
}

/** systemctl takes a service without its ending. */
function unitName(name: string): string {
  return /\.(service|socket|target|timer|mount|path|slice)$/.test(name) ? name : `${name}.service`;
}

function checkValues({ data, placeOf }: YamlFile<CustomConfig>): void {
  for (const [index, { source, content }] of (data.os?.additionalFiles ?? []).entries()) {
    if ((source === undefined) !== (content === undefined)) continue;
    throw problem(placeOf(['os', 'additionalFiles', index]), 'a file needs either "source" or "content"');
  }
  if ((data.previewFeatures ?? []).length > 0) {
    const hint = 'remove the line: what Weir does of the configuration needs no preview';
    throw problem(placeOf(['previewFeatures', 0]), 'Weir has no preview features', hint);
  }
  if (data.os?.packages?.updateExistingPackages === true) {
    const hint = 'remove the line: every package comes from the newest snapshot of the release';
    const place = placeOf(['os', 'packages', 'updateExistingPackages']);
    throw problem(place, 'Weir does not update an image: it builds the new one', hint);
  }
  const enabled = new Set((data.os?.services?.enable ?? []).map(unitName));
  for (const [index, name] of (data.os?.services?.disable ?? []).entries()) {
    if (!enabled.has(unitName(name))) continue;
    throw problem(placeOf(['os', 'services', 'disable', index]), `${name} is to be both enabled and disabled`);
  }
  const names = new Set<string>();
  for (const [index, user] of (data.os?.users ?? []).entries()) {
    const { name, password } = user;
    const path = ['os', 'users', index];
    if (names.has(name)) throw problem(placeOf([...path, 'name']), `user ${name} is listed twice`);
    names.add(name);
    if (name === 'root') checkRoot(user, (key) => placeOf([...path, key]));
    if (password === undefined || password.type === 'locked' || (password.value ?? '') !== '') continue;
    throw problem(placeOf([...path, 'password']), `a password of type ${password.type} needs a "value"`);
  }
  const uids = (data.os?.users ?? []).map(({ name, uid }) => (name === 'root' ? undefined : uid));
  checkNumbers(uids, (index) => placeOf(['os', 'users', index, 'uid']));
  const gids = (data.os?.groups ?? []).map(({ name, gid }) => (name === 'root' ? undefined : gid));
  checkNumbers(gids, (index) => placeOf(['os', 'groups', index, 'gid']));
}

/** What root has is not changed, so what a configuration says about it must be what root has. */
function checkRoot(user: CustomUser, placeOf: (key: keyof CustomUser) => Place): void {
  const own = { uid: 0, primaryGroup: 'root', homeDirectory: '/root', startupCommand: undefined };
  for (const key of ['uid', 'primaryGroup', 'homeDirectory', 'startupCommand'] as const) {
    if (user[key] === undefined || user[key] === own[key]) continue;
    throw problem(placeOf(key), `"${key}" of root cannot be changed`, 'remove the key, or add another user');
  }
}

/** 0 is root's, and no number is given twice. */
function checkNumbers(numbers: readonly (number | undefined)[], placeOf: (index: number) => Place): void {
  const seen = new Set([0]);
  for (const [index, number] of numbers.entries()) {
    if (number === undefined) continue;
    if (seen.has(number)) {
      throw problem(placeOf(index), `${number} is ${number === 0 ? "root's" : 'given twice'}`, 'give another number');
    }
    seen.add(number);
  }
}
