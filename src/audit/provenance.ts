import type { Digest } from '../base/digest.ts';
import { byName } from '../base/order.ts';
import { nevra } from '../repo/metadata.ts';
import type { ImageContents } from './contents.ts';
import { packageUrl } from './identity.ts';

/** Type of an in-toto statement 1. */
export const statementSchemaType = 'https://in-toto.io/Statement/v1';
/** Type of a SLSA provenance 1. */
export const provenanceType = 'https://slsa.dev/provenance/v1';
/** Weir, as the builder of a provenance. */
export const builderId = 'https://weir.invalid/builder/1';

/** Subject of a statement: a file, or the manifest of a container image. */
export interface Subject {
  readonly name: string;
  readonly sha256: Digest;
}

/** How an image was built. */
export interface ImageMaking {
  readonly arch: string;
  readonly snapshot: string;
  /** The image's definition with all defaults filled in. */
  readonly definition: object;
  /** Digest over everything that the image is made from. */
  readonly inputs: Digest;
  /** Digest over the toolbox's packages. */
  readonly toolbox: Digest;
  readonly subjects: readonly Subject[];
}

/**
 * The provenance of an image: an in-toto statement 1 with SLSA provenance 1. Its only time is the release's clock, and
 * it names no machine, so that the same Weir writes the same statement for the same image.
 */
export function provenanceStatement(contents: ImageContents, making: ImageMaking): object {
  const packages = contents.packages.map(({ header, digest, signedDigest }) => ({
    name: nevra(header),
    uri: packageUrl(contents.distribution, header),
    digest: { sha256: signedDigest ?? digest },
  }));
  return {
    _type: statementSchemaType,
    subject: making.subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: provenanceType,
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
        resolvedDependencies: [...packages.sort(byName), { name: 'toolbox', digest: { sha256: making.toolbox } }],
      },
      runDetails: { builder: { id: builderId, version: { weir: contents.toolVersion } } },
    },
  };
}
