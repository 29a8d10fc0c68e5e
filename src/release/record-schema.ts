import { z } from 'zod';
import type { Frozen } from '../base/frozen.ts';
import { parseNevra } from '../repo/metadata.ts';

// The records of a build, `release.json` and `image.json`: their types for the writers, and the checks for the readers, as
// anybody may have changed these files. Other keys are ignored.

/** One path component: it cannot lead outside its folder. */
const name = z
  .string()
  .refine((text) => text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text), 'invalid name');

const path = z.string().refine((text) => text.split('/').every((part) => name.safeParse(part).success), 'invalid path');

const nevra = z.string().refine((text) => !text.includes('/') && parseNevra(text) !== undefined, 'invalid NEVRA');

const imageFile = z.object({
  /** Relative to the image's folder. */
  path,
  /** Bytes, holes of sparse files counted. */
  size: z.number(),
  sha256: z.string(),
  /** For disks: digest of the data without zeros (`HashFile`), by which a disk is verified without hashing gigabytes of zeros. */
  data: z.string().exactOptional(),
});

/** The fields about an image that both records have. */
const imageFields = {
  name,
  kind: z.enum(['container', 'disk', 'wsl']),
  /** Digest of everything that the image is made from, including Weir's code; equal inputs give equal bytes. */
  inputs: z.string(),
  /** Sum of file sizes in the tree, bytes; hard links count once. */
  installedSize: z.number(),
  files: z.array(imageFile).min(1),
  /** Kind-specific facts: kernel and command line, or manifest digest. */
  details: z.record(z.string(), z.unknown()),
};

/** `image.json`, beside an image. */
export const imageRecordSchema = z.object({
  ...imageFields,
  /** Name of the project's image that this one was derived from, if a customization made it. */
  derivedFrom: z.string().exactOptional(),
  snapshot: z.string(),
  packages: z.array(
    z.object({
      nevra,
      name,
      epoch: z.number(),
      version: z.string(),
      release: z.string(),
      arch: z.string(),
      rpm: z.string(),
      sourceRpm: z.string(),
      origin: z.string(),
    }),
  ),
  osRelease: z.record(z.string(), z.string()),
  /** The steps of finalising. */
  log: z.array(z.string()),
});

/** `release.json`. */
export const releaseRecordSchema = z.object({
  schema: z.string(),
  /** Of the distribution. */
  name: z.string(),
  version: name,
  /** Name of the repository's snapshot. */
  snapshot: name,
  /** Seconds since 1970. */
  clock: z.number(),
  arch: name,
  signingKey: z.object({ fingerprint: z.string(), publicKey: z.string(), development: z.boolean() }),
  /** `id` is the SHA-256 of the public key's DER, `publicKey` PEM. */
  imageKey: z.object({ id: z.string(), publicKey: z.string(), development: z.boolean() }),
  inputs: z.object({
    toolbox: z.string(),
    seed: z.object({ packages: z.number(), demotions: z.number() }).optional(),
    /** RPM repositories that were the inputs instead of a seed; the digest covers their metadata and keys. */
    repositories: z.array(z.object({ id: name, digest: z.string() })).optional(),
  }),
  components: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      /** NEVRAs */
      packages: z.array(z.string()),
      srpm: z.object({ file: z.string(), sha256: z.string() }),
      /** File name → digest. */
      sources: z.record(z.string(), z.string()),
      overlays: z.array(z.object({ type: z.string(), description: z.string() })),
    }),
  ),
  channels: z.array(
    z.object({
      name,
      /** SHA-256 of its updateinfo.xml, uncompressed. */
      updateinfo: z.string().exactOptional(),
      packages: z.array(
        z.object({
          nevra,
          sha256: z.string(),
          /** SHA-256 of the file before signing, if it was signed. */
          unsigned: z.string().optional(),
          origin: z.string(),
          /** File name of the source package it was built from. */
          source: z.string().exactOptional(),
          debian: z.string().exactOptional(),
        }),
      ),
    }),
  ),
  /** Files of the snapshot beside its channels. */
  extras: z
    .array(
      z.object({ path, sha256: z.string(), signed: z.union([z.literal(true), z.literal('openpgp')]).exactOptional() }),
    )
    .exactOptional(),
  images: z.array(z.object({ ...imageFields, packages: z.array(nevra) })),
});

export type ImageFile = Frozen<z.infer<typeof imageFile>>;
export type ImageRecord = Frozen<z.infer<typeof imageRecordSchema>>;
export type ReleaseRecord = Frozen<z.infer<typeof releaseRecordSchema>>;

/** The content of a record's file. */
export function recordText(record: ImageRecord | ReleaseRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** Parses JSON of a given shape, and keeps keys that the shape does not name. Undefined if the text does not match. */
export function shaped<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return schema.safeParse(value).success ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The first fault of a record with its path, or undefined. */
export function recordProblem(schema: z.ZodType, value: unknown): string | undefined {
  const issue = schema.safeParse(value).error?.issues[0];
  if (issue === undefined) return undefined;
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
