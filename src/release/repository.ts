import { join, relative } from 'node:path';
import { readIfExists } from '../base/files.ts';
import { byName } from '../base/order.ts';
import { inStage } from '../base/progress.ts';
import type { BuiltComponents } from '../component/build.ts';
import { channelOf, sourceChannelOf } from '../project/channel.ts';
import { extraFaults } from '../repo/extras.ts';
import { packagePath, type RepoPackage } from '../repo/metadata.ts';
import { publishSnapshot, type Snapshot } from '../repo/publish.ts';
import { resolveCached } from '../repo/resolve.ts';
import { signPackages } from '../repo/sign.ts';
import { type ListedSource, listedSource, obtainPackages, type RepoSource, usePackages } from '../repo/source.ts';
import { verifyRepository } from '../repo/verify.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { badlySigned, type SigningKey } from '../trust/gpg.ts';
import type { ImageKey } from '../trust/image-key.ts';
import type { Inputs } from '../workspace/inputs.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { releaseFeeds } from './feeds.ts';
import { changedSince, noteFolder } from './noted-folder.ts';
import { packageEvidence } from './package-evidence.ts';

/** The published snapshot, and its binary channels as sources for dnf5. */
export interface PublishedRepository {
  readonly snapshot: Snapshot;
  readonly sources: readonly RepoSource[];
}

/** Sorts all packages into channels, signs them, and publishes the channels, the evidence of built packages and the feeds as one snapshot. */
export async function repositoryStage(
  workspace: Workspace,
  toolbox: Toolbox,
  { signer: key, imageKey }: { readonly signer: SigningKey; readonly imageKey: ImageKey },
  inputs: Inputs,
  built: BuiltComponents,
): Promise<PublishedRepository> {
  const { engine, clock, arch, out, progress, release } = workspace;
  return inStage(progress, 'repository', async (stage) => {
    const channels = await sortIntoChannels(workspace, toolbox, inputs, built);
    let signedNow = 0;
    const signed: { name: string; packages: RepoPackage[] }[] = [];
    for (const [name, packages] of channels) {
      stage.update(`signing ${packages.length} packages of ${name}`);
      const result = await signPackages(engine, toolbox, key, packages, clock);
      signedNow += result.signedNow;
      signed.push({ name, packages: result.packages });
    }
    const published = signed.flatMap(({ packages }) => packages);
    const feeds = await releaseFeeds(workspace, toolbox, key, signed);
    const evidence = await packageEvidence({ workspace, toolbox, inputs, built, imageKey }, published);
    stage.update('writing metadata');
    const { snapshot, published: isNew } = await publishSnapshot(engine, toolbox, key, {
      root: join(out, 'repo', release.version),
      arch,
      clock,
      channels: feeds.channels,
      extras: [...evidence, ...feeds.extras],
      isWhole: (known) => isWholeSnapshot(workspace, toolbox, { signer: key, imageKey }, known, stage.note),
    });
    if (isNew) await noteFolder(workspace, snapshot.dir, digestsOf(snapshot));
    const counts = snapshot.channels.map((channel) => `${channel.packages.length} ${channel.name}`).join(', ');
    const sources = snapshot.channels
      .filter((channel) => !isSideChannel(channel.name))
      .map((channel) => listedSource({ id: channel.name, dir: channel.dir, packages: channel.packages, priority: 50 }));
    return {
      result: { snapshot, sources },
      summary: `${snapshot.name}: ${counts}; ${signedNow} signed`,
      cached: !isNew && signedNow === 0,
    };
  });
}

/** The public halves of the keys that a snapshot is signed with. */
interface PublicKeys {
  readonly signer: Pick<SigningKey, 'publicKey'>;
  readonly imageKey: Pick<ImageKey, 'publicKey'>;
}

/**
 * Whether a snapshot in the output folder is intact: by the cache's record of it, or if another cache made it, by the
 * snapshot's own signatures, digests and package list.
 */
async function isWholeSnapshot(
  workspace: Workspace,
  toolbox: Toolbox,
  keys: PublicKeys,
  snapshot: Snapshot,
  note: (text: string) => void,
): Promise<boolean> {
  const changed = await changedSince(workspace, snapshot.dir);
  if (changed === undefined) return true;
  let fault: string | undefined = changed;
  if (changed === 'unknown') {
    fault = await snapshotFault(workspace, toolbox, keys, snapshot);
    if (fault === undefined) {
      await noteFolder(workspace, snapshot.dir);
      return true;
    }
  }
  note(`${snapshot.dir}: ${fault}: rebuilding the snapshot`);
  return false;
}

async function snapshotFault(
  { engine }: Workspace,
  toolbox: Toolbox,
  { signer: { publicKey }, imageKey }: PublicKeys,
  { dir, channels, extras }: Snapshot,
): Promise<string | undefined> {
  if ((await readIfExists(join(dir, 'RPM-GPG-KEY'))) !== publicKey) return 'RPM-GPG-KEY is not the key of the release';
  for (const channel of channels) {
    const packages = new Map(channel.packages.map((pkg) => [packagePath(pkg), pkg.rpm]));
    const { faults } = await verifyRepository(toolbox, engine.scratch, {
      dir: channel.dir,
      publicKey,
      packages,
      updateinfo: channel.updateinfo,
    });
    const [first] = faults;
    if (first !== undefined) return `${join(channel.name, first.path)}: ${first.message}`;
  }
  const [first] = (
    await extraFaults(dir, extras, imageKey.publicKey, undefined, (folder, names) =>
      badlySigned(toolbox, publicKey, folder, names),
    )
  ).faults;
  if (first !== undefined) return `${first.path}: ${first.message}`;
  return undefined;
}

