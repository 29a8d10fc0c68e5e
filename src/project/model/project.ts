// The resolved project as readonly data: the result of includes, merging and inheritance. No project file has to be read
// again to act on it. Paths are absolute unless noted.

import type { WeirError } from '../../base/errors.ts';
import type {
  ComponentGroup,
  ComponentPublish,
  DistroReference,
  PackageGroup,
  PackagePublish,
  ResolvedComponent,
} from './component.ts';
import type { Distro, Resources } from './distro.ts';
import type { Image } from './image.ts';
import type { AdvisoriesConfig, Lifecycle, ReleaseConfig, Seed, Signing, ToolboxConfig } from './release.ts';
import type { SkuGroup, Test, TestGroup, TestSuite } from './test.ts';

export interface ProjectInfo {
  readonly description?: string;
  readonly logDir?: string;
  readonly workDir?: string;
  readonly outputDir?: string;
  /** By default `specs` beside the root file. */
  readonly renderedSpecsDir: string;
  /** By default `locks` beside the root file. */
  readonly lockDir: string;
  /**
   * The folder of pins, if the project includes one (`upstream-commits/*.toml`). Then locks are ignored, as by azldev with
   * `--without-lockfile`.
   */
  readonly pinFolder?: string;
  readonly defaultDistro?: DistroReference;
  readonly defaultAuthorEmail?: string;
}

/** azldev's tools; Weir reads the settings and does not use them. */
export interface Tools {
  readonly imageCustomizer?: { readonly containerTag: string };
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
 * tables merge. `distro-toml 0.1` is the draft specification of the format.
 */
export interface Dialect {
  readonly name:
    | 'weir'
    | 'azldev 0.3'
    | 'azldev 0.2 to 0.4'
    | 'azldev 0.4'
    | 'azldev 1.0'
    | 'azldev after 1.0'
    | 'distro-toml 0.1';
  /** How the dialect was detected. */
  readonly because: string;
  /** Keys that only some versions of azldev know, each with its first place. */
  readonly signs: readonly DialectSign[];
}

export interface DialectSign {
  /** With `*` for names. */
  readonly key: string;
  /** The versions that know the key, in words. */
  readonly versions: string;
  readonly file: string;
  readonly line: number;
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
  /** What every component inherits, whatever its groups. */
  readonly inheritedPublish: ComponentPublish;
  readonly images: ReadonlyMap<string, Image>;
  readonly testSuites: ReadonlyMap<string, TestSuite>;
  readonly tests: ReadonlyMap<string, Test>;
  readonly testGroups: ReadonlyMap<string, TestGroup>;
  readonly skuGroups: ReadonlyMap<string, SkuGroup>;
  readonly resources: Resources;
  readonly tools: Tools;
  readonly seed: Seed | undefined;
  readonly toolbox: ToolboxConfig;
  readonly signing: Signing;
  readonly lifecycle: Lifecycle | undefined;
  readonly advisories: AdvisoriesConfig;
  readonly release: ReleaseConfig | undefined;
}
