import { z } from 'zod';
import { parseNevra } from '../repo/metadata.ts';

// What of a build's records is relied on. They lie where anybody may have changed them; keys that nobody reads are not looked at.

/** One step of a path: a name that leads to nowhere else. */
const name = z
  .string()
  .refine((text) => text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text), 'it is no name');

const path = z
  .string()
  .refine((text) => text.split('/').every((part) => name.safeParse(part).success), 'it is no path');

const nevra = z.string().refine((text) => !text.includes('/') && parseNevra(text) !== undefined, 'it is no NEVRA');

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

/** `image.json`: what `ImageRecord` says. */
export const imageRecordSchema = z.object({
  ...shared,
  snapshot: z.string(),
  packages: z.array(z.object({ ...packageFields, nevra })),
  osRelease: z.record(z.string(), z.string()),
  log: z.array(z.string()),
});

/** `release.json`: what `ReleaseRecord` says. */
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

/** JSON of a shape, with the keys too that the shape does not name; undefined where the text is none. */
export function shaped<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return schema.safeParse(value).success ? (value as T) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The first thing that is wrong with a record, with its place in it; undefined where nothing is. */
export function recordProblem(schema: z.ZodType, value: unknown): string | undefined {
  const issue = schema.safeParse(value).error?.issues[0];
  if (issue === undefined) return undefined;
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
