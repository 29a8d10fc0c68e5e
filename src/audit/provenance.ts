import type { Digest } from '../base/digest.ts';
import { nevra } from '../repo/metadata.ts';
import type { ImageContents } from './contents.ts';
import { packageUrl } from './identity.ts';

/** A file, or the manifest of a container image, that a statement is about. */
export interface Subject {
  readonly name: string;
  readonly sha256: Digest;
}

/** How an image was made, besides what is in it. */
export interface ImageMaking {
  readonly arch: string;
  readonly snapshot: string;
  /** The image's definition as the project gives it, all defaults filled in. */
  readonly definition: object;
  /** Digest over all that the image is made from. */
  readonly inputs: Digest;
  /** Digest over the packages of the tools. */
  readonly toolbox: Digest;
  readonly subjects: readonly Subject[];
}

/**
 * Who made an image out of what: an in-toto statement 1 with SLSA provenance 1. It names no time and no machine besides the
 * release's own, so that the same image, made by the same Weir, has the same statement.
 */
export function provenanceStatement(contents: ImageContents, making: ImageMaking): object {
  const packages = contents.packages.map(({ header, digest, signedDigest }) => ({
    name: nevra(header),
    uri: packageUrl(contents.distribution, header),
    digest: { sha256: signedDigest ?? digest },
  }));
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: making.subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://weir.invalid/provenance/image/1',
        externalParameters: {
          image: contents.name,
          version: contents.version,
          arch: making.arch,
          snapshot: making.snapshot,
          definition: making.definition,
        },
        internalParameters: { sourceDateEpoch: contents.clock, inputs: making.inputs },
        resolvedDependencies: [
          ...packages.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
          { name: 'toolbox', digest: { sha256: making.toolbox } },
        ],
      },
      runDetails: { builder: { id: 'https://weir.invalid/builder/1', version: { weir: contents.toolVersion } } },
    },
  };
}
