import type { Digest } from '../../base/digest.ts';
import { compareText } from '../../base/order.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import { compareEvr, formatEvr } from '../../rpm/version.ts';

/** The fields that packages are compared by. */
export type ComparedPackage = Pick<RepoPackage, 'name' | 'epoch' | 'version' | 'release' | 'arch'> & {
  /** SHA-256 of the RPM file before signing, so that a new signature alone is not a difference. */
  readonly content: Digest;
};

/** `rebuilt`: the same version with other bytes or for another architecture. */
export const packageChangeKinds = ['added', 'removed', 'upgraded', 'downgraded', 'rebuilt'] as const;

export interface PackageChange {
  readonly name: string;
  readonly change: (typeof packageChangeKinds)[number];
  readonly before?: PackageBuild;
  readonly after?: PackageBuild;
}

export interface PackageBuild {
  /** `[epoch:]version-release` */
  readonly evr: string;
  readonly arch: string;
  readonly content: Digest;
}

/**
 * Package changes by name; versions compare as in rpm. A name may occur with several versions (kernels) and architectures:
 * builds in both sets are left out, the others are matched by architecture, newest to newest.
 */
export function diffPackages(a: readonly ComparedPackage[], b: readonly ComparedPackage[]): PackageChange[] {
  const before = byName(a);
  const after = byName(b);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => diffBuilds(name, before.get(name) ?? [], after.get(name) ?? []));
}

/** Whether the version changed, so that changed files in the package are expected. */
export function changesVersion({ change }: PackageChange): boolean {
  return change !== 'rebuilt';
}

/** `1 added, 3 upgraded` */
export function changeCounts(changes: readonly PackageChange[]): string {
  return packageChangeKinds
    .flatMap((kind) => {
      const count = changes.filter(({ change }) => change === kind).length;
      return count === 0 ? [] : [`${count} ${kind}`];
    })
    .join(', ');
}

/** Package, change, version before and after, for people; `-` where there is none. Architectures only where they tell something. */
export function changeCells(changes: readonly PackageChange[]): (readonly [string, string, string, string])[] {
  const counts = new Map<string, number>();
  for (const { name } of changes) counts.set(name, (counts.get(name) ?? 0) + 1);
  return changes.map(({ name, change, before, after }) => {
    const arch = before !== undefined && after !== undefined && before.arch !== after.arch;
    const version = (side: typeof before): string =>
      side === undefined ? '-' : `${side.evr}${arch ? `.${side.arch}` : ''}`;
    const own = (after ?? before)!.arch;
    const shown = counts.get(name)! > 1 || own === 'src' ? `${name}.${own}` : name;
    return [shown, change, version(before), version(after)];
  });
}

function diffBuilds(
  name: string,
  before: readonly ComparedPackage[],
  after: readonly ComparedPackage[],
): PackageChange[] {
  const had = new Set(before.map(identity));
  const has = new Set(after.map(identity));
  const gone = before.filter((pkg) => !has.has(identity(pkg))).sort(newestFirst);
  const come = after.filter((pkg) => !had.has(identity(pkg))).sort(newestFirst);
  const pairs: [ComparedPackage, ComparedPackage][] = [];
  const pair = (fits: (old: ComparedPackage, made: ComparedPackage) => boolean): void => {
    for (const old of [...gone]) {
      const index = come.findIndex((made) => fits(old, made));
      if (index < 0) continue;
      pairs.push([old, come.splice(index, 1)[0]!]);
      gone.splice(gone.indexOf(old), 1);
    }
  };
  pair((old, made) => old.arch === made.arch);
  pair(() => true);
  return [
    ...pairs.map(([old, made]) => {
      const order = compareEvr(old, made);
      const change = order < 0 ? 'upgraded' : order > 0 ? 'downgraded' : 'rebuilt';
      return { name, change, before: build(old), after: build(made) } as const;
    }),
    ...gone.map((pkg) => ({ name, change: 'removed', before: build(pkg) }) as const),
    ...come.map((pkg) => ({ name, change: 'added', after: build(pkg) }) as const),
  ];
}

function build(pkg: ComparedPackage): PackageBuild {
  return { evr: formatEvr(pkg), arch: pkg.arch, content: pkg.content };
}

function identity(pkg: ComparedPackage): string {
  return `${formatEvr(pkg)} ${pkg.arch} ${pkg.content}`;
}

function newestFirst(a: ComparedPackage, b: ComparedPackage): number {
  return compareEvr(b, a) || compareText(a.arch, b.arch);
}

function byName(packages: readonly ComparedPackage[]): Map<string, ComparedPackage[]> {
  const names = new Map<string, ComparedPackage[]>();
  for (const pkg of packages) {
    const there = names.get(pkg.name);
    if (there === undefined) names.set(pkg.name, [pkg]);
    else there.push(pkg);
  }
  return names;
}
