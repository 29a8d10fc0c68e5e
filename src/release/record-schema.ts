import { z } from 'zod';
import { parseNevra } from '../repo/metadata.ts';

// The parts of build records that Weir relies on. Anybody may have changed these files. Other keys are ignored.

/** One path component: it cannot lead outside its folder. */
const name = z
  .string()
  .refine((text) => text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text), 'invalid name');

const path = z.string().refine((text) => text.split('/').every((part) => name.safeParse(part).success), 'invalid path');

const nevra = z.string().refine((text) => !text.includes('/') && parseNevra(text) !== undefined, 'invalid NEVRA');

const shared = {
  name,
  kind: z.enum(['container', 'disk', 'wsl']),
  inputs: z.string(),
  installedSize: z.number(),
  files: z.array(z.object({ path, size: z.number(), sha256: z.string(), data: z.string().optional() })).min(1),
  details: z.record(z.string(), z.unknown()),
};

const packageFields = {
  name,
  epoch: z.number(),
  version: z.string(),
  release: z.string(),
  arch: z.string(),
  rpm: z.string(),
  sourceRpm: z.string(),
  origin: z.string(),
};

/** `image.json`: an `ImageRecord`. */
export const imageRecordSchema = z.object({
  ...shared,
  snapshot: z.string(),
  packages: z.array(z.object({ ...packageFields, nevra })),
  osRelease: z.record(z.string(), z.string()),
  log: z.array(z.string()),
});

/** `release.json`: a `ReleaseRecord`. */
export const releaseRecordSchema = z.object({
  version: name,
  snapshot: name,
  arch: name,
  signingKey: z.object({ fingerprint: z.string(), publicKey: z.string() }),
  imageKey: z.object({ id: z.string(), publicKey: z.string() }),
  components: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      packages: z.array(z.string()),
      srpm: z.object({ file: z.string(), sha256: z.string() }),
    }),
  ),
  channels: z.array(
    z.object({
      name,
      packages: z.array(
        z.object({
          nevra,
          sha256: z.string(),
          unsigned: z.string().optional(),
          origin: z.string(),
          debian: z.string().optional(),
        }),
      ),
    }),
  ),
  images: z.array(z.object({ ...shared, packages: z.array(nevra) })),
});

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
