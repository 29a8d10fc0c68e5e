import { compareText } from '../base/order.ts';
import { compareEvr } from '../rpm/version.ts';
import { nevra, type RepoPackage } from './metadata.ts';

type Package = Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch'>;

/** What can be said of a name by its NEVRAs on two sides. `other`: the newest version is the same, other builds are not. */
export const nameChanges = {
  missing: 'not on the right',
  extra: 'only on the right',
  upgraded: 'newer on the right',
  downgraded: 'older on the right',
  other: 'the same newest version, other builds',
} as const;

export type NameChange = keyof typeof nameChanges;

/** A package name whose NEVRAs differ. */
export interface ChangedName {
  readonly name: string;
  readonly type: 'rpm' | 'srpm';
  readonly change: NameChange;
  /** NEVRAs that the other side lacks, newest first. */
  readonly left: readonly string[];
  readonly right: readonly string[];
}

/** @returns names that differ, sorted, and the number of those that do not */
export function compareNames(
  left: readonly Package[],
  right: readonly Package[],
): { readonly changed: ChangedName[]; readonly same: number } {
  const a = byName(left);
  const b = byName(right);
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort(compareText);
  const changed = keys.flatMap((key) => compareName(a.get(key) ?? new Map(), b.get(key) ?? new Map()));
  return { changed, same: keys.length - changed.length };
}

type Builds = ReadonlyMap<string, Package>;

/** Source packages have the names of binary ones, but are others. */
function byName(packages: readonly Package[]): Map<string, Map<string, Package>> {
  const names = new Map<string, Map<string, Package>>();
  for (const pkg of packages) {
    const key = `${pkg.name} ${typeOf(pkg)}`;
    const builds = names.get(key) ?? new Map<string, Package>();
    names.set(key, builds.set(nevra(pkg), pkg));
  }
  return names;
}

/** Whether a package is a source package, by its architecture. */
export function typeOf({ arch }: Pick<Package, 'arch'>): 'rpm' | 'srpm' {
  return arch === 'src' || arch === 'nosrc' ? 'srpm' : 'rpm';
}

function compareName(left: Builds, right: Builds): ChangedName[] {
  const only = (these: Builds, those: Builds): string[] =>
    [...these]
      .filter(([id]) => !those.has(id))
      .sort(([, x], [, y]) => newestFirst(x, y))
      .map(([id]) => id);
  const lost = only(left, right);
  const added = only(right, left);
  const [any] = [...left.values(), ...right.values()];
  if (any === undefined || lost.length + added.length === 0) return [];
  return [{ name: any.name, type: typeOf(any), change: changeOf(left, right), left: lost, right: added }];
}

function changeOf(left: Builds, right: Builds): NameChange {
  const [before] = [...left.values()].sort(newestFirst);
  const [after] = [...right.values()].sort(newestFirst);
  if (before === undefined) return 'extra';
  if (after === undefined) return 'missing';
  const order = compareEvr(before, after);
  return order < 0 ? 'upgraded' : order > 0 ? 'downgraded' : 'other';
}

function newestFirst(a: Package, b: Package): number {
  return compareEvr(b, a) || compareText(a.arch, b.arch);
}
