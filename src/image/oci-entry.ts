/** What an entry of an index says of the manifest that it names; what another tool wrote may lack anything. */
export interface IndexEntry {
  readonly platform?: { readonly os?: string | undefined; readonly architecture?: string | undefined } | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * Whether an entry of an index is an attestation as BuildKit puts it beside each image: an image for no platform, with
 * statements in place of layers (BuildKit documentation, "Image attestation storage").
 */
export function isAttestation({ platform, annotations }: IndexEntry): boolean {
  if (annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return true;
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}
