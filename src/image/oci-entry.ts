/** The fields of an index entry about its manifest. Entries of other tools may lack any of them. */
export interface IndexEntry {
  readonly platform?: { readonly os?: string | undefined; readonly architecture?: string | undefined } | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/**
 * Whether an index entry is an attestation, which BuildKit puts beside each image: an image for no platform, with statements
 * instead of layers (BuildKit documentation, "Image attestation storage").
 */
export function isAttestation({ platform, annotations }: IndexEntry): boolean {
  if (annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return true;
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}
