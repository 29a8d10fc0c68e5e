import { byKey, compareText } from '../base/order.ts';
import { packageUrlText } from '../base/package-url.ts';
import { written } from '../rpm/dependencies.ts';
import type { Dependencies, Dependency } from '../rpm/types.ts';
import { compareEvr, formatEvr, parseEvr } from '../rpm/version.ts';
import {
  constraintEvr,
  type PackageEvr,
  parseRelations,
  type Relation,
  rpmArch,
  rpmComparison,
  rpmVersion,
} from './control.ts';
import type { DebControl, DebFile } from './deb.ts';
import { compileGlob } from './glob.ts';
import { type Defaults, type Mapping, makeNaming, type Naming, type PackageRule, parseDependency } from './mapping.ts';

/** A Debian package: the file and its parsed control archive. */
export interface SeedDeb {
  readonly file: DebFile;
  readonly control: DebControl;
}

/** Everything about an RPM to make except its files: plain JSON, because it is part of an action's key. */
export interface PackagePlan {
  readonly name: string;
  readonly evr: PackageEvr;
  /** RPM's name of the architecture. */
  readonly arch: string;
  /** Debian source package; empty for packages of our own. */
  readonly source: string;
  readonly sourceVersion: string;
  readonly sourceRpm: string;
  readonly summary: string;
  readonly description: string;
  /** From the mapping if set there; otherwise it is read from the copyright file. */
  readonly license: string | undefined;
  readonly vendor: string;
  readonly url: string | undefined;
  /** Package URL of the Debian source. */
  readonly vcs: string | undefined;
  readonly dependencies: Dependencies;
  readonly rule: PackageRule;
  readonly defaultRemove: readonly string[];
  /** Folders that belong to `filesystem` and to no other package. */
  readonly commonFolders: readonly string[];
  /** The debs that the RPM is made of; the first gives the version. */
  readonly debs: readonly { readonly name: string; readonly version: string; readonly conffiles: readonly string[] }[];
  /** Python's version; only for packages outside the fixed seed, which also provide Python distributions by this version. */
  readonly python?: string;
}

/** A requirement that became a recommendation because nothing in the set meets it. */
export interface Demotion {
  readonly package: string;
  readonly requires: string;
  readonly why: 'missing' | 'version';
}

export interface SeedPlan {
  /** Sorted by name. */
  readonly packages: readonly { readonly plan: PackagePlan; readonly debs: readonly DebFile[] }[];
  readonly demotions: readonly Demotion[];
  /** Debian packages that were offered but left out. */
  readonly ignored: readonly string[];
}

/**
 * Decides the name, contents and dependencies of each RPM of a seed, looking at the whole set at once: a dependency is a
 * requirement only if the set meets it, otherwise a recommendation.
 */
export function planSeed(mapping: Mapping, debs: readonly SeedDeb[]): SeedPlan {
  const naming = makeNaming(mapping);
  const groups = new Map<string, SeedDeb[]>();
  const ignored: string[] = [];
  for (const deb of debs) {
    const name = naming.rpmName(deb.control.name);
    if (name === undefined) ignored.push(deb.control.name);
    else groups.set(name, [...(groups.get(name) ?? []), deb]);
  }
  for (const group of groups.values()) {
    group.sort(
      (a, b) => naming.rank(a.control.name) - naming.rank(b.control.name) || compareText(a.file.name, b.file.name),
    );
  }
  for (const [name, rule] of mapping.packages) if (rule.from === undefined) groups.set(name, []);

  const arch = debs.find((deb) => deb.control.arch !== 'all')?.control.arch ?? 'all';
  const rules = new Map([...mapping.packages].map(([name, rule]) => [name, forArch(rule, arch)]));
  const common = commonFolders(rules);
  const all: Groups = { groups, members: new Set(debs.map((deb) => deb.control.name)) };
  const drafts = [...groups]
    .sort(byKey)
    .map(([name, group]) => draft(name, group, rules.get(name), mapping.defaults, naming, all, common));
  const provided = providers(drafts.map((entry) => entry.plan));
  const demotions: Demotion[] = [];
  const packages = drafts.map(({ plan, debs: files }) => ({ plan: settle(plan, provided, demotions), debs: files }));
  return { packages, demotions, ignored: ignored.sort(compareText) };
}

