import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { canonicalJson, type Digest, fileDigest, sha256 } from '../base/digest.ts';
import { diskError, mapLimit, temporaryName, writeAtomic } from '../base/files.ts';
import { isoTime } from '../base/time.ts';
import type { Store } from '../engine/store.ts';
import type { ContainerSettings } from '../project/model/image.ts';
import { treeTar } from '../tree/tar.ts';
import type { Tree } from '../tree/tree.ts';
import type { Gzip } from './gzip.ts';
import { type Layer, splitLayers } from './layers.ts';

// Formats: OCI Image Format Specification 1.1.

export interface OciDescriptor {
  readonly mediaType: string;
  readonly digest: `sha256:${Digest}`;
  /** bytes */
  readonly size: number;
  readonly platform?: { readonly os: 'linux'; readonly architecture: OciArchitecture };
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Names as in Go. */
export type OciArchitecture = 'amd64' | 'arm64';

export interface OciOptions {
  readonly architecture: OciArchitecture;
  readonly settings: ContainerSettings;
  /** Annotations of the manifest, such as `org.opencontainers.image.version`; `created` is added. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The source package of a binary package, by name. */
  readonly sourceOf: (name: string) => string;
  /** The image's clock, seconds since 1970. */
  readonly epoch: number;
  /** Compresses the layers. */
  readonly gzip: Gzip;
}

export interface OciImage {
  readonly manifest: OciDescriptor;
  readonly config: OciDescriptor;
  readonly layers: readonly OciLayer[];
}

/** A written layer. */
export interface OciLayer {
  readonly descriptor: OciDescriptor;
  /** Digest before compression. */
  readonly diffId: `sha256:${Digest}`;
  /** For the history that `docker history` shows. */
  readonly title: string;
}

const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/**
 * Adds an image to a layout folder: its layers (`splitLayers`) as gzipped tars with file capabilities, a configuration and a
 * manifest. The folder is complete once `writeOciIndex` has named the manifest.
 * @throws the errors of `treeTar`
 */
export async function addOciImage(store: Store, layout: string, tree: Tree, options: OciOptions): Promise<OciImage> {
  const created = isoTime(options.epoch);
  const layers = splitLayers(tree, options.sourceOf);
  const written = await mapLimit(layers, 2, (layer) => writeLayer(store, layout, tree, layer, options));
  const config = await writeJson(layout, mediaTypes.config, ociConfig(options, written));
  const manifest = await writeJson(layout, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: written.map(({ descriptor }) => descriptor),
    annotations: { 'org.opencontainers.image.created': created, ...options.annotations },
  });
  const platform = { os: 'linux', architecture: options.architecture } as const;
  return { manifest: { ...manifest, platform }, config, layers: written };
}

/** The image configuration. */
export function ociConfig(
  options: OciOptions,
  layers: readonly Pick<OciLayer, 'diffId' | 'title'>[],
): Record<string, unknown> {
  const created = isoTime(options.epoch);
  const { entrypoint, cmd, env, labels, user, workdir } = options.settings;
  const path = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin' };
  const variables = Object.entries({ ...path, ...env }).map(([name, value]) => `${name}=${value}`);
  return {
    created,
    architecture: options.architecture,
    os: 'linux',
    config: {
      Env: variables.sort(),
      ...(user === undefined ? {} : { User: user }),
      ...(entrypoint.length === 0 ? {} : { Entrypoint: entrypoint }),
      ...(cmd.length === 0 ? {} : { Cmd: cmd }),
      ...(workdir === undefined ? {} : { WorkingDir: workdir }),
      ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ title }) => ({ created, created_by: `weir: ${title}` })),
  };
}

