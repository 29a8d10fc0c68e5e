// Components as readonly data, with everything that they inherit. Paths are absolute unless noted.

import type { Origin } from '../../toml/place.ts';
import type { Overlay, OverlayMetadata } from './overlay.ts';
import type { TestReference } from './test.ts';

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
      /** The dist tag of a numbered Fedora, such as `.fc43`; only with `build.emit-upstream-provenance`. */
      readonly dist?: string;
    };

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
  readonly tests: readonly TestReference[];
  /** Names of the component groups it is in, sorted. */
  readonly groups: readonly string[];
  /** Names by which feeds of vulnerabilities call it; undefined: those that follow from its spec. */
  readonly upstreamNames?: readonly string[];
  /** Whether its overlays follow the draft Distro TOML specification, which limits how many matches they may have. */
  readonly specified?: true;
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
