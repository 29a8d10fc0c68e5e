// Images and their test suites as readonly data. Paths are absolute unless noted.

import type { Origin } from '../../toml/place.ts';
import type { Architecture } from './release.ts';
import type { TestReference } from './test.ts';

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
