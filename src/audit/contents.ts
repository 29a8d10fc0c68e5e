import type { Digest } from '../base/digest.ts';
import type { RpmPackage } from '../rpm/types.ts';

/** The contents of an image and their origins: the input of its SBOMs and provenance. */
export interface ImageContents {
  readonly name: string;
  readonly version: string;
  /** `container` is an OCI image, the others are files. Default `disk`. */
  readonly kind?: 'container' | 'disk' | 'wsl';
  readonly distribution: Distribution;
  /** The release's clock, in seconds since 1970. */
  readonly clock: number;
  /** Version of Weir, named as the tool in the documents. */
  readonly toolVersion: string;
  /** In any order, without duplicates. */
  readonly packages: readonly ContainedPackage[];
}

/** The distribution according to os-release, so that scanners recognise it as on a running system. */
export interface Distribution {
  /** ID */
  readonly id: string;
  /** NAME */
  readonly name: string;
  /** VERSION_ID */
  readonly version: string;
  /** CPE_NAME, in CPE 2.2 (`cpe:/o:…`) or 2.3 (`cpe:2.3:o:…`) form. */
  readonly cpe: string;
  /** YYYY-MM-DD: the last day of support, the day before SUPPORT_END. */
  readonly supportEnd?: string;
  /** VENDOR_NAME; `name` by default. */
  readonly vendor?: string;
  /** HOME_URL */
  readonly url?: string;
}

/** The header fields that the documents use; a full `RpmPackage` fits. */
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
  /** SHA-256 of the RPM file as built, before signing. */
  readonly digest: Digest;
  /** Size in bytes of the RPM file as built. */
  readonly size: number;
  /** SHA-256 of the RPM file as published; undefined if it was not signed. */
  readonly signedDigest?: Digest;
  readonly origin: PackageOrigin;
}

export type PackageOrigin = SeedOrigin | RepositoryOrigin | ComponentOrigin;

/** A package taken unchanged from an RPM repository. */
export interface RepositoryOrigin {
  readonly kind: 'repository';
  /** The repository's id. */
  readonly repository: string;
}

/** A package made from Debian's binary packages; it has no source RPM. */
export interface SeedOrigin {
  readonly kind: 'seed';
  /** Undefined for packages that the seed creates itself, such as `filesystem`. */
  readonly debian?: { readonly source: string; readonly version: string };
}

/** A package built from a spec by Weir. */
export interface ComponentOrigin {
  readonly kind: 'component';
  readonly name: string;
  /** Where its spec was before overlays; undefined if that place means nothing elsewhere. */
  readonly upstream?: SpecOrigin;
  /** The source RPM, if it is published. */
  readonly srpm?: { readonly digest: Digest };
  readonly files: readonly SourceFile[];
  readonly overlays: readonly AppliedOverlay[];
}

/** A commit of a dist-git; a package of a distro of the project whose dist-git is a folder; or a path in the project. */
export type SpecOrigin =
  | { readonly uri: string; readonly commit: string }
  | { readonly distro: string; readonly name: string }
  | { readonly path: string };

/** A file of the source package. */
export interface SourceFile {
  readonly name: string;
  readonly sha256: Digest;
  readonly kind: 'spec' | 'tarball' | 'patch' | 'other';
  /** Its address upstream, as the spec or the component's configuration says. */
  readonly url?: string;
  /** Upstream's own hash of it, by the algorithm that upstream uses; only if no overlay changed it. */
  readonly listed?: { readonly algorithm: 'md5' | 'sha256' | 'sha512'; readonly hash: string };
  /** Positions of the overlays that added or changed it, from 1. */
  readonly overlays?: readonly number[];
}

/** An applied overlay: how the component differs from its upstream, and why. */
export interface AppliedOverlay {
  readonly type: string;
  readonly description: string;
  /** `upstream-backport` or a downstream category. */
  readonly category?: string;
  readonly upstreamStatus?: string;
  /** URLs of related bugs. */
  readonly bugs?: readonly string[];
  /** URLs of the upstream commits that it backports. */
  readonly commits?: readonly string[];
  /** Files of the source package that it added, changed, renamed or removed. */
  readonly files?: readonly string[];
}
