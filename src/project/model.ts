// The resolved project as readonly data: the result of includes, merging and inheritance. No project file has to be read
// again to act on it. Paths are absolute unless noted.

import type { WeirError } from '../base/errors.ts';
import type { Origin } from '../toml/place.ts';

export interface DistroReference {
  readonly name: string;
  readonly version?: string;
  /** RFC 3339 date-time: the upstream's state at that moment is used. */
  readonly snapshot?: string;
}

/** Where a component's spec comes from. */
export type SpecSource =
  | { readonly type: 'local' /** The spec file. */; readonly path: string }
  | {
      readonly type: 'upstream';
      /** The component's name in the upstream distro. */
      readonly name: string;
      readonly distro: DistroReference;
      /** 7 to 40 hex digits, or 64; wins over the distro's snapshot. */
      readonly commit?: string;
    };

export const overlayTypes = [
  'spec-add-tag',
  'spec-insert-tag',
  'spec-set-tag',
  'spec-update-tag',
  'spec-remove-tag',
  'spec-prepend-lines',
  'spec-append-lines',
  'spec-search-replace',
  'spec-remove-section',
  'spec-remove-subpackage',
  'patch-add',
  'patch-remove',
  'file-prepend-lines',
  'file-search-replace',
  'file-add',
  'file-remove',
  'file-rename',
] as const;

export type OverlayType = (typeof overlayTypes)[number];

export type UpstreamStatus = 'upstreamed' | 'upstreamable' | 'needs-upstream-hook' | 'inapplicable' | 'unknown';

/** Why an overlay, or a group of components, differs from upstream. */
export interface OverlayMetadata {
  /** `upstream-backport`, or one of the downstream categories such as `azl-pruning` and `weir-pruning`. */
  readonly category: string;
  readonly upstreamStatus: UpstreamStatus;
  /** URLs. */
  readonly commits: readonly string[];
  /** URLs. */
  readonly bugs: readonly string[];
}

/** What every overlay has. */
export interface OverlayBase {
  /** The reason. Empty only in azldev projects (`azldev.toml`), whose format does not require one. */
  readonly description: string;
  readonly metadata?: OverlayMetadata;
  readonly origin: Origin;
}

/** A section of the spec; `section` keeps its `%`. Without `package` it is the main package's. */
export interface OverlayScope {
  readonly section?: string;
  readonly package?: string;
}

/** One change to a component's spec or files. Each type has the fields that it needs and no others. */
export type Overlay = OverlayBase &
  (
    | {
        readonly type: 'spec-add-tag' | 'spec-insert-tag' | 'spec-set-tag' | 'spec-update-tag';
        readonly tag: string;
        readonly value: string;
        readonly package?: string;
      }
    | { readonly type: 'spec-remove-tag'; readonly tag: string; readonly value?: string; readonly package?: string }
    | ({ readonly type: 'spec-prepend-lines' | 'spec-append-lines'; readonly lines: readonly string[] } & OverlayScope)
    /** `regex` is RE2, `replacement` is literal text. */
    | ({ readonly type: 'spec-search-replace'; readonly regex: string; readonly replacement: string } & OverlayScope)
    | { readonly type: 'spec-remove-section'; readonly section: string; readonly package?: string }
    | { readonly type: 'spec-remove-subpackage'; readonly package: string }
    /** `file`, the patch's name in the sources, is by default the base name of `source`. */
    | { readonly type: 'patch-add'; readonly source: string; readonly file: string }
    /** `file` is a glob on patch names. */
    | { readonly type: 'patch-remove'; readonly file: string }
    /** `file` is a glob, relative to the component's sources. */
    | { readonly type: 'file-prepend-lines'; readonly file: string; readonly lines: readonly string[] }
    /** `file` is a glob, relative to the sources, or inside `archive`. */
    | {
        readonly type: 'file-search-replace';
        readonly file: string;
        readonly regex: string;
        readonly replacement: string;
        readonly archive?: string;
      }
    | { readonly type: 'file-add'; readonly file: string; readonly source: string }
    | { readonly type: 'file-remove'; readonly file: string; readonly archive?: string }
    /** `replacement` is a base name. */
    | { readonly type: 'file-rename'; readonly file: string; readonly replacement: string }
  );

export type HashType = 'SHA256' | 'SHA512';

