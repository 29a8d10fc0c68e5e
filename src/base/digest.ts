import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { byKey } from './order.ts';

/** SHA-256 as lower-case hex. */
export type Digest = string;

export function sha256(data: string | Uint8Array): Digest {
  return createHash('sha256').update(data).digest('hex');
}

/** Digest of a file, streamed. @param algorithm a name that Node's crypto accepts: `sha256`, `sha512`, `md5` */
export async function fileDigest(path: string, algorithm = 'sha256'): Promise<string> {
  const hash = createHash(algorithm);
  // One buffer for the whole file: a stream allocates one per chunk, and collecting those costs more than hashing.
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  const handle = await open(path);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** JSON with sorted object keys and without `undefined` values. Equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(byKey));
  });
}

/** Digest of a JSON value, independent of key order. */
export function valueDigest(value: unknown): Digest {
  return sha256(canonicalJson(value));
}
