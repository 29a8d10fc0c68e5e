import { readFileSync, statSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { didYouMean, type Place, systemCode, WeirError } from '../base/errors.ts';
import { checkElement, checkValue, fault } from './check.ts';
import { descriptionRule, oneLine, profilesRule } from './grammar.ts';
import { lookInside } from './inside.ts';
import { parseXml, type XmlElement, type XmlPlace } from './xml.ts';

export interface KiwiProfile {
  readonly name: string;
  /** Whether it is active if no profile is asked for. */
  readonly isDefault: boolean;
  /** Without them it is for each one. */
  readonly archs: readonly string[];
  readonly requires: readonly { readonly name: string; readonly place: XmlPlace }[];
  readonly place: XmlPlace;
}

/** A description with its included files, before a profile is chosen. */
export interface KiwiDescription {
  /** Absolute path of the .kiwi file. */
  readonly file: string;
  readonly dir: string;
  readonly name: string;
  /** `<image>` with all included elements in the place of their `<include>`. */
  readonly image: XmlElement;
  readonly profiles: ReadonlyMap<string, KiwiProfile>;
}

/** Far more than a hand-written file has. */
const mostBytes = 16 << 20;

const blocks = ['description', 'preferences', 'profiles', 'repository', 'packages', 'users'];

/**
 * Reads a description with the files that it includes.
 * @throws WeirError (exit 2) `no-file`, `xml-syntax`, `invalid-kiwi`
 */
export function readDescription(path: string): KiwiDescription {
  const file = resolve(path);
  const dir = dirname(file);
  const root = readElement(file);
  checkImage(root);
  const name = root.attributes.get('name');
  if (name === undefined) throw fault(root.place, '<image> has no attribute name');
  if (!/^[A-Za-z0-9_.-]+$/.test(name.value)) {
    throw fault(name.place, `name="${name.value}" of <image> must consist of letters, digits and . _ -`);
  }
  const children = included(root, dir, [file]);
  const image = { ...root, children };
  for (const child of children) if (child.name === 'description') checkElement(child, descriptionRule);
  return { file, dir, name: name.value, image, profiles: profilesOf(children) };
}

/** @param place of what names the file; none for the description itself */
function readElement(file: string, place?: XmlPlace): XmlElement {
  const refuse = (why: string, cause?: unknown): WeirError =>
    new WeirError('no-file', place === undefined ? why : `${why}: ${file}`, {
      where: place ?? { file },
      exit: 2,
      cause,
    });
  try {
    const info = statSync(file);
    if (!info.isFile()) throw refuse('this is not a regular file');
    if (info.size > mostBytes) throw refuse(`the file is too large for a description: ${info.size} bytes`);
    return parseXml(file, readFileSync(file));
  } catch (error) {
    if (error instanceof WeirError) throw error;
    const code = systemCode(error);
    throw refuse(code === 'ENOENT' ? 'no such file' : `cannot read the file (${code})`, error);
  }
}

function checkImage(root: XmlElement): void {
  if (root.name !== 'image') throw fault(root.place, `<${root.name}> is not a description: the root must be <image>`);
  const known = ['schemaversion', 'name', 'displayname', 'id'];
  for (const [key, { value, place }] of root.attributes) {
    if (!known.includes(key)) throw fault(place, `Weir does not know the attribute ${key} of <image>`);
    // Scripts get the name in a variable.
    if (key === 'displayname') checkValue('image', key, oneLine, value, place);
    if (key === 'schemaversion' && !/^(7\.[0-9]+|8\.[0-9]+)$/.test(value)) {
      throw fault(place, `schemaversion="${value}" is not supported`, 'Weir reads versions 7 and 8');
    }
  }
  if (root.text !== '') throw fault(root.place, `<image> has text: ${JSON.stringify(root.text.slice(0, 40))}`);
  for (const child of root.children) {
    if (blocks.includes(child.name) || child.name === 'include') continue;
    throw fault(
      child.place,
      `Weir does not know <${child.name}> in <image>`,
      didYouMean(child.name, blocks) ?? `known here: ${[...blocks, 'include'].sort().join(', ')}`,
    );
  }
}

/** The children of a root, with those of included files. @param chain files from the description to this one */
function included(root: XmlElement, dir: string, chain: readonly string[]): XmlElement[] {
  return root.children.flatMap((child) => {
    if (child.name !== 'include') return [child];
    checkElement(child, { attributes: { from: { pattern: /^/, rule: '' } }, required: ['from'] });
    const { value, place } = child.attributes.get('from')!;
    const path = /^this:\/\/(?:\.\/)?([^/].*)$/.exec(value)?.[1];
    if (path === undefined) {
      throw fault(
        place,
        `from="${value}" is not supported`,
        'use this://./ and a path in the folder of the description',
      );
    }
    const named = resolve(dir, path);
    if (relative(dir, named).startsWith('..'))
      throw fault(place, `from="${value}" is outside of the description's folder`);
    const file = lookInside(dir, path, place)?.path ?? named;
    if (chain.includes(file)) {
      const names = [...chain, file].map((each) => relative(dir, each)).join(' → ');
      throw fault(place, `files include each other in a cycle: ${names}`);
    }
    const inner = readElement(file, place);
    checkImage(inner);
    return included(inner, dir, [...chain, file]);
  });
}

function profilesOf(children: readonly XmlElement[]): Map<string, KiwiProfile> {
  const profiles = new Map<string, KiwiProfile>();
  for (const block of children) {
    if (block.name !== 'profiles') continue;
    checkElement(block, profilesRule);
    for (const element of block.children) {
      const name = element.attributes.get('name')!;
      const earlier = profiles.get(name.value);
      if (earlier !== undefined) {
        const at = `${relative(dirname(name.place.file), earlier.place.file)}:${earlier.place.line}`;
        throw fault(name.place, `profile ${name.value} is defined twice`, `the other one is at ${at}`);
      }
      profiles.set(name.value, {
        name: name.value,
        archs: (element.attributes.get('arch')?.value ?? '').split(',').flatMap((each) => each.trim() || []),
        isDefault: element.attributes.get('import')?.value === 'true',
        requires: element.children.map((each) => {
          const { value, place } = each.attributes.get('profile')!;
          return { name: value, place };
        }),
        place: element.place,
      });
    }
  }
  return profiles;
}

/**
 * The active profiles in the order in which KIWI lists them for scripts: each one asked for, followed by what it requires.
 * @param asked names; without any, those with import="true" for the architecture, like in KIWI without what they require
 * @throws WeirError `no-profile` (exit 2)
 */
export function activeProfiles({ file, profiles }: KiwiDescription, asked: readonly string[], arch: string): string[] {
  const isFor = ({ archs }: KiwiProfile): boolean => archs.length === 0 || archs.includes(arch);
  if (asked.length === 0) {
    return [...profiles.values()].filter((each) => each.isDefault && isFor(each)).map(({ name }) => name);
  }
  const active = new Set<string>();
  const visit = (name: string, place: XmlPlace | undefined): void => {
    if (active.has(name)) return;
    const profile = profiles.get(name);
    if (profile === undefined) {
      throw noProfile(`the description has no profile ${name}`, place ?? { file }, profileHint(name, profiles));
    }
    if (!isFor(profile)) {
      throw noProfile(`profile ${name} is not for ${arch}`, profile.place, `it is for ${profile.archs.join(', ')}`);
    }
    active.add(name);
    for (const each of profile.requires) visit(each.name, each.place);
  };
  for (const name of asked) visit(name, undefined);
  return [...active];
}

function noProfile(message: string, where: Place, hint: string | undefined): WeirError {
  return new WeirError('no-profile', message, { where, exit: 2, ...(hint === undefined ? {} : { hint }) });
}

/** What to use in place of an unknown profile. */
export function profileHint(name: string, profiles: ReadonlyMap<string, unknown>): string | undefined {
  if (profiles.size === 0) return 'it has no profiles: remove the profile';
  return didYouMean(name, profiles.keys()) ?? `its profiles: ${[...profiles.keys()].sort().join(', ')}`;
}
