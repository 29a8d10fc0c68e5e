import { join } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { valueDigest } from '../base/digest.ts';
import type { Engine } from '../engine/action.ts';
import { codeDigest } from '../engine/code-digest.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import { type RepoSource, resolveCached } from '../repo/resolve.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { composeTree } from '../tree/compose.ts';
import { finaliseTree } from '../tree/finalise.ts';
import { materialise } from '../tree/materialise.ts';

/** What a build needs of the world around it. */
export interface BuildContext {
  readonly engine: Engine;
  readonly toolbox: Toolbox;
  readonly cache: string;
  /** RPM architecture. */
  readonly arch: string;
  /** seconds since 1970 */
  readonly clock: number;
}

/** A root to build in: known by its packages, made as a folder only when something really is built. */
export interface Buildroot {
  /** Digest over its packages, and the code and tools that make a root of them. */
  readonly digest: Digest;
  readonly packages: readonly RepoPackage[];
  /** The folder, composed on the first call; never written to. */
  readonly open: () => Promise<string>;
}

/** Resolves the buildroot that holds `wanted` and all it needs. */
export async function planBuildroot(
  context: BuildContext,
  sources: readonly RepoSource[],
  wanted: readonly string[],
  purpose: string,
): Promise<Buildroot> {
  const packages = await resolveCached(context, sources, wanted, purpose);
  let opened: Promise<string> | undefined;
  const open = (): Promise<string> => {
    opened ??= composeBuildroot(context, packages);
    return opened;
  };
  const rpms = packages.map((pkg) => pkg.rpm);
  const digest = valueDigest({ rpms, toolbox: context.toolbox.digest, code: codeDigest(import.meta.url) });
  return { digest, packages, open };
}

async function composeBuildroot(context: BuildContext, packages: readonly RepoPackage[]): Promise<string> {
  const composed = await composeTree(context.engine, packages);
  const { tree } = await finaliseTree(context.engine, context.toolbox, composed, {
    cache: context.cache,
    clock: context.clock,
    selinux: false,
    rpmdb: true,
    presets: false,
  });
  return materialise(context.engine, tree, context.cache);
}

/** Where logs of builds are kept. */
export function logFolder(cache: string): string {
  return join(cache, 'logs');
}
