import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../base/errors.ts';
import type { Complaint } from './rule.ts';

// Formats: OCI Image Format Specification 1.1. Files of other tools may lack any field. Go programs write null for empty
// values.

const maybe = <T extends z.ZodType>(shape: T) =>
  shape.nullish().transform((value): z.output<T> | undefined => value ?? undefined);
const texts = z.record(z.string(), z.string());

export const descriptorShape = z.object({
  mediaType: maybe(z.string()),
  digest: maybe(z.string()),
  size: maybe(z.number()),
  platform: maybe(z.object({ os: maybe(z.string()), architecture: maybe(z.string()), variant: maybe(z.string()) })),
  annotations: maybe(texts),
});

export const manifestShape = z.object({
  /** Entries of an index are checked one by one, so that an invalid one does not hide the others. */
  manifests: maybe(z.array(z.unknown())),
  config: maybe(descriptorShape),
  layers: maybe(z.array(descriptorShape)),
  artifactType: maybe(z.string()),
  subject: maybe(z.unknown()),
});

export const configShape = z.object({
  architecture: maybe(z.string()),
  os: maybe(z.string()),
  config: maybe(z.object({ Labels: maybe(texts), User: maybe(z.string()) })),
  rootfs: maybe(z.object({ diff_ids: maybe(z.array(z.string())) })),
});

export type Descriptor = z.output<typeof descriptorShape>;
export type Manifest = z.output<typeof manifestShape>;
export type Config = z.output<typeof configShape>;

/** A fault of a layout's part, with the part's digest or path. */
export type Problem = Complaint & { readonly where: string };

/** Checks a value against a schema. @returns undefined if it does not match; then `problems` has the reason */
export function shapedAs<T>(shape: z.ZodType<T>, value: unknown, where: string, problems: Problem[]): T | undefined {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  problems.push({ message: `${path === '' ? '' : `${path}: `}invalid: ${issue?.message}`, where });
  return undefined;
}

/** Parses JSON. @returns undefined if invalid; then `problems` has the reason */
export function parsedJson(text: string, where: string, problems: Problem[]): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problems.push({ message: 'invalid JSON', where });
    return undefined;
  }
}

/** Limit in bytes; registries accept manifests up to 4 MiB. */
const mostOfJson = 16 << 20;

/** A JSON blob of a given shape, with digest and size checked. @returns undefined if unavailable */
export async function jsonBlob<T>(
  layout: string,
  descriptor: Descriptor,
  shape: z.ZodType<T>,
  problems: Problem[],
): Promise<T | undefined> {
  const where = descriptor.digest ?? 'a blob without a digest';
  const file = await findBlob(layout, descriptor, problems);
  if (file === undefined) return undefined;
  if (file.size > mostOfJson) {
    problems.push({ message: `it has ${file.size} bytes, too large for a manifest`, where });
    return undefined;
  }
  const data = await readFile(file.path);
  if (`${file.algorithm}:${createHash(file.algorithm).update(data).digest('hex')}` !== descriptor.digest) {
    problems.push({ message: 'its content does not match its digest', where });
  }
  const value = parsedJson(data.toString('utf8'), where, problems);
  return value === undefined ? undefined : shapedAs(shape, value, where, problems);
}

const hexDigits = { sha256: 64, sha384: 96, sha512: 128 } as const;

export type Algorithm = keyof typeof hexDigits;

/** The algorithm of a digest; undefined if unsupported. */
export function algorithmOf(digest: string | undefined): Algorithm | undefined {
  const [, name, hex] = /^(sha256|sha384|sha512):([0-9a-f]+)$/.exec(digest ?? '') ?? [];
  return name !== undefined && hex?.length === hexDigits[name as Algorithm] ? (name as Algorithm) : undefined;
}

export interface Blob {
  readonly path: string;
  /** bytes */
  readonly size: number;
  readonly algorithm: Algorithm;
}

/** The file of a blob, with its size checked. @returns undefined if missing; then `problems` has the reason */
export async function findBlob(layout: string, descriptor: Descriptor, problems: Problem[]): Promise<Blob | undefined> {
  const { digest } = descriptor;
  const where = digest ?? 'a blob without a digest';
  const algorithm = algorithmOf(digest);
  const path =
    algorithm === undefined ? undefined : join(layout, 'blobs', algorithm, digest!.slice(algorithm.length + 1));
  const size = path === undefined ? undefined : await fileSize(path);
  if (algorithm === undefined || path === undefined || size === undefined) {
    const message = digest !== undefined && algorithm === undefined ? 'invalid digest' : 'no such blob';
    problems.push({ message, where });
    return undefined;
  }
  if (size !== descriptor.size) problems.push({ message: `it has ${size} bytes, not ${descriptor.size}`, where });
  return { path, size, algorithm };
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) throw error;
    return undefined;
  }
}
