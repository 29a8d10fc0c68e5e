// Overlays as readonly data. Paths are absolute unless noted.

import type { Origin } from '../../toml/place.ts';

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
