import { describe, expect, test } from 'vitest';
import { parsePackageManifest, printPackageManifest } from '../../src/inputs/package-manifest.ts';

const sha = 'a'.repeat(64);

describe('a package manifest', () => {
  const repositories = [
    { id: 'base', address: { kind: 'baseurl', urls: ['https://one.example.org/x', 'https://two.example.org/x'] } },
    { id: 'updates', address: { kind: 'metalink', url: 'https://example.org/metalink?repo=x&arch=y' } },
  ] as const;
  const packages = [
    {
      name: 'zsh',
      evr: '5.9-1.fc44',
      arch: 'x86_64',
      repository: 'base',
      sha256: sha,
      size: 10,
      location: 'z/zsh.rpm',
    },
    {
      ...{ name: 'bash', evr: '1:5.3-2', arch: 'noarch', repository: 'updates', sha256: sha, size: 20 },
      ...{ location: 'b/bash.rpm', source: 'bash-5.3-2.src' },
    },
  ];

  test('is written as libpkgmanifest does, sorted', () => {
    expect(printPackageManifest('x86_64', repositories, packages)).toBe(`document: rpm-package-manifest
version: 0.2.2
data:
  repositories:
    - id: base
      baseurl: https://one.example.org/x
    - id: updates
      metalink: https://example.org/metalink?repo=x&arch=y
  packages:
    noarch:
      - name: bash
        repo_id: updates
        location: b/bash.rpm
        checksum: sha256:${sha}
        size: 20
        evr: 1:5.3-2
        srpm: bash-5.3-2.src
        parent_archs:
          - x86_64
    x86_64:
      - name: zsh
        repo_id: base
        location: z/zsh.rpm
        checksum: sha256:${sha}
        size: 10
        evr: 5.9-1.fc44
`);
  });

  test('is read back', () => {
    const text = printPackageManifest('x86_64', repositories, packages);
    expect(parsePackageManifest(text, 'm.yaml')).toEqual([
      {
        name: 'bash',
        evr: '1:5.3-2',
        arch: 'noarch',
        repository: 'updates',
        checksum: { type: 'sha256', value: sha },
        size: 20,
      },
      {
        name: 'zsh',
        evr: '5.9-1.fc44',
        arch: 'x86_64',
        repository: 'base',
        checksum: { type: 'sha256', value: sha },
        size: 10,
      },
    ]);
  });

  const broken = (change: (text: string) => string): string =>
    change(printPackageManifest('x86_64', repositories, packages));

  test.each([
    ['another document', broken((text) => text.replace('rpm-package-manifest', 'rpm-package-input')), 'document', 1],
    ['a later format', broken((text) => text.replace('0.2.2', '1.0.0')), 'version', 2],
    ['a checksum without algorithm', broken((text) => text.replace('sha256:', '')), 'checksum', 14],
    ['an EVR without release', broken((text) => text.replace('1:5.3-2\n', '5.3\n')), 'evr', 16],
    ['a negative size', broken((text) => text.replace('size: 20', 'size: -1')), 'size', 15],
    ['no YAML', 'document: [', 'Flow sequence', 1],
    ['a text', 'x', 'expected object', 1],
    ['aliases', 'document: &a rpm-package-manifest\nversion: *a\n', 'aliases', undefined],
  ])('%s is an error with its line', (_, text, message, line) => {
    expect(() => parsePackageManifest(text, 'm.yaml')).toThrow(
      expect.objectContaining({
        code: 'bad-manifest',
        message: expect.stringContaining(message),
        where: line === undefined ? { file: 'm.yaml' } : expect.objectContaining({ file: 'm.yaml', line }),
      }),
    );
  });
});
