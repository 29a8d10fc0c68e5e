import type { Origin } from '../toml/place.ts';

/** A repository of `config_opts['dnf.conf']`. `$releasever`, `$basearch` and other dnf variables are left as they are. */
export interface MockRepository {
  /** The section's name. */
  readonly id: string;
  readonly name?: string;
  readonly baseUrls: readonly string[];
  readonly metalink?: string;
  readonly mirrorlist?: string;
  /** URLs of `gpgkey`. */
  readonly gpgKeys: readonly string[];
  readonly gpgCheck: boolean;
  readonly repoGpgCheck: boolean;
  readonly enabled: boolean;
  readonly priority?: number;
  readonly cost?: number;
  /** Patterns of `excludepkgs`, `exclude` and `includepkgs`: package names or NEVRAs with shell wildcards. */
  readonly excludes: readonly string[];
  readonly includes: readonly string[];
  readonly skipIfUnavailable: boolean;
  readonly moduleHotfixes: boolean;
  /** Every option of the section as text. */
  readonly options: Readonly<Record<string, string>>;
  /** The section's heading. */
  readonly origin: Origin;
}

/** What Weir takes from a mock configuration. */
export interface MockConfig {
  /** The file that was read. */
  readonly file: string;
  /** Every file that was read: the file itself and its includes, in the order of reading. */
  readonly files: readonly string[];
  readonly root?: string;
  readonly targetArch: string;
  readonly legalHostArches: readonly string[];
  readonly releasever?: string;
  /** `$basearch` in URLs, where the configuration sets it (`repo_arch`). */
  readonly repoArch?: string;
  /** Words of `chroot_setup_cmd` after `install`: package names and `@groups`. */
  readonly setup: readonly string[];
  /** `config_opts['macros']`, names without `%`; values as rpm reads them. */
  readonly macros: Readonly<Record<string, string>>;
  readonly extraChrootDirs: readonly string[];
  /** What the configuration adds to mock's own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** For example `dnf5`. */
  readonly packageManager: string;
  /** `config_opts['dnf_vars']`. */
  readonly dnfVars: Readonly<Record<string, string>>;
  readonly moduleEnable: readonly string[];
  /** `[main]` of `dnf.conf`. */
  readonly main: Readonly<Record<string, string>>;
  /** All repositories, those that are not enabled too, in the order of the file. */
  readonly repositories: readonly MockRepository[];
  /** Plugins that are enabled, by name; options as text. */
  readonly plugins: Readonly<Record<string, Readonly<Record<string, string>>>>;
}
