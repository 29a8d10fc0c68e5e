import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { mapLimit, readIfExists } from '../base/files.ts';
import { compareText } from '../base/order.ts';
import { type OciArtifact, type OciDescriptor, ociArtifact } from '../image/oci.ts';
import { isAttestation } from '../image/oci-entry.ts';
import type { ImageReference } from './reference.ts';
import { indexType, openRegistry, type Registry, type RegistryOptions } from './registry.ts';
import { type SignatureManifest, signatureTag, signImage } from './signature.ts';

export interface PushOptions extends RegistryOptions {
  readonly onProgress?: (text: string) => void;
  /** Signs bytes with the image key. */
  readonly sign?: (bytes: Uint8Array) => Uint8Array;
  /** The tag is an index of images for several architectures: this image replaces the one of its own architecture. */
  readonly index?: boolean;
}

export interface PushReport {
  /** `registry/repository@sha256:…`; of the index, if there is one. */
  readonly pushed: string;
  /** Digest of the image. */
  readonly digest: string;
  readonly tag: string;
  readonly blobs: { readonly uploaded: number; readonly there: number; readonly bytes: number };
  /** Digests of SBOMs and other manifests that refer to the image. */
  readonly referrers: readonly string[];
  /** Tag of its signatures, if it was signed. */
  readonly signature?: string;
  /** Architectures in the tag's index, if it is one. */
  readonly architectures?: readonly string[];
}

/** Manifest of an image, or of an index of images. */
interface Manifest {
  readonly config?: OciDescriptor;
  readonly layers?: readonly OciDescriptor[];
  readonly manifests?: readonly OciDescriptor[];
}

/** Sends the blobs that the registry lacks, and counts them. */
interface Sender {
  readonly send: (blob: OciDescriptor, content: () => Promise<Blob>) => Promise<void>;
  readonly report: { uploaded: number; there: number; bytes: number };
}

/**
 * Pushes the image of a layout folder and its artifacts as referrers, and signs it. Blobs that the registry already has are
 * not sent again. The tag is set last, so that an incomplete image can never be pulled.
 * @param layout an OCI layout as `writeOciIndex` leaves it
 * @param artifacts SBOMs and the like
 * @throws WeirError `registry-failed`, `registry-denied`, `no-registry`, `not-a-layout`, `not-an-index`, `is-an-index`
 */
export async function pushLayout(
  layout: string,
  to: ImageReference,
  artifacts: readonly OciArtifact[],
  options: PushOptions = {},
): Promise<PushReport> {
  const { manifests } = await readManifest<{ manifests: readonly OciDescriptor[] }>(layout, 'index.json');
  const named = manifests.find((entry) => entry.annotations?.['org.opencontainers.image.ref.name'] !== undefined);
  if (named === undefined) {
    throw new WeirError('not-a-layout', 'the index of the layout names no image', {
      where: { file: join(layout, 'index.json') },
    });
  }
  const registry = openRegistry(to, options);
  // Check before sending anything: the existing tag may have to stay.
  const there = await registry.getManifest<Manifest>(to.tag);
  const others = options.index === true ? otherPlatforms(there, to, named) : undefined;
  if (others === undefined) checkReplaceable(there, to, named);
  const sender = openSender(registry, options);
  const bytes = await sendImage(registry, sender, layout, named);
  const referrers = await sendReferrers(registry, sender, named, artifacts);
  const sign = options.sign;
  const signature = sign && (await sendSignature(registry, sender, to, named, sign));
  const common = {
    digest: named.digest,
    tag: to.tag,
    blobs: sender.report,
    referrers,
    ...(signature === undefined ? {} : { signature }),
  };
  const pushed = ({ digest }: OciDescriptor): string => `${to.registry}/${to.repository}@${digest}`;
  if (others === undefined) {
    await registry.putManifest(to.tag, named.mediaType, bytes);
    return { pushed: pushed(named), ...common };
  }
  const index = indexOf([...others, named]);
  await registry.putManifest(index.descriptor.digest, indexType, index.bytes);
  if (sign !== undefined) await sendSignature(registry, sender, to, index.descriptor, sign);
  await registry.putManifest(to.tag, indexType, index.bytes);
  return { pushed: pushed(index.descriptor), ...common, architectures: index.architectures };
}

/** The images of the tag's index for platforms other than that of `named`; empty if the tag does not exist. */
function otherPlatforms(
  there: Manifest | undefined,
  to: ImageReference,
  named: OciDescriptor,
): readonly OciDescriptor[] {
  if (there === undefined) return [];
  if (there.manifests === undefined) {
    throw new WeirError('not-an-index', `${to.registry}/${to.repository}:${to.tag} is a single image, not an index`, {
      hint: 'push to another tag, or omit --index to replace the image',
      exit: 2,
    });
  }
  return there.manifests.filter((entry) => platformOf(entry) !== platformOf(named));
}

