// The release and what it is made with (seed, toolbox, keys) as readonly data. Paths are absolute unless noted.

/** The self-contained inputs: which Debian packages replace an upstream's repositories. */
export interface Seed {
  /** Debian suite that binary packages come from. */
  readonly suite: string;
  /** Debian suite that source tarballs come from. */
  readonly sourceSuite: string;
  /** Whether a Release file past its Valid-Until is accepted. */
  readonly allowExpired: boolean;
  /** The mapping files, sorted. */
  readonly mappings: readonly string[];
  /** Folder with one folder per component: `<name>/<name>.spec` and `sources`. */
  readonly distGit?: string;
}

export interface ToolboxConfig {
  /** Debian suite that tools come from. */
  readonly suite: string;
  /** Replaces the mirror that the host is configured with. */
  readonly mirror?: string;
  readonly allowExpired: boolean;
  /** A folder with the tools, used instead of fetching them. */
  readonly root?: string;
  /** Limits of a build in bytes and seconds; Weir has a default for each. */
  readonly limits: {
    readonly processes?: number;
    readonly memory?: number;
    readonly disk?: number;
    readonly seconds?: number;
  };
}

/** Without a key, a development key is made on first use. */
export interface Signing {
  /** OpenPGP fingerprint, upper-case hex. */
  readonly key?: string;
  /** Path of the public half of the key for images, PEM. */
  readonly imageKey?: string;
}

export interface Lifecycle {
  /** os-release's ID. */
  readonly id: string;
  /** os-release's NAME. */
  readonly name: string;
  /** os-release's VERSION_ID. */
  readonly version: string;
  /** YYYY-MM-DD: general availability. */
  readonly releaseDate?: string;
  /** YYYY-MM-DD: the last day of full support, before security fixes alone. */
  readonly fullSupportEnd?: string;
  /** YYYY-MM-DD: the last day of support. */
  readonly supportEnd?: string;
  readonly lts: boolean;
  readonly exceptions: readonly SupportException[];
}

/** Packages whose support ends on another day than the release's: those of a channel, or those of these names. */
export interface SupportException {
  readonly of: { readonly channel: string } | { readonly package: string };
  /** YYYY-MM-DD: the last day of support. */
  readonly supportEnd: string;
  readonly reason: string;
}

/** The records of vulnerabilities and their feeds. */
export interface AdvisoriesConfig {
  /** Folder of the records; it need not exist. */
  readonly path: string;
  /** Where users get the published repository from. */
  readonly url?: string;
  readonly publisher: { readonly name?: string; readonly namespace?: string; readonly contact?: string };
}

export type Architecture = 'x86_64' | 'aarch64';

export interface ReleaseConfig {
  readonly version: string;
  /** The release's one clock, in seconds since 1970 (SOURCE_DATE_EPOCH). */
  readonly epoch: number;
  /** The snapshot as written in the project. */
  readonly snapshot: string;
  readonly channels: readonly { readonly name: string; readonly description?: string }[];
  readonly architectures: readonly Architecture[];
  /** Package names that every buildroot has. */
  readonly buildRoot: readonly string[];
}
