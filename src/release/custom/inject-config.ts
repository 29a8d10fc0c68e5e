import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { Place } from '../../base/errors.ts';
import { readYaml } from './yaml.ts';

export type PartitionId = 'uuid' | 'part-uuid' | 'part-label';

/** A file to put into a partition. */
export interface Injection {
  readonly idType: PartitionId;
  readonly id: string;
  /** Absolute path in the partition. */
  readonly destination: string;
  /** Path on this machine. */
  readonly source: string;
  /** Where the configuration asks for it. */
  readonly place: Place;
}

const destinationSchema = z
  .string()
  .regex(/^(?:\/[^/\p{Cc}"\\:*?<>|]+)+$/u, 'must be an absolute path of a file, without " \\ : * ? < > |')
  .refine((path) => !path.split('/').some((part) => part === '..' || part === '.'), 'must not contain "." or ".."');

const schema = z.strictObject({
  injectFiles: z
    .array(
      z.strictObject({
        partition: z.strictObject({
          idType: z.enum(['', 'uuid', 'part-uuid', 'part-label']).optional(),
          id: z.string().min(1),
        }),
        destination: destinationSchema,
        source: z.string().min(1),
        /** What the file is; it changes nothing. */
        type: z.string().optional(),
      }),
    )
    .min(1, 'at least one file is needed'),
  // Image Customizer wants this command to be allowed.
  previewFeatures: z.array(z.literal('inject-files')).optional(),
});

/**
 * Reads a configuration for injecting files: Image Customizer's `inject-files.yaml`.
 * @throws WeirError `bad-image-config` (exit 2) with the line; `not-readable`
 */
export async function readInjections(path: string): Promise<Injection[]> {
  const { data, placeOf } = await readYaml(path, schema);
  return data.injectFiles.map(({ partition, destination, source }, index) => ({
    idType: partition.idType === undefined || partition.idType === '' ? 'part-uuid' : partition.idType,
    id: partition.id,
    destination,
    source: resolve(dirname(path), source),
    place: placeOf(['injectFiles', index]),
  }));
}
