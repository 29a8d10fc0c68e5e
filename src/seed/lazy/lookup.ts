import { compareText } from '../../base/order.ts';
import { parseEvr, rangesOverlap } from '../../rpm/version.ts';
import { rpmVersion } from '../control.ts';
import { compileGlob } from '../glob.ts';
import type { Mapping, Naming } from '../mapping.ts';
import type { ContentsIndex, Owner } from './contents.ts';
import type { DebianIndex } from './debian-index.ts';
import { crateNames, debianNames, libraryNames } from './fedora-names.ts';
import type { Wanted } from './obtain.ts';

/** Where capabilities are looked up. */
export interface LookupContext {
  readonly index: DebianIndex;
  /** The packages with a file; the lists are large, so they are opened only if a capability needs them. */
  readonly contents: () => Promise<ContentsIndex>;
  /** The packages with a file that the contents index leaves out. @param path absolute */
  readonly ownersOfPath: (path: string) => Promise<readonly string[]>;
  readonly mapping: Mapping;
  readonly naming: Naming;
  /** Names of the Debian packages that the fixed seed is made of. */
  readonly base: ReadonlySet<string>;
}

/**
 * The result of a lookup: the Debian packages that it found (the first gives the version), and whether their RPMs need an alias to
 * provide the capability; or, if it found none, what it tried.
 */
export type Lookup = { readonly debs: readonly string[]; readonly alias: boolean } | { readonly tried: string };

/**
 * Finds the Debian packages that provide a capability which the fixed seed lacks. `names.toml` comes first, then the rules of
 * the seed's mapping, then Debian's indexes. Of several packages with the same file the one in the fixed seed wins, then the
 * shortest name, then the first in the alphabet.
 */
export async function lookUp(context: LookupContext, wanted: Wanted): Promise<Lookup> {
  const named = fromTable(context, wanted.name);
  if (named !== undefined) {
    const alias = named.length > 1 || !providesName(context, named[0]!, wanted.name);
    return fits(context, named[0]!, wanted) ? { debs: named, alias } : tooOld(context, named[0]!);
  }
  if (wanted.name.startsWith('/')) return byPath(context, wanted.name);
  const generated = generatedName(wanted.name);
  if (generated !== undefined) return byFile(context, generated, wanted);
  return byName(context, wanted);
}

/** The packages that `names.toml` lists for a capability, if all of them exist. */
function fromTable({ mapping, index, base }: LookupContext, name: string): readonly string[] | undefined {
  const exact = mapping.names.get(name);
  const said = exact ?? [...mapping.names].find(([key]) => key.includes('*') && compileGlob(key).whole.test(name))?.[1];
  return said?.every((deb) => base.has(deb) || index.get(deb) !== undefined) === true ? said : undefined;
}

async function byName(context: LookupContext, wanted: Wanted): Promise<Lookup> {
  const { index, mapping, naming, base } = context;
  const plain = wanted.name.replace(/\((?:x86-64|aarch-64)\)$/, '');
  const mapped = mappedTo(context, plain);
  let old: string | undefined;
  for (const name of [...mapped, ...crateNames(plain, index), ...debianNames(plain, index)]) {
    const real = index.get(name) ?? realProvider(context, name);
    if (real === undefined || naming.rpmName(real.name) === undefined) continue;
    if (fits(context, real.name, wanted))
      return { debs: [real.name], alias: !providesName(context, real.name, wanted.name) };
    old ??= real.name;
  }
  if (old !== undefined) return tooOld(context, old);
  for (const key of fileKeys(plain)) {
    const owner = await bestOwner(context, key, { name: key, flags: '' });
    if (owner !== undefined && fits(context, owner, wanted)) return { debs: [owner], alias: true };
  }
  const library = /-(?:devel|static)$/.test(plain) ? undefined : libraryNames(plain, index)[0];
  if (library !== undefined && fits(context, library, wanted)) return { debs: [library], alias: true };
  const known = base.has(plain) || mapping.packages.has(plain) ? ' (a name of the seed itself)' : '';
  return { tried: `no package of Debian has this name, or the one that its rules give it${known}` };
}

/** Whether the RPM of a package provides this name without an alias: RPMs provide Debian's names too. */
function providesName({ index, naming, base }: LookupContext, deb: string, name: string): boolean {
  const plain = name.replace(/\((?:x86-64|aarch-64)\)$/, '');
  const rpm = naming.rpmName(deb);
  if (plain !== name) return rpm === plain && index.get(deb)?.arch !== 'all' && !base.has(deb);
  return rpm === name || deb === name || index.providers(name).some((provider) => provider.name === deb);
}

