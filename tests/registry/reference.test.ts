import { describe, expect, test } from 'vitest';
import { isDockerHub, isLoopback, parseReference, registryHost } from '../../src/registry/reference.ts';

describe('parseReference', () => {
  test.each([
    ['registry.example.org/weir/base:4.0', 'registry.example.org', 'weir/base', '4.0'],
    ['localhost:5000/base', 'localhost:5000', 'base', 'latest'],
    ['127.0.0.1:5000/a/b-c/d__e.f:x', '127.0.0.1:5000', 'a/b-c/d__e.f', 'x'],
    ['[::1]:5000/base:1', '[::1]:5000', 'base', '1'],
    ['[::ffff:192.0.2.1]/base:1', '[::ffff:192.0.2.1]', 'base', '1'],
    ['xn--mller-kva.example/base:1', 'xn--mller-kva.example', 'base', '1'],
    ['build:5000/base', 'build:5000', 'base', 'latest'],
  ])('%s', (text, registry, repository, tag) => {
    expect(parseReference(text)).toEqual({ registry, repository, tag });
  });

  test.each([
    'base',
    'weir/base',
    'registry.example.org/Weir/base',
    'registry.example.org/a//b',
    'r.example.org/a:b:c',
    'localhost:99999/x',
    'localhost:0/x',
    '',
  ])('rejects %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'bad-reference', exit: 2 }));
  });

  test('a missing tag defaults to the release; errors quote the input', () => {
    expect(parseReference('r.example.org/base', '4.0').tag).toBe('4.0');
    expect(parseReference('r.example.org:5000/base:x', '4.0').tag).toBe('x');
    expect(() => parseReference('r.example.org/base', '4.0+x')).toThrow(
      /^r\.example\.org\/base has no tag, and 4\.0\+x/,
    );
    expect(() => parseReference('', '4.0')).toThrow(/^invalid image reference ""/);
    expect(() => parseReference('base', '4.0')).toThrow(/^invalid image reference base/);
  });

  test.each([
    '[:::]',
    '[1::2::3]',
    '256.0.0.1',
    '10.0.1',
    '-r.example.org',
    'r-.example.org',
    `${'r'.repeat(64)}.example.org`,
    `${'r.'.repeat(126)}org`,
    '5:80',
  ])('rejects the host %s', (host) => {
    expect(() => parseReference(`${host}/base`)).toThrow(/is not a host name or IP address/);
  });
});

test('overlong references are rejected at once', () => {
  for (const text of [`${'a/'.repeat(50_000)}\n`, `host/${'a-'.repeat(50_000)}!`, 'a'.repeat(2000)]) {
    expect(() => parseReference(text)).toThrow(/invalid image reference/);
  }
});

describe('Docker Hub', () => {
  test.each([
    ['docker.io/team/base:1', 'team/base'],
    ['docker.io/base:1', 'library/base'],
    ['docker.io/library/base:1', 'library/base'],
    ['index.docker.io/team/base:1', 'team/base'],
    ['index.docker.io/base:1', 'library/base'],
    ['registry-1.docker.io/base:1', 'library/base'],
    ['Docker.IO/team/base:1', 'team/base'],
    ['docker.io:443/base:1', 'library/base'],
  ])('is %s', (text, repository) => {
    expect(parseReference(text)).toEqual({ registry: 'docker.io', repository, tag: '1' });
  });

  test.each(['docker.io.example.org', 'xdocker.io', 'docker.io:5000', 'hub.docker.com'])('is not %s', (host) => {
    expect(isDockerHub(host)).toBe(false);
    expect(parseReference(`${host}/base:1`)).toEqual({ registry: host, repository: 'base', tag: '1' });
  });

  test('its registry has another host, unlike any other', () => {
    expect(registryHost('docker.io')).toBe('registry-1.docker.io');
    expect(registryHost('quay.example:5000')).toBe('quay.example:5000');
  });
});

test.each([
  ['localhost', true],
  ['LocalHost:5000', true],
  ['127.0.0.1:5000', true],
  ['127.9.9.9', true],
  ['[::1]:5000', true],
  ['[0:0:0:0:0:0:0:1]', true],
  ['localhost.example.org', false],
  ['127.example.org', false],
  ['192.0.2.1', false],
  ['[::2]', false],
])('a registry at %s is on this machine: %s', (registry, loopback) => {
  expect(isLoopback(registry)).toBe(loopback);
});
