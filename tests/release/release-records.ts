import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseRecord } from '../../src/release/record-schema.ts';
import { recordText } from '../../src/release/record-schema.ts';
import { type ImageKey, openImageKey, signText } from '../../src/trust/image-key.ts';

/** A key of images of its own. @param dir a folder for its files */
export async function newImageKey(dir: string): Promise<ImageKey> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const [open, secret] = [join(dir, 'image-key.pem'), join(dir, 'secret.pem')];
  await writeFile(open, publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(
    secret,
    createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ type: 'pkcs8', format: 'pem' }),
  );
  return openImageKey({ cache: dir, publicKey: open, secret });
}

/** A release with one package and no image. */
export function recordOf(key: Pick<ImageKey, 'id' | 'publicKey'>, changes: Partial<ReleaseRecord> = {}): ReleaseRecord {
  return {
    schema: 'https://weir.invalid/schema/release-1.json',
    name: 'Weir Linux',
    version: '4.0',
    snapshot: '20260101-01234567',
    clock: 1_767_225_600,
    arch: 'x86_64',
    signingKey: { fingerprint: 'AB', publicKey: '', development: true },
    imageKey: { id: key.id, publicKey: key.publicKey, development: true },
    inputs: { toolbox: 'ab', seed: { packages: 1, demotions: 0 } },
    components: [],
    channels: [{ name: 'base', packages: [{ nevra: 'bash-5.3-4.x86_64', sha256: 'ab', origin: 'seed' }] }],
    images: [],
    ...changes,
  };
}

/** The record as `keepRelease` takes it. */
export function signedRecord(key: ImageKey, changes: Partial<ReleaseRecord> = {}) {
  const record = recordOf(key, changes);
  const text = recordText(record);
  return { snapshot: record.snapshot, text, signature: signText(key, text), publicKey: key.publicKey };
}

/** Writes `release.json` with its signature, as an older Weir did it: without keeping the record. */
export async function writeLast(out: string, { text, signature }: { text: string; signature: string }): Promise<void> {
  await writeFile(join(out, 'release.json'), text);
  await writeFile(join(out, 'release.json.sig'), signature);
}
