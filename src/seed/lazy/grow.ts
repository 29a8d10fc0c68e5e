import { parseRequirement } from '../../rpm/requirement.ts';
import type { Dependency } from '../../rpm/types.ts';
import type { DebPackage } from '../../toolbox/apt.ts';
import type { Answer, Asked } from './asked-lock.ts';
import { type ClosureContext, closureOf } from './closure.ts';
import type { DebianIndex } from './debian-index.ts';
import { type LookupContext, lookUp } from './lookup.ts';
import { toObtain, type Wanted, wantedText } from './obtain.ts';

/** The result of looking up requirements. */
export interface Growth {
  readonly asked: Asked;
  /** Requirements that the new packages meet. */
  readonly found: readonly string[];
  /** For every other requirement, what was looked up. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Looks up requirements and adds the packages found, with their dependencies. @param has whether the fixed seed provides a name */
export async function grow(
  context: LookupContext & ClosureContext,
  asked: Asked,
  requirements: readonly string[],
  has: (dependency: Dependency) => boolean,
): Promise<Growth> {
  const answers = new Map(asked.answers);
  const tried = new Map<string, string>();
  let said: string[] = [];
  const find = async (wanted: Wanted): Promise<boolean> => {
    const text = wantedText(wanted);
    if (answers.has(text)) return true;
    const known = tried.get(text);
    const looked = known === undefined ? await lookUp(context, wanted) : { tried: known };
    if ('tried' in looked) {
      tried.set(text, looked.tried);
      said.push(looked.tried);
      return false;
    }
    answers.set(text, { debs: looked.debs, alias: looked.alias } satisfies Answer);
    return true;
  };
  const found: string[] = [];
  const missing = new Map<string, string>();
  for (const text of requirements) {
    const requirement = parseRequirement(text);
    said = [];
    if (requirement === undefined) {
      missing.set(text, 'not looked up: invalid requirement');
    } else if ((await toObtain(requirement, has, find)) !== undefined) found.push(text);
    else {
      missing.set(text, [...new Set(said)].join('; '));
    }
  }
  return { asked: withClosures(context, { ...asked, answers }), found, missing };
}

/** Adds the dependency closures of newly found packages. */
function withClosures(context: ClosureContext, asked: Asked): Asked {
  const closures = new Map(asked.closures);
  const packages = new Map(asked.packages);
  for (const { debs } of asked.answers.values()) {
    for (const deb of debs) {
      if (closures.has(deb)) continue;
      const names = closureOf(context, deb);
      closures.set(deb, names);
      for (const name of names) packages.set(name, packages.get(name) ?? debPackage(context.index, name));
    }
  }
  return { ...asked, closures, packages };
}

function debPackage(index: DebianIndex, name: string): DebPackage {
  const { version, arch, size, sha256, path } = index.get(name)!;
  // As apt writes it in a URI.
  return { name, version, arch, size, sha256, path: path.replaceAll('+', '%2b').replaceAll('~', '%7e') };
}

/** The part of the requested packages that a set of requirements needs. */
export interface Taken {
  /** Debian packages, sorted by name. */
  readonly debs: readonly DebPackage[];
  /** Answers that need an alias, by the leaf of the requirement. */
  readonly aliases: readonly { readonly wanted: Wanted; readonly debs: readonly string[] }[];
}

/** The part of a lock that these requirements need, without packages that only other builds requested. */
export async function takenBy(
  asked: Asked,
  requirements: readonly string[],
  has: (dependency: Dependency) => boolean,
): Promise<Taken> {
  const names = new Set<string>();
  const aliases = new Map<string, { readonly wanted: Wanted; readonly debs: readonly string[] }>();
  for (const text of requirements) {
    const requirement = parseRequirement(text);
    if (requirement === undefined) continue;
    const needed = await toObtain(requirement, has, async (leaf) => asked.answers.has(wantedText(leaf)));
    for (const leaf of needed ?? []) {
      const { debs, alias } = asked.answers.get(wantedText(leaf))!;
      for (const deb of debs) for (const name of asked.closures.get(deb)!) names.add(name);
      if (alias) aliases.set(wantedText(leaf), { wanted: leaf, debs });
    }
  }
  const debs = [...names].sort().map((name) => asked.packages.get(name)!);
  return { debs, aliases: [...aliases.keys()].sort().map((key) => aliases.get(key)!) };
}
