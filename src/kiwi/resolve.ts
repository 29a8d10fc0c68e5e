import { lstatSync } from 'node:fs';
import { join, posix } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { checkElement, type ElementRule, fault } from './check.ts';
import { activeProfiles, type KiwiDescription, profileHint } from './description.ts';
import { anyTypeRule, packagesRule, preferencesRule, repositoryRule, typeRules, usersRule } from './grammar.ts';
import { lookInside, takeByName } from './inside.ts';
import { printXml, type XmlElement, type XmlPlace } from './xml.ts';

/** A text with its place. */
export interface Placed {
  readonly value: string;
  readonly place: XmlPlace;
}

/** A file of the description that is copied into the image. */
export interface KiwiFile {
  /** Absolute path on the host. */
  readonly from: string;
  readonly target: string;
  /** Octal; without it the mode of the file. */
  readonly mode?: string;
}

export interface KiwiUser {
  readonly name: string;
  readonly password?: string;
  readonly isPlain: boolean;
  readonly home?: string;
  readonly shell?: string;
  /** The first one is the primary group. A name may be followed by a colon and its number. */
  readonly groups: readonly string[];
  readonly id?: number;
  readonly realName?: string;
  readonly place: XmlPlace;
}

/** The one-valued settings of `<preferences>`. */
export const preferenceNames = [
  ...(['version', 'packagemanager', 'locale', 'keytable', 'timezone', 'release-version'] as const),
  ...(['rpm-check-signatures', 'rpm-excludedocs', 'rpm-locale-filtering'] as const),
] as const;
export type PreferenceName = (typeof preferenceNames)[number];

/** A description for one architecture with its active profiles: what it asks for. */
export interface ResolvedKiwi {
  readonly file: string;
  readonly dir: string;
  readonly name: string;
  readonly displayName: string;
  readonly arch: string;
  /** In the order in which scripts see them. */
  readonly profiles: readonly string[];
  readonly preferences: Readonly<Partial<Record<PreferenceName, Placed>>>;
  /** The `<type>` to build, checked. */
  readonly type: XmlElement;
  /** Names of packages, in the order of the description, each once. */
  readonly bootstrap: readonly string[];
  readonly packages: readonly string[];
  readonly ignored: readonly string[];
  /** Whether weak dependencies of `bootstrap` and of `packages` are asked for. */
  readonly weakBootstrap: boolean;
  readonly weak: boolean;
  readonly files: readonly KiwiFile[];
  readonly users: readonly KiwiUser[];
  /** Folders to lay over the root, in this order; absolute. */
  readonly overlays: readonly string[];
  /** Scripts of the description that are there; `from` is absolute. */
  readonly scripts: readonly { readonly name: 'config.sh' | 'images.sh'; readonly from: string }[];
  /** Number of `<repository>` elements that apply. */
  readonly repositories: number;
  /** The description with all included files, as scripts find it. */
  readonly xml: string;
}

export interface KiwiChoice {
  /** Names as after KIWI's `--profile`, with commas between several. */
  readonly profile?: string;
  readonly arch: string;
}

/**
 * Chooses what applies for profiles and an architecture, and checks it. Blocks of other profiles and architectures are not
 * looked into.
 * @throws WeirError (exit 2) `invalid-kiwi`, `no-profile`, `no-file`, `kiwi-type` for a type that Weir does not build
 */
