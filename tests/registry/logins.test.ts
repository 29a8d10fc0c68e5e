import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loginFor } from '../../src/registry/logins.ts';

let dir: string;
let file: string;
const basic = (login: string, from = file) => ({
  kind: 'password',
  basic: Buffer.from(login).toString('base64'),
  file: from,
});
const auth = (login: string) => ({ auth: Buffer.from(login).toString('base64') });
const write = (config: object) => writeFile(file, JSON.stringify(config));

/** A helper on the PATH. @param script answers to the server in $server */
async function helper(name: string, script: string): Promise<void> {
  const path = join(dir, 'bin', `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\n[ "$*" = get ] || exit 9\nread -r server\n${script}\n`);
  await chmod(path, 0o755);
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-logins-'));
  await mkdir(join(dir, 'bin'));
  await mkdir(join(dir, '.docker'));
  file = join(dir, '.docker', 'config.json');
  vi.stubEnv('HOME', dir);
  vi.stubEnv('XDG_RUNTIME_DIR', join(dir, 'run'));
  vi.stubEnv('XDG_CONFIG_HOME', '');
  vi.stubEnv('REGISTRY_AUTH_FILE', '');
  vi.stubEnv('DOCKER_CONFIG', '');
  vi.stubEnv('PATH', `${join(dir, 'bin')}:${process.env.PATH}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

describe('logins in a file', () => {
  test('of several the one for most of the name counts', async () => {
    await write({
      auths: {
        'r.example': auth('all:1'),
        'r.example/team': auth('team:2'),
        'r.example/team/app': auth('app:3'),
        'r.example/empty': {},
        'https://old.example/v1/': auth('old:4'),
      },
    });
    expect(await loginFor('r.example', 'team/app')).toEqual(basic('app:3'));
    expect(await loginFor('r.example', 'team/app/debug')).toEqual(basic('app:3'));
    expect(await loginFor('r.example', 'team/application')).toEqual(basic('team:2'));
    expect(await loginFor('r.example', 'teams/app')).toEqual(basic('all:1'));
    expect(await loginFor('r.example', 'empty/app')).toEqual(basic('all:1'));
    expect(await loginFor('old.example', 'app')).toEqual(basic('old:4'));
    expect(await loginFor('other.example', 'team/app')).toBeUndefined();
  });

  test('an identity token is one', async () => {
    await write({ auths: { 'r.example': { ...auth('me:'), identitytoken: 'secret' } } });
    expect(await loginFor('r.example', 'app')).toEqual({ kind: 'identity', token: 'secret', file });
  });

  test('podman’s file comes before docker’s', async () => {
    await mkdir(join(dir, 'run/containers'), { recursive: true });
    await writeFile(join(dir, 'run/containers/auth.json'), JSON.stringify({ auths: { 'r.example': auth('pod:1') } }));
    await write({ auths: { 'r.example': auth('docker:2') } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('pod:1', join(dir, 'run/containers/auth.json')));
  });
});

describe('a name is one, however it is written', () => {
  test.each([
    ['R.Example:5000', 'r.example:5000', false],
    ['r.example:5000', 'R.EXAMPLE:5000', false],
    ['r.example', 'r.example:443', false],
    ['r.example:443', 'https://r.example', false],
    ['r.example', 'https://r.example/v2/', false],
    ['r.example', 'r.example/', false],
    ['r.example', 'https://r.example:443/v1/', false],
    ['r.example', 'http://r.example:80', false],
    ['r.example:80', 'r.example', true],
    ['r.example', 'r.example:80', true],
    ['[2001:DB8::1]:443', '[2001:db8::1]', false],
  ])('%s is logged in to as %s', async (registry, key, plain) => {
    await write({ auths: { [key]: auth('me:1') } });
    expect(await loginFor(registry, 'app', { plain })).toEqual(basic('me:1'));
  });

  test.each([
    ['r.example', 'r.example:80', false],
    ['r.example', 'r.example:443', true],
    ['r.example:5000', 'r.example', false],
    ['r.example', 'xr.example', false],
    ['r.example', 'https://r.example.org', false],
  ])('%s is not %s', async (registry, key, plain) => {
    await write({ auths: { [key]: auth('me:1') } });
    expect(await loginFor(registry, 'app', { plain })).toBeUndefined();
  });

  test.each([
    'docker.io',
    'https://index.docker.io/v1/',
    'index.docker.io',
    'index.docker.io/v1/',
    'https://registry-1.docker.io/v2/',
    'registry-1.docker.io',
    'https://docker.io',
    'docker.io/team',
    'docker.io/team/app',
  ])('Docker Hub’s is %s', async (key) => {
    await write({ auths: { 'r.example': auth('other:1'), [key]: auth('me:1') } });
    expect(await loginFor('docker.io', 'team/app')).toEqual(basic('me:1'));
  });

  test('docker’s own tokens for Docker Hub are no login to a registry', async () => {
    const hub = 'https://index.docker.io/v1/';
    const own = { [`${hub}access-token`]: auth('me:a'), [`${hub}refresh-token`]: auth('me:r') };
    await write({ auths: own });
    expect(await loginFor('docker.io', 'team/app')).toBeUndefined();
    await write({ auths: { ...own, [hub]: auth('me:1') } });
    expect(await loginFor('docker.io', 'team/app')).toEqual(basic('me:1'));
  });
});

describe('what is there and empty hides nothing', () => {
  test.each([
    { 'r.example': {}, 'https://r.example': auth('me:1') },
    { 'https://r.example/v1/': auth('me:1'), 'r.example': { auth: '' } },
    { 'r.example': { identitytoken: '', ...auth('me:1') } },
    { 'r.example': { auth: '', identitytoken: '', username: 'me', password: '1' } },
    { 'r.example/team': { auth: '' }, 'r.example': auth('me:1') },
  ])('in %j', async (auths) => {
    await write({ auths });
    expect(await loginFor('r.example', 'team/app')).toEqual(basic('me:1'));
  });

  test('nor does a file', async () => {
    await mkdir(join(dir, 'run/containers'), { recursive: true });
    await mkdir(join(dir, '.config/containers'), { recursive: true });
    await writeFile(join(dir, 'run/containers/auth.json'), '{"auths":{"r.example":{}}}');
    await writeFile(
      join(dir, '.config/containers/auth.json'),
      JSON.stringify({ auths: { 'r.example': auth('me:1') } }),
    );
    expect(await loginFor('r.example', 'app')).toEqual(basic('me:1', join(dir, '.config/containers/auth.json')));
  });

  test('a user without a password is no login', async () => {
    await write({ auths: { 'r.example': { username: 'me', password: '' } } });
    expect(await loginFor('r.example', 'app')).toBeUndefined();
  });
});

describe('a file with logins', () => {
  test.each([
    '',
    '\n',
    'null',
    '{"auths":null}',
    '{"credHelpers":null,"credsStore":null}',
    '{"auths":{"r.example":null},"credHelpers":{"r.example":null}}',
    '{"auths":{"r.example":{"auth":null}}}',
    '{"credsStore":""}',
    '{"credHelpers":{"r.example":""},"credsStore":"not-there"}',
  ])('that holds %j has none', async (text) => {
    await writeFile(file, text);
    expect(await loginFor('r.example', 'app')).toBeUndefined();
  });

  test('may hold users and passwords in any script, and passwords filled up with NUL', async () => {
    await write({ auths: { 'r.example': auth('Łukasz:пароль'), 'old.example': auth('me:secret\0\0') } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('Łukasz:пароль'));
    expect(await loginFor('old.example', 'app')).toEqual(basic('me:secret'));
  });

  test.each([
    [{ auths: 3 }, /^auths is no table/],
    [{ auths: { 'r.example': 'secret' } }, /^auths, r\.example is no table/],
    [{ auths: { 'r.example': { auth: 3 } } }, /^the auth of r\.example is no text/],
    [{ auths: { 'r.example': { identitytoken: ['secret'] } } }, /^the identitytoken of r\.example is no text/],
    [{ auths: { 'r.example': { auth: 'secret:пароль' } } }, /^the auth of r\.example is no base64/],
    [{ auths: { 'r.example': auth('secret') } }, /^the auth of r\.example holds no user and password/],
    [{ auths: { 'r.example': auth('me:secret\r\nx: y') } }, /^the auth of r\.example has control characters/],
    [
      { auths: { 'https://r.example/v1/': auth('m\0e:secret') } },
      /^the auth of https:\/\/r\.example\/v1\/ has control/,
    ],
    [{ credsStore: '../secret' }, /^credsStore is no name of a helper/],
    [{ credsStore: 3 }, /^credsStore is no name of a helper/],
    [{ credHelpers: { 'r.example': 'a/secret' } }, /^credHelpers, r\.example is no name of a helper/],
  ])('%j is one error that names it, without what is secret', async (config, says) => {
    await write(config);
    const error: unknown = await loginFor('r.example', 'app').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'registry-denied', message: expect.stringMatching(says), where: { file } });
    const secret = Buffer.from('secret').toString('base64').slice(0, 7);
    expect(inspect(error)).not.toMatch(new RegExp(`secret\\b|${secret}`));
  });

  test('is not blamed for what it holds for others', async () => {
    await write({ auths: { 'other.example': 3, 'r.example': auth('me:1') }, credHelpers: { 'other.example': '' } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('me:1'));
  });
});

describe('logins that a program keeps', () => {
  const answer = 'echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"me\\",\\"Secret\\":\\"of $server\\"}"';

  test('of the one for the registry, and of the store for all others', async () => {
    await helper('one', 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"of $server\\"}"');
    await helper('store', answer);
    await write({ credsStore: 'store', credHelpers: { 'r.example:5000': 'one' }, auths: { 'b.example': {} } });
    expect(await loginFor('r.example:5000', 'app')).toEqual({ kind: 'identity', token: 'of r.example:5000', file });
    expect(await loginFor('b.example', 'app')).toEqual(basic('me:of b.example'));
  });

  test('are asked for by the names that docker and podman keep them under', async () => {
    const only = (server: string) =>
      `[ "$server" = "${server}" ] || { echo "credentials not found"; exit 1; }\n${answer}`;
    for (const server of ['https://index.docker.io/v1/', 'docker.io']) {
      await helper('store', only(server));
      for (const config of [
        { credsStore: 'store' },
        { credHelpers: { 'https://index.docker.io/v1/': 'store' } },
        { credHelpers: { 'docker.io': 'store', 'index.docker.io': '' } },
      ]) {
        await write(config);
        expect(await loginFor('docker.io', 'team/app')).toEqual(basic(`me:of ${server}`));
      }
    }
    await helper('store', only('r.example'));
    await write({ credHelpers: { 'r.example': 'store' } });
    expect(await loginFor('R.Example:443', 'app')).toEqual(basic('me:of r.example'));
  });

  test('may answer with an empty secret, which is none', async () => {
    await helper('empty', 'echo "{\\"Username\\":\\"\\",\\"Secret\\":\\"\\"}"');
    await helper('store', answer);
    await write({ credsStore: 'store', credHelpers: { 'r.example': 'empty' } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('me:of r.example'));
    await write({ credsStore: 'empty' });
    expect(await loginFor('r.example', 'app')).toBeUndefined();
  });

  test('that has none for the registry is no mistake', async () => {
    await helper('store', 'echo "credentials not found in native keychain"; exit 1');
    await write({ credsStore: 'store' });
    expect(await loginFor('r.example', 'app')).toBeUndefined();
    await write({ credHelpers: { 'r.example': 'store' }, auths: { 'r.example': auth('file:1') } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('file:1'));
  });

  test('is not asked where the login stands in the file', async () => {
    await write({ credsStore: 'not-there', auths: { 'r.example/team': auth('file:1') } });
    expect(await loginFor('r.example', 'team/app')).toEqual(basic('file:1'));
  });

  test.each([
    ['is not there', undefined, /which is not there/],
    ['fails', 'echo "the key ring is locked"; exit 1', /failed: the key ring is locked/],
    ['speaks no JSON', 'echo "secret"', /did not answer in JSON/],
    ['answers null', 'echo null', /gave no Username and Secret/],
    [
      'gives more than a line',
      'printf \'{"Username":"me","Secret":"of\\\\nme"}\'',
      /gave a Username or Secret with control characters/,
    ],
    ['leaves out the secret', 'echo "{\\"Username\\":\\"me\\"}"', /gave no Username and Secret/],
  ])('one that %s is a clear error', async (_, script, says) => {
    if (script !== undefined) await helper('store', script);
    await write({ credsStore: 'store' });
    await expect(loginFor('r.example', 'app')).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(says),
      where: { file },
      hint: expect.stringContaining('docker-credential-store'),
    });
  });

  test('one that hangs is an error after its time', async () => {
    await helper('store', 'sleep 20');
    await write({ credsStore: 'store' });
    await expect(loginFor('r.example', 'app', { seconds: 0.3 })).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(/which did not answer within 0\.3 s/),
      where: { file },
    });
  });

  test('one that may not be run is an error', async () => {
    await helper('store', 'true');
    await chmod(join(dir, 'bin/docker-credential-store'), 0o644);
    await write({ credsStore: 'store' });
    await expect(loginFor('r.example', 'app')).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(/which may not be run/),
    });
  });
});
