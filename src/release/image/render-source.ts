import type { Digest } from '../../base/digest.ts';
import type { Image, WeirImage } from '../../project/model/image.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import type { Toolbox } from '../../toolbox/tool.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Workspace } from '../../workspace/workspace.ts';

/** The inputs of rendering an image. */
export interface RenderSource {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly image: Image;
  readonly definition: WeirImage;
  readonly packages: readonly RepoPackage[];
  readonly tree: Tree;
  readonly osRelease: Readonly<Record<string, string>>;
  /** Seed of every UUID: a digest of the image's content inputs. */
  readonly uuidSeed: Digest;
}

export interface Rendered {
  /** Kind-specific facts for the image's record. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Digests that are already known, by path in the image's folder. */
  readonly digests: ReadonlyMap<string, Digest>;
}
