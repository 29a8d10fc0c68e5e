import { mkdir, readlink, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, sha256, valueDigest } from '../base/digest.ts';
import { exists, temporaryName } from '../base/files.ts';
import { isoDay } from '../base/time.ts';
import type { Engine } from '../engine/action.ts';
import { sweep } from '../engine/engine.ts';
import { removeTree } from '../engine/scratch.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import { type SigningKey, signDetached } from '../trust/gpg.ts';
import { type ExtraFile, extrasContent, writeExtras } from './extras.ts';
import { addUpdateinfo, nevra, type RepoPackage, writeRepository } from './metadata.ts';

/** A published snapshot: signed packages by channel. */
export interface Snapshot {
  /** `YYYYMMDD-<digest>`: the name depends on the content, so a published snapshot never changes. */
  readonly name: string;
  /** Folder of the snapshot. */
  readonly dir: string;
  readonly channels: readonly Channel[];
  /** Files beside the channels. */
  readonly extras: readonly ExtraFile[];
}

export interface Channel {
  readonly name: string;
  /** Folder that is the repository's base URL. */
  readonly dir: string;
  readonly packages: readonly RepoPackage[];
  /** SHA-256 of its updateinfo.xml, if it has one. */
  readonly updateinfo?: Digest;
}

/** A channel to publish. */
export interface ChannelContent extends Pick<Channel, 'name' | 'packages'> {
  /** Text of its updateinfo.xml. */
  readonly updateinfo?: string;
}

/**
 * Publishes channels as `root/<snapshot>/<channel>/<arch>/`, with repomd.xml signed, and extras beside the channels. Everything
 * is created under a temporary name and renamed: readers see the whole snapshot or none of it.
 * @throws WeirError `reserved-channel`
 */
export async function publishSnapshot(
  engine: Engine,
  toolbox: Toolbox,
  key: SigningKey,
  options: {
    readonly root: string;
    readonly arch: string;
    readonly clock: number;
    readonly channels: readonly ChannelContent[];
    /** Files beside the channels; the snapshot's name depends on their paths and digests. */
    readonly extras?: readonly ExtraFile[];
    /** Whether an existing snapshot is unmodified; otherwise it is recreated. */
    readonly isWhole: (snapshot: Snapshot) => Promise<boolean>;
  },
): Promise<{ readonly snapshot: Snapshot; readonly published: boolean }> {
  const { root, arch, clock, extras = [] } = options;
  const content = valueDigest({
    // Not the fingerprint, which stays the same when a key's expiry is extended although RPM-GPG-KEY changes.
    key: key.publicKey,
    arch,
    clock,
    channels: options.channels.map(({ name, packages, updateinfo }) => [
      name,
      packages.map((pkg) => [nevra(pkg), pkg.rpm]),
      ...(updateinfo === undefined ? [] : [sha256(updateinfo)]),
    ]),
    ...extrasContent(extras),
  });
  const day = isoDay(clock).replaceAll('-', '');
  const name = `${day}-${content.slice(0, 8)}`;
  const dir = join(root, name);
  const snapshot: Snapshot = {
    name,
    dir,
    channels: options.channels.map(({ name: channel, packages, updateinfo }) => ({
      name: channel,
      packages,
      dir: join(dir, channel, arch),
      ...(updateinfo === undefined ? {} : { updateinfo: sha256(updateinfo) }),
    })),
    extras,
  };
  const there = await exists(dir);
  const published = !there || !(await options.isWhole(snapshot));
  if (published) {
    await mkdir(root, { recursive: true });
    await sweep([root]);
    const temporary = temporaryName(dir);
    try {
      await mkdir(temporary);
      await writeExtras(temporary, extras, options.channels);
      for (const channel of options.channels) {
        const folder = join(temporary, channel.name, arch);
        await mkdir(folder, { recursive: true });
        await writeRepository(engine, toolbox, folder, channel.packages, clock, 'copies');
        if (channel.updateinfo !== undefined) await addUpdateinfo(toolbox, folder, channel.updateinfo, clock);
        const repomd = join(folder, 'repodata', 'repomd.xml');
        await writeFile(`${repomd}.asc`, await signDetached(toolbox, key, repomd, clock));
      }
      await writeFile(join(temporary, 'RPM-GPG-KEY'), key.publicKey);
      await put(temporary, dir, there);
    } catch (error) {
      await removeTree(temporary);
      throw error;
    }
  }
  return { snapshot, published };
}

/** Moves a snapshot into place, replacing a damaged one completely. */
async function put(temporary: string, dir: string, there: boolean): Promise<void> {
  if (!there) return rename(temporary, dir);
  const damaged = temporaryName(dir);
  await rename(dir, damaged);
  await rename(temporary, dir);
  await removeTree(damaged);
}

/** Points `root/latest` to a snapshot. To be called once its release is complete. */
export async function pointLatest(root: string, name: string): Promise<void> {
  const latest = join(root, 'latest');
  if ((await readlink(latest).catch(() => '')) === name) return;
  const temporary = temporaryName(latest);
  await symlink(name, temporary);
  await rename(temporary, latest);
}
