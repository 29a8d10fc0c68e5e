import { canonicalJson, sha256 } from '../base/digest.ts';
import type { OciDescriptor } from '../image/oci.ts';

// Format: cosign's (sigstore, SIGNATURE_SPEC.md), which podman, skopeo and CRI-O verify too. A manifest under the tag
// `sha256-<digest>.sig` beside the image; its layers are signed claims that a reference stands for a digest.

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  claim: 'application/vnd.dev.cosign.simplesigning.v1+json',
} as const;

const signatureAnnotation = 'dev.cosignproject.cosign/signature';

/** A blob to send to the registry. */
export interface SignatureBlob {
  readonly descriptor: OciDescriptor;
  readonly bytes: Uint8Array;
}

export interface SignatureManifest {
  readonly layers?: readonly OciDescriptor[];
}

export interface ImageSignature {
  /** Tag of the manifest. */
  readonly tag: string;
  readonly manifest: Uint8Array;
  readonly mediaType: string;
  readonly blobs: readonly SignatureBlob[];
}

/** The tag of an image's signatures. */
export function signatureTag(subject: OciDescriptor): string {
  return `${subject.digest.replace(':', '-')}.sig`;
}

/**
 * Signs the claim that `reference` stands for an image. Existing signatures stay, except those of the same claim, which the
 * new one replaces.
 * @param reference `registry/repository:tag`
 */
export function signImage(
  subject: OciDescriptor,
  reference: string,
  sign: (bytes: Uint8Array) => Uint8Array,
  there: SignatureManifest = {},
): ImageSignature {
  const claim = Buffer.from(
    canonicalJson({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': subject.digest },
        type: 'cosign container image signature',
      },
      optional: { creator: 'weir' },
    }),
  );
  const layer = {
    ...describe(mediaTypes.claim, claim),
    annotations: { [signatureAnnotation]: Buffer.from(sign(claim)).toString('base64') },
  };
  const layers = [...(there.layers ?? []).filter(({ digest }) => digest !== layer.digest), layer];
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const config = Buffer.from(canonicalJson({ architecture: '', os: '', config: {}, rootfs }));
  const configDescriptor = describe(mediaTypes.config, config);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: configDescriptor, layers };
  return {
    tag: signatureTag(subject),
    manifest: Buffer.from(canonicalJson(manifest)),
    mediaType: mediaTypes.manifest,
    blobs: [
      { descriptor: layer, bytes: claim },
      { descriptor: configDescriptor, bytes: config },
    ],
  };
}

function describe(mediaType: string, bytes: Uint8Array): OciDescriptor {
  return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
}
