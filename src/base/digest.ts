import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** SHA-256 as lower-case hex. */
export type Digest = string;

export function sha256(data: string | Uint8Array): Digest {
  return createHash('sha256').update(data).digest('hex');
}

/** Digest of a file, streamed. @param algorithm a name that Node's crypto accepts: `sha256`, `sha512`, `md5` */
export async function fileDigest(path: string, algorithm = 'sha256'): Promise<string> {
  const hash = createHash(algorithm);
  const handle = await open(path);
  try {
    // One buffer for the whole file, and no larger: allocating costs more than hashing a small file.
    const buffer = Buffer.allocUnsafeSlow(Math.min(1 << 20, Math.max(4096, (await handle.stat()).size)));
    for (;;) {
      const { bytesRead } = await handle.read(buffer);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/**
 * JSON with sorted object keys and without `undefined` values. Equal values give equal text. Keys that are array indexes come
 * first, in numeric order, as everywhere in JavaScript.
 */
export function canonicalJson(value: unknown): string {
  // `undefined` for what JSON cannot say, as with JSON.stringify.
  return jsonOf(value) as string;
}

// By hand: JSON.stringify with a replacer takes three times as long, and a build hashes the inputs of thousands of actions.
function jsonOf(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) {
    const items: string[] = [];
    for (const item of value as unknown[]) items.push(jsonOf(item) ?? 'null');
    return `[${items.join(',')}]`;
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return jsonOf(value.toJSON());
  let keys = Object.keys(value).sort();
  if (keys.some((key) => key >= '0' && key < ':')) keys = Object.keys(Object.fromEntries(keys.map((key) => [key, 0])));
  const fields: string[] = [];
  for (const key of keys) {
    const text = jsonOf((value as Readonly<Record<string, unknown>>)[key]);
    if (text !== undefined) fields.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${fields.join(',')}}`;
}

/** Digest of a JSON value, independent of key order. */
export function valueDigest(value: unknown): Digest {
  return sha256(canonicalJson(value));
}