export interface Groups {
  /** The debs of each RPM, by RPM name. */
  readonly groups: ReadonlyMap<string, readonly SeedDeb[]>;
  /** Names of all debs. */
  readonly members: ReadonlySet<string>;
}

/** A rule after substituting the architecture, which can make it different for each. */
export interface ArchRule {
  readonly rule: PackageRule;
  /** Debian name; `all` if nothing in the rule depends on it. */
  readonly arch: string;
}

/** Replaces `{multiarch}` (Debian's library folder) and `{loader}` (the program interpreter's file name). */
export function forArch(rule: PackageRule, arch: string): ArchRule {
  const text = JSON.stringify(rule);
  const known: Readonly<Record<string, readonly [string, string]>> = {
    amd64: ['x86_64-linux-gnu', 'ld-linux-x86-64.so.2'],
    arm64: ['aarch64-linux-gnu', 'ld-linux-aarch64.so.1'],
  };
  const [multiarch, loader] = known[arch] ?? [`${arch}-linux-gnu`, `ld-linux-${arch}.so`];
  const replaced = text.replaceAll('{multiarch}', multiarch).replaceAll('{loader}', loader);
  return { rule: JSON.parse(replaced) as PackageRule, arch: replaced === text ? 'all' : arch };
}

export function commonFolders(rules: ReadonlyMap<string, ArchRule>): string[] {
  const rule = rules.get('filesystem')?.rule;
  const added = (rule?.add ?? []).filter((add) => add.directory === true || add.link !== undefined);
  return [...Object.keys(rule?.directories ?? {}), ...Object.keys(rule?.links ?? {}), ...added.map((add) => add.path)];
}

export function draft(
  name: string,
  group: readonly SeedDeb[],
  given: ArchRule | undefined,
  defaults: Defaults,
  naming: Naming,
  all: Groups,
  common: readonly string[],
): { readonly plan: PackagePlan; readonly debs: readonly DebFile[] } {
  const rule = given?.rule ?? {};
  const main = group[0]?.control;
  const evr: PackageEvr = {
    ...(main === undefined ? { epoch: 0, version: '0', release: '1' } : rpmVersion(main.version)),
    ...(rule.version === undefined ? {} : { version: rule.version }),
    ...(rule.release === undefined ? {} : { release: rule.release }),
  };
  const self = formatEvr(evr);
  const native = group.find((deb) => deb.control.arch !== 'all')?.control.arch;
  const arch = native ?? (group.length === 0 ? given!.arch : 'all');
  const described = describe(main?.fields.description ?? '');
  const made = group.map((deb) => `${deb.control.name} ${deb.control.version}`).join(', ');
  const source = main?.source ?? '';
  const sourceVersion = main?.sourceVersion ?? '';
  const sourceEvr = main === undefined ? evr : rpmVersion(sourceVersion);
  const text = rule.description ?? described.text;
  return {
    debs: group.map((deb) => deb.file),
    plan: {
      name,
      evr,
      arch: rpmArch(arch),
      source,
      sourceVersion,
      sourceRpm: `${source === '' ? name : source}-${sourceEvr.version}-${sourceEvr.release}.src.rpm`,
      summary: rule.summary ?? (described.summary === '' ? name : described.summary),
      description: made === '' ? text : `${text === '' ? '' : `${text}\n\n`}Made from Debian: ${made}.`,
      license: rule.license,
      vendor: main === undefined ? 'Weir' : defaults.vendor,
      url: main?.fields.homepage,
      vcs: main === undefined ? undefined : sourceUrl(source, sourceVersion),
      dependencies: translate(name, self, group, rule, defaults, naming, all),
      rule,
      defaultRemove: defaults.remove,
      commonFolders: name === 'filesystem' ? [] : common,
      debs: group.map(({ control }) => ({
        name: control.name,
        version: control.version,
        conffiles: control.conffiles,
      })),
    },
  };
}

function sourceUrl(source: string, version: string): string {
  return packageUrlText({ type: 'deb', namespace: 'debian', name: source, version, qualifiers: { arch: 'source' } });
}

/** Summary and text of a Debian description: the first line, then lines of which a lone `.` stands for a blank one. */
function describe(field: string): { summary: string; text: string } {
  const [summary = '', ...rest] = field.split('\n');
  return {
    summary: summary.trim(),
    text: rest
      .map((line) => (line.trim() === '.' ? '' : line.trimEnd()))
      .join('\n')
      .trim(),
  };
}

