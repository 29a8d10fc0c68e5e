import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pushLayout } from '../../src/registry/push.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { authorize } from '../../src/registry/registry-token.ts';
import { startRegistry, type TestRegistry, writeLayout } from './registry-server.ts';

let dir: string;
let layout: string;
let registry: TestRegistry;
let file: string;
let waits: (number | undefined)[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-token-'));
  layout = join(dir, 'oci');
  await mkdir(layout);
  await writeLayout(dir, layout, 'amd64');
  registry = await startRegistry();
  registry.behaviour.token = 'token';
  file = join(dir, 'auth.json');
  vi.stubEnv('REGISTRY_AUTH_FILE', file);
  waits = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

const at = () => `127.0.0.1:${registry.port}`;
const login = (entry: object = { auth: Buffer.from('me:secret').toString('base64') }) =>
  writeFile(file, JSON.stringify({ auths: { [at()]: entry } }));
const push = () =>
  pushLayout(layout, parseReference(`${at()}/weir/base:4.0`), [], {
    wait: async (_, asked) => void waits.push(asked),
  });
/** The authentication schemes sent to the registry. */
const schemes = () => [
  ...new Set(
    registry.asked.filter(({ path }) => path !== '/token').map((one) => one.authorization?.split(' ')[0] ?? 'none'),
  ),
];

describe('authentication schemes of a registry', () => {
  const basic = 'Basic realm="Registry Realm"';
  test.each([
    ['a token', ['BEARER'], 'Bearer'],
    ['a password', [basic], 'Basic'],
    ['either, in one header', [`BEARER, ${basic}`], 'Bearer'],
    ['either, in reverse order', [`${basic}, BEARER`], 'Bearer'],
    ['either, in two headers', [basic, 'BEARER'], 'Bearer'],
    ['an unsupported one and a password', ['Negotiate', basic], 'Basic'],
    ['an unsupported one with a bare value', [`Negotiate YWJj==, ${basic}`], 'Basic'],
    ['a token, after a realm that looks like a challenge', [`Basic realm="Bearer realm=x, y", BEARER`], 'Bearer'],
    ['a token without a realm, and a password', ['Bearer realm="",service="test"', basic], 'Basic'],
    ['a token with an invalid realm, and one with a valid realm', ['Bearer realm="/token"', 'BEARER'], 'Bearer'],
  ])('%s: uses the supported one', async (_, challenges, scheme) => {
    registry.behaviour.challenges = challenges;
    await login();
    await push();
    expect(registry.manifests.has('4.0')).toBe(true);
    expect(schemes()).toEqual(['none', scheme]);
  });

  test.each([
    [['Negotiate', 'Digest realm="x"'], /unsupported scheme \(negotiate, digest\)/],
    [[''], /it names no authentication scheme/],
    [['Bearer service="test"'], /unsupported scheme \(bearer\)/],
  ])('%j is not supported', async (challenges, says) => {
    registry.behaviour.challenges = challenges;
    await expect(push()).rejects.toMatchObject({ code: 'registry-denied', message: expect.stringMatching(says) });
  });

  test('without a login an anonymous token is preferred over Basic', async () => {
    registry.behaviour.challenges = ['Basic realm="x"', 'BEARER'];
    await push();
    expect(schemes()).toEqual(['none', 'Bearer']);
  });
});

describe('an empty field does not hide another', () => {
  test.each([
    '{"token":"","access_token":"token"}',
    '{"token":null,"access_token":"token"}',
    '{"token":"token","access_token":""}',
    '{"access_token":"token"}',
  ])('in the response %s', async (answer) => {
    registry.behaviour.tokenAnswer = answer;
    await push();
    expect(registry.manifests.has('4.0')).toBe(true);
  });

  test.each([
    { identitytoken: '', auth: Buffer.from('me:secret').toString('base64') },
    { auth: '', identitytoken: 'identity' },
  ])('in the login %j', async (entry) => {
    await login(entry);
    await push();
    expect(registry.manifests.has('4.0')).toBe(true);
  });

  test('an empty service is not sent', async () => {
    const realm = `http://${at()}/token?account=a~b`;
    registry.behaviour.challenges = [`Bearer realm="${realm}",service=""`];
    await push();
    const { query } = registry.asked.find(({ path }) => path === '/token')!;
    expect(query).toBe('?account=a~b&scope=repository%3Aweir%2Fbase%3Apull%2Cpush');
  });
});

describe('a token server', () => {
  const asking = { attempts: 1, answerSeconds: 30, wait: async () => {} };
  const challenge = (realm: string) =>
    new Response(null, { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` } });

  test('without TLS does not get the login of a registry with TLS', async () => {
    await writeFile(file, '{"auths":{"r.example":{"username":"me","password":"secret"}}}');
    const to = parseReference('r.example/weir/base');
    await expect(authorize(challenge('http://auth.example/token'), to, false, asking)).rejects.toMatchObject({
      code: 'registry-failed',
      message: 'r.example asks to send the login to auth.example without TLS',
    });
    const own = await authorize(
      challenge(`http://${at()}/token`),
      parseReference('r.example/weir/base'),
      false,
      asking,
    );
    expect(own).toEqual({ header: 'Bearer token', file });
  });

  test('that sends Retry-After is retried', async () => {
    let refused = 2;
    registry.behaviour.odd = (path, response) => {
      if (path !== '/token' || refused-- <= 0) return false;
      response.writeHead(429, { 'retry-after': '30' }).end();
      return true;
    };
    await push();
    expect(waits).toEqual([30, 30]);
    expect(registry.manifests.has('4.0')).toBe(true);
  });

  test('whose response has no end is one error', async () => {
    registry.behaviour.odd = (path, response) => {
      if (path !== '/token') return false;
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(65_536)));
      };
      response.on('drain', more);
      more();
      return true;
    };
    await expect(push()).rejects.toMatchObject({
      code: 'registry-failed',
      message: `${at()} sent a response of more than 1048576 bytes`,
    });
  });
});
