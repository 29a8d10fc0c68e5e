import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { type PushOptions, pushLayout } from '../../src/registry/push.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { openRegistry } from '../../src/registry/registry.ts';
import { webAddress, withQuery } from '../../src/registry/registry-answers.ts';
import { startRegistry, type TestRegistry, writeLayout } from './registry-server.ts';

let dir: string;
let layout: string;
let registry: TestRegistry;
let said: string[];
let waits: (readonly [number, number | undefined])[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-answers-'));
  layout = join(dir, 'oci');
  await mkdir(layout);
  await writeLayout(dir, layout, 'amd64');
  registry = await startRegistry();
  said = [];
  waits = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

const push = (options: PushOptions = {}, host = `127.0.0.1:${registry.port}`) =>
  pushLayout(layout, parseReference(`${host}/weir/base:4.0`), [], {
    wait: async (attempt, asked) => void waits.push([attempt, asked]),
    say: (message) => said.push(message),
    ...options,
  });

/** Refuses this many uploads first. */
function refuseUploads(times: number, status: number, headers: Readonly<Record<string, string>>): void {
  registry.behaviour.odd = (_, response, { method }) => {
    if (method !== 'POST' || times-- <= 0) return false;
    response.writeHead(status, headers).end('{"errors":[{"code":"TOOMANYREQUESTS"}]}');
    return true;
  };
}

describe('Retry-After', () => {
  test.each([429, 503])('is honoured with status %i', async (status) => {
    refuseUploads(1, status, { 'retry-after': '12' });
    await push();
    expect(waits).toEqual([[1, 12]]);
    expect(said).toEqual([`127.0.0.1:${registry.port} answered ${status} and asked to wait 12 s`]);
    expect(registry.manifests.has('4.0')).toBe(true);
  });

  test('may be a date by the server’s clock', async () => {
    const date = 'Sun, 06 Nov 1994 08:00:00 GMT';
    refuseUploads(1, 429, { date, 'retry-after': 'Sun, 06 Nov 1994 08:00:40 GMT' });
    await push();
    expect(waits).toEqual([[1, 40]]);
  });

  test('allows more attempts than a failure does, but not endless ones', async () => {
    refuseUploads(8, 429, { 'retry-after': '20' });
    await push();
    expect(waits.length).toBe(8);
    refuseUploads(1000, 429, { 'retry-after': '0' });
    await rm(layout, { recursive: true });
    await mkdir(layout);
    await writeLayout(dir, layout, 'arm64');
    await expect(push()).rejects.toMatchObject({ code: 'registry-failed' });
    expect(waits.length).toBeLessThan(8 + 3 * 301);
  });

  test('beyond the limit fails at once and reports the wait', async () => {
    refuseUploads(1000, 429, { 'retry-after': '21600' });
    await expect(push()).rejects.toMatchObject({
      code: 'registry-failed',
      message: `127.0.0.1:${registry.port} answered 429 (retry after 21600 s) to an upload`,
    });
    expect(waits).toEqual([]);
  });

  test('delays all requests', async () => {
    const held: (() => void)[] = [];
    refuseUploads(1, 429, { 'retry-after': '5' });
    const open = openRegistry(parseReference(`127.0.0.1:${registry.port}/weir/base:4.0`), {
      wait: () => new Promise((done) => held.push(done)),
    });
    const blob = { mediaType: 'a/b', digest: `sha256:${sha256('blob')}`, size: 4 } as const;
    const upload = open.putBlob(blob, async () => new Blob(['blob']));
    while (held.length === 0) await new Promise((done) => setTimeout(done, 5));
    const question = open.hasBlob({ ...blob, digest: `sha256:${sha256('other')}` });
    // Requests sent before these arrived before them.
    for (let count = 0; count < 3; count++) await fetch(`http://127.0.0.1:${registry.port}/v2/`);
    const heads = () => registry.asked.filter(({ method }) => method === 'HEAD').length;
    expect(heads()).toBe(0);
    held[0]!();
    await upload;
    expect(await question).toBe(false);
    expect(heads()).toBe(1);
  });
});

describe('a response', () => {
  const endless = (response: ServerResponse, status: number): true => {
    response.writeHead(status);
    const more = (): void => {
      while (!response.destroyed && response.write(' '.repeat(65_536)));
    };
    response.on('drain', more);
    more();
    return true;
  };

  test('without end is an error, and reading stops', async () => {
    registry.behaviour.odd = (_, response) => endless(response, 200);
    await expect(push()).rejects.toMatchObject({
      code: 'registry-failed',
      message: `127.0.0.1:${registry.port} sent a response of more than 4194304 bytes`,
    });
  });

  test('that is a refusal with an endless body is still a refusal', async () => {
    registry.behaviour.odd = (_, response) => endless(response, 403);
    await expect(push()).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringContaining('answered 403 to a request for the manifest 4.0'),
    });
  });

  test.each([200, 403])('that stalls in the middle times out (%i)', async (status) => {
    registry.behaviour.odd = (_, response) => {
      response.writeHead(status).write('{"errors":');
      return true;
    };
    await expect(push({ answerSeconds: 0.2 })).rejects.toMatchObject(
      status === 403
        ? { code: 'registry-denied', details: ['{"errors":'] }
        : {
            code: 'no-registry',
            message: `the registry 127.0.0.1:${registry.port} stalled: no data for 0.2 s`,
          },
    );
  });

  test('that trickles times out too', async () => {
    registry.behaviour.odd = (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
      return true;
    };
    await expect(push({ answerSeconds: 1 })).rejects.toMatchObject({
      code: 'no-registry',
      message: `the registry 127.0.0.1:${registry.port} did not complete its response within 4 s`,
    });
  });

  test.each([
    ['nested', '{"manifests":'.repeat(65) + '}'.repeat(65), /JSON nested too deeply/],
    ['nested deeper than a stack', '['.repeat(1_000_000), /JSON nested too deeply/],
    ['one string of brackets', `{"a":"${'[\\"'.repeat(100)}"`, /something other than JSON/],
    [
      'of negative sizes',
      '{"manifests":[{"mediaType":"a/b","digest":"sha256:0","size":-1}]}',
      /is not a list of descriptors/,
    ],
    [
      'of endless sizes',
      '{"manifests":[{"mediaType":"a/b","digest":"sha256:0","size":1e999}]}',
      /is not a list of descriptors/,
    ],
  ])('with JSON that is %s is one error', async (_, text, says) => {
    registry.manifests.set('4.0', { type: 'text/plain', bytes: Buffer.from(text) });
    await expect(push()).rejects.toMatchObject({ code: 'registry-failed', message: expect.stringMatching(says) });
  });

  test('with layers and a null list of images is an image', async () => {
    const image = '{"manifests":null,"layers":[{"mediaType":"a/b","digest":"sha256:0","size":1}]}';
    registry.manifests.set('4.0', { type: 'text/plain', bytes: Buffer.from(image) });
    await expect(push({ index: true })).rejects.toMatchObject({ code: 'not-an-index' });
  });
});

