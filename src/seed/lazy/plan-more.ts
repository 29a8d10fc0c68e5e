import { byKey, compareText } from '../../base/order.ts';
import { isPackageWord } from '../../rpm/names.ts';
import type { Dependency } from '../../rpm/types.ts';
import { formatEvr } from '../../rpm/version.ts';
import { rpmVersion } from '../control.ts';
import type { Mapping } from '../mapping.ts';
import {
  type ArchRule,
  alternativesOf,
  commonFolders,
  type Demotion,
  draft,
  forArch,
  fulfilled,
  isMetByFiles,
  joined,
  type PackagePlan,
  providers,
  type SeedDeb,
  type SeedPlan,
  unique,
  withoutPre,
  withPre,
} from '../plan.ts';
import type { Links } from './alternatives.ts';
import { makeMoreNaming } from './more-naming.ts';

/** A capability that no RPM provides by itself: an empty RPM provides it and requires the RPMs that have the files. */
export interface Alias {
  /** The capability as it was required, without a version. */
  readonly capability: string;
  /** Debian packages; the first gives the version. */
  readonly debs: readonly string[];
  /** Epoch in the requirement that Debian's version lacks. */
  readonly epoch?: number;
}

export interface MoreOptions {
  readonly mapping: Mapping;
  /** The fixed seed: its Debian packages and its planned RPMs. */
  readonly fixed: { readonly debs: readonly SeedDeb[]; readonly plan: SeedPlan };
  /** Packages outside the fixed seed. */
  readonly debs: readonly SeedDeb[];
  readonly aliases: readonly Alias[];
  /** Symlinks that maintainer scripts would make, by Debian package. */
  readonly links: ReadonlyMap<string, Links>;
}

/**
 * Decides the RPMs of packages beside the fixed seed. Each depends only on its own Debian packages, the fixed seed and the
 * mapping, so its bytes do not depend on other requests.
 */
export function planMore({ mapping, fixed, debs, aliases, links }: MoreOptions): SeedPlan {
  const members = new Set(fixed.debs.map((deb) => deb.control.name));
  const rpms = new Set(fixed.plan.packages.map(({ plan }) => plan.name));
  const naming = makeMoreNaming(mapping, { rpms, debs: members });
  const groups = new Map<string, SeedDeb[]>();
  for (const deb of debs) {
    const name = naming.rpmName(deb.control.name);
    if (name !== undefined) groups.set(name, [...(groups.get(name) ?? []), deb]);
  }
  for (const group of groups.values()) group.sort((a, b) => naming.rank(a.control.name) - naming.rank(b.control.name));
  const arch = fixed.debs.find((deb) => deb.control.arch !== 'all')?.control.arch ?? 'all';
  const rules = new Map([...mapping.packages].map(([name, rule]) => [name, forArch(rule, arch)]));
  const common = commonFolders(rules);
  const python = pythonOf(fixed.plan);
  const reserved = reservedPaths(fixed.plan);
  const all = { groups: fixedGroups(fixed), members };
  const drafts = [...groups].sort(byKey).map(([name, group]) => {
    const { plan, debs: files } = draft(
      name,
      group,
      withLinks(group, links, rules.get(name)),
      mapping.defaults,
      naming,
      all,
      common,
    );
    return { plan: { ...plan, python, defaultRemove: [...plan.defaultRemove, ...reserved] }, debs: files };
  });
  const provided = providers(fixed.plan.packages.map(({ plan }) => plan));
  const more = providers(drafts.map(({ plan }) => plan));
  const demotions: Demotion[] = [];
  const packages = drafts.map(({ plan, debs: files }) => ({
    plan: settle(plan, provided, more, demotions),
    debs: files,
  }));
  const byDeb = rpmOf(fixed, groups);
  const taken = new Set([...fixed.plan.packages, ...packages].map(({ plan }) => plan.name));
  for (const alias of aliases) {
    const plan = aliasPlan(alias, byDeb, taken, mapping.defaults.vendor);
    if (plan === undefined || packages.some((each) => each.plan.name === plan.name)) continue;
    packages.push({ plan, debs: [] });
  }
  packages.sort((a, b) => compareText(a.plan.name, b.plan.name));
  return { packages, demotions, ignored: [] };
}

/** Files and links that rules of the fixed seed add: another package's files there would be a conflict. */
function reservedPaths({ packages }: SeedPlan): string[] {
  const all = packages.flatMap(({ plan: { rule } }) => [
    ...(rule.add ?? []).filter((add) => add.directory !== true).map(({ path }) => path),
    ...Object.keys(rule.links ?? {}),
  ]);
  return [...new Set(all)].sort(compareText);
}

/** Python's version of the fixed seed, such as `3.14`. */
function pythonOf({ packages }: SeedPlan): string {
  const version = packages.find(({ plan }) => plan.name === 'python3')?.plan.evr.version ?? '3';
  return version.split('.').slice(0, 2).join('.');
}

