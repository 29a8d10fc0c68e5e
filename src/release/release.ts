import type { Toolbox } from '../toolbox/tool.ts';
import type { SigningKey } from '../trust/gpg.ts';
import type { ImageKey } from '../trust/image-key.ts';
import type { BuiltComponents } from './components.ts';
import type { BuiltImage } from './images.ts';
import type { PublishedRepository } from './repository.ts';
import type { SeedRepository } from './seed.ts';
import type { Workspace } from './workspace.ts';

/** Everything that a release consists of. */
export interface Release {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly key: SigningKey;
  readonly imageKey: ImageKey;
  readonly seed: SeedRepository;
  readonly built: BuiltComponents;
  readonly repository: PublishedRepository;
  readonly images: readonly BuiltImage[];
}
