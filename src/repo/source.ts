import { valueDigest } from '../base/digest.ts';
import { nevra, type RepoPackage } from './metadata.ts';

/** Which packages of a repository dnf5 may choose, as patterns of names or NEVRAs with shell wildcards (dnf5.conf(5)). */
export interface PackageFilter {
  readonly excludes: readonly string[];
  /** If not empty, only packages that match are used. */
  readonly includes: readonly string[];
  /** Whether packages outside of modules may replace those of modules. */
  readonly moduleHotfixes: boolean;
}

/** A repository folder that dnf5 resolves from. */
export interface RepoSource {
  /** The repository's id in dnf. */
  readonly id: string;
  /** Folder with `repodata/`, and the packages if they are local. */
  readonly dir: string;
  /** dnf's priority: a package in a repository with a lower number hides packages of the same name in others. */
  readonly priority: number;
  /** Which packages may be chosen; by default all. */
  readonly filter?: PackageFilter;
  /** Digest of the repository's content. */
  readonly digest: string;
  /** Names of the packages in the repository. */
  readonly names: ReadonlySet<string>;
  /** The package with this NEVRA, if any. */
  readonly find: (nevra: string) => RepoPackage | undefined;
  /** Verifies the folder, repairing it if necessary; called before it is read. */
  readonly check?: () => Promise<void>;
  /** Called with the packages of this repository that a root uses, also if the root comes from the cache. */
  readonly use?: (packages: readonly RepoPackage[]) => void;
  /** Downloads these packages of the repository if the store lacks them; undefined if the store always has them. */
  readonly obtain?: (packages: readonly RepoPackage[]) => Promise<void>;
  /** dnf5's parsed form of the metadata, as in its cache folder: a large repository takes seconds to parse. */
  readonly dnfCache?: string;
}

/** A repository whose packages are all known and in the store. */
export interface ListedSource extends RepoSource {
  readonly packages: readonly RepoPackage[];
}

/** The source of a folder with these packages. */
export function listedSource(
  options: Pick<ListedSource, 'id' | 'dir' | 'priority' | 'packages' | 'check'>,
): ListedSource {
  const { packages } = options;
  const byNevra = new Map(packages.map((pkg) => [nevra(pkg), pkg]));
  return {
    ...options,
    digest: valueDigest(packages.map((pkg) => pkg.rpm)),
    names: new Set(packages.map((pkg) => pkg.name)),
    find: (wanted) => byNevra.get(wanted),
  };
}

/** Makes sure that the store has these packages. */
export async function obtainPackages(sources: readonly RepoSource[], packages: readonly RepoPackage[]): Promise<void> {
  for (const source of sources) {
    if (source.obtain === undefined) continue;
    const own = ownPackages(source, packages);
    if (own.length > 0) await source.obtain(own);
  }
}

/** Reports to each source which of its packages are used. */
export function usePackages(sources: readonly RepoSource[], packages: readonly RepoPackage[]): void {
  for (const source of sources) if (source.use !== undefined) source.use(ownPackages(source, packages));
}

function ownPackages(source: RepoSource, packages: readonly RepoPackage[]): RepoPackage[] {
  return packages.filter((pkg) => source.find(nevra(pkg))?.rpm === pkg.rpm);
}
