import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listenOnLoopback } from '../../src/boot/loopback.ts';
import { pushLayout } from '../../src/registry/push.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { type Behaviour, startRegistry, type TestRegistry, writeLayout } from './registry-server.ts';

let dir: string;
let layout: string;
let registry: TestRegistry;
let server: Server;
let port: number;
let behaviour: Behaviour;
let blobs: TestRegistry['blobs'];
let manifests: TestRegistry['manifests'];
let asked: TestRegistry['asked'];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-registry-'));
  layout = join(dir, 'oci');
  await mkdir(layout);
  await writeLayout(dir, layout, 'amd64');
  registry = await startRegistry();
  ({ server, port, behaviour, blobs, manifests, asked } = registry);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(dir, { recursive: true, force: true });
});

const sbom = { artifactType: 'application/spdx+json', data: '{"spdxVersion":"SPDX-2.3"}' };
const push = (artifacts = [sbom]) =>
  pushLayout(layout, parseReference(`127.0.0.1:${port}/weir/base:4.0`), artifacts, { wait: async () => {} });

describe('pushing', () => {
  test('sends blobs, then manifests, each once', async () => {
    const first = await push();
    expect(first.blobs).toMatchObject({ there: 0, uploaded: blobs.size });
    expect(manifests.get('4.0')?.bytes).toEqual(manifests.get(first.digest)?.bytes);
    expect([...manifests.keys()].at(-1)).toBe('4.0');
    expect((await push()).blobs).toEqual({ uploaded: 0, there: first.blobs.uploaded, bytes: 0 });
  });

  test('an SBOM refers to its image, without a fallback tag if the registry lists referrers', async () => {
    const { digest, referrers } = await push();
    const referrer = JSON.parse(manifests.get(referrers[0]!)!.bytes.toString());
    expect(referrer.subject.digest).toBe(digest);
    expect(blobs.get(referrer.layers[0].digest)?.toString()).toBe(sbom.data);
    expect(manifests.has(digest.replace(':', '-'))).toBe(false);
  });

  test('a registry without the referrers API gets an index under a tag, extended by later pushes', async () => {
    behaviour.referrers = false;
    const { digest } = await push();
    await push([{ ...sbom, data: '{}' }]);
    await push();
    const list = JSON.parse(manifests.get(digest.replace(':', '-'))!.bytes.toString());
    expect(list.manifests).toHaveLength(2);
    expect(list.manifests[0]).toMatchObject({ artifactType: 'application/spdx+json' });
  });

  test('a signature precedes the tag, one per reference, and a new one replaces the old one', async () => {
    const signed = (tag: string, by = 'me') =>
      pushLayout(layout, parseReference(`127.0.0.1:${port}/weir/base:${tag}`), [], {
        sign: (bytes) => Buffer.from(`${by}: ${createHash('sha256').update(bytes).digest('hex')}`),
      });
    const { digest, signature } = await signed('4.0');
    expect(signature).toBe(`${digest.replace(':', '-')}.sig`);
    expect([...manifests.keys()].slice(-2)).toEqual([signature, '4.0']);
    await signed('stable', 'another');
    await signed('4.0', 'the new one');
    const { layers } = JSON.parse(manifests.get(signature!)!.bytes.toString());
    const claims = layers.map((layer: { digest: string; annotations: Record<string, string> }) => {
      const bytes = blobs.get(layer.digest)!;
      const { identity, image, type } = JSON.parse(bytes.toString()).critical;
      expect(image).toEqual({ 'docker-manifest-digest': digest });
      expect(type).toBe('cosign container image signature');
      const [by, of] = Buffer.from(layer.annotations['dev.cosignproject.cosign/signature']!, 'base64')
        .toString()
        .split(': ');
      expect(of).toBe(createHash('sha256').update(bytes).digest('hex'));
      return [identity['docker-reference'].split(':').at(-1), by];
    });
    expect(claims).toEqual([
      ['stable', 'another'],
      ['4.0', 'the new one'],
    ]);
  });

  test('--index keeps one image per architecture and replaces only its own', async () => {
    const arm = join(dir, 'arm64');
    await mkdir(arm);
    const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
    const digests = {
      amd64: JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')).manifests[0].digest,
      arm64: '',
    };
    digests.arm64 = await writeLayout(dir, arm, 'arm64');
    const sign = (bytes: Uint8Array): Uint8Array => bytes.slice(0, 4);
    expect((await pushLayout(layout, to, [sbom], { index: true, sign })).architectures).toEqual(['amd64']);
    const both = await pushLayout(arm, to, [sbom], { index: true, sign });
    expect(both.architectures).toEqual(['amd64', 'arm64']);
    const again = await pushLayout(layout, to, [sbom], { index: true, sign });
    expect(again.pushed).toBe(both.pushed);
    const tagged = JSON.parse(manifests.get('4.0')!.bytes.toString());
    expect(tagged.mediaType).toBe('application/vnd.oci.image.index.v1+json');
    expect(tagged.manifests).toEqual(
      (['amd64', 'arm64'] as const).map((architecture) => ({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digests[architecture],
        size: expect.any(Number),
        platform: { os: 'linux', architecture },
      })),
    );
    // The index and each image are signed.
    const index = both.pushed.split('@')[1]!;
    for (const digest of [index, digests.amd64, digests.arm64]) {
      expect([...manifests.keys()], digest).toContain(`${digest.replace(':', '-')}.sig`);
    }
  });

  test('an index does not replace a single image', async () => {
    await push();
    const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
    const before = new Map(manifests);
    await expect(pushLayout(layout, to, [], { index: true })).rejects.toMatchObject({
      code: 'not-an-index',
      exit: 2,
      hint: expect.stringContaining('--index'),
    });
    expect(manifests).toEqual(before);
  });

  test('without --index an image does not replace an index with other platforms', async () => {
    const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
    const arm = join(dir, 'arm64');
    await mkdir(arm);
    await writeLayout(dir, arm, 'arm64');
    await pushLayout(arm, to, [], { index: true });
    const before = { manifests: new Map(manifests), blobs: new Map(blobs) };
    await expect(push()).rejects.toMatchObject({
      code: 'is-an-index',
      exit: 2,
      message: expect.stringContaining('linux/arm64'),
      hint: expect.stringContaining('--index'),
    });
    expect({ manifests, blobs }).toEqual(before);
    // An index of its own platform and its attestations may be replaced.
    const index = JSON.parse(manifests.get('4.0')!.bytes.toString());
    index.manifests.push({ ...index.manifests[0], platform: { os: 'unknown', architecture: 'unknown' } });
    manifests.get('4.0')!.bytes = Buffer.from(JSON.stringify(index));
    const { digest } = await pushLayout(arm, to, [], {});
    expect(manifests.get('4.0')?.bytes).toEqual(manifests.get(digest)?.bytes);
  });

  test('a registry that requires a token gets one', async () => {
    behaviour.token = 'secret';
    await push();
    expect(manifests.has('4.0')).toBe(true);
  });

  test('a token that expires during the push is renewed', async () => {
    behaviour.token = 'first';
    behaviour.tokenUses = 5;
    await push();
    expect(manifests.has('4.0')).toBe(true);
    expect(behaviour.token).not.toBe('first');
  });

  test('an identity token is exchanged for an access token', async () => {
    const file = join(dir, 'auth.json');
    vi.stubEnv('REGISTRY_AUTH_FILE', file);
    behaviour.token = 'secret';
    const login = (identitytoken: string) =>
      writeFile(file, JSON.stringify({ auths: { [`127.0.0.1:${port}/weir`]: { identitytoken } } }));
    await login('another');
    await expect(push()).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringContaining(`the login found in ${file} was refused (401)`),
    });
    await login('identity');
    await push();
    expect(manifests.has('4.0')).toBe(true);
  });

  test.each(['{"auths":', '[]', '{"auths":3}'])(
    'a login file with %j is an error that names the file',
    async (text) => {
      const file = join(dir, 'auth.json');
      await writeFile(file, text);
      vi.stubEnv('REGISTRY_AUTH_FILE', file);
      behaviour.token = 'secret';
      await expect(push()).rejects.toMatchObject({ code: 'registry-denied', where: { file } });
    },
  );

  test('rejected credentials are reported with their file', async () => {
    const file = join(dir, 'auth.json');
    vi.stubEnv('REGISTRY_AUTH_FILE', file);
    const auth = Buffer.from('me:secret').toString('base64');
    await writeFile(file, JSON.stringify({ auths: { [`127.0.0.1:${port}`]: { auth } } }));
    behaviour.odd = (_, response) => response.writeHead(401, { 'www-authenticate': 'Basic' }).end() === response;
    await expect(push()).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(new RegExp(`answered 401 to .*: the login found in ${file} was refused$`)),
    });
  });

  test('a failing token server is not reported as a refusal', async () => {
    behaviour.token = 'secret';
    behaviour.odd = (path, response) => path === '/token' && response.writeHead(503).end() === response;
    await expect(push()).rejects.toMatchObject({
      code: 'registry-failed',
      message: `127.0.0.1:${port} answered 503 to the token request`,
    });
  });

  test('a server that fails for a while is retried', async () => {
    behaviour.failures = 3;
    await push();
    expect(manifests.has('4.0')).toBe(true);
  });

  test('an interrupted upload restarts at a new location', async () => {
    const cut: string[] = [];
    behaviour.odd = (path, response, { method }) => {
      if (method !== 'PUT' || !path.includes('/uploads/') || cut.length > 0) return false;
      cut.push(path);
      response.destroy();
      return true;
    };
    await push();
    expect(manifests.has('4.0')).toBe(true);
    const to = asked
      .filter(({ method, path }) => method === 'PUT' && path.includes('/uploads/'))
      .map(({ path }) => path);
    expect(cut.length).toBe(1);
    expect(new Set(to).size).toBe(to.length);
    expect(to.length).toBe(blobs.size + 1);
  });

  test('an unreadable blob is not reported as a fault of the registry', async () => {
    const [name] = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')).manifests;
    const { config } = JSON.parse(await readFile(join(layout, 'blobs', name.digest.replace(':', '/')), 'utf8'));
    await rm(join(layout, 'blobs', config.digest.replace(':', '/')));
    const wait = vi.fn(async () => {});
    const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
    await expect(pushLayout(layout, to, [], { wait })).rejects.toMatchObject({ code: 'not-a-layout' });
    expect(wait).not.toHaveBeenCalled();
  });

  test('a refusal is an error with a login hint, and the tag is not set', async () => {
    behaviour.denied = true;
    await expect(push()).rejects.toMatchObject({
      code: 'registry-denied',
      hint: expect.stringContaining('skopeo login'),
      details: ['{"errors":[{"code":"DENIED"}]}'],
    });
    expect(manifests.size).toBe(0);
  });

  test('a server that stays down is an error after four attempts', async () => {
    behaviour.failures = 100;
    await expect(push()).rejects.toMatchObject({ code: 'registry-failed', message: expect.stringContaining('503') });
    expect(behaviour.failures).toBe(100 - 4);
  });

  test('a registry that does not run', async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await expect(push()).rejects.toMatchObject({ code: 'no-registry' });
    server = createServer();
    await listenOnLoopback(server);
  });

  test('a port that fetch blocks is an error at the first attempt', async () => {
    const wait = vi.fn(async () => {});
    await expect(pushLayout(layout, parseReference('localhost:6000/base'), [], { wait })).rejects.toMatchObject({
      code: 'bad-reference',
      exit: 2,
      hint: expect.stringContaining('another port'),
    });
    expect(wait).not.toHaveBeenCalled();
  });

  describe('an invalid response is one error that names the registry', () => {
    const failed = (says: RegExp) => ({ code: 'registry-failed', message: expect.stringMatching(says) });

    test.each(['nonsense', 'ftp://127.0.0.1/token', '/token', 'http://me:secret@127.0.0.1/token'])(
      'a token server at %s',
      async (realm) => {
        behaviour.odd = (_, response) => {
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="test"` }).end();
          return true;
        };
        await expect(push()).rejects.toMatchObject(failed(/^127\.0\.0\.1:\d+ names an invalid token server /));
      },
    );

    test.each(['<html>', '', 'null', '[]', '{}', '{"token":3}', '{"token":""}', '{"token":"a\\nb"}'])(
      'the token response %j',
      async (text) => {
        behaviour.token = 'secret';
        behaviour.odd = (path, response) => path === '/token' && response.end(text) === response;
        await expect(push()).rejects.toMatchObject(failed(/^127\.0\.0\.1:\d+ returned /));
      },
    );

    test.each([
      ['<html>', /something other than JSON for the manifest 4\.0/],
      ['null', /JSON that is not an object for the manifest 4\.0/],
      ['3', /JSON that is not an object for the manifest 4\.0/],
      ['{"manifests":3}', /manifest 4\.0: manifests is not a list of descriptors/],
      ['{"manifests":[null]}', /manifest 4\.0: manifests is not a list of descriptors/],
      ['{"manifests":[{"digest":"sha256:0"}]}', /manifest 4\.0: manifests is not a list of descriptors/],
      [
        '{"manifests":[{"mediaType":"a/b","digest":"sha256:0","size":1,"platform":null}]}',
        /manifest 4\.0: manifests is not a list of descriptors/,
      ],
      ['{"layers":"all"}', /manifest 4\.0: layers is not a list of descriptors/],
    ])('a manifest that is %s', async (text, says) => {
      manifests.set('4.0', { type: 'text/plain', bytes: Buffer.from(text) });
      await expect(push()).rejects.toMatchObject(failed(says));
    });

    test('an index without images is valid', async () => {
      manifests.set('4.0', { type: 'text/plain', bytes: Buffer.from('{"manifests":null}') });
      const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
      expect((await pushLayout(layout, to, [], { index: true })).architectures).toEqual(['amd64']);
    });

    test.each([
      [undefined, /accepted an upload but returned no location/],
      ['http://[', /returned an invalid upload location http:\/\/\[/],
      ['file:///upload', /returned an invalid upload location file:\/\/\/upload/],
    ])('an upload at %s', async (location, says) => {
      behaviour.odd = (_, response, { method }) =>
        method === 'POST' && response.writeHead(202, location === undefined ? {} : { location }).end() === response;
      await expect(push()).rejects.toMatchObject(failed(says));
    });

    test.each(['/v2/', 'file:///v2/', 'http://['])('a redirect to %s is not retried', async (location) => {
      behaviour.odd = (_, response) => response.writeHead(307, { location }).end() === response;
      const wait = vi.fn(async () => {});
      const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
      await expect(pushLayout(layout, to, [], { wait })).rejects.toMatchObject(failed(/redirects in a loop/));
      expect(wait).not.toHaveBeenCalled();
    });

    test('a response that breaks off', async () => {
      behaviour.odd = (_, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{');
        setTimeout(() => response.destroy(), 20);
        return true;
      };
      await expect(push()).rejects.toMatchObject({
        code: 'no-registry',
        message: expect.stringMatching(/closed the connection early/),
      });
    });
  });

  test.each([
    ['a registry', '/v2/weir/base/manifests/4.0', 4],
    ['a server of tokens', '/token', 4],
  ])('%s that never responds is an error after each attempt times out', async (_, silent, times) => {
    behaviour.token = 'secret';
    behaviour.odd = (path) => path === silent;
    const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
    await expect(pushLayout(layout, to, [], { wait: async () => {}, answerSeconds: 0.1 })).rejects.toMatchObject({
      code: 'no-registry',
      message: `the registry 127.0.0.1:${port} did not respond within 0.1 s`,
    });
    expect(asked.filter(({ path }) => path === silent)).toHaveLength(times);
  });

  test('an upload may take longer than other requests', async () => {
    behaviour.odd = (path, response, { method }) => {
      if (method !== 'PUT' || !path.includes('/uploads/')) return false;
      setTimeout(() => response.writeHead(201).end(), 250);
      return true;
    };
    const to = parseReference(`127.0.0.1:${port}/weir/base:4.0`);
    await pushLayout(layout, to, [], { answerSeconds: 0.1 });
    expect(manifests.has('4.0')).toBe(true);
  });

  test('a folder that is not a layout', async () => {
    await writeFile(join(layout, 'index.json'), '{"manifests":[]}');
    await expect(push()).rejects.toMatchObject({ code: 'not-a-layout' });
  });
});
