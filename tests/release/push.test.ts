import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import type { ImageFile } from '../../src/release/images.ts';
import { checkAsBuilt } from '../../src/release/push.ts';
import { signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { type ImageKey, openImageKey } from '../../src/trust/image-key.ts';

const manifest = sha256('manifest');
const other = sha256('another manifest');
const indexOf = (digest: string) => JSON.stringify({ manifests: [{ digest: `sha256:${digest}` }] });

let dir: string;
let key: ImageKey;
let files: ImageFile[];

async function put(path: string, text: string): Promise<void> {
  await writeFile(join(dir, path), text);
  files = [...files.filter((file) => file.path !== path), { path, size: text.length, sha256: sha256(text) }];
}

async function attest(digest: string): Promise<void> {
  const statement = Buffer.from(JSON.stringify({ subject: [{ name: 'base', digest: { sha256: digest } }] }));
  await put('provenance.dsse.json', JSON.stringify(signEnvelope(key, statementType, statement)));
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-push-'));
  key = await openImageKey({ cache: join(dir, 'cache'), publicKey: undefined, secret: undefined });
  files = [];
  await mkdir(join(dir, 'oci'));
  await put('oci/index.json', indexOf(manifest));
  await put('sbom.spdx.json', '{}');
  await put('sbom.cdx.json', '{}');
  await attest(manifest);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const check = (publicKey = key.publicKey) => checkAsBuilt(dir, { files }, publicKey);
const refusal = (path: string) => ({ code: 'not-as-built', where: { file: join(dir, path) } });

describe('what is pushed is what was built', () => {
  test('as it was made it passes', async () => {
    await expect(check()).resolves.toBeUndefined();
  });

  test.each(['oci/index.json', 'sbom.spdx.json', 'sbom.cdx.json', 'provenance.dsse.json'])(
    'not so with another %s',
    async (path) => {
      const before = await readFile(join(dir, path), 'utf8');
      await writeFile(join(dir, path), `${before} `);
      await expect(check()).rejects.toMatchObject(refusal(path));
    },
  );

  test('not so where the record was changed with the layout', async () => {
    await put('oci/index.json', indexOf(other));
    await expect(check()).rejects.toMatchObject(refusal('oci/index.json'));
  });

  test('not so where another key signed the provenance', async () => {
    const second = await openImageKey({ cache: join(dir, 'second'), publicKey: undefined, secret: undefined });
    await expect(check(second.publicKey)).rejects.toMatchObject(refusal('provenance.dsse.json'));
  });
});
