import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Toolbox } from '../toolbox/tool.ts';
import { openSigningKey, type SigningKey } from '../trust/gpg.ts';
import { type ImageKeyOptions, imageKeyVariable } from '../trust/image-key.ts';
import type { Workspace } from './workspace.ts';

/** The key for packages and repositories: the project's, or a development key in the cache. */
export function signingKey(workspace: Workspace, toolbox: Toolbox): Promise<SigningKey> {
  return openSigningKey(toolbox, {
    cache: workspace.cache,
    fingerprint: workspace.project.signing.key,
    userHome: process.env.GNUPGHOME || join(homedir(), '.gnupg'),
  });
}

/** Where to find the key for images. */
export function imageKeyOptions({ cache, project }: Pick<Workspace, 'cache' | 'project'>): ImageKeyOptions {
  return { cache, publicKey: project.signing.imageKey, secret: process.env[imageKeyVariable] };
}
