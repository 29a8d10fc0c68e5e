import fc from 'fast-check';
import type {
  AppliedOverlay,
  ContainedPackage,
  ImageContents,
  PackageHeader,
  PackageOrigin,
  SourceFile,
} from '../../src/audit/contents.ts';
import { debianSourceUrl } from '../../src/audit/identity.ts';
import { sha256 } from '../../src/base/digest.ts';

/** An image with a signed package of a component and a package of the seed. */
export const twoPackages: ImageContents = {
  name: 'base',
  version: '4.0.20260131',
  kind: 'container',
  distribution: {
    id: 'weir',
    name: 'Weir Linux',
    version: '4.0',
    cpe: 'cpe:/o:weir:weir_linux:4.0',
    supportEnd: '2028-11-20',
    vendor: 'Weir',
    url: 'https://weir.invalid/',
  },
  clock: 1_769_860_800,
  toolVersion: '0.1.0',
  packages: [
    {
      header: {
        name: 'gzip',
        epoch: 1,
        version: '1.14',
        release: '2.wl4',
        arch: 'x86_64',
        summary: 'The GNU data compression program',
        description: 'Compresses\nand uncompresses.',
        license: 'GPL-3.0-or-later and GFDL-1.3-only AND Redistributable',
        url: 'https://www.gnu.org/software/gzip/',
        vendor: 'Weir',
        vcs: 'https://weir.invalid/git/gzip',
        sourceRpm: 'gzip-1.14-2.wl4.src.rpm',
        buildTime: 1_769_860_800,
        headerDigest: sha256('gzip header'),
      },
      digest: sha256('gzip'),
      size: 98_304,
      signedDigest: sha256('gzip, signed'),
      origin: {
        kind: 'component',
        name: 'gzip',
        srpm: { digest: sha256('gzip source') },
        files: [
          { name: 'gzip-1.14.tar.xz', sha256: sha256('tarball'), kind: 'tarball' },
          { name: 'gnulib-fix.patch', sha256: sha256('patch'), kind: 'patch' },
          { name: 'colorzgrep.sh', sha256: sha256('script'), kind: 'other' },
        ],
        overlays: [
          {
            type: 'patch-add',
            description: 'Fixes CVE-2026-12345 before upstream releases it',
            category: 'upstream-backport',
            commits: ['https://git.weir.invalid/gzip/commit/1234567'],
          },
          { type: 'spec-remove-subpackage', description: 'No manuals in a cloud image', category: 'weir-pruning' },
        ],
      },
    },
    {
      header: {
        name: 'libstdc++',
        epoch: 0,
        version: '15.2.0',
        release: '4.wl4',
        arch: 'x86_64',
        summary: 'GNU Standard C++ Library',
        description: '',
        license: 'LicenseRef-Debian-copyright',
        url: 'not a URL',
        vendor: 'Debian, packaged by Weir',
        vcs: debianSourceUrl('gcc-15', '15.2.0-4+dfsg~1'),
        sourceRpm: 'gcc-15.2.0+dfsg~1-4.wl4.src.rpm',
        buildTime: 1_769_860_800,
        headerDigest: sha256('libstdc++ header'),
      },
      digest: sha256('libstdc++'),
      size: 2_000_000,
      origin: { kind: 'seed', debian: { source: 'gcc-15', version: '15.2.0-4+dfsg~1' } },
    },
  ],
};

const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,20}$/);
const version = fc.stringMatching(/^[0-9][A-Za-z0-9._+~^]{0,8}$/);
const words = fc.string({ maxLength: 40, unit: 'binary' });
const url = fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), words);

const license = fc.oneof(
  fc.constantFrom(
    'MIT',
    'GPL-2.0-or-later WITH GCC-exception-3.1',
    '(MIT OR Apache-2.0+) AND LicenseRef-a',
    'GPLv2+ and BSD',
  ),
  fc.constantFrom(
    '',
    'Public Domain',
    'constructor',
    'MIT AND',
    '()',
    'MIT WITH Unknown-exception',
    'a b',
    'DocumentRef-x:LicenseRef-y',
  ),
  words,
);

const overlay: fc.Arbitrary<AppliedOverlay> = fc.record(
  {
    type: fc.constantFrom('patch-add', 'spec-set-tag', 'file-remove'),
    description: words,
    category: fc.constantFrom('upstream-backport', 'weir-pruning'),
    bugs: fc.array(url, { maxLength: 2 }),
    commits: fc.array(url, { maxLength: 2 }),
  },
  { requiredKeys: ['type', 'description'] },
);

const file: fc.Arbitrary<SourceFile> = fc.record({
  name: fc.oneof(name, fc.stringMatching(/^[^/\0]{1,40}$/)),
  sha256: digest,
  kind: fc.constantFrom('tarball', 'patch', 'other'),
});

const origin: fc.Arbitrary<PackageOrigin> = fc.oneof(
  fc.record(
    { kind: fc.constant('seed' as const), debian: fc.record({ source: name, version }) },
    { requiredKeys: ['kind'] },
  ),
  fc.record(
    {
      kind: fc.constant('component' as const),
      name,
      srpm: fc.record({ digest }),
      files: fc.array(file, { maxLength: 4 }),
      overlays: fc.array(overlay, { maxLength: 3 }),
    },
    { requiredKeys: ['kind', 'name', 'files', 'overlays'] },
  ),
);

const header: fc.Arbitrary<PackageHeader> = fc
  .record({
    name,
    epoch: fc.constantFrom(0, 0, 1, 12),
    version,
    release: version,
    arch: fc.constantFrom('x86_64', 'aarch64', 'noarch'),
    summary: words,
    description: words,
    license,
    url,
    vendor: words,
    vcs: url,
    sourceRpm: fc.constant(''),
    buildTime: fc.nat(),
    headerDigest: digest,
  })
  // Few source packages, so that some packages share one.
  .chain((made) =>
    fc.constantFrom('', 'shared-1-1.src.rpm', `${made.name}-1-1.src.rpm`).map((sourceRpm) => ({ ...made, sourceRpm })),
  );

const contained: fc.Arbitrary<ContainedPackage> = fc.record(
  { header, digest, size: fc.nat(), signedDigest: digest, origin },
  { requiredKeys: ['header', 'digest', 'size', 'origin'] },
);

/** Images of many packages with arbitrary header texts. */
export const anyImage: fc.Arbitrary<ImageContents> = fc.record({
  name,
  version,
  kind: fc.constantFrom('container', 'disk'),
  distribution: fc.record(
    {
      id: fc.stringMatching(/^[a-z][a-z0-9._-]{0,8}$/),
      name: words,
      version: fc.stringMatching(/^[0-9]{1,2}\.[0-9]$/),
      cpe: fc.constantFrom('cpe:/o:weir:weir_linux:4.0', 'cpe:2.3:o:weir:weir_linux:4.0:*:*:*:*:*:*:*'),
      supportEnd: fc.constant('2028-11-20'),
      vendor: words,
      url,
    },
    { requiredKeys: ['id', 'name', 'version', 'cpe'] },
  ),
  clock: fc.nat(),
  toolVersion: fc.constant('0.1.0'),
  packages: fc.uniqueArray(contained, {
    minLength: 1,
    maxLength: 60,
    size: 'max',
    selector: ({ header: { name, epoch, version, release, arch } }) => [name, epoch, version, release, arch].join('\n'),
  }),
});
