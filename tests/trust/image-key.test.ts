import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { openEnvelope, signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { openImageKey, verifySignature } from '../../src/trust/image-key.ts';
import { failure } from '../base/failure.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-key-'));
});

async function written(name: string, key: KeyObject): Promise<string> {
  const type = key.type === 'private' ? 'pkcs8' : 'spki';
  const path = join(dir, name);
  await writeFile(path, key.export({ type, format: 'pem' } as never));
  return path;
}

describe('the development key', () => {
  it('is generated once, readable by its owner only', async () => {
    const options = { cache: dir, publicKey: undefined, secret: undefined };
    const [first, second] = await Promise.all([openImageKey(options), openImageKey(options)]);
    expect(second.id).toBe(first.id);
    expect(first).toMatchObject({ development: true, id: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await stat(join(dir, 'keys/image-development/key.pem'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dir, 'keys'))).toEqual(['image-development']);
  });

  it('signs the same bytes with the same signature', async () => {
    const key = await openImageKey({ cache: dir, publicKey: undefined, secret: undefined });
    const bytes = Buffer.from('what is signed');
    expect(Buffer.from(key.sign(bytes))).toEqual(Buffer.from(key.sign(bytes)));
  });
});

describe("the project's own key", () => {
  it.each(['ed25519', 'ec'] as const)('of type %s makes signatures that its public key verifies', async (kind) => {
    const pair = kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
    const publicKey = await written('public.pem', pair.publicKey);
    const key = await openImageKey({ cache: dir, publicKey, secret: await written('secret.pem', pair.privateKey) });
    expect(key.development).toBe(false);
    const bytes = Buffer.from('what is signed');
    const signature = key.sign(bytes);
    expect(verifySignature(key.publicKey, bytes, signature)).toBe(true);
    expect(verifySignature(key.publicKey, Buffer.from('another'), signature)).toBe(false);
    expect(await readdir(dir)).not.toContain('keys');
  });

  it('must not be a private key in the project', async () => {
    const secret = await written('secret.pem', generateKeyPairSync('ed25519').privateKey);
    const error = await failure(openImageKey({ cache: dir, publicKey: secret, secret }));
    expect(error).toMatchObject({ code: 'no-key', exit: 2, where: { file: secret } });
    expect(error.message).toContain('a private key');
  });

  it('must match the private key', async () => {
    const publicKey = await written('public.pem', generateKeyPairSync('ed25519').publicKey);
    const secret = await written('secret.pem', generateKeyPairSync('ed25519').privateKey);
    const error = await failure(openImageKey({ cache: dir, publicKey, secret }));
    expect(error).toMatchObject({ code: 'no-key', exit: 2, where: { file: secret } });
    expect(error.message).toContain('does not match');
  });

  it('must exist and be of a type that verifiers support', async () => {
    const publicKey = await written('public.pem', generateKeyPairSync('ed25519').publicKey);
    const absent = await failure(openImageKey({ cache: dir, publicKey, secret: undefined }));
    expect(absent).toMatchObject({ code: 'no-key', exit: 2, hint: expect.stringContaining('WEIR_IMAGE_KEY') });
    const nowhere = await failure(openImageKey({ cache: dir, publicKey: join(dir, 'none'), secret: undefined }));
    expect(nowhere).toMatchObject({ code: 'no-key', where: { file: join(dir, 'none') } });
    const rsa = await written('rsa.pem', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey);
    expect((await failure(openImageKey({ cache: dir, publicKey: rsa, secret: undefined }))).message).toContain('rsa');
    await writeFile(join(dir, 'text'), 'no key');
    const text = await failure(openImageKey({ cache: dir, publicKey: join(dir, 'text'), secret: undefined }));
    expect(text).toMatchObject({ code: 'no-key', hint: expect.stringContaining('openssl genpkey') });
  });
});

describe('an envelope', () => {
  it('returns its payload only if that is unchanged', async () => {
    const key = await openImageKey({ cache: dir, publicKey: undefined, secret: undefined });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.nat(), (payload, type, at) => {
        const envelope = signEnvelope(key, type, payload);
        expect(openEnvelope(key.publicKey, envelope)).toEqual(Buffer.from(payload));
        expect(openEnvelope(key.publicKey, { ...envelope, payloadType: `${type}x` })).toBeUndefined();
        if (payload.length === 0) return;
        const changed = Buffer.from(payload);
        changed[at % changed.length]! ^= 1;
        expect(openEnvelope(key.publicKey, { ...envelope, payload: changed.toString('base64') })).toBeUndefined();
      }),
    );
  });

  it('cannot be opened with another key', async () => {
    const key = await openImageKey({ cache: dir, publicKey: undefined, secret: undefined });
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(openEnvelope(other, signEnvelope(key, statementType, Buffer.from('{}')))).toBeUndefined();
  });
});
