import { stat } from 'node:fs/promises';
import type { ContainedPackage, ImageContents } from '../../audit/contents.ts';
import { mapLimit } from '../../base/files.ts';
import { blobFile, readBlobText } from '../../engine/store.ts';
import { osReleaseSettings } from '../../image/os-release.ts';
import type { RepoPackage } from '../../repo/metadata.ts';
import { readRpm } from '../../rpm/read.ts';
import type { Tree } from '../../tree/tree.ts';
import type { Workspace } from '../../workspace/workspace.ts';
import { distributionOf, type OriginContext, originOf, toolVersion } from '../package-origin.ts';

/** The settings of the tree's os-release file; empty if it has none. */
export async function osReleaseOf(workspace: Workspace, tree: Tree): Promise<Readonly<Record<string, string>>> {
  const entry = tree.entries.find((each) => each.path === '/usr/lib/os-release');
  if (entry?.kind !== 'file') return {};
  return osReleaseSettings(await readBlobText(workspace.engine.store, entry.digest));
}

/** Contents and origins of an image, as input for its SBOMs. */
export async function imageContents(
  workspace: Workspace,
  image: { readonly name: string; readonly kind: NonNullable<ImageContents['kind']> },
  osRelease: Readonly<Record<string, string>>,
  packages: readonly RepoPackage[],
  from: OriginContext,
): Promise<ImageContents> {
  const { clock, engine, release } = workspace;
  const contained = await mapLimit(packages, 8, async (pkg): Promise<ContainedPackage> => {
    const header = await readRpm(await blobFile(engine.store, pkg.rpm));
    const digest = pkg.unsigned ?? pkg.rpm;
    const { size } = await stat(await blobFile(engine.store, digest));
    const signed = pkg.unsigned === undefined ? {} : { signedDigest: pkg.rpm };
    return { header, digest, size, ...signed, origin: originOf(pkg, from) };
  });
  return {
    name: image.name,
    kind: image.kind,
    version: release.version,
    clock,
    toolVersion: await toolVersion(),
    packages: contained,
    distribution: distributionOf(workspace, osRelease),
  };
}

/** Inputs of the evidence beyond the packages' content: their origins, their overlays, the version of Weir. */
export async function evidenceInputs(packages: readonly RepoPackage[], from: OriginContext): Promise<unknown> {
  return { tool: await toolVersion(), origins: packages.map((pkg) => originOf(pkg, from)) };
}
