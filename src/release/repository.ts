import { join } from 'node:path';
import { inStage } from '../base/progress.ts';
import { channelOf, sourceChannelOf } from '../project/publish.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import { publishSnapshot, type Snapshot } from '../repo/publish.ts';
import { type RepoSource, resolveCached } from '../repo/resolve.ts';
import { signPackages } from '../repo/sign.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import type { SigningKey } from '../trust/gpg.ts';
import type { BuiltComponents } from './components.ts';
import type { SeedRepository } from './seed.ts';
import type { Workspace } from './workspace.ts';

/** The published snapshot, and its binary channels as dnf5 resolves from them. */
export interface PublishedRepository {
  readonly snapshot: Snapshot;
  readonly sources: readonly RepoSource[];
}

/** Sorts every package into its channel, signs it, and publishes the channels as one snapshot. */
export async function repositoryStage(
  workspace: Workspace,
  toolbox: Toolbox,
  key: SigningKey,
  seed: SeedRepository,
  built: BuiltComponents,
): Promise<PublishedRepository> {
  const { engine, clock, arch, out, progress, release } = workspace;
  return inStage(progress, 'repository', async (stage) => {
    const channels = await sortIntoChannels(workspace, toolbox, seed, built);
    let signedNow = 0;
    const signed: { name: string; packages: RepoPackage[] }[] = [];
    for (const [name, packages] of channels) {
      stage.update(`signing ${packages.length} packages of ${name}`);
      const result = await signPackages(engine, toolbox, key, packages, clock);
      signedNow += result.signedNow;
      signed.push({ name, packages: result.packages });
    }
    stage.update('writing metadata');
    const { snapshot, published } = await publishSnapshot(engine, toolbox, key, {
      root: join(out, 'repo', release.version),
      arch,
      clock,
      channels: signed,
    });
    const counts = snapshot.channels.map((channel) => `${channel.packages.length} ${channel.name}`).join(', ');
    const sources = snapshot.channels
      .filter((channel) => !isSideChannel(channel.name))
      .map((channel) => ({ id: channel.name, dir: channel.dir, packages: channel.packages, priority: 50 }));
    return {
      result: { snapshot, sources },
      summary: `${snapshot.name}: ${counts}; ${signedNow} signed`,
      cached: !published && signedNow === 0,
    };
  });
}

/** Channels that hold debug and source packages are never installed from by default. */
function isSideChannel(name: string): boolean {
  return /-(debuginfo|source)$/.test(name);
}

/**
 * Channel → packages. A component's packages go where the project says. Of the seed, what the base channel's packages
 * need goes to base and the rest to sdk; a seed package whose name a component builds is left out.
 */
async function sortIntoChannels(
  workspace: Workspace,
  toolbox: Toolbox,
  seed: SeedRepository,
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
  const base = await baseClosure(workspace, toolbox, seed, built.source, channels.get(first) ?? []);
  for (const pkg of seed.source.packages) {
    if (!own.has(pkg.name)) put(base.has(pkg.name) ? first : second, pkg);
  }
  for (const list of channels.values()) list.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return new Map([...channels].filter(([, packages]) => packages.length > 0));
}

function defaultChannel(name: string, first: string): string {
  return /-(debuginfo|debugsource)(-|$)/.test(name) ? `${first}-debuginfo` : first;
}

/** Names that the base channel must hold so that everything in it installs: the seed's base roots and all they need. */
async function baseClosure(
  workspace: Workspace,
  toolbox: Toolbox,
  seed: SeedRepository,
  built: RepoSource,
  componentPackages: readonly RepoPackage[],
): Promise<ReadonlySet<string>> {
  const { engine, arch } = workspace;
  const wanted = [...new Set([...seed.baseRoots, ...componentPackages.map((pkg) => pkg.name)])].sort();
  const packages = await resolveCached({ engine, toolbox, arch }, [seed.source, built], wanted, 'the base channel');
  return new Set(packages.map((pkg) => pkg.name));
}
