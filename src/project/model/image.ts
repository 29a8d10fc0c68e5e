// Images and their test suites as readonly data. Paths are absolute unless noted.

import type { Place } from '../../base/errors.ts';
import type { Origin } from '../../toml/place.ts';
import type { Architecture } from './release.ts';
import type { TestReference } from './test.ts';

export type ImageFormat = 'oci' | 'raw' | 'qcow2' | 'vhd' | 'vhdx' | 'wsl';

export type SelinuxMode = 'enforcing' | 'permissive' | 'disabled';

/** How an OCI runtime starts the image; the keys are those of the OCI image configuration. */
export interface ContainerSettings {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  /** Names with tags, without a registry; the first one is its name in the OCI layout. */
  readonly names?: readonly string[];
}

export interface DiskSettings {
  /** The least size of the disk in bytes; it grows with its content. */
  readonly size: number;
  /** The EFI system partition in bytes. */
  readonly espSize: number;
  readonly rootFs: 'ext4';
  readonly rootLabel: string;
  /** Seconds that the boot menu is shown; by default there is none. */
  readonly bootTimeout?: number;
  /** Where the EFI system partition is mounted at boot; by default it is not mounted. */
  readonly espMount?: string;
  /** Whether the image brings its boot loader and kernel, in the folder of `espMount`. */
  readonly ownBootLoader?: boolean;
}

export interface WslSettings {
  /** URL of the folder that the file is published in, with a trailing slash. */
  readonly url?: string;
}

/** A folder whose content an image lays over its tree. */
export interface SetupFolder {
  /** Absolute path on the host. */
  readonly from: string;
  /** Absolute path in the image; without it the root. */
  readonly to?: string;
  /** Permission bits of folders that the tree does not have; without them 0755. */
  readonly newFolderMode?: number;
  /** Permission bits of folders that the tree has; without them they stay as they are. */
  readonly knownFolderMode?: number;
  /** Permission bits of files; without them those of each file, 0644 or 0755. */
  readonly fileMode?: number;
  /** The place in the configuration, for errors. */
  readonly place?: Place;
}

/** A file that an image adds to its packages. */
export interface SetupFile {
  /** Absolute path on the host, or the content itself. */
  readonly from?: string;
  readonly content?: string;
  /** Absolute path in the image. */
  readonly to: string;
  /** Permission bits; without them those of the file, 0644 or 0755. */
  readonly mode?: number;
  /** The place in the configuration, for errors. */
  readonly place?: Place;
}

/** A group that an image adds. */
export interface SetupGroup {
  readonly name: string;
  /** The number; by default a free one. */
  readonly id?: number;
  /** The place in the configuration, for errors. */
  readonly place?: Place;
}

/** An account that an image adds, or changes if a package has it. */
export interface SetupUser {
  readonly name: string;
  readonly id?: number;
  /** In the form of crypt(5); without it the account has no password. */
  readonly passwordHash?: string;
  /** The most days between two changes of the password; below 0: no limit. */
  readonly passwordDays?: number;
  readonly fullName?: string;
  readonly home?: string;
  readonly shell?: string;
  /** The first one is the primary group; groups that are missing are added. */
  readonly groups: readonly string[];
  /** Supplementary groups, which do not change the primary one; missing groups are created. */
  readonly memberOf?: readonly string[];
  /** Lines for `.ssh/authorized_keys` in the home folder, in place of those that are there. */
  readonly sshKeys?: readonly string[];
  /** The place in the configuration, for errors. */
  readonly place?: Place;
}

/** A script that runs as root of the finished tree, without a network. */
export interface SetupScript {
  /** Absolute path in the image. */
  readonly path: string;
  /** Whether the script may be missing. */
  readonly optional: boolean;
  /** Whether the script is removed when it has run. */
  readonly remove: boolean;
}

/** What an image changes in the tree that its packages make. */
export interface ImageSetup {
  /** Such as `en_US.UTF-8`. */
  readonly locale?: string;
  readonly keymap?: string;
  /** Such as `Europe/Berlin`. */
  readonly timezone?: string;
  /** Whether documentation of packages is left out. */
  readonly excludeDocs: boolean;
  /** Locales such as `en_US` whose files are installed; without it all. */
  readonly languages?: readonly string[];
  /** Laid over the tree in this order. */
  readonly overlays: readonly SetupFolder[];
  /** Laid over the tree after the folders. */
  readonly files: readonly SetupFile[];
  /** Added before the users; groups that users name need not be listed. */
  readonly groups?: readonly SetupGroup[];
  readonly users: readonly SetupUser[];
  readonly scripts: readonly SetupScript[];
  /** Variables for scripts. */
  readonly environment: Readonly<Record<string, string>>;
  /** Paths in the image that are removed after the scripts, with all below them. */
  readonly temporary: readonly string[];
}

interface WeirImageBase {
  readonly type: 'weir';
  /** Names of packages to install; dependencies come with them. */
  readonly packages: readonly string[];
  /** Names that must not be installed, even as a weak dependency. */
  readonly excludePackages: readonly string[];
  /** Whether packages that others only recommend are installed too; absent: no. */
  readonly weakDependencies?: boolean;
  /** Absent: nothing but packages. */
  readonly setup?: ImageSetup;
  /** Further changes of a customization: applied after the files of `setup`, and after its users and scripts. */
  readonly custom?: ImageSetup;
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

/** An image described by a KIWI file. */
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
  readonly wsl?: boolean;
  readonly installerMedia?: boolean;
  readonly fipsEnabled?: boolean;
  readonly cvm?: boolean;
}

export interface Image {
  readonly name: string;
  readonly description?: string;
  readonly definition: WeirImage | KiwiImage | undefined;
  readonly capabilities: ImageCapabilities;
  readonly testSuites: readonly string[];
  readonly tests: readonly TestReference[];
  /** Empty: all. */
  readonly architectures: readonly Architecture[];
  readonly properties: Readonly<Record<string, string>>;
  readonly channels: readonly string[];
  readonly origin: Origin;
}
