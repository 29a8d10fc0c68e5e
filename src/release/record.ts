import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { readIfExists, writeIfChanged } from '../base/files.ts';
import { byPath } from '../base/order.ts';
import type { FinishedStage } from '../base/progress.ts';
import type { BuiltComponents } from '../component/build.ts';
import { syncFileSystem, writeDurably } from '../engine/durable.ts';
import type { Extra } from '../repo/extras.ts';
import { nevra, type RepoPackage } from '../repo/metadata.ts';
import { pointLatest } from '../repo/publish.ts';
import type { Toolbox } from '../toolbox/tool.ts';
import type { SigningKey } from '../trust/gpg.ts';
import { type ImageKey, isSignatureOf, signText } from '../trust/image-key.ts';
import type { Inputs } from '../workspace/inputs.ts';
import { imageKeyFile, releaseSignatureFile, timingsFile } from '../workspace/output.ts';
import type { SeedRepository } from '../workspace/seed.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { BuiltImage } from './image/stage.ts';
import { isKept, keepRelease, renewKept, unkeptRelease } from './keep-release.ts';
import { writeEndOfLife } from './lifecycle/end-of-life.ts';
import { readImage } from './published.ts';
import { type ImageRecord, type ReleaseRecord, recordText } from './record-schema.ts';
import type { PublishedRepository } from './repository.ts';

/**
 * Writes the public image key, and `release.json` with its signature: every package, image, digest and input of the release;
 * and keeps the record among those of earlier releases. It contains nothing about the run, so that the same release has the same bytes. Durations go to `timings.json`, unsigned.
 *
 * All files that the record names are synced to disk first, so that a power cut cannot leave a signed record of partial files.
 * @param images as `releaseImages` finds them
 */
export async function writeReleaseRecord(release: Release, images: readonly ImageRecord[]): Promise<void> {
  const { workspace, repository, built, key, imageKey, toolbox, inputs } = release;
  const { project, clock, arch, out, progress, engine } = workspace;
  const record: ReleaseRecord = {
    schema: 'https://weir.invalid/schema/release-1.json',
    name: project.lifecycle?.name ?? project.project.description ?? '',
    version: workspace.release.version,
    snapshot: repository.snapshot.name,
    clock,
    arch,
    signingKey: { fingerprint: key.fingerprint, publicKey: key.publicKey, development: key.development },
    imageKey: { id: imageKey.id, publicKey: imageKey.publicKey, development: imageKey.development },
    inputs: {
      toolbox: toolbox.digest,
      ...(inputs.seed === undefined
        ? { repositories: inputs.sources.map(({ id, digest }) => ({ id, digest })) }
        : { seed: { packages: inputs.seed.packages.size, demotions: inputs.seed.demotions } }),
    },
    components: built.components.map((each) => {
      const ready = built.ready.get(each.component)!;
      return {
        name: each.component,
        version: `${each.source.version}-${each.source.release}`,
        packages: each.packages.map(nevra),
        srpm: {
          file: `${each.source.name}-${each.source.version}-${each.source.release}.src.rpm`,
          sha256: each.source.rpm,
        },
        sources: ready.input.files,
        overlays: ready.component.overlays.map(({ type, description }) => ({ type, description })),
      };
    }),
    channels: repository.snapshot.channels.map((channel) => ({
      name: channel.name,
      ...(channel.updateinfo === undefined ? {} : { updateinfo: channel.updateinfo }),
      packages: channel.packages.map((pkg) => ({
        nevra: nevra(pkg),
        sha256: pkg.rpm,
        unsigned: pkg.unsigned,
        origin: pkg.origin,
        ...(pkg.sourceRpm === '' ? {} : { source: pkg.sourceRpm }),
        ...debianOrigin(inputs.seed, pkg),
      })),
    })),
    ...recordedExtras(repository.snapshot.extras),
    images: images.map(({ name, kind, inputs, installedSize, files, packages, details }) => ({
      name,
      kind,
      inputs,
      installedSize,
      files,
      packages: packages.map((pkg) => pkg.nevra),
      details,
    })),
  };
  const text = recordText(record);
  const signature = signText(imageKey, text);
  const kept = { snapshot: record.snapshot, text, signature, publicKey: imageKey.publicKey };
  const files = [
    [imageKeyFile, imageKey.publicKey],
    ['release.json', text],
    [releaseSignatureFile, signature],
  ] as const;
  const isWritten = async ([name, data]: (typeof files)[number]): Promise<boolean> => {
    const there = await readIfExists(join(out, name));
    // ECDSA signatures are randomised: compare by verifying.
    if (name === releaseSignatureFile && there !== undefined)
      return isSignatureOf(imageKey.publicKey, Buffer.from(text), there);
    return there === data;
  };
  const written = await Promise.all(files.map(isWritten));
  const isSame = written[1] === true;
  const isThere = await isKept(out, kept);
  const earlier = isSame ? undefined : await unkeptRelease(out);
  await pointLatest(dirname(repository.snapshot.dir), repository.snapshot.name);
  if (written.includes(false) || !isThere || engine.counts.ran > 0) await settle(workspace);
  // The kept records come first, so that release.json is always one of them, wherever the run is killed.
  if (earlier !== undefined) keepRelease(out, earlier);
  if (!isThere) keepRelease(out, kept);
  else if (!isSame) renewKept(out, kept);
  for (const [index, [name, data]] of files.entries()) if (!written[index]) writeDurably(join(out, name), data);
  await writeEndOfLife(workspace, record);
  await writeIfChanged(join(out, timingsFile), timings(built, progress.finished));
}

