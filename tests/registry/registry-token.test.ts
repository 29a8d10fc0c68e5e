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
/** The schemes that the registry was answered with. */
const schemes = () => [
  ...new Set(
    registry.asked.filter(({ path }) => path !== '/token').map((one) => one.authorization?.split(' ')[0] ?? 'none'),
  ),
];

describe('of the ways in that a registry offers', () => {
  const basic = 'Basic realm="Registry Realm"';
  test.each([
    ['a token', ['BEARER'], 'Bearer'],
    ['a password', [basic], 'Basic'],
    ['one of both, in one header', [`BEARER, ${basic}`], 'Bearer'],
    ['one of both, the other way round', [`${basic}, BEARER`], 'Bearer'],
    ['one of both, in two headers', [basic, 'BEARER'], 'Bearer'],
    ['one that Weir does not know, and a password', ['Negotiate', basic], 'Basic'],
    ['one that Weir does not know, with a value of its own', [`Negotiate YWJj==, ${basic}`], 'Basic'],
    ['a token, after a realm that looks like one', [`Basic realm="Bearer realm=x, y", BEARER`], 'Bearer'],
    ['a token from nowhere, and a password', ['Bearer realm="",service="test"', basic], 'Basic'],
    ['a token from no address, and one from a good one', ['Bearer realm="/token"', 'BEARER'], 'Bearer'],
  ])('%s: the one that works is taken', async (_, challenges, scheme) => {
    registry.behaviour.challenges = challenges;
    await login();
    await push();
    expect(registry.manifests.has('4.0')).toBe(true);
    expect(schemes()).toEqual(['none', scheme]);
  });

  test.each([
    [['Negotiate', 'Digest realm="x"'], /in a way that Weir does not know \(negotiate, digest\)/],
    [[''], /it does not say how/],
    [['Bearer service="test"'], /in a way that Weir does not know \(bearer\)/],
  ])('%j is none', async (challenges, says) => {
    registry.behaviour.challenges = challenges;
    await expect(push()).rejects.toMatchObject({ code: 'registry-denied', message: expect.stringMatching(says) });
  });

  test('without a login a token is asked for, where a password would be taken too', async () => {
    registry.behaviour.challenges = ['Basic realm="x"', 'BEARER'];
    await push();
    expect(schemes()).toEqual(['none', 'Bearer']);
  });
});

describe('a field that is there and empty hides no other', () => {
  test.each([
    '{"token":"","access_token":"token"}',
    '{"token":null,"access_token":"token"}',
    '{"token":"token","access_token":""}',
    '{"access_token":"token"}',
  ])('in the answer %s', async (answer) => {
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

  test('in a challenge: a service without a name is not asked for', async () => {
    const realm = `http://${at()}/token?account=a~b`;
    registry.behaviour.challenges = [`Bearer realm="${realm}",service=""`];
    await push();
    const { query } = registry.asked.find(({ path }) => path === '/token')!;
    expect(query).toBe('?account=a~b&scope=repository%3Aweir%2Fbase%3Apull%2Cpush');
  });
});

describe('a server of tokens', () => {
  const asking = { attempts: 1, answerSeconds: 30, wait: async () => {} };
  const challenge = (realm: string) =>
    new Response(null, { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` } });

  test('without TLS does not get the login for a registry with TLS', async () => {
    await writeFile(file, '{"auths":{"r.example":{"username":"me","password":"secret"}}}');
    const to = parseReference('r.example/weir/base');
    await expect(authorize(challenge('http://auth.example/token'), to, false, asking)).rejects.toMatchObject({
      code: 'registry-failed',
      message: 'r.example wants the login to be sent to auth.example without TLS',
    });
    const own = await authorize(
      challenge(`http://${at()}/token`),
      parseReference('r.example/weir/base'),
      false,
      asking,
    );
    expect(own).toEqual({ header: 'Bearer token', file });
  });

  test('that has too much to do is asked again when it says', async () => {
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

  test('whose answer has no end is one error', async () => {
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
      message: `${at()} sends an answer of more than 1048576 bytes`,
    });
  });
});
