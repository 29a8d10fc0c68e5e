import { join } from 'node:path';
import type { Digest } from '../base/digest.ts';
import { valueDigest } from '../base/digest.ts';
import { type Engine, perform } from '../engine/action.ts';
import { nevra, type RepoPackage } from '../repo/metadata.ts';
import { type RepoSource, resolvePackages } from '../repo/resolve.ts';
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
  /** Digest over its packages: two buildroots with equal packages are equal. */
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
  return { digest: valueDigest(packages.map((pkg) => pkg.rpm)), packages, open };
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

/** dnf5's answer is a function of the packages on offer and of what is wanted, so it is an action. */
export async function resolveCached(
  context: Pick<BuildContext, 'engine' | 'toolbox' | 'arch'>,
  sources: readonly RepoSource[],
  wanted: readonly string[],
  purpose: string,
  exclude: readonly string[] = [],
): Promise<RepoPackage[]> {
  const result = await perform(context.engine, {
    kind: 'resolve-packages',
    version: 1,
    inputs: {
      toolbox: context.toolbox.digest,
      arch: context.arch,
      wanted,
      exclude,
      sources: sources.map(({ id, priority, packages }) => ({
        id,
        priority,
        packages: packages.map((pkg) => pkg.rpm),
      })),
    },
    run: async () => {
      const packages = await resolvePackages(context.toolbox, sources, wanted, {
        arch: context.arch,
        exclude,
        purpose,
      });
      return { value: packages.map(nevra) };
    },
  });
  const chosen = new Set(result.value as string[]);
  const taken = new Map<string, RepoPackage>();
  for (const source of [...sources].sort((a, b) => a.priority - b.priority)) {
    for (const pkg of source.packages) {
      const id = nevra(pkg);
      if (chosen.has(id) && !taken.has(id)) taken.set(id, pkg);
    }
  }
  return [...taken.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Where logs of builds are kept. */
export function logFolder(cache: string): string {
  return join(cache, 'logs');
}
