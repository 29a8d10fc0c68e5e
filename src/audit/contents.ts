import type { Digest } from '../base/digest.ts';
import type { RpmPackage } from '../rpm/types.ts';

/** What is in an image and where it comes from: all that its bills of materials are made of. */
export interface ImageContents {
  readonly name: string;
  readonly version: string;
  /** `container` is an OCI image; the others, `disk` by default, are files. */
  readonly kind?: 'container' | 'disk' | 'wsl';
  readonly distribution: Distribution;
  /** seconds since 1970: the release's one clock */
  readonly clock: number;
  /** Weir's own version, which the documents name as their tool. */
  readonly toolVersion: string;
  /** In any order; no package twice. */
  readonly packages: readonly ContainedPackage[];
}

/** What os-release says of the distribution, so that scanners recognise it here as they do on a running system. */
export interface Distribution {
  /** ID */
  readonly id: string;
  /** NAME */
  readonly name: string;
  /** VERSION_ID */
  readonly version: string;
  /** CPE_NAME, in CPE 2.2 (`cpe:/o:…`) or 2.3 (`cpe:2.3:o:…`) form. */
  readonly cpe: string;
  /** SUPPORT_END, YYYY-MM-DD: the last day of support. */
  readonly supportEnd?: string;
  /** VENDOR_NAME; `name` by default. */
  readonly vendor?: string;
  /** HOME_URL */
  readonly url?: string;
}

/** Of a package's header only what the documents tell; a whole `RpmPackage` will do. */
export type PackageHeader = Pick<
  RpmPackage,
  | 'name'
  | 'epoch'
  | 'version'
  | 'release'
  | 'arch'
  | 'summary'
  | 'description'
  | 'license'
  | 'url'
  | 'vendor'
  | 'vcs'
  | 'sourceRpm'
  | 'buildTime'
  | 'headerDigest'
>;

export interface ContainedPackage {
  readonly header: PackageHeader;
  /** SHA-256 of the RPM file as it was built, before it was signed. */
  readonly digest: Digest;
  /** Size in bytes of the RPM file as it was built. */
  readonly size: number;
  /** SHA-256 of the RPM file as it was published; absent where it was not signed. */
  readonly signedDigest?: Digest;
  readonly origin: PackageOrigin;
}

export type PackageOrigin = SeedOrigin | ComponentOrigin;

/** Made out of Debian's binary packages; there is no source package in RPM's sense. */
export interface SeedOrigin {
  readonly kind: 'seed';
  /** Absent where the seed made the package up itself, such as `filesystem`. */
  readonly debian?: { readonly source: string; readonly version: string };
}

/** Built from a spec by Weir. */
export interface ComponentOrigin {
  readonly kind: 'component';
  readonly name: string;
  /** The source package's file, where it is published. */
  readonly srpm?: { readonly digest: Digest };
  readonly files: readonly SourceFile[];
  readonly overlays: readonly AppliedOverlay[];
}

/** A file that went into the source package. */
export interface SourceFile {
  readonly name: string;
  readonly sha256: Digest;
  readonly kind: 'tarball' | 'patch' | 'other';
}

/** An overlay that was applied: how the component differs from its upstream, and why. */
export interface AppliedOverlay {
  readonly type: string;
  readonly description: string;
  /** `upstream-backport` or a downstream category. */
  readonly category?: string;
  /** URLs of bugs that it is for. */
  readonly bugs?: readonly string[];
  /** URLs of upstream commits that it takes over. */
  readonly commits?: readonly string[];
}
