import type { Digest } from '../../base/digest.ts';
import type { Image, WeirImage } from '../../project/model.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Workspace } from '../../workspace/workspace.ts';

/** What an image is rendered from. */
export interface RenderSource {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly image: Image;
  readonly definition: WeirImage;
  readonly packages: readonly RepoPackage[];
  readonly tree: Tree;
  readonly osRelease: Readonly<Record<string, string>>;
  /** Seed of every UUID: a digest of what the image is made of. */
  readonly uuidSeed: Digest;
}

export interface Rendered {
  /** Facts of the kind, for the image's record. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Digests that are known already, by the file's path in the image's folder. */
  readonly digests: ReadonlyMap<string, Digest>;
}
