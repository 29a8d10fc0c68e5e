import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { WeirError } from '../base/errors.ts';
import { exists, readIfExists, temporaryName, writeAtomic } from '../base/files.ts';
import { cachePath } from '../base/paths.ts';

/** A key for signing images and attestations, in a format that cosign, podman and skopeo verify (they do not support OpenPGP). */
export interface ImageKey {
  /** Ed25519: 64 bytes, deterministic. ECDSA P-256 with SHA-256: DER, different on each call. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
  /** SHA-256 of the public key's DER, hex. */
  readonly id: string;
  /** Generated on first use, for development: not to be trusted by others. */
  readonly development: boolean;
}

/** Environment variable with the path of the project's private key. */
export const imageKeyVariable = 'WEIR_IMAGE_KEY';

export interface ImageKeyOptions {
  readonly cache: string;
  /** Path of the public key, PEM. */
  readonly publicKey: string | undefined;
  /** Path of the private key, PEM. */
  readonly secret: string | undefined;
}

/**
 * The project's key, given by its public key, or the development key, generated on first use.
 * @throws WeirError `no-key` (exit 2)
 */
export async function openImageKey(options: ImageKeyOptions): Promise<ImageKey> {
  if (options.publicKey === undefined) return keyOf(await developmentKey(options.cache), true);
  const wanted = await readPublicKey(options.publicKey);
  if (options.secret === undefined || options.secret === '') {
    throw new WeirError('no-key', `missing private key for images: ${imageKeyVariable} is not set`, {
      where: { file: options.publicKey },
      hint: `set ${imageKeyVariable} to the file with the private key (PEM, PKCS #8, no passphrase)`,
      exit: 2,
    });
  }
  const key = keyOf(readKey(await needed(options.secret), createPrivateKey, options.secret), false);
  if (key.id !== keyId(wanted)) {
    throw new WeirError('no-key', `the private key does not match ${options.publicKey}`, {
      where: { file: options.secret },
      hint: `set ${imageKeyVariable} to the private key that belongs to [signing] image-key`,
      exit: 2,
    });
  }
  return key;
}

/** @param publicKey PEM */
export function verifySignature(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey(publicKey);
  return verify(hashOf(key), bytes, key, signature);
}

/** A detached signature of a text, as `openssl pkeyutl -rawin` and `cosign sign-blob` make them: base64, one line. */
export function signText(key: ImageKey, text: string): string {
  return `${Buffer.from(key.sign(Buffer.from(text))).toString('base64')}\n`;
}

/** Whether `signature` is a valid `signText` signature of these bytes. @param publicKey PEM */
export function isSignatureOf(publicKey: string, bytes: Uint8Array, signature: string): boolean {
  const decoded = Buffer.from(signature, 'base64');
  // Node stops at the end of the base64 and ignores what follows; other verifiers reject such a file.
  return decoded.toString('base64') === signature.trimEnd() && verifySignature(publicKey, bytes, decoded);
}

/** The id of the project's public key, as in `ImageKey`. @throws WeirError `no-key` (exit 2) */
export async function namedKeyId(file: string): Promise<string> {
  return keyId(await readPublicKey(file));
}

async function readPublicKey(file: string): Promise<KeyObject> {
  const open = await needed(file);
  // Node would derive the public key from it, and nobody would notice that the project publishes its private key.
  if (/PRIVATE KEY-----/.test(open)) {
    throw new WeirError('no-key', 'this is a private key; [signing] image-key must be the public key', {
      where: { file },
      hint: `keep it outside of the project and set ${imageKeyVariable} to its path; openssl pkey -pubout writes the public key`,
      exit: 2,
    });
  }
  return readKey(open, createPublicKey, file);
}

/** The id of a public key, as in `ImageKey`. @param file its path, for errors @throws WeirError `no-key` (exit 2) */
export function publicKeyId(pem: string, file: string): string {
  return keyId(readKey(pem, createPublicKey, file));
}

function keyOf(secret: KeyObject, development: boolean): ImageKey {
  const open = createPublicKey(secret);
  return {
    sign: (bytes) => sign(hashOf(secret), bytes, secret),
    publicKey: open.export({ type: 'spki', format: 'pem' }).toString(),
    id: keyId(open),
    development,
  };
}

function keyId(key: KeyObject): string {
  return sha256(key.export({ type: 'spki', format: 'der' }));
}

/** Ed25519 has its own hash. */
function hashOf(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
}

function readKey(pem: string, read: (pem: string) => KeyObject, file: string): KeyObject {
  const hint =
    'use an Ed25519 or ECDSA P-256 key in PEM without a passphrase, for example from openssl genpkey -algorithm ed25519';
  let key: KeyObject;
  try {
    key = read(pem);
  } catch (cause) {
    throw new WeirError('no-key', 'cannot read the key', { where: { file }, hint, exit: 2, cause });
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519' || (type === 'ec' && details?.namedCurve === 'prime256v1')) return key;
  throw new WeirError('no-key', `unsupported key type ${type}`, { where: { file }, hint, exit: 2 });
}

async function needed(file: string): Promise<string> {
  const text = await readIfExists(file);
  if (text !== undefined) return text;
  throw new WeirError('no-key', 'key file not found', { where: { file }, exit: 2 });
}

async function developmentKey(cache: string): Promise<KeyObject> {
  const home = cachePath(cache, 'keys', 'image-development');
  const file = join(home, 'key.pem');
  if (!(await exists(file))) {
    const temporary = temporaryName(home);
    await mkdir(temporary, { mode: 0o700, recursive: true });
    try {
      const { privateKey } = generateKeyPairSync('ed25519', { privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
      await writeAtomic(join(temporary, 'key.pem'), privateKey.toString(), 0o600);
      await rename(temporary, home).catch(async (error: unknown) => {
        if (!(await exists(file))) throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  return readKey(await needed(file), createPrivateKey, file);
}