/** SHA-256 of a snapshot's packages, by path in the snapshot. */
function digestsOf({ dir, channels }: Snapshot): Map<string, string> {
  return new Map(
    channels.flatMap((channel) =>
      channel.packages.map((pkg) => [join(relative(dir, channel.dir), packagePath(pkg)), pkg.rpm] as const),
    ),
  );
}

/** Channels of debug and source packages, which are never installed from by default. */
function isSideChannel(name: string): boolean {
  return /-(debuginfo|source)$/.test(name);
}

/**
 * Channel → packages. Components' packages go to the channel that the project sets. Of the seed, everything that the base
 * channel's packages need goes to base and the rest to sdk. Seed packages that a component builds, too, are left out.
 */
export async function sortIntoChannels(
  workspace: Workspace,
  toolbox: Toolbox,
  inputs: Inputs,
  built: BuiltComponents,
): Promise<Map<string, RepoPackage[]>> {
  const { project, release } = workspace;
  const [first = 'base', second = first] = release.channels.map((channel) => channel.name);
  const channels = new Map<string, RepoPackage[]>(release.channels.map((channel) => [channel.name, []]));
  const put = (channel: string | undefined, pkg: RepoPackage): void => {
    if (channel === undefined) return;
    const list = channels.get(channel);
    if (list === undefined) channels.set(channel, [pkg]);
    else list.push(pkg);
  };
  const own = new Set<string>();
  for (const each of built.components) {
    const component = project.components.get(each.component)!;
    for (const pkg of each.packages) {
      own.add(pkg.name);
      put(channelOf(project, component, pkg.name) ?? defaultChannel(pkg.name, first), pkg);
    }
    put(sourceChannelOf(component) ?? `${first}-source`, each.source);
  }
  const more = await moreOfSeed(workspace, inputs, own);
  const sources = [...inputs.imageSources, ...(more.source === undefined ? [] : [more.source]), built.source];
  const base = await baseClosure(workspace, toolbox, inputs, sources, [
    ...(channels.get(first) ?? []).map(({ name }) => name),
    ...more.wanted,
  ]);
  if (inputs.seed === undefined) {
    // From input repositories, only needed packages are published.
    const taken = base.filter((pkg) => !own.has(pkg.name));
    usePackages(inputs.imageSources, taken);
    await obtainPackages(inputs.imageSources, taken);
    for (const pkg of taken) put(first, pkg);
  } else {
    const inBase = new Set(base.map((pkg) => pkg.name));
    for (const pkg of [...inputs.seed.source.packages, ...(more.source?.packages ?? [])]) {
      if (!own.has(pkg.name)) put(inBase.has(pkg.name) ? first : second, pkg);
    }
  }
  for (const list of channels.values()) list.sort(byName);
  return new Map([...channels].filter(([, packages]) => packages.length > 0));
}

/**
 * Packages of the seed made on demand: for builds, and for packages of images that are neither in the fixed seed nor built by a
 * component. @param own names of components' packages
 */
async function moreOfSeed(
  { project }: Workspace,
  { seed }: Inputs,
  own: ReadonlySet<string>,
): Promise<{ readonly source?: ListedSource; readonly wanted: readonly string[] }> {
  if (seed === undefined) return { wanted: [] };
  const open = packagesOfImages(project).filter((name) => !own.has(name) && !seed.source.names.has(name));
  const missing = open.length === 0 ? new Map() : await seed.lazy.grow(open);
  // A package that cannot be found is reported when its image is built.
  const wanted = open.filter((name) => !missing.has(name));
  const source = await seed.lazy.allWith(wanted);
  // Without more packages, every wanted name is provided by the fixed seed, and channels stay unchanged.
  return source === undefined ? { wanted: [] } : { wanted, source };
}

function packagesOfImages({ images }: Workspace['project']): string[] {
  return [...images.values()].flatMap(({ definition }) => (definition?.type === 'weir' ? definition.packages : []));
}

function defaultChannel(name: string, first: string): string {
  return /-(debuginfo|debugsource)(-|$)/.test(name) ? `${first}-debuginfo` : first;
}

/**
 * Packages that the base channel needs to be installable: its roots (the seed's, or, for repositories, the images' packages) and
 * `needed`, with their dependencies. @param needed components' packages, and packages of the seed that images require
 */
async function baseClosure(
  workspace: Workspace,
  toolbox: Toolbox,
  inputs: Inputs,
  sources: readonly RepoSource[],
  needed: readonly string[],
): Promise<RepoPackage[]> {
  const { engine, arch, project } = workspace;
  const roots = inputs.seed === undefined ? packagesOfImages(project) : inputs.seed.baseRoots;
  const wanted = [...new Set([...roots, ...needed])].sort();
  if (wanted.length === 0) return [];
  return resolveCached({ engine, toolbox, arch }, sources, wanted, 'the base channel');
}