/** Syncs everything that this run wrote to disk. */
async function settle({ out, cache, engine }: Pick<Workspace, 'out' | 'cache' | 'engine'>): Promise<void> {
  const places = (await stat(out)).dev === (await stat(cache)).dev ? [out] : [out, cache];
  let durable = true;
  for (const place of places) if (!(await syncFileSystem(place))) durable = false;
  engine.store.stamps.flush(durable);
}

function timings(built: BuiltComponents, stages: readonly FinishedStage[]): string {
  const components = built.components.map(({ component, seconds, cached }) => ({ name: component, seconds, cached }));
  return `${JSON.stringify({ stages, components }, null, 2)}\n`;
}

/**
 * The images of this run, and those of earlier runs that consist only of this snapshot's packages. An image whose record is
 * invalid, for instance from an older Weir, is left out: it must not stop the build of another image.
 */
export async function releaseImages({
  workspace,
  images,
  repository,
}: {
  readonly workspace: Pick<Workspace, 'out' | 'project'>;
  readonly images: readonly Pick<BuiltImage, 'record'>[];
  readonly repository: Pick<PublishedRepository, 'snapshot'>;
}): Promise<ImageRecord[]> {
  const made = new Map(images.map(({ record }) => [record.name, record]));
  const published = new Set(repository.snapshot.channels.flatMap((channel) => channel.packages.map((pkg) => pkg.rpm)));
  const records: ImageRecord[] = [];
  for (const name of workspace.project.images.keys()) {
    const record = made.get(name) ?? (await readImage(workspace, name).catch(unlessBadRecord));
    if (record === undefined) continue;
    if (made.has(name) || record.packages.every((pkg) => published.has(pkg.rpm))) records.push(record);
  }
  return records;
}

function unlessBadRecord(error: unknown): undefined {
  if (!(error instanceof WeirError) || error.code !== 'bad-record') throw error;
}

function debianOrigin(seed: SeedRepository | undefined, pkg: RepoPackage): { readonly debian?: string } {
  const made = pkg.origin === 'seed' ? seed?.packages.get(pkg.name) : undefined;
  return made === undefined || made.source === '' ? {} : { debian: `${made.source} ${made.sourceVersion}` };
}

function recordedExtras(extras: readonly Extra[]): Pick<ReleaseRecord, 'extras'> {
  if (extras.length === 0) return {};
  const recorded = extras.map(({ path, sha256, signed }) => ({
    path,
    sha256,
    ...(signed === undefined ? {} : { signed }),
  }));
  return { extras: recorded.sort(byPath) };
}

/** The parts of a release. */
export interface Release {
  readonly workspace: Workspace;
  readonly toolbox: Toolbox;
  readonly key: SigningKey;
  readonly imageKey: ImageKey;
  readonly inputs: Inputs;
  readonly built: BuiltComponents;
  readonly repository: PublishedRepository;
  readonly images: readonly BuiltImage[];
}
