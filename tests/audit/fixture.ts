import fc from 'fast-check';
import type {
  AppliedOverlay,
  ComponentOrigin,
  ContainedPackage,
  ImageContents,
  PackageHeader,
  PackageOrigin,
  SourceFile,
} from '../../src/audit/contents.ts';
import { debianSourceUrl } from '../../src/audit/identity.ts';
import type { PackageBuild } from '../../src/audit/package-build.ts';
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
        upstream: { uri: 'https://git.weir.invalid/rpms/gzip', commit: '0123456789abcdef0123456789abcdef01234567' },
        srpm: { digest: sha256('gzip source') },
        files: [
          { name: 'gzip.spec', sha256: sha256('spec'), kind: 'spec', overlays: [2] },
          {
            name: 'gzip-1.14.tar.xz',
            sha256: sha256('tarball'),
            kind: 'tarball',
            url: 'https://ftp.gnu.org/gnu/gzip/gzip-1.14.tar.xz',
            listed: { algorithm: 'sha512', hash: 'ab'.repeat(64) },
          },
          { name: 'gnulib-CVE-2025-1000.patch', sha256: sha256('patch'), kind: 'patch' },
          { name: 'zgrep-escape.patch', sha256: sha256('own patch'), kind: 'patch', overlays: [1] },
          { name: 'colorzgrep.sh', sha256: sha256('script'), kind: 'other' },
        ],
        overlays: [
          {
            type: 'patch-add',
            description: 'Fixes CVE-2026-12345 and CVE-2026-9999 before upstream releases it',
            category: 'upstream-backport',
            upstreamStatus: 'upstreamed',
            bugs: [],
            commits: ['https://git.weir.invalid/gzip/commit/1234567'],
            files: ['zgrep-escape.patch'],
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

const [gzip] = twoPackages.packages;

/** The build that the signed package of `twoPackages` is from. */
export const oneBuild: PackageBuild = {
  origin: gzip!.origin as ComponentOrigin,
  version: '4.0',
  arch: 'x86_64',
  distribution: twoPackages.distribution,
  clock: twoPackages.clock,
  toolVersion: '0.1.0',
  source: {
    header: { ...gzip!.header, arch: 'src', sourceRpm: '', headerDigest: sha256('gzip source header') },
    digest: sha256('gzip source'),
    size: 900_000,
    signedDigest: sha256('gzip source, signed'),
  },
  packages: [
    { header: gzip!.header, digest: gzip!.digest, size: gzip!.size, signedDigest: gzip!.signedDigest! },
    {
      header: { ...gzip!.header, name: 'gzip-debuginfo', headerDigest: sha256('debuginfo header') },
      digest: sha256('gzip-debuginfo'),
      size: 200_000,
    },
  ],
  options: { without: ['docs'], checkSkipped: 'needs the network' },
  buildroot: [
    {
      ...{ name: 'bash', epoch: 0, version: '5.3', release: '4', arch: 'x86_64', rpm: sha256('bash') },
      ...{ sourceRpm: 'bash-5.3-4.src.rpm', from: 'seed' },
    },
    {
      ...{ name: 'gcc', epoch: 1, version: '16', release: '1.fc44', arch: 'x86_64', rpm: sha256('gcc') },
      ...{ sourceRpm: 'gcc-16-1.fc44.src.rpm', from: 'repository fedora' },
    },
  ],
  toolbox: sha256('toolbox'),
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
    upstreamStatus: fc.constantFrom('upstreamed', 'inapplicable'),
    files: fc.array(fc.stringMatching(/^[^/\0]{1,40}$/), { maxLength: 2 }),
  },
  { requiredKeys: ['type', 'description'] },
);

const file: fc.Arbitrary<SourceFile> = fc.record(
  {
    name: fc.oneof(name, fc.stringMatching(/^[^/\0]{1,40}$/)),
    sha256: digest,
    kind: fc.constantFrom('spec', 'tarball', 'patch', 'other'),
    url: fc.webUrl(),
    listed: fc.record({ algorithm: fc.constant('md5' as const), hash: fc.stringMatching(/^[0-9a-f]{32}$/) }),
    overlays: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ['name', 'sha256', 'kind'] },
);

const origin: fc.Arbitrary<PackageOrigin> = fc.oneof(
  fc.record(
    { kind: fc.constant('seed' as const), debian: fc.record({ source: name, version }) },
    { requiredKeys: ['kind'] },
  ),
  fc.record(
    {
      kind: fc.constant('component' as const),
      name,
      upstream: fc.oneof(
        fc.record({ uri: fc.webUrl(), commit: fc.stringMatching(/^[0-9a-f]{40}$/) }),
        fc.record({ distro: name, name }),
        fc.record({ path: words }),
      ),
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

/** Builds with arbitrary sources, overlays and header texts. */
export const anyBuild: fc.Arbitrary<PackageBuild> = fc
  .tuple(
    origin.filter((each): each is ComponentOrigin => each.kind === 'component'),
    fc.uniqueArray(header, { minLength: 1, maxLength: 4, selector: (each) => each.name.toLowerCase() }),
    fc.constantFrom('seed', 'component gzip', 'repository fedora'),
  )
  .map(([made, [first, ...others], from]) => ({
    ...oneBuild,
    origin: made,
    source: { ...oneBuild.source, header: { ...first!, arch: 'src', sourceRpm: '' } },
    packages: others.map((each) => ({ header: each, digest: sha256(each.name), size: 1 })),
    buildroot: others.map((each) => ({ ...each, rpm: sha256(each.name), from })),
  }));

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
