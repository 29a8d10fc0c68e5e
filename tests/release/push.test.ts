import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { createProgress } from '../../src/base/progress.ts';
import { listenOnLoopback } from '../../src/boot/loopback.ts';
import type { Project } from '../../src/project/model/project.ts';
import { pushImage } from '../../src/release/push.ts';
import { signEnvelope, statementType } from '../../src/trust/dsse.ts';
import { type ImageKey, openImageKey, signText } from '../../src/trust/image-key.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';

const manifest = '{"config":{},"layers":[]}';
const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', size: manifest.length };
const indexOf = (digest: string) =>
  JSON.stringify({
    manifests: [
      { ...descriptor, digest, annotations: { 'org.opencontainers.image.ref.name': 'base' }, platform: linux },
    ],
  });
const linux = { os: 'linux', architecture: 'amd64' };
const digest = `sha256:${sha256(manifest)}`;
const snapshot = '20260101-01234567';

let root: string;
let out: string;
let dir: string;
let key: ImageKey;
let files: { path: string; size: number; sha256: string }[];
let server: Server;
let port: number;
/** Requests that the registry received. */
let sent: string[];

async function put(path: string, text: string): Promise<void> {
  await writeFile(join(dir, path), text);
  files = [...files.filter((file) => file.path !== path), { path, size: text.length, sha256: sha256(text) }];
}

async function attest(signer: ImageKey): Promise<void> {
  const statement = { subject: [{ name: 'base', digest: { sha256: sha256(manifest) } }] };
  await put(
    'provenance.dsse.json',
    JSON.stringify(signEnvelope(signer, statementType, Buffer.from(JSON.stringify(statement)))),
  );
}

const shared = () => ({
  name: 'base',
  kind: 'container',
  inputs: 'ab',
  installedSize: 7,
  files,
  details: { manifest: digest },
});

/** Written after the image's files, as the build does. */
async function recordImage(): Promise<void> {
  const own = { ...shared(), packages: [], snapshot, osRelease: {}, log: [] };
  await writeFile(join(dir, 'image.json'), JSON.stringify(own));
}

/** @param images as `recordImage` leaves them */
async function recordRelease(signer: ImageKey, images: object[] = [{ ...shared(), packages: [] }]): Promise<void> {
  const { id, publicKey } = signer;
  const text = JSON.stringify({
    ...{ schema: 's', name: 'Weir Linux', version: '4.0', snapshot, clock: 1, arch: 'x86_64' },
    signingKey: { fingerprint: 'F', publicKey: '', development: true },
    imageKey: { id, publicKey, development: true },
    inputs: { toolbox: 't', seed: { packages: 0, demotions: 0 } },
    ...{ components: [], channels: [], images },
  });
  await writeFile(join(out, 'release.json'), text);
  await writeFile(join(out, 'release.json.sig'), signText(signer, text));
  await writeFile(join(out, 'image-key.pem'), publicKey);
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-push-'));
  out = join(root, 'out');
  dir = join(out, 'images/base');
  key = await openImageKey({ cache: join(root, 'cache'), publicKey: undefined, secret: undefined });
  files = [];
  sent = [];
  await mkdir(join(dir, 'oci/blobs/sha256'), { recursive: true });
  await put('oci/index.json', indexOf(digest));
  await put(`oci/blobs/sha256/${sha256(manifest)}`, manifest);
  await put('sbom.spdx.json', '{}');
  await put('sbom.cdx.json', '{}');
  await attest(key);
  await recordImage();
  await recordRelease(key);
  // Has every blob, accepts every manifest, and records the requests.
  server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    sent.push(`${method} ${url}`);
    request.resume().on('end', () => {
      const missing = method === 'GET';
      response.writeHead(missing ? 404 : method === 'PUT' ? 201 : 200).end();
    });
  });
  port = await listenOnLoopback(server);
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(root, { recursive: true, force: true });
});

function push(cache = 'cache') {
  const project = { images: new Map([['base', {}]]), signing: {} } as unknown as Project;
  const workspace = {
    out,
    project,
    cache: join(root, cache),
    release: { version: '4.0' },
    progress: createProgress('quiet', false, () => {}),
  } as unknown as Workspace;
  return pushImage(workspace, 'base', `127.0.0.1:${port}/weir/base`, { plainHttp: false, index: false });
}

async function refused(path: string, code = 'not-as-built'): Promise<void> {
  await expect(push()).rejects.toMatchObject({ code, where: { file: join(out, path) } });
  expect(sent).toEqual([]);
}

async function change(path: string): Promise<void> {
  await put(path, `${await readFile(join(dir, path), 'utf8')} `);
}

describe('pushing only what was built', () => {
  test('sends an unchanged image', async () => {
    expect(await push()).toMatchObject({ digest, tag: '4.0' });
    expect(sent.at(-1)).toBe('PUT /v2/weir/base/manifests/4.0');
  });

  test('ignores extra files', async () => {
    await writeFile(join(dir, 'notes'), '');
    expect(await push()).toMatchObject({ digest });
  });

  const parts = [
    'oci/index.json',
    `oci/blobs/sha256/${sha256(manifest)}`,
    'sbom.spdx.json',
    'sbom.cdx.json',
    'provenance.dsse.json',
  ];
  test.each(parts)('refuses a changed %s', async (path) => {
    await change(path);
    await refused(`images/base/${path}`);
  });

  test.each(parts)('refuses a changed %s with a matching image record', async (path) => {
    await change(path);
    await recordImage();
    await refused('images/base/image.json');
  });

  test.each(parts)('refuses a changed %s with both records matching', async (path) => {
    await change(path);
    await recordImage();
    const signature = await readFile(join(out, 'release.json.sig'));
    await recordRelease(key);
    await writeFile(join(out, 'release.json.sig'), signature);
    await refused('release.json');
  });

  test('refuses a release signed with another key', async () => {
    const other = await openImageKey({ cache: join(root, 'other'), publicKey: undefined, secret: undefined });
    await change('sbom.spdx.json');
    await attest(other);
    await recordImage();
    await recordRelease(other);
    await refused('release.json', 'other-key');
  });

  test('refuses provenance signed with another key', async () => {
    await attest(await openImageKey({ cache: join(root, 'other'), publicKey: undefined, secret: undefined }));
    await recordImage();
    await recordRelease(key);
    await refused('images/base/provenance.dsse.json');
  });

  test.each(['release.json.sig', 'image-key.pem', 'images/base/sbom.cdx.json'])(
    'refuses a missing %s',
    async (path) => {
      await rm(join(out, path));
      await refused(path);
    },
  );

  test('refuses a missing release, or one without the image', async () => {
    await recordRelease(key, []);
    await refused('images/base');
    await rm(join(out, 'release.json'));
    await refused('release.json', 'not-built');
  });
});