/** Refuses to replace an index with one image: the images of all other platforms would be lost. @throws WeirError `is-an-index` (exit 2) */
function checkReplaceable(there: Manifest | undefined, to: ImageReference, named: OciDescriptor): void {
  if (there?.manifests === undefined || named.mediaType === indexType) return;
  const names = there.manifests.filter((entry) => !isAttestation(entry)).map(platformOf);
  const others = [...new Set(names)].filter((name) => name !== platformOf(named)).sort();
  if (others.length === 0) return;
  throw new WeirError(
    'is-an-index',
    `${to.registry}/${to.repository}:${to.tag} is an index with images for ${others.join(', ')}, which this push would remove`,
    { hint: 'push with --index to replace only this platform, or push to another tag', exit: 2 },
  );
}

/** `linux/arm64` */
function platformOf({ platform }: OciDescriptor): string {
  return platform === undefined ? 'no named platform' : `${platform.os}/${platform.architecture}`;
}

function indexOf(images: readonly OciDescriptor[]): {
  readonly descriptor: OciDescriptor;
  readonly bytes: Uint8Array;
  readonly architectures: readonly string[];
} {
  const name = ({ platform }: OciDescriptor): string => platform?.architecture ?? '';
  const sorted = [...images].sort((a, b) => compareText(name(a), name(b)));
  const manifests = sorted.map(({ mediaType, digest, size, platform }) => ({ mediaType, digest, size, platform }));
  const bytes = Buffer.from(canonicalJson({ schemaVersion: 2, mediaType: indexType, manifests }));
  const descriptor = { mediaType: indexType, digest: `sha256:${sha256(bytes)}`, size: bytes.length } as const;
  return { descriptor, bytes, architectures: sorted.map(name) };
}

function openSender(registry: Registry, options: PushOptions): Sender {
  const report = { uploaded: 0, there: 0, bytes: 0 };
  const sent = new Set<string>();
  return {
    report,
    send: async (blob, content) => {
      if (sent.has(blob.digest)) return;
      sent.add(blob.digest);
      if (await registry.hasBlob(blob)) {
        report.there++;
        return;
      }
      await registry.putBlob(blob, content);
      report.uploaded++;
      report.bytes += blob.size;
      options.onProgress?.(`${report.uploaded} blobs sent`);
    },
  };
}

/** Sends the blobs, then the manifests that name them, by digest. @returns the bytes of the image's own manifest */
async function sendImage(
  registry: Registry,
  sender: Sender,
  layout: string,
  descriptor: OciDescriptor,
): Promise<Uint8Array> {
  const bytes = await readFile(blobFile(layout, descriptor.digest));
  const manifest = JSON.parse(bytes.toString()) as Manifest;
  for (const inner of manifest.manifests ?? []) await sendImage(registry, sender, layout, inner);
  const blobs = [...(manifest.layers ?? []), ...(manifest.config === undefined ? [] : [manifest.config])];
  await mapLimit(blobs, 3, (blob) => sender.send(blob, () => openBlob(blobFile(layout, blob.digest))));
  await registry.putManifest(descriptor.digest, descriptor.mediaType, bytes);
  return bytes;
}

/** @returns digests of the referrers' manifests */
async function sendReferrers(
  registry: Registry,
  sender: Sender,
  subject: OciDescriptor,
  artifacts: readonly OciArtifact[],
): Promise<string[]> {
  const referrers = artifacts.map((artifact) => ociArtifact(subject, artifact));
  const unlisted: OciDescriptor[] = [];
  for (const { manifest, blobs } of referrers) {
    for (const { descriptor, bytes } of blobs) {
      const content = new Uint8Array(bytes);
      if (descriptor.digest !== manifest.digest) await sender.send(descriptor, async () => new Blob([content]));
      else if (!(await registry.putManifest(descriptor.digest, descriptor.mediaType, content))) unlisted.push(manifest);
    }
  }
  await registry.listReferrers(subject, unlisted);
  return referrers.map(({ manifest }) => manifest.digest);
}

/** @returns the tag of the signatures */
async function sendSignature(
  registry: Registry,
  sender: Sender,
  to: ImageReference,
  subject: OciDescriptor,
  sign: (bytes: Uint8Array) => Uint8Array,
): Promise<string> {
  const there = await registry.getManifest<SignatureManifest>(signatureTag(subject));
  const reference = `${to.registry}/${to.repository}:${to.tag}`;
  const { tag, manifest, mediaType, blobs } = signImage(subject, reference, sign, there);
  for (const { descriptor, bytes } of blobs) {
    await sender.send(descriptor, async () => new Blob([new Uint8Array(bytes)]));
  }
  await registry.putManifest(tag, mediaType, manifest);
  return tag;
}

function blobFile(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

async function openBlob(file: string): Promise<Blob> {
  try {
    return await openAsBlob(file);
  } catch (cause) {
    throw new WeirError('not-a-layout', 'cannot read a blob of the layout', { where: { file }, cause });
  }
}

async function readManifest<T>(layout: string, path: string): Promise<T> {
  const text = await readIfExists(join(layout, path));
  if (text === undefined) {
    throw new WeirError('not-a-layout', 'not an OCI layout', { where: { file: join(layout, path) }, exit: 2 });
  }
  return JSON.parse(text) as T;
}