export type SourceOrigin =
  | { readonly type: 'download'; readonly uri: string }
  | {
      readonly type: 'custom';
      /** File name beside the spec. */
      readonly script: string;
      readonly packages: readonly string[];
      readonly inputs: readonly string[];
    }
  | { readonly type: 'overlay' };

export interface SourceFile {
  readonly filename: string;
  readonly hash?: string;
  readonly hashType?: HashType;
  readonly origin: SourceOrigin;
  readonly replaceUpstream: boolean;
  readonly replaceReason?: string;
}

export interface BuildConfig {
  readonly with: readonly string[];
  readonly without: readonly string[];
  readonly defines: Readonly<Record<string, string>>;
  readonly undefines: readonly string[];
  readonly emitUpstreamProvenance: boolean;
  readonly check: { readonly skip: boolean; readonly skipReason?: string };
  readonly failure: { readonly expected: boolean; readonly expectedReason?: string };
  readonly expensive: boolean;
}

export type ReleaseCalculation = 'auto' | 'autorelease' | 'static' | 'manual';

/** Publish channels of binary packages. `none` means: not published. */
export interface PackagePublish {
  readonly rpmChannel?: string;
  readonly debuginfoChannel?: string;
}

export interface ComponentPublish extends PackagePublish {
  readonly srpmChannel?: string;
}

/** A component with everything it inherits. */
export interface ResolvedComponent {
  readonly name: string;
  /** Undefined if neither the component nor anything it inherits from names a source. */
  readonly spec: SpecSource | undefined;
  /** In the order in which they apply: inherited ones first, those of overlay files last. */
  readonly overlays: readonly Overlay[];
  readonly build: BuildConfig;
  readonly release: { readonly calculation: ReleaseCalculation };
  readonly render: { readonly skipFileFilter: boolean };
  readonly sourceFiles: readonly SourceFile[];
  /** Per binary package. */
  readonly packages: Readonly<Record<string, PackagePublish>>;
  readonly publish: ComponentPublish;
  /** Names of the component groups it is in, sorted. */
  readonly groups: readonly string[];
  /** Its last table, which is the strongest. */
  readonly origin: Origin;
  /** Further files that have a table of it; undefined if there are none. */
  readonly alsoIn?: readonly string[];
}

export interface ComponentGroup {
  readonly name: string;
  readonly description?: string;
  readonly metadata?: OverlayMetadata;
  readonly components: readonly string[];
  readonly specs: readonly string[];
  readonly excludedPaths: readonly string[];
  readonly origin: Origin;
}

export interface PackageGroup {
  readonly name: string;
  readonly description?: string;
  readonly packages: readonly string[];
  readonly publish: PackagePublish;
  readonly origin: Origin;
}

export interface ProjectInfo {
  readonly description?: string;
  readonly logDir?: string;
  readonly workDir?: string;
  readonly outputDir?: string;
  /** By default `specs` beside the root file. */
  readonly renderedSpecsDir: string;
  /** By default `locks` beside the root file. */
  readonly lockDir: string;
  readonly defaultDistro?: DistroReference;
  readonly defaultAuthorEmail?: string;
}

/** A repository or a set of them, by its name under `[resources]`. */
export type RepositoryInput = { readonly repo: string } | { readonly set: string };

