import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { feedContext, type OsIdentity } from '../advisory/feeds/context.ts';
import { feedFiles } from '../advisory/feeds/write.ts';
import { loadAdvisories } from '../advisory/load.ts';
import { type StatedSnapshot, statementsOf } from '../advisory/statements.ts';
import { withScratch } from '../engine/scratch.ts';
import { type ExtraFile, signatureExtra, textExtra } from '../repo/extras.ts';
import type { RepoPackage } from '../repo/metadata.ts';
import type { ChannelContent } from '../repo/publish.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type SigningKey, signAllDetached } from '../trust/gpg.ts';
import type { Workspace } from '../workspace/workspace.ts';

/** What a snapshot has of the project's records: its channels with their updateinfo, and the other feeds beside them. */
export interface ReleaseFeeds {
  readonly channels: readonly ChannelContent[];
  readonly extras: readonly ExtraFile[];
}

/** What feeds need of a workspace. */
export interface FeedWorkspace extends Pick<Workspace, 'clock' | 'engine'> {
  readonly project: Pick<Workspace['project'], 'advisories'> & {
    readonly lifecycle: OsIdentity | undefined;
    readonly components: StatedSnapshot['components'];
  };
  readonly release: Pick<Workspace['release'], 'version'>;
}

/**
 * The feeds of a snapshot. Without records, there are none.
 * @param channels the packages as they are published
 * @throws WeirError (exit 2) those of `loadAdvisories` and `statementsOf`
 */
export async function releaseFeeds(
  { project, release, clock, engine }: FeedWorkspace,
  toolbox: Toolbox,
  key: SigningKey,
  channels: readonly { readonly name: string; readonly packages: readonly RepoPackage[] }[],
): Promise<ReleaseFeeds> {
  const records = await loadAdvisories(project.advisories.path);
  if (records.length === 0) return { channels, extras: [] };
  const statements = statementsOf(records, { channels, components: project.components });
  const context = feedContext(project, release.version, clock);
  const names = channels.map(({ name }) => name);
  const { updateinfo, files, signed } = feedFiles(context, statements, names, key.fingerprint);
  const texts = signed.map((path) => files.get(path)!);
  // Signed once, when the first of them is written: a snapshot that is there already needs no signature.
  let signing: Promise<string[]> | undefined;
  const signatures = (): Promise<string[]> => {
    signing ??= withScratch(engine.scratch, async (dir) => {
      for (const [index, text] of texts.entries()) await writeFile(join(dir, String(index)), text);
      return signAllDetached(toolbox, key, dir, [...texts.keys()].map(String), clock);
    });
    return signing;
  };
  const extras = new Map([...files].map(([path, text]) => [path, textExtra(path, text)] as const));
  return {
    channels: channels.map((channel) => ({ ...channel, updateinfo: updateinfo.get(channel.name)! })),
    extras: [
      ...extras.values(),
      ...signed.map((path, index) => signatureExtra(extras.get(path)!, async () => (await signatures())[index]!)),
    ],
  };
}