function translate(
  name: string,
  self: string,
  group: readonly SeedDeb[],
  rule: PackageRule,
  defaults: Defaults,
  naming: Naming,
  all: Groups,
): Dependencies {
  const { groups, members } = all;
  const own = new Set(group.map((deb) => deb.control.name));
  // A constraint on a deb that is not the first of its RPM concerns another version than the RPM's. It keeps the Debian name,
  // which the RPM provides with the right version.
  const rename = (relation: Relation): string | undefined => {
    const rpm = naming.rpmName(relation.name);
    if (rpm === undefined) return undefined;
    // A name without a package in the set may be virtual: it stays as it is.
    if (!members.has(relation.name)) return relation.name;
    if (relation.operator === undefined) return rpm;
    return groups.get(rpm)?.[0]?.control.name === relation.name ? rpm : relation.name;
  };
  const translated = (field: string, pre: boolean): Dependency[] => {
    const list: Dependency[] = [];
    for (const { control } of group) {
      for (const clause of parseRelations(control.fields[field])) {
        // A clause is met if one alternative is ignored, or is the package itself.
        if (clause.some((relation) => own.has(relation.name) || naming.rpmName(relation.name) === undefined)) continue;
        const options = clause.map((relation) => single(rename(relation)!, relation));
        const distinct = [...new Map(options.map((option) => [written(option), option])).values()];
        if (distinct.some((option) => option.name === name && option.flags === '')) continue;
        list.push(
          distinct.length === 1
            ? withPre(distinct[0]!, pre)
            : withPre({ name: `(${distinct.map(written).join(' or ')})`, flags: '' }, pre),
        );
      }
    }
    return list;
  };
  const provides: Dependency[] = [];
  for (const [i, { control }] of group.entries()) {
    if (i > 0 || control.name !== name)
      provides.push({ name: control.name, flags: '=', evr: constraintEvr(control.version) });
    for (const [relation] of parseRelations(control.fields.provides)) {
      if (relation !== undefined && relation.name !== name && !own.has(relation.name)) {
        provides.push(single(relation.name, relation));
      }
    }
  }
  for (const said of rule.provides ?? []) provides.push(parseDependency(said, self));
  const given = new Set(provides.map((dependency) => dependency.name));

  // `<<` in Breaks and Conflicts excludes versions older than any in the set, and unlike dpkg, RPM would match them with
  // unversioned Provides.
  const conflicts: Dependency[] = [];
  for (const { control } of group) {
    for (const field of ['conflicts', 'breaks']) {
      for (const clause of parseRelations(control.fields[field])) {
        for (const relation of clause) {
          if (relation.operator === '<<' || relation.operator === '<=') continue;
          const rpm = rename(relation);
          if (rpm === undefined || rpm === name || given.has(rpm) || given.has(relation.name)) continue;
          if (own.has(relation.name)) continue;
          conflicts.push(single(rpm, relation));
        }
      }
    }
  }
  const drop = (list: readonly Dependency[], patterns: readonly string[] | undefined): Dependency[] => {
    const globs = (patterns ?? []).map(compileGlob);
    return list.filter((dependency) => !globs.some((glob) => glob.whole.test(dependency.name)));
  };
  const say = (list: readonly string[] | undefined): Dependency[] =>
    (list ?? []).map((said) => parseDependency(said, self));
  const before = defaults['requires-pre'].filter((needed) => needed !== name);
  const requires = [
    // Packages of our own declare their requirements themselves: the first of them need nothing.
    ...(group.length === 0 ? [] : before.map((needed) => ({ name: needed, flags: '' as const, pre: true }))),
    ...drop([...translated('pre-depends', true), ...translated('depends', false)], rule['requires-remove']),
    ...say(rule['requires-add']),
  ];
  return {
    provides: unique(provides),
    requires: unique(requires),
    conflicts: unique([...drop(conflicts, rule['conflicts-remove']), ...say(rule.conflicts)]),
    obsoletes: unique(say(rule.obsoletes)),
    recommends: unique([
      ...drop(translated('recommends', false), rule['recommends-remove']),
      ...say(rule['recommends-add']),
    ]),
    suggests: [],
    supplements: [],
    enhances: [],
  };
}

