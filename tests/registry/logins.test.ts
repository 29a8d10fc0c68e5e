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

/** Puts a helper on the PATH. @param script responds to the server in $server */
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
  test('the most specific entry wins', async () => {
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

  test('an identity token is a login', async () => {
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

describe('equivalent registry names', () => {
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
  ])('%s uses the login for %s', async (registry, key, plain) => {
    await write({ auths: { [key]: auth('me:1') } });
    expect(await loginFor(registry, 'app', { plain })).toEqual(basic('me:1'));
  });

  test.each([
    ['r.example', 'r.example:80', false],
    ['r.example', 'r.example:443', true],
    ['r.example:5000', 'r.example', false],
    ['r.example', 'xr.example', false],
    ['r.example', 'https://r.example.org', false],
  ])('%s does not use the login for %s', async (registry, key, plain) => {
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
  ])('Docker Hub as %s', async (key) => {
    await write({ auths: { 'r.example': auth('other:1'), [key]: auth('me:1') } });
    expect(await loginFor('docker.io', 'team/app')).toEqual(basic('me:1'));
  });

  test('docker’s own tokens for Docker Hub are not registry logins', async () => {
    const hub = 'https://index.docker.io/v1/';
    const own = { [`${hub}access-token`]: auth('me:a'), [`${hub}refresh-token`]: auth('me:r') };
    await write({ auths: own });
    expect(await loginFor('docker.io', 'team/app')).toBeUndefined();
    await write({ auths: { ...own, [hub]: auth('me:1') } });
    expect(await loginFor('docker.io', 'team/app')).toEqual(basic('me:1'));
  });
});

describe('empty entries do not hide later ones', () => {
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

  test('an empty file is skipped', async () => {
    await mkdir(join(dir, 'run/containers'), { recursive: true });
    await mkdir(join(dir, '.config/containers'), { recursive: true });
    await writeFile(join(dir, 'run/containers/auth.json'), '{"auths":{"r.example":{}}}');
    await writeFile(
      join(dir, '.config/containers/auth.json'),
      JSON.stringify({ auths: { 'r.example': auth('me:1') } }),
    );
    expect(await loginFor('r.example', 'app')).toEqual(basic('me:1', join(dir, '.config/containers/auth.json')));
  });

  test('a user without a password is not a login', async () => {
    await write({ auths: { 'r.example': { username: 'me', password: '' } } });
    expect(await loginFor('r.example', 'app')).toBeUndefined();
  });
});

describe('a login file', () => {
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
  ])('%j has no login', async (text) => {
    await writeFile(file, text);
    expect(await loginFor('r.example', 'app')).toBeUndefined();
  });

  test('may contain non-ASCII users and passwords, and NUL-padded passwords', async () => {
    await write({ auths: { 'r.example': auth('Łukasz:пароль'), 'old.example': auth('me:secret\0\0') } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('Łukasz:пароль'));
    expect(await loginFor('old.example', 'app')).toEqual(basic('me:secret'));
  });

  test.each([
    [{ auths: 3 }, /^auths is not an object/],
    [{ auths: { 'r.example': 'secret' } }, /^auths, r\.example is not an object/],
    [{ auths: { 'r.example': { auth: 3 } } }, /^auth of r\.example is not a string/],
    [{ auths: { 'r.example': { identitytoken: ['secret'] } } }, /^identitytoken of r\.example is not a string/],
    [{ auths: { 'r.example': { auth: 'secret:пароль' } } }, /^the auth of r\.example is not base64/],
    [{ auths: { 'r.example': auth('secret') } }, /^the auth of r\.example does not contain user:password/],
    [{ auths: { 'r.example': auth('me:secret\r\nx: y') } }, /^the auth of r\.example contains control characters/],
    [
      { auths: { 'https://r.example/v1/': auth('m\0e:secret') } },
      /^the auth of https:\/\/r\.example\/v1\/ contains control/,
    ],
    [{ credsStore: '../secret' }, /^credsStore: invalid helper name/],
    [{ credsStore: 3 }, /^credsStore: invalid helper name/],
    [{ credHelpers: { 'r.example': 'a/secret' } }, /^credHelpers, r\.example: invalid helper name/],
  ])('%j is an error that names the entry but no secret', async (config, says) => {
    await write(config);
    const error: unknown = await loginFor('r.example', 'app').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'registry-denied', message: expect.stringMatching(says), where: { file } });
    const secret = Buffer.from('secret').toString('base64').slice(0, 7);
    expect(inspect(error)).not.toMatch(new RegExp(`secret\\b|${secret}`));
  });

  test('may contain invalid entries for other registries', async () => {
    await write({ auths: { 'other.example': 3, 'r.example': auth('me:1') }, credHelpers: { 'other.example': '' } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('me:1'));
  });
});

