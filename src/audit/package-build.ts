import type { Digest } from '../base/digest.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import type { ComponentOrigin, Distribution, PackageHeader } from './contents.ts';

/** One build of a component, with everything that went into it and came out: the input of the evidence of its packages. */
export interface PackageBuild {
  readonly origin: ComponentOrigin;
  /** Version of the release. */
  readonly version: string;
  readonly arch: string;
  readonly distribution: Distribution;
  /** The release's clock, in seconds since 1970. */
  readonly clock: number;
  /** Version of Weir. */
  readonly toolVersion: string;
  readonly source: BuiltPackage;
  /** Binary packages, sorted by name. */
  readonly packages: readonly BuiltPackage[];
  readonly options: BuildSettings;
  /** Packages of the root that it was built in, sorted by name. */
  readonly buildroot: readonly BuildrootPackage[];
  /** Digest over the toolbox's packages. */
  readonly toolbox: Digest;
}

export interface BuiltPackage {
  readonly header: PackageHeader;
  /** SHA-256 of the file as built. */
  readonly digest: Digest;
  /** Size in bytes of the file as built. */
  readonly size: number;
  /** SHA-256 of the file as published; undefined if it is not published. */
  readonly signedDigest?: Digest;
}

/** A package of a buildroot; `rpm` is the digest of the file that was installed there: for a package that Weir made, before signing. */
export type BuildrootPackage = Pick<
  RepoPackage,
  'name' | 'epoch' | 'version' | 'release' | 'arch' | 'rpm' | 'sourceRpm'
> & {
  /** `seed`, `component NAME` or `repository ID`. */
  readonly from: string;
};

/** Settings of a build beside its sources. Empty ones are left out. */
export interface BuildSettings {
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly defines?: Readonly<Record<string, string>>;
  readonly undefines?: readonly string[];
  /** Why the component's tests did not run. */
  readonly checkSkipped?: string;
  /** Macros and environment variables of every build, from mock's configuration. */
  readonly macros?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
}