/** An artifact of an image: an SBOM, an attestation. */
export interface OciArtifact {
  /** Media type of the data, which is also the type of the artifact. */
  readonly artifactType: string;
  readonly data: string | Uint8Array;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An artifact's manifest and blobs. */
export interface OciArtifactParts {
  readonly manifest: OciDescriptor;
  readonly blobs: readonly { readonly descriptor: OciDescriptor; readonly bytes: Uint8Array }[];
}

/**
 * Creates an artifact: a manifest with the image's as its `subject`, which registries list as a referrer. It is created for the
 * push and is not in the layout: with a second manifest there, tools would reject the layout as ambiguous.
 */
export function ociArtifact(subject: OciDescriptor, artifact: OciArtifact): OciArtifactParts {
  const { artifactType, annotations } = artifact;
  const { mediaType, digest, size } = subject;
  const blob = (type: string, data: string | Uint8Array): OciArtifactParts['blobs'][number] => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    return { descriptor: { mediaType: type, digest: `sha256:${sha256(bytes)}`, size: bytes.length }, bytes };
  };
  const config = blob(mediaTypes.empty, '{}');
  const layer = blob(artifactType, artifact.data);
  const manifest = blob(
    mediaTypes.manifest,
    canonicalJson({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType,
      config: config.descriptor,
      layers: [layer.descriptor],
      subject: { mediaType, digest, size },
      ...(annotations === undefined ? {} : { annotations }),
    }),
  );
  return {
    manifest: { ...manifest.descriptor, artifactType, ...(annotations === undefined ? {} : { annotations }) },
    blobs: [config, layer, manifest],
  };
}

/**
 * Writes `index.json` and `oci-layout`. With one image per platform, the layout's index names an index of the images, so that
 * one name gives all of them.
 * @param name name of the image in the layout, such as `4.0`
 * @returns the descriptor of the name
 */
export async function writeOciIndex(
  layout: string,
  name: string,
  images: readonly OciDescriptor[],
): Promise<OciDescriptor> {
  const [first] = images;
  if (first === undefined) throw new TypeError('an OCI index without images');
  const index = (manifests: readonly OciDescriptor[]) => ({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests,
  });
  const named = images.length === 1 ? first : await writeJson(layout, mediaTypes.index, index(images));
  const annotations = { 'org.opencontainers.image.ref.name': name };
  const whole = index([{ ...named, annotations }]);
  await writeAtomic(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeAtomic(join(layout, 'index.json'), canonicalJson(whole));
  return named;
}

async function writeLayer(
  store: Store,
  layout: string,
  whole: Tree,
  { title, tree }: Layer,
  { epoch, gzip }: Pick<OciOptions, 'epoch' | 'gzip'>,
): Promise<OciLayer> {
  const plain = createHash('sha256');
  const folder = join(layout, 'blobs/sha256');
  await mkdir(folder, { recursive: true });
  const temporary = temporaryName(join(folder, 'layer'));
  try {
    const tar = treeTar(store, tree, { epoch, xattrs: { capabilities: true }, owners: whole });
    const hashed = new Transform({
      highWaterMark: 4 << 20,
      transform(chunk: Buffer, _encoding, done) {
        plain.update(chunk);
        done(null, chunk);
      },
    });
    // Forward errors of the tar, so that its reader ends.
    tar.on('error', (error) => hashed.destroy(error));
    await gzip(tar.pipe(hashed), temporary);
    const digest = await fileDigest(temporary);
    const { size } = await stat(temporary);
    await rename(temporary, join(folder, digest));
    return {
      descriptor: { mediaType: mediaTypes.layer, digest: `sha256:${digest}`, size },
      diffId: `sha256:${plain.digest('hex')}`,
      title,
    };
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, layout);
  }
}

function writeJson(layout: string, mediaType: string, value: unknown): Promise<OciDescriptor> {
  return writeBlob(layout, mediaType, canonicalJson(value));
}

async function writeBlob(layout: string, mediaType: string, data: string | Uint8Array): Promise<OciDescriptor> {
  const digest = sha256(data);
  await writeAtomic(join(layout, 'blobs/sha256', digest), data);
  return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(data) };
}