describe('credential helpers', () => {
  const answer = 'echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"me\\",\\"Secret\\":\\"of $server\\"}"';

  test('credHelpers wins for its registry, credsStore serves the others', async () => {
    await helper('one', 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"of $server\\"}"');
    await helper('store', answer);
    await write({ credsStore: 'store', credHelpers: { 'r.example:5000': 'one' }, auths: { 'b.example': {} } });
    expect(await loginFor('r.example:5000', 'app')).toEqual({ kind: 'identity', token: 'of r.example:5000', file });
    expect(await loginFor('b.example', 'app')).toEqual(basic('me:of b.example'));
  });

  test('queries the names that docker and podman use', async () => {
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

  test('an empty secret means no login', async () => {
    await helper('empty', 'echo "{\\"Username\\":\\"\\",\\"Secret\\":\\"\\"}"');
    await helper('store', answer);
    await write({ credsStore: 'store', credHelpers: { 'r.example': 'empty' } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('me:of r.example'));
    await write({ credsStore: 'empty' });
    expect(await loginFor('r.example', 'app')).toBeUndefined();
  });

  test('a helper without a login for the registry is not an error', async () => {
    await helper('store', 'echo "credentials not found in native keychain"; exit 1');
    await write({ credsStore: 'store' });
    expect(await loginFor('r.example', 'app')).toBeUndefined();
    await write({ credHelpers: { 'r.example': 'store' }, auths: { 'r.example': auth('file:1') } });
    expect(await loginFor('r.example', 'app')).toEqual(basic('file:1'));
  });

  test('a helper is not run if the file has the login', async () => {
    await write({ credsStore: 'not-there', auths: { 'r.example/team': auth('file:1') } });
    expect(await loginFor('r.example', 'team/app')).toEqual(basic('file:1'));
  });

  test.each([
    ['does not exist', undefined, /store was not found/],
    ['fails', 'echo "the key ring is locked"; exit 1', /failed: the key ring is locked/],
    ['prints no JSON', 'echo "secret"', /did not return JSON/],
    ['prints null', 'echo null', /returned no Username and Secret/],
    [
      'prints more than a line',
      'printf \'{"Username":"me","Secret":"of\\\\nme"}\'',
      /returned a Username or Secret with control characters/,
    ],
    ['omits the secret', 'echo "{\\"Username\\":\\"me\\"}"', /returned no Username and Secret/],
  ])('a helper that %s is a clear error', async (_, script, says) => {
    if (script !== undefined) await helper('store', script);
    await write({ credsStore: 'store' });
    await expect(loginFor('r.example', 'app')).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(says),
      where: { file },
      hint: expect.stringContaining('docker-credential-store'),
    });
  });

  test('a helper that hangs fails after its timeout', async () => {
    await helper('store', 'sleep 20');
    await write({ credsStore: 'store' });
    await expect(loginFor('r.example', 'app', { seconds: 0.3 })).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(/store did not answer within 0\.3 s/),
      where: { file },
    });
  });

  test('a helper that is not executable is an error', async () => {
    await helper('store', 'true');
    await chmod(join(dir, 'bin/docker-credential-store'), 0o644);
    await write({ credsStore: 'store' });
    await expect(loginFor('r.example', 'app')).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringMatching(/store is not executable/),
    });
  });
});