export interface DistroVersion {
  readonly name: string;
  readonly description?: string;
  readonly releaseVer?: string;
  readonly distGitBranch?: string;
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

export type ImageFormat = 'oci' | 'raw' | 'qcow2' | 'vhd' | 'wsl';
export type SelinuxMode = 'enforcing' | 'permissive' | 'disabled';

/** How an OCI runtime starts the image; the keys are those of the OCI image configuration. */
export interface ContainerSettings {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
}

export interface DiskSettings {
  /** The least size of the disk in bytes; it grows with its content. */
  readonly size: number;
  /** The EFI system partition in bytes. */
  readonly espSize: number;
  readonly rootFs: 'ext4';
  readonly rootLabel: string;
}

export interface WslSettings {
  /** URL of the folder that the file is published in, with a trailing slash. */
  readonly url?: string;
}

interface WeirImageBase {
  readonly type: 'weir';
  /** Names of packages to install; dependencies come with them. */
  readonly packages: readonly string[];
  /** Names that must not be installed, even as a weak dependency. */
  readonly excludePackages: readonly string[];
  readonly formats: readonly ImageFormat[];
  readonly hostname?: string;
  /** Limit for the size of all files, in bytes. */
  readonly maxSize?: number;
  readonly selinux: SelinuxMode;
  /** systemd units enabled beyond the presets of the packages. */
  readonly enabledServices: readonly string[];
  /** systemd units disabled against the presets of the packages. */
  readonly disabledServices: readonly string[];
}

export type WeirImage =
  | (WeirImageBase & { readonly kind: 'container'; readonly container: ContainerSettings })
  | (WeirImageBase & {
      readonly kind: 'disk';
      /** Platforms whose lint rules apply besides those for every disk. */
      readonly platforms: readonly Platform[];
      readonly disk: DiskSettings;
      readonly kernel: { readonly commandLine: readonly string[] };
    })
  | (WeirImageBase & { readonly kind: 'wsl'; readonly wsl: WslSettings });

/** Target platforms of disks. */
export type Platform = 'azure-gen1' | 'azure-gen2' | 'kubernetes';

export interface KiwiImage {
  readonly type: 'kiwi';
  readonly path: string;
  readonly profile?: string;
}

export interface ImageCapabilities {
  readonly machineBootable?: boolean;
  readonly container?: boolean;
  readonly systemd?: boolean;
  readonly runtimePackageManagement?: boolean;
}

export interface Image {
  readonly name: string;
  readonly description?: string;
  readonly definition: WeirImage | KiwiImage | undefined;
  readonly capabilities: ImageCapabilities;
  readonly testSuites: readonly string[];
  readonly channels: readonly string[];
  readonly origin: Origin;
}

export interface PytestSuite {
  readonly workingDir?: string;
  readonly testPaths: readonly string[];
  readonly extraArgs: readonly string[];
  readonly install: 'pyproject' | 'requirements' | 'none';
}

export interface LisaSuite {
  readonly gitUrl: string;
  /** 40 hex digits, or 64. */
  readonly ref: string;
  readonly testCases: readonly string[];
  readonly pipPreInstall: readonly string[];
  readonly pipExtras: readonly string[];
  readonly extraArgs: readonly string[];
}

export interface TestSuite {
  readonly name: string;
  readonly description?: string;
  readonly type: 'pytest' | 'lisa';
  readonly pytest?: PytestSuite;
  readonly lisa?: LisaSuite;
  readonly origin: Origin;
}

/** azldev's tools; Weir reads the settings and does not use them. */
export interface Tools {
  readonly imageCustomizer?: { readonly containerTag: string };
}

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
  /** YYYY-MM-DD: the last day of support. */
  readonly supportEnd?: string;
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

/** A configuration file that was read, and why. */
export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  readonly from: 'built-in' | 'root' | 'include' | 'user' | 'option';
  /** The file that includes it. */
  readonly by?: string;
}

/**
 * Whose rules the files follow. azldev up to 0.3 rejects a component that two files define; from 0.4 on, and in Weir, such
 * tables merge.
 */
export interface Dialect {
  readonly name: 'weir' | 'azldev 0.3' | 'azldev 1.0';
  /** How the dialect was detected. */
  readonly because: string;
}

/** A project as returned by `loadProject`. */
export interface Project {
  /** The folder of `file`. */
  readonly root: string;
  /** The root configuration file. */
  readonly file: string;
  /** Every configuration file that was read, in merge order. */
  readonly files: readonly string[];
  /** The same files, each with the reason it was read. */
  readonly configFiles: readonly ConfigFile[];
  readonly dialect: Dialect;
  /** What a permissive load ignored, and settings that have no effect. */
  readonly warnings: readonly WeirError[];
  readonly project: ProjectInfo;
  readonly distros: ReadonlyMap<string, Distro>;
  readonly components: ReadonlyMap<string, ResolvedComponent>;
  readonly groups: ReadonlyMap<string, ComponentGroup>;
  readonly packageGroups: ReadonlyMap<string, PackageGroup>;
  /** The weakest level of publish channels. */
  readonly defaultPublish: PackagePublish;
  readonly images: ReadonlyMap<string, Image>;
  readonly testSuites: ReadonlyMap<string, TestSuite>;
  readonly resources: Resources;
  readonly tools: Tools;
  readonly seed: Seed | undefined;
  readonly toolbox: ToolboxConfig;
  readonly signing: Signing;
  readonly lifecycle: Lifecycle | undefined;
  readonly release: ReleaseConfig | undefined;
}