function single(name: string, relation: Relation): Dependency {
  if (relation.operator === undefined) return { name, flags: '' };
  return { name, flags: rpmComparison(relation.operator), evr: constraintEvr(relation.version!) };
}

export function withPre(dependency: Dependency, pre: boolean): Dependency {
  return pre ? { ...dependency, pre: true } : dependency;
}

/** A dependency as a recommendation, which has no `pre`. */
export function withoutPre({ name, flags, evr }: Dependency): Dependency {
  return { name, flags, ...(evr === undefined ? {} : { evr }) };
}

/** Drops duplicates; of two that differ only in `pre` the stronger stays. */
export function unique(list: readonly Dependency[]): Dependency[] {
  const seen = new Map<string, Dependency>();
  for (const dependency of list) {
    const key = written(dependency);
    const known = seen.get(key);
    if (known === undefined || (dependency.pre === true && known.pre !== true)) seen.set(key, dependency);
  }
  return [...seen.values()];
}

export type Providers = ReadonlyMap<string, readonly (string | undefined)[]>;

/** EVRs by provided name; undefined for a provide without a version. */
export function providers(plans: readonly PackagePlan[]): Providers {
  const all = new Map<string, (string | undefined)[]>();
  const add = (name: string, evr: string | undefined): void => {
    all.set(name, [...(all.get(name) ?? []), evr]);
  };
  for (const plan of plans) {
    add(plan.name, formatEvr(plan.evr));
    for (const provide of plan.dependencies.provides) add(provide.name, provide.evr);
  }
  return all;
}

export function fulfilled(provided: Providers, needed: Dependency): 'yes' | 'missing' | 'version' {
  const evrs = provided.get(needed.name);
  if (evrs === undefined) return 'missing';
  if (needed.flags === '') return 'yes';
  const wanted = parseEvr(needed.evr!);
  const holds = evrs.some((evr) => {
    if (evr === undefined) return true;
    const order = compareEvr(parseEvr(evr), wanted);
    if (order === 0) return needed.flags.includes('=');
    return order < 0 ? needed.flags.startsWith('<') : needed.flags.startsWith('>');
  });
  return holds ? 'yes' : 'version';
}

/** Whether package names do not show if a dependency is met: paths and sonames, which files provide, and rich dependencies other than `or`. */
export function isMetByFiles({ name }: Dependency): boolean {
  return /^\/|^[^(].*\(/.test(name) || / (if|and|with|unless|without) /.test(name);
}

/** Drops alternatives that the set lacks, and demotes a dependency without any left. */
function settle(plan: PackagePlan, provided: Providers, demotions: Demotion[]): PackagePlan {
  const requires: Dependency[] = [];
  const demoted: Dependency[] = [];
  for (const dependency of plan.dependencies.requires) {
    // Such dependencies come from the mapping, which is tested with dnf.
    if (isMetByFiles(dependency)) {
      requires.push(dependency);
      continue;
    }
    const options = alternativesOf(dependency);
    const answers = options.map((option) => fulfilled(provided, option));
    const left = options.filter((_option, i) => answers[i] === 'yes');
    if (left.length === options.length) requires.push(dependency);
    else if (left.length > 0) requires.push(withPre(joined(left), dependency.pre === true));
    else {
      demotions.push({
        package: plan.name,
        requires: written(dependency),
        why: answers.includes('version') ? 'version' : 'missing',
      });
      demoted.push(withoutPre(dependency));
    }
  }
  const recommends = unique([...plan.dependencies.recommends, ...demoted]);
  // A conflict with a Debian package that is not in the set may not apply to a package of the same name elsewhere.
  const conflicts = plan.dependencies.conflicts.filter((dependency) => provided.has(dependency.name));
  return { ...plan, dependencies: { ...plan.dependencies, requires: unique(requires), recommends, conflicts } };
}

/** The alternatives of a dependency written by `translate`; any other dependency is its own only alternative. */
export function alternativesOf(dependency: Dependency): Dependency[] {
  const match = /^\((.+)\)$/.exec(dependency.name);
  if (match === null || !match[1]!.includes(' or ')) return [dependency];
  return match[1]!.split(' or ').map((part) => parseDependency(part, ''));
}

export function joined(options: readonly Dependency[]): Dependency {
  if (options.length === 1) return options[0]!;
  return { name: `(${options.map(written).join(' or ')})`, flags: '' };
}