/** Whether the file of a key does not provide the wanted name by itself, so that an alias is needed. */
async function needsAlias(context: LookupContext, owner: string, key: string, name: string): Promise<boolean> {
  if (key.startsWith('soname ')) return false;
  if (context.base.has(owner) || /^(?:rubygem|golang)\(/.test(key)) return true;
  if (key !== name) return !/^python3\.\d+dist/.test(name) || name.includes('[');
  return key.startsWith('cmake(') && (await context.contents()).owners(key).length === 0;
}

/** Debian packages that a rule lists by exact name, if the rule has this RPM name or provides it. */
function mappedTo({ mapping, index }: LookupContext, name: string): string[] {
  const rules = [mapping.packages.get(name)];
  for (const rule of mapping.packages.values()) {
    if (rule.provides?.some((provide) => provide.split(' ')[0] === name) === true) rules.push(rule);
  }
  return rules.flatMap((rule) => (rule?.from ?? []).filter((from) => index.get(from) !== undefined)).slice(0, 1);
}

/** The package that provides a virtual name. */
function realProvider(context: LookupContext, name: string): { readonly name: string } | undefined {
  const best = pick(
    context,
    context.index.providers(name).map((provider) => provider.name),
  );
  return best === undefined ? undefined : context.index.get(best);
}

/** Keys of the contents index by which to find a package that has another name in Debian. */
function fileKeys(name: string): string[] {
  const perl = /^perl-(.+)$/.exec(name)?.[1];
  if (perl !== undefined) return [`perl(${perl.replaceAll('-', '::')})`];
  const python = /^python3?-(.+)$/.exec(name)?.[1];
  if (python !== undefined) return [`python3dist(${python.toLowerCase().replaceAll(/[-_.]+/g, '-')})`];
  const library = /^(?:lib)?(.+)-devel$/.exec(name)?.[1];
  if (library !== undefined) return [`pkgconfig(${library})`, `pkgconfig(lib${library})`];
  return [`/usr/bin/${name}`, `/usr/sbin/${name}`];
}

/** The key in the contents index for a name that rpm's dependency generators write. */
function generatedName(name: string): string | undefined {
  const python = /^python3(?:\.\d+)?dist\(([^()[\]]+)(?:\[[^\]]*\])?\)$/.exec(name);
  if (python !== null) return `python3dist(${python[1]!.toLowerCase().replaceAll(/[-_.]+/g, '-')})`;
  if (/^(?:pkgconfig|perl|cmake|rubygem|golang)\([^()]+\)$/.test(name)) return name;
  const soname = /^(lib[^()\s]*\.so\.[^()\s]*)\([^)]*\)(?:\(64bit\))?$/.exec(name);
  return soname === null ? undefined : `soname ${soname[1]}`;
}

async function byFile(context: LookupContext, key: string, wanted: Wanted): Promise<Lookup> {
  // A package of the fixed seed already provides everything that the converter finds in its files; a missing name was left out by its rule. Of `.pc`
  // files that are symlinks nothing is made.
  const isMade = key === wanted.name && !/^(?:cmake|rubygem|golang|pkgconfig)\(/.test(key);
  const owner = await bestOwner(context, key, wanted, isMade ? context.base : undefined);
  if (owner !== undefined) return { debs: [owner], alias: await needsAlias(context, owner, key, wanted.name) };
  const all = await ownersOf(context, key);
  const versions = all.map(({ name, version }) => (version === undefined ? name : `${name} has ${version}`));
  return { tried: all.length === 0 ? `no package of Debian has the file of ${key}` : versions.join(', ') };
}

async function ownersOf({ contents }: LookupContext, key: string): Promise<Owner[]> {
  const index = await contents();
  const exact = index.owners(key);
  if (exact.length > 0) return exact;
  // CMake looks for a file of the name in lower case too.
  const inner = /^cmake\((.+)\)$/.exec(key)?.[1];
  return inner === undefined ? [] : index.owners(`cmake(${inner.toLowerCase()})`);
}

async function bestOwner(
  context: LookupContext,
  key: string,
  wanted: Wanted,
  without?: ReadonlySet<string>,
): Promise<string | undefined> {
  const owners = (await ownersOf(context, key)).filter(
    ({ name, version }) =>
      without?.has(name) !== true && (version === undefined || meets(plainVersion(version), wanted)),
  );
  return pick(
    context,
    owners.map(({ name }) => name),
  );
}

function plainVersion(version: string): string {
  return version.replaceAll(/[^A-Za-z0-9._+~^]/g, '.');
}

async function byPath(context: LookupContext, path: string): Promise<Lookup> {
  const merged = /^\/(bin|sbin|lib)\//.test(path) ? `/usr${path}` : path;
  const isProgram = /^\/usr\/s?bin\/[^/]+$/.test(merged);
  const owners = isProgram
    ? (await context.contents()).owners(merged).map(({ name }) => name)
    : await context.ownersOfPath(merged);
  const best = pick(
    context,
    owners.filter((name) => path !== merged || !context.base.has(name)),
  );
  return best === undefined
    ? { tried: `no package of Debian has ${merged}` }
    : { debs: [best], alias: path !== merged };
}

/** Chooses between several packages with the same file. */
function pick({ index, naming, base }: LookupContext, names: readonly string[]): string | undefined {
  const rank = (name: string): number => (base.has(name) ? 0 : /-(?:cross|dbg|dbgsym)$/.test(name) ? 2 : 1);
  return names
    .filter((name) => (base.has(name) || index.get(name) !== undefined) && naming.rpmName(name) !== undefined)
    .sort((a, b) => rank(a) - rank(b) || a.length - b.length || compareText(a, b))[0];
}

/** Whether a package's version meets a requirement. Epochs are each distribution's own, so they do not count. */
function fits({ index }: LookupContext, name: string, wanted: Wanted): boolean {
  const version = index.get(name)?.version;
  return version === undefined || meets(rpmVersion(version).version, wanted);
}

/** @param version without epoch and release */
function meets(version: string, { flags, evr, also = [] }: Wanted): boolean {
  return [{ flags, ...(evr === undefined ? {} : { evr }) }, ...also].every(
    (range) =>
      range.evr === undefined ||
      rangesOverlap({ flags: range.flags, evr: parseEvr(range.evr).version }, { flags: '=', evr: version }),
  );
}

function tooOld({ index }: LookupContext, name: string): Lookup {
  return { tried: `Debian's ${name} has version ${index.get(name)?.version ?? '?'}` };
}