export function resolveKiwi(description: KiwiDescription, choice: KiwiChoice): ResolvedKiwi {
  const { file, dir, name, image } = description;
  const asked = (choice.profile ?? '').split(',').filter((each) => each !== '');
  const profiles = activeProfiles(description, asked, choice.arch);
  const blocks = image.children.filter((block) => isActive(description, block, profiles, choice.arch));
  const named = (kind: string): XmlElement[] => blocks.filter((block) => block.name === kind);
  const blockRules = { repository: repositoryRule, packages: packagesRule, users: usersRule };
  const preferences = named('preferences');
  for (const block of preferences) checkElement(block, preferencesRule, ['type']);
  const type = chosenType(description, preferences, profiles, choice.arch);
  for (const block of blocks) {
    const rule = blockRules[block.name as keyof typeof blockRules];
    if (rule !== undefined) checkElement(block, rule);
  }
  refuseOthers(dir);
  const kind = type.attributes.get('image')!.value;
  const lists = named('packages').map((block) => ({ block, type: attribute(block, 'type')! }));
  const ofType = (types: readonly string[]): XmlElement[] =>
    lists.filter((each) => types.includes(each.type)).map((each) => each.block);
  const [bootstrap, system] = [ofType(['bootstrap']), ofType(['image', kind])];
  const items = (from: readonly XmlElement[], element: string): XmlElement[] =>
    from.flatMap(({ children }) => children.filter((each) => each.name === element && isForArch(each, choice.arch)));
  const listed = (from: readonly XmlElement[], element: string): string[] => [
    ...new Set(items(from, element).map((each) => attribute(each, 'name')!)),
  ];
  const all = [...bootstrap, ...system];
  refuseBoth(items(all, 'ignore'), listed(all, 'package'));
  return {
    file,
    dir,
    name,
    displayName: attribute(image, 'displayname') ?? name,
    arch: choice.arch,
    profiles,
    preferences: preferencesOf(preferences),
    type,
    bootstrap: listed(bootstrap, 'package'),
    packages: listed(system, 'package'),
    ignored: listed(all, 'ignore'),
    weakBootstrap: weakOf(bootstrap),
    weak: weakOf(system),
    files: items(all, 'file').map((each) => fileOf(dir, each)),
    users: withAllGroups(named('users').flatMap(({ children }) => children.map(userOf))),
    overlays: ['root', ...profiles].flatMap((each) => takeByName(dir, each, 'folder') ?? []),
    scripts: (['config.sh', 'images.sh'] as const).flatMap((each) => {
      const from = takeByName(dir, each, 'file');
      return from === undefined ? [] : [{ name: each, from }];
    }),
    repositories: named('repository').length,
    xml: printXml(image),
  };
}

export function attribute(element: XmlElement, name: string): string | undefined {
  return element.attributes.get(name)?.value;
}

/** Whether a block applies: it names an active profile or none, and the architecture or none. */
function isActive(description: KiwiDescription, block: XmlElement, active: readonly string[], arch: string): boolean {
  const profiles = block.attributes.get('profiles');
  if (profiles === undefined) return isForArch(block, arch);
  const names = profiles.value.split(',').map((each) => each.trim());
  for (const name of names) {
    if (description.profiles.has(name)) continue;
    throw fault(profiles.place, `there is no profile "${name}"`, profileHint(name, description.profiles));
  }
  return names.some((name) => active.includes(name)) && isForArch(block, arch);
}

function isForArch(element: XmlElement, arch: string): boolean {
  const said = attribute(element, 'arch');
  return said === undefined || said.split(',').some((each) => each.trim() === arch);
}

function chosenType(
  { file, image }: KiwiDescription,
  preferences: readonly XmlElement[],
  profiles: readonly string[],
  arch: string,
): XmlElement {
  const types = preferences.flatMap(({ children }) => children.filter((each) => each.name === 'type'));
  for (const type of types) {
    const { children: _children, ...rest } = type;
    const attributes = new Map([...rest.attributes].filter(([key]) => Object.hasOwn(anyTypeRule.attributes!, key)));
    checkElement({ ...rest, attributes, children: [] }, anyTypeRule);
  }
  const type = types.find((each) => attribute(each, 'primary') === 'true') ?? types[0];
  if (type === undefined) {
    const what = profiles.length === 0 ? 'without a profile' : `for ${profiles.join(', ')}`;
    throw new WeirError('invalid-kiwi', `the description has no <type> ${what} on ${arch}`, {
      where: { file, line: image.place.line, column: image.place.column },
      hint: 'choose a profile with a type, by profile = "NAME" in the definition',
      exit: 2,
    });
  }
  const kind = type.attributes.get('image')!;
  const rule: ElementRule | undefined = Object.hasOwn(typeRules, kind.value) ? typeRules[kind.value] : undefined;
  if (rule === undefined) {
    throw new WeirError('kiwi-type', `Weir does not build images of type "${kind.value}" yet`, {
      where: kind.place,
      hint: `it builds ${Object.keys(typeRules).join(', ')}; leave this image to kiwi`,
      exit: 2,
    });
  }
  checkElement(type, rule);
  return type;
}

