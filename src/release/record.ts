import { join } from 'node:path';
import { WeirError } from '../base/errors.ts';
import { writeIfChanged } from '../base/files.ts';
import { nevra, type RepoPackage } from '../repo/metadata.ts';
import { signText } from '../trust/image-key.ts';
import type { BuiltImage, ImageRecord } from './images.ts';
import { imageKeyFile, releaseSignatureFile } from './output.ts';
import { readImage } from './published.ts';
import type { Release } from './release.ts';
import type { PublishedRepository } from './repository.ts';
import type { SeedRepository } from './seed.ts';
import type { Workspace } from './workspace.ts';

/**
 * Writes the public key of images, and `release.json` with its signature: every package, image, digest and input of the release, and
 * how long each stage took.
 * @param images as `releaseImages` finds them
 */
export async function writeReleaseRecord(release: Release, images: readonly ImageRecord[]): Promise<void> {
  const { workspace, repository, built, key, imageKey, toolbox, seed } = release;
  const { project, clock, arch, out, progress } = workspace;
  const evidence = {
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
      seed: { packages: seed.packages.size, demotions: seed.demotions },
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
        buildSeconds: each.seconds,
      };
    }),
    channels: repository.snapshot.channels.map((channel) => ({
      name: channel.name,
      packages: channel.packages.map((pkg) => ({
        nevra: nevra(pkg),
        sha256: pkg.rpm,
        unsigned: pkg.unsigned,
        origin: pkg.origin,
        ...debianOrigin(seed, pkg),
      })),
    })),
    images: images.map((record) => ({
      name: record.name,
      kind: record.kind,
      inputs: record.inputs,
      installedSize: record.installedSize,
      files: record.files,
      packages: record.packages.map((pkg) => pkg.nevra),
      details: record.details,
    })),
    stages: progress.finished,
  };
  await writeIfChanged(join(out, imageKeyFile), imageKey.publicKey);
  const text = `${JSON.stringify(evidence, null, 2)}\n`;
  await writeIfChanged(join(out, 'release.json'), text);
  await writeIfChanged(join(out, releaseSignatureFile), signText(imageKey, text));
}

/**
 * The images of this run, and those of earlier runs that are made of nothing but this snapshot's packages. Whose record cannot be read,
 * as an older Weir wrote it, is none of them: it stops no build of another image.
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

function debianOrigin(seed: SeedRepository, pkg: RepoPackage): { readonly debian?: string } {
  const made = pkg.origin === 'seed' ? seed.packages.get(pkg.name) : undefined;
  return made === undefined || made.source === '' ? {} : { debian: `${made.source} ${made.sourceVersion}` };
}
