import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { WeirError } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { channelOf, isDebugPackage, packageGroupOf, sourceChannelOf } from '../project/channel.ts';
import type { ResolvedComponent } from '../project/model/component.ts';
import type { Project } from '../project/model/project.ts';

/** What the configuration says of a package, whether it is built or not. */
export interface LookedUpPackage {
  readonly package: string;
  readonly type: 'rpm' | 'srpm';
  /** The component that builds it, as far as is known: the one whose table names it, or the one of its name. */
  readonly component: string | undefined;
  /** Empty, or the one group that lists it. Source packages are in none. */
  readonly packageGroups: readonly string[];
  /** Groups of the component, sorted. */
  readonly componentGroups: readonly string[];
  /** Undefined if not published. */
  readonly channel: string | undefined;
}

/** Looks up any packages: channel, component, groups. */
export interface PackageLookup {
  /** The rows of a binary package: one, or one for each component whose table names it. */
  readonly binary: (name: string) => LookedUpPackage[];
  /** A binary package of a known component. */
  readonly binaryOf: (name: string, component: string) => LookedUpPackage;
  readonly source: (name: string) => LookedUpPackage;
  /** Sorted names that components and package groups name. */
  readonly named: readonly string[];
}

type Known = Pick<ResolvedComponent, 'packages' | 'publish'> & {
  readonly name?: string;
  readonly groups: readonly string[];
};

export function packageLookup(project: Project): PackageLookup {
  const owners = new Map<string, ResolvedComponent[]>();
  for (const component of project.components.values()) {
    for (const name of Object.keys(component.packages)) owners.set(name, [...(owners.get(name) ?? []), component]);
  }
  const unknown: Known = { packages: {}, publish: project.inheritedPublish, groups: [] };
  const row = (name: string, component: Known): LookedUpPackage => {
    const group = packageGroupOf(project, name)?.name;
    return {
      package: name,
      type: 'rpm',
      component: component.name,
      packageGroups: group === undefined ? [] : [group],
      componentGroups: component.groups,
      channel: channelOf(project, component, name),
    };
  };
  // A source map may name components that the project does not have.
  const called = (name: string): Known => project.components.get(name) ?? { ...unknown, name };
  const listed = [...project.packageGroups.values()].flatMap(({ packages }) => packages);
  return {
    binary: (name) =>
      (owners.get(name) ?? [project.components.get(name) ?? unknown]).map((component) => row(name, component)),
    binaryOf: (name, component) => row(name, called(component)),
    source: (name) => {
      const component = called(name);
      const { groups: componentGroups } = component;
      return {
        package: name,
        type: 'srpm',
        component: name,
        packageGroups: [],
        componentGroups,
        channel: sourceChannelOf(component),
      };
    },
    named: [...new Set([...owners.keys(), ...listed])].sort(),
  };
}

/**
 * The packages with these names, and the named ones if `all` is set.
 * @param debug adds a debuginfo package for each, and a debugsource package for each component of the project, in their
 *   debuginfo channel, or else in one beside the package's own: `CHANNEL-debuginfo`
 */
export function lookUpPackages(
  project: Project,
  names: readonly string[],
  options: { readonly all: boolean; readonly debug: boolean },
): LookedUpPackage[] {
  const lookup = packageLookup(project);
  const rows = [...new Set([...names, ...(options.all ? lookup.named : [])])].flatMap(lookup.binary);
  return sorted(options.debug ? [...rows, ...debugPackages(project, lookup, rows)] : rows);
}

function debugPackages(project: Project, lookup: PackageLookup, rows: readonly LookedUpPackage[]): LookedUpPackage[] {
  const taken = new Set(rows.map((row) => row.package));
  const added: LookedUpPackage[] = [];
  const add = (row: LookedUpPackage, beside: string | undefined): void => {
    if (taken.has(row.package)) return;
    taken.add(row.package);
    const channel = row.channel ?? (beside === undefined ? undefined : debugChannel(beside));
    added.push({ ...row, channel });
  };
  for (const row of rows) {
    if (isDebugPackage(row.package)) continue;
    const name = `${row.package}-debuginfo`;
    const [own = row] = row.component === undefined ? lookup.binary(name) : [lookup.binaryOf(name, row.component)];
    add({ ...row, package: name, channel: own.channel }, row.channel);
  }
  for (const component of project.components.values()) {
    if (isDebugPackage(component.name)) continue;
    const name = `${component.name}-debugsource`;
    add(lookup.binaryOf(name, component.name), channelOf(project, component, name, 'rpmChannel'));
  }
  return added;
}

function debugChannel(channel: string): string {
  return channel.endsWith('-debuginfo') ? channel : `${channel}-debuginfo`;
}

const mapSchema = z.array(z.object({ packageName: z.string().min(1), sourcePackageName: z.string().min(1) }));

/** A binary package and the source package that it is built from. */
export type SourceMap = z.infer<typeof mapSchema>;

/**
 * Reads a file with a JSON array of `{ "packageName", "sourcePackageName" }`, which builds and repositories export.
 * @throws WeirError `bad-package-map`, `not-readable` (exit 2)
 */
export async function readSourceMap(path: string): Promise<SourceMap> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const known = diskError(error, path);
    if (known instanceof WeirError) throw known;
    throw new WeirError('not-readable', 'cannot read the file', { where: { file: path }, exit: 2, cause: error });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badMap(path, error instanceof Error ? `invalid JSON: ${error.message}` : 'invalid JSON');
  }
  const result = mapSchema.safeParse(value);
  if (result.success) return result.data;
  const [{ path: at = [], message = '' } = {}] = result.error.issues;
  const [index, key] = at;
  const entry = index === undefined ? '' : `entry ${Number(index) + 1}${key === undefined ? '' : `, ${String(key)}`}: `;
  throw badMap(path, `${entry}${message}`);
}

function badMap(file: string, message: string): WeirError {
  return new WeirError('bad-package-map', message, {
    where: { file },
    hint: 'write it as [{ "packageName": "bash-doc", "sourcePackageName": "bash" }]',
    exit: 2,
  });
}

/**
 * Every source package of a map and its binary packages. A binary package listed twice counts once, for the first source.
 * @returns also the packages listed again for another source
 */
export function lookUpSourceMap(
  project: Project,
  map: SourceMap,
): { readonly rows: LookedUpPackage[]; readonly conflicts: readonly string[] } {
  const lookup = packageLookup(project);
  const sourceOf = new Map<string, string>();
  const conflicts: string[] = [];
  for (const { packageName, sourcePackageName } of map) {
    const known = sourceOf.get(packageName);
    if (known === undefined) sourceOf.set(packageName, sourcePackageName);
    else if (known !== sourcePackageName) conflicts.push(`${packageName}: ${known}, and again ${sourcePackageName}`);
  }
  const sources = [...new Set(sourceOf.values())].map(lookup.source);
  const binaries = [...sourceOf].map(([name, source]) => lookup.binaryOf(name, source));
  return { rows: sorted([...sources, ...binaries]), conflicts };
}

function sorted(rows: readonly LookedUpPackage[]): LookedUpPackage[] {
  return rows.toSorted(
    (a, b) =>
      compareText(a.package, b.package) ||
      compareText(a.type, b.type) ||
      compareText(a.component ?? '', b.component ?? ''),
  );
}
