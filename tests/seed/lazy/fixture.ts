import { ContentsIndex, ContentsReader } from '../../../src/seed/lazy/contents.ts';
import { type DebianIndex, PackagesReader } from '../../../src/seed/lazy/debian-index.ts';
import type { LookupContext } from '../../../src/seed/lazy/lookup.ts';
import { makeMoreNaming } from '../../../src/seed/lazy/more-naming.ts';
import type { Mapping } from '../../../src/seed/mapping.ts';

/** Name, version and further fields of the packages of a small suite. */
const suite: readonly (readonly [string, string, Readonly<Record<string, string>>?])[] = [
  ['libc6', '2.43-7'],
  ['gettext', '0.26-1', { Depends: 'libc6' }],
  ['autopoint', '0.26-1', { Architecture: 'all' }],
  ['cmake', '4.3.4-1', { Depends: 'libc6 (>= 2.38), cmake-data (= 4.3.4-1), procps | busybox' }],
  ['cmake-data', '4.3.4-1', { Architecture: 'all' }],
  ['procps', '4.0', {}],
  ['busybox', '1.38', {}],
  ['git', '1:2.53.0-1', { Depends: 'perl:any, debconf | gone' }],
  ['libfoo-dev', '1.2-3', { Depends: 'libfoo1 (= 1.2-3)', Provides: 'foo-dev-virtual' }],
  ['libfoo1', '1.2-3', {}],
  ['libglib2.0-dev', '2.88-1', {}],
  ['libcurl4-openssl-dev', '8.22-1', {}],
  ['libcurl4-gnutls-dev', '8.22-1', {}],
  ['libtest-deep-perl', '1.205-1', { Architecture: 'all' }],
  ['python3-attr', '26.1.0-1', { Architecture: 'all' }],
  ['libxml2-utils', '2.15.4-1', {}],
  ['libabsl-dev', '20260526.0-2', {}],
  ['libevent-2.1-7', '2.1.13-1', {}],
  ['debconf', '1.5', { Architecture: 'all' }],
  ['mail-a', '1', { Provides: 'mta' }],
  ['mail-bb', '1', { Provides: 'mta' }],
  ['needs-mail', '1', { Depends: 'mta, nothing-has-this' }],
  ['librust-foo-bar-dev', '2.1.0-1', { Provides: 'librust-foo-bar+std-dev (= 2.1.0-1), librust-foo-bar-2-dev' }],
  ['librust-foo-bar-0.3-dev', '0.3.2-1', { Provides: 'librust-foo-bar-0.3+std-dev (= 0.3.2-1)' }],
  ['wdictionary', '1', { Architecture: 'all' }],
];

const digest = 'a'.repeat(64);

/** The text of its Packages list. */
export const packagesText = suite
  .map(([name, version, fields = {}]) =>
    Object.entries({
      ...{ Package: name, Version: version, Architecture: 'amd64', Size: '10', SHA256: digest },
      ...{ Filename: `pool/${name}_${version}.deb`, ...fields },
    })
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(''),
  )
  .join('\n');

/** The text of its Contents list. */
export const contentsText = `
usr/bin/cmake                                     devel/cmake
usr/bin/xmllint                                   text/libxml2-utils
bin/git                                           vcs/git
usr/games/never                                   games/git
usr/lib/x86_64-linux-gnu/pkgconfig/foo.pc         libdevel/libfoo-dev
usr/share/pkgconfig/in-seed.pc                    devel/gettext
usr/lib/aarch64-linux-gnu/pkgconfig/arm.pc        libdevel/libfoo-dev
usr/lib/x86_64-linux-gnu/pkgconfig/libcurl.pc     libdevel/libcurl4-gnutls-dev,libdevel/libcurl4-openssl-dev
usr/share/perl5/Test/Deep.pm                      perl/libtest-deep-perl
usr/share/doc/x/Not/This.pm                       doc/git
usr/lib/python3/dist-packages/attrs-26.1.0.dist-info/METADATA  python/python3-attr
usr/lib/x86_64-linux-gnu/cmake/absl/abslConfig.cmake           libdevel/libabsl-dev
usr/lib/x86_64-linux-gnu/cmake/low/low-config.cmake            libdevel/libfoo-dev
usr/lib/x86_64-linux-gnu/libevent-2.1.so.7        libs/libevent-2.1-7
usr/share/dict/words with blank                   text/wdictionary
`.trimStart();

export function readIndex(): DebianIndex {
  const reader = new PackagesReader();
  // In two blocks, cut at a line within an entry.
  const cut = packagesText.indexOf('\n', packagesText.length / 2) + 1;
  reader.add(packagesText.slice(0, cut));
  reader.add(packagesText.slice(cut));
  return reader.done();
}

export function readContents(): ContentsIndex {
  const reader = new ContentsReader('x86_64-linux-gnu');
  reader.add(contentsText);
  return new ContentsIndex(reader.text());
}

export const mapping: Mapping = {
  defaults: {
    vendor: 'Debian',
    ignore: ['debconf'],
    remove: [],
    'requires-pre': [],
    rename: [{ from: 'lib*-dev', to: 'lib*-devel' }],
  },
  packages: new Map([
    ['glibc', { from: ['libc6'] }],
    ['gettext', { from: ['gettext'] }],
  ]),
  roots: new Map(),
  names: new Map([
    ['gettext-devel', ['gettext', 'autopoint']],
    ['langpack-*', ['autopoint']],
    ['pkgconfig(libcurl)', ['libcurl4-openssl-dev']],
  ]),
};

/** Debian packages of the fixed seed. */
export const fixed: ReadonlySet<string> = new Set(['libc6', 'gettext', 'perl', 'busybox']);

export function context(): LookupContext & { readonly naming: ReturnType<typeof makeMoreNaming> } {
  const contents = readContents();
  return {
    index: readIndex(),
    contents: async () => contents,
    ownersOfPath: async (path) => (path === '/usr/share/dict/words' ? ['wdictionary'] : []),
    mapping,
    naming: makeMoreNaming(mapping, { rpms: new Set(['glibc', 'gettext']), debs: fixed }),
    base: fixed,
  };
}