function preferencesOf(blocks: readonly XmlElement[]): ResolvedKiwi['preferences'] {
  const found: Partial<Record<PreferenceName, Placed>> = {};
  for (const { children } of blocks) {
    for (const { name, text, place } of children) {
      if (name === 'type') continue;
      const key = name as PreferenceName;
      const before = found[key];
      // KIWI's parts disagree on which of them counts.
      if (before !== undefined && before.value !== text) {
        const other = `${before.place.file}:${before.place.line}`;
        throw fault(place, `<${name}> is "${text}" here and "${before.value}" at ${other}, and both apply`);
      }
      found[key] = { value: text, place };
    }
  }
  return found;
}

function weakOf(blocks: readonly XmlElement[]): boolean {
  const said = blocks.flatMap((block) => block.attributes.get('patternType') ?? []);
  const [first] = said;
  const other = said.find(({ value }) => value !== first?.value);
  if (first !== undefined && other !== undefined) {
    throw fault(
      other.place,
      `patternType="${other.value}" here and "${first.value}" at ${first.place.file}:${first.place.line} both apply`,
      'weak dependencies are installed for all packages of an image or for none',
    );
  }
  return first?.value === 'plusRecommended';
}

function refuseBoth(ignored: readonly XmlElement[], packages: readonly string[]): void {
  for (const { attributes } of ignored) {
    const { value, place } = attributes.get('name')!;
    if (packages.includes(value)) throw fault(place, `package ${value} is both listed and ignored`);
  }
}

function fileOf(dir: string, element: XmlElement): KiwiFile {
  const { value, place } = element.attributes.get('name')!;
  const found = lookInside(dir, value, place);
  if (found?.kind !== 'file') throw fault(place, `the description has no file ${value}`);
  const mode = attribute(element, 'permissions');
  // KIWI copies into a folder, too.
  const said = posix.normalize(attribute(element, 'target')!);
  const target = said.endsWith('/') ? `${said}${posix.basename(value)}` : said;
  return { from: found.path, target, ...(mode === undefined ? {} : { mode }) };
}

/** Users with the groups of all blocks: in KIWI a later block adds groups, and the first group of all is the primary one. */
function withAllGroups(users: readonly KiwiUser[]): KiwiUser[] {
  return users.map((user) => {
    const all = users.filter(({ name }) => name === user.name).flatMap(({ groups }) => groups);
    return { ...user, groups: [...new Set(all)] };
  });
}

function userOf(element: XmlElement): KiwiUser {
  const get = (name: string): string | undefined => attribute(element, name);
  const optional = { password: get('password'), home: get('home'), shell: get('shell'), realName: get('realname') };
  const id = get('id');
  return {
    name: get('name')!,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    isPlain: get('pwdformat') === 'plain',
    groups: (get('groups') ?? '').split(',').filter((each) => each !== ''),
    ...(id === undefined ? {} : { id: Number(id) }),
    place: element.place,
  };
}

/** Files that KIWI takes from the folder by their names and Weir does not. */
const others = [
  ...['post_bootstrap.sh', 'config-overlay.sh', 'config-host-overlay.sh', 'pre_disk_sync.sh', 'disk.sh'],
  ...['root.tar.gz', 'config-cdroot.tar', 'config-cdroot.tar.gz', 'config-cdroot.tar.xz'],
];

function refuseOthers(dir: string): void {
  const found = others.find((name) => lstatSync(join(dir, name), { throwIfNoEntry: false }) !== undefined);
  if (found === undefined) return;
  throw new WeirError('invalid-kiwi', `Weir does not know what ${found} is for`, {
    where: { file: join(dir, found) },
    hint: `KIWI uses this file by its name; move what it does to ${found.endsWith('.sh') ? 'config.sh or images.sh' : 'the folder root/'}`,
    exit: 2,
  });
}