/** A rule with the links of maintainer scripts added; links in the rule itself take precedence. */
function withLinks(
  group: readonly SeedDeb[],
  links: MoreOptions['links'],
  given: ArchRule | undefined,
): ArchRule | undefined {
  const found = Object.assign({}, ...group.map(({ control }) => links.get(control.name) ?? {})) as Links;
  if (Object.keys(found).length === 0) return given;
  const { rule = {}, arch = 'all' } = given ?? {};
  return { rule: { ...rule, links: { ...found, ...rule.links } }, arch };
}

type Fixed = MoreOptions['fixed'];

/** The debs of each RPM of the fixed seed. */
function fixedGroups({ debs, plan }: Fixed): Map<string, SeedDeb[]> {
  const byName = new Map(debs.map((deb) => [deb.control.name, deb]));
  return new Map(plan.packages.map(({ plan: { name, debs: own } }) => [name, own.map((deb) => byName.get(deb.name)!)]));
}

/** RPM name and Debian version of each Debian package. */
function rpmOf(
  fixed: Fixed,
  groups: ReadonlyMap<string, readonly SeedDeb[]>,
): Map<string, { rpm: string; version: string }> {
  const found = new Map<string, { rpm: string; version: string }>();
  for (const group of [fixedGroups(fixed), groups]) {
    for (const [rpm, members] of group) {
      for (const { control } of members) found.set(control.name, { rpm, version: control.version });
    }
  }
  return found;
}

/**
 * Drops alternatives that the fixed seed lacks if it has another; otherwise all stay, because a repository has at least one of
 * them. A dependency without any becomes a recommendation.
 */
function settle(
  plan: PackagePlan,
  fixed: ReturnType<typeof providers>,
  more: ReturnType<typeof providers>,
  demotions: Demotion[],
): PackagePlan {
  const requires: Dependency[] = [];
  const demoted: Dependency[] = [];
  for (const dependency of plan.dependencies.requires) {
    if (isMetByFiles(dependency)) {
      requires.push(dependency);
      continue;
    }
    const options = alternativesOf(dependency);
    const left = options.filter((option) => fulfilled(fixed, option) === 'yes');
    if (left.length > 0) requires.push(withPre(joined(left), dependency.pre === true));
    else if (options.some((option) => fulfilled(more, option) === 'yes')) requires.push(dependency);
    else {
      const isOld = options.some((option) => fulfilled(fixed, option) === 'version');
      demotions.push({ package: plan.name, requires: dependency.name, why: isOld ? 'version' : 'missing' });
      demoted.push(withoutPre(dependency));
    }
  }
  const recommends = unique([...plan.dependencies.recommends, ...demoted]);
  const conflicts = plan.dependencies.conflicts.filter((dependency) => fixed.has(dependency.name));
  return { ...plan, dependencies: { ...plan.dependencies, requires: unique(requires), recommends, conflicts } };
}

function aliasPlan(
  { capability, debs, epoch }: Alias,
  byDeb: ReadonlyMap<string, { readonly rpm: string; readonly version: string }>,
  taken: ReadonlySet<string>,
  vendor: string,
): PackagePlan | undefined {
  const targets = debs.flatMap((deb) => byDeb.get(deb) ?? []);
  const [first] = targets;
  if (first === undefined) return undefined;
  const own = rpmVersion(first.version);
  const evr = epoch === undefined ? own : { ...own, epoch };
  const isName = isPackageWord(capability) && !taken.has(capability) && epoch === undefined;
  // The name includes the package, because two versions of it can provide the same capability.
  const word = `${capability}-${debs[0]}`.replaceAll(/[^A-Za-z0-9+._]+/g, '-').replaceAll(/^-+|-+$/g, '');
  const name = isName ? capability : `seed-provides-${word}${epoch === undefined ? '' : `-epoch-${epoch}`}`;
  const requires = [...new Set(targets.map(({ rpm }) => rpm))].sort(compareText);
  return {
    ...{ name, evr, arch: 'noarch', source: '', sourceVersion: '' },
    sourceRpm: `${name}-${evr.version}-${evr.release}.src.rpm`,
    summary: `What provides ${capability} in the seed`,
    description: `An empty package that provides ${capability}, for which the seed has ${requires.join(', ')}.`,
    license: 'LicenseRef-Fedora-Public-Domain',
    vendor,
    url: undefined,
    vcs: undefined,
    dependencies: {
      provides: isName ? [] : [provideOf(capability, formatEvr(evr))],
      requires: requires.map((rpm) => ({ name: rpm, flags: '' })),
      ...{ conflicts: [], obsoletes: [], recommends: [], suggests: [], supplements: [], enhances: [] },
    },
    ...{ rule: {}, defaultRemove: [], commonFolders: [], debs: [] },
  };
}

/** A path has no version. */
function provideOf(capability: string, evr: string): Dependency {
  return capability.startsWith('/') ? { name: capability, flags: '' } : { name: capability, flags: '=', evr };
}
