import { expect, test } from 'vitest';
import type { ReadyComponent } from '../../src/component/ready.ts';
import { componentOrigin } from '../../src/release/package-origin.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';
const upstream = { type: 'upstream', name: 'gzip', distro: { name: 'fedora' } };
const local = { type: 'local', path: '/home/me/distro/gzip/gzip.spec' };
const metadata = { category: 'upstream-backport', upstreamStatus: 'upstreamed', bugs: [], commits: [] };

function ready(parts: { readonly origin: ReadyComponent['origin']; readonly spec: object }): ReadyComponent {
  const overlays = [
    { type: 'patch-add', description: 'Fixes it', metadata },
    { type: 'spec-set-tag', description: 'Says so' },
  ];
  return {
    component: {
      name: 'gzip',
      spec: parts.spec,
      overlays,
      sourceFiles: [
        { filename: 'keys.tar', origin: { type: 'download', uri: 'https://me:secret@example.invalid/keys.tar' } },
      ],
    },
    origin: parts.origin,
    listed: [
      { filename: 'gzip-1.tar.xz', hashType: 'SHA512', hash: 'ab' },
      { filename: 'keys.tar', hashType: 'SHA256', hash: 'cd' },
    ],
    input: {
      name: 'gzip',
      spec: 'gzip.spec',
      files: { 'gzip.spec': '01', 'gzip-1.tar.xz': '02', 'keys.tar': '03', 'fix.patch': '04', 'old.patch': '05' },
    },
    rendered: {
      applied: [
        { number: 1, files: ['fix.patch'], changedSpec: true },
        { number: 2, files: [], changedSpec: true },
      ],
    },
  } as unknown as ReadyComponent;
}

const origin = (from: ReadyComponent['origin'], spec: object = upstream) =>
  componentOrigin(ready({ origin: from, spec }), { rpm: '06' }, '/home/me/distro', {
    urls: { 'gzip-1.tar.xz': 'https://ftp.gnu.org/gzip-1.tar.xz', 'old.patch': 'file:///home/me/old.patch' },
  });

test('sources have their address, upstream’s hash, and the overlays that changed them', () => {
  expect(origin({ kind: 'git', from: 'https://git.invalid/gzip', commit })).toEqual({
    kind: 'component',
    name: 'gzip',
    upstream: { uri: 'https://git.invalid/gzip', commit },
    srpm: { digest: '06' },
    files: [
      { name: 'gzip.spec', sha256: '01', kind: 'spec', overlays: [1, 2] },
      {
        name: 'gzip-1.tar.xz',
        sha256: '02',
        kind: 'tarball',
        url: 'https://ftp.gnu.org/gzip-1.tar.xz',
        listed: { algorithm: 'sha512', hash: 'ab' },
      },
      {
        name: 'keys.tar',
        sha256: '03',
        kind: 'tarball',
        url: 'https://example.invalid/keys.tar',
        listed: { algorithm: 'sha256', hash: 'cd' },
      },
      { name: 'fix.patch', sha256: '04', kind: 'patch', overlays: [1] },
      { name: 'old.patch', sha256: '05', kind: 'patch' },
    ],
    overlays: [
      { type: 'patch-add', description: 'Fixes it', ...metadata, files: ['fix.patch'] },
      { type: 'spec-set-tag', description: 'Says so' },
    ],
  });
});

test.each([
  [
    'a commit',
    { kind: 'git', from: 'https://me:secret@git.invalid/gzip', commit },
    upstream,
    'https://git.invalid/gzip',
  ],
  ['a repository on this machine', { kind: 'git', from: '/srv/git/gzip', commit }, upstream, undefined],
  ['a folder of a distro', { kind: 'folder', from: '/srv/dist-git/gzip' }, upstream, 'fedora'],
  ['a spec in the project', { kind: 'local', from: '/home/me/distro/gzip/gzip.spec' }, local, 'gzip/gzip.spec'],
  ['a spec elsewhere on this machine', { kind: 'local', from: '/home/me/gzip.spec' }, local, undefined],
] as const)('the spec of %s has no path of this machine, and no password', (_, from, spec, expected) => {
  const found = origin(from, spec).upstream;
  expect(JSON.stringify(found) ?? '').not.toMatch(/secret|\/home|\/srv/);
  const place = found as Record<string, string> | undefined;
  expect(place?.uri ?? place?.distro ?? place?.path).toBe(expected);
});
