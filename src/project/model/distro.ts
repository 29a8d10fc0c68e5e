// Distros and RPM repositories as readonly data. Paths are absolute unless noted.

/** A repository or a set of them, by its name under `[resources]`. */
export type RepositoryInput = { readonly repo: string } | { readonly set: string };

export interface DistroVersion {
  readonly name: string;
  readonly description?: string;
  readonly releaseVer?: string;
  readonly distGitBranch?: string;
  /** Configuration file of kiwi. */
  readonly kiwiConfigOverride?: string;
  readonly mockConfig?: string;
  readonly mockConfigX86?: string;
  readonly mockConfigArm?: string;
  readonly inputs: {
    readonly rpmBuild: readonly RepositoryInput[];
    readonly imageBuild: readonly RepositoryInput[];
  };
}

export interface Distro {
  readonly name: string;
  readonly description?: string;
  readonly defaultVersion?: string;
  /** With `$pkg`. A relative path is made absolute. */
  readonly distGitBaseUri?: string;
  /** With `$pkg`, `$filename`, `$hashtype` and `$hash`. */
  readonly lookasideBaseUri?: string;
  /** Base URIs. */
  readonly repos: readonly string[];
  readonly disableOrigins: boolean;
  readonly versions: ReadonlyMap<string, DistroVersion>;
}

export interface RpmRepo {
  readonly description?: string;
  readonly baseUri?: string;
  readonly metalink?: string;
  readonly disableGpgCheck: boolean;
  /** A URI, or an absolute path. */
  readonly gpgKey?: string;
  /** Empty: all. */
  readonly arches: readonly string[];
}

export interface Subrepo {
  readonly name: string;
  readonly subpath: string;
  readonly kind: 'binary' | 'debug' | 'source';
}

export interface RpmRepoSetTemplate {
  readonly description?: string;
  readonly subrepos: readonly Subrepo[];
}

export interface RpmRepoSet {
  readonly description?: string;
  readonly template: string;
  readonly baseUri: string;
  readonly namePrefix: string;
  readonly gpgKey?: string;
  readonly disableGpgCheck: boolean;
  readonly arches: readonly string[];
  /** Names of the template's subrepos; empty: all. */
  readonly subrepos: readonly string[];
}

/** A repository to use: one of `[resources.rpm-repos]`, or one that a set expands to. */
export interface Repository extends RpmRepo {
  readonly name: string;
  readonly kind: Subrepo['kind'];
  /** The set that it was expanded from. */
  readonly set?: string;
}

export interface Resources {
  /** Every repository by its name, sets expanded: the set's `name-prefix` and the subrepo's name, joined. */
  readonly repositories: ReadonlyMap<string, Repository>;
  readonly rpmRepos: ReadonlyMap<string, RpmRepo>;
  readonly rpmRepoSetTemplates: ReadonlyMap<string, RpmRepoSetTemplate>;
  readonly rpmRepoSets: ReadonlyMap<string, RpmRepoSet>;
}