describe('a registry', () => {
  const auth = Buffer.from('me:secret').toString('base64');

  async function login(...hosts: string[]): Promise<void> {
    const file = join(dir, 'auth.json');
    vi.stubEnv('REGISTRY_AUTH_FILE', file);
    await writeFile(file, JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, { auth }])) }));
  }

  test('in upper case gets the login with uploads too', async () => {
    registry.behaviour.token = 'token';
    registry.behaviour.challenges = ['Basic'];
    await login(`localhost:${registry.port}`);
    await push({}, `LocalHost:${registry.port}`);
    expect(registry.manifests.has('4.0')).toBe(true);
  });

  test('with the scheme’s default port gets it too', async (context) => {
    const host = '127.0.0.80';
    const onPort80 = await startRegistry({ host, port: 80 }).catch((error: NodeJS.ErrnoException) => {
      // Usually only root may listen on this port, and another process may already do so.
      if (error.code === 'EACCES' || error.code === 'EADDRINUSE') return context.skip(`cannot listen: ${error.code}`);
      throw error;
    });
    onPort80.behaviour.token = 'token';
    onPort80.behaviour.challenges = ['Basic'];
    await login(`http://${host}`);
    await push({}, `${host}:80`);
    await onPort80.close();
    expect(onPort80.manifests.has('4.0')).toBe(true);
  });

  test('that redirects an upload to another host does not send the login there', async () => {
    registry.behaviour.token = 'token';
    registry.behaviour.challenges = ['Basic'];
    await login(`127.0.0.1:${registry.port}`);
    const given: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      given.push(request.headers.authorization);
      request.resume().on('end', () => response.writeHead(201).end());
    });
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as { port: number };
    registry.behaviour.odd = (path, response, { method }) => {
      if (method !== 'POST' || !path.endsWith('/uploads/')) return false;
      response.writeHead(202, { location: `http://127.0.0.1:${port}/upload?sig=a~b` }).end();
      return true;
    };
    await push();
    other.closeAllConnections();
    await new Promise((done) => other.close(done));
    expect(given.length).toBeGreaterThan(0);
    expect([...new Set(given)]).toEqual([undefined]);
  });

  test('that stores other manifest bytes is an error', async () => {
    registry.behaviour.odd = (path, response, { method }) => {
      if (method === 'PUT' && path.includes('/manifests/')) {
        response.setHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`);
      }
      return false;
    };
    const { digest } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')).manifests[0];
    await expect(push()).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining(`as sha256:${'0'.repeat(64)} instead of ${digest}`),
    });
    expect(registry.manifests.has('4.0')).toBe(false);
  });

  test('that answers with an empty OCI-Subject does not list referrers', async () => {
    registry.behaviour.odd = (_, response) => {
      response.setHeader('oci-subject', '');
      return false;
    };
    registry.behaviour.referrers = false;
    const to = parseReference(`127.0.0.1:${registry.port}/weir/base:4.0`);
    const { digest } = await pushLayout(layout, to, [{ artifactType: 'application/spdx+json', data: '{}' }]);
    expect(registry.manifests.has(digest.replace(':', '-'))).toBe(true);
  });
});

test('withQuery keeps the existing query byte for byte', () => {
  const digest = 'digest=sha256%3A0';
  const of = (text: string): string => withQuery(webAddress(text, 'https://r.example/v2/a/b')!, digest).href;
  expect(of('/up/1?_state=a+b~c%2F&flag&x==#part')).toBe(`https://r.example/up/1?_state=a+b~c%2F&flag&x==&${digest}`);
  expect(of('1')).toBe(`https://r.example/v2/a/1?${digest}`);
  expect(of('https://R.example:443/up?')).toBe(`https://r.example/up?${digest}`);
});
