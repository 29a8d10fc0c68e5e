import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lookUpPackages, lookUpSourceMap, readSourceMap } from '../../src/release/package-lookup.ts';
import { failure } from '../base/failure.ts';
import { load } from '../project/fixture.ts';

const config = `
[default-package-config.publish]
rpm-channel = "base"
debuginfo-channel = "debug"
[components.curl]
publish = { rpm-channel = "net", srpm-channel = "sources" }
packages.curl-minimal.publish.rpm-channel = "none"
packages.libcurl.publish = {}
packages.curl-debuginfo.publish = {}
[components.zlib]
[component-groups.core]
components = ["zlib"]
[package-groups.devel]
packages = ["libcurl", "zlib-devel"]
default-package-config.publish.rpm-channel = "sdk"
`;
const none = { type: 'rpm', component: undefined, packageGroups: [], componentGroups: [] };
const all = { all: true, debug: false };

describe('a look-up of packages', () => {
  it('lists the configured packages with the channel of the most specific setting', async () => {
    expect(lookUpPackages(await load(config), [], all)).toEqual([
      { ...none, package: 'curl-debuginfo', component: 'curl', channel: 'debug' },
      { ...none, package: 'curl-minimal', component: 'curl', channel: undefined },
      { ...none, package: 'libcurl', component: 'curl', packageGroups: ['devel'], channel: 'sdk' },
      { ...none, package: 'zlib-devel', packageGroups: ['devel'], channel: 'sdk' },
    ]);
  });

  it('answers for a package that no table names, with its component if that has its name', async () => {
    expect(lookUpPackages(await load(config), ['zlib', 'nobody'], { all: false, debug: false })).toEqual([
      { ...none, package: 'nobody', channel: 'base' },
      { ...none, package: 'zlib', component: 'zlib', componentGroups: ['core'], channel: 'base' },
    ]);
  });

  it('gives a package without a component what every component inherits', async () => {
    const project = await load(`${config}\n[default-component-config.publish]\nrpm-channel = "all"\n`);
    expect(lookUpPackages(project, ['nobody'], { all: false, debug: false })[0]!.channel).toBe('all');
  });

  it('adds debug packages, in their own channel or one beside the package', async () => {
    const names = (rows: readonly { readonly package: string; readonly channel: string | undefined }[]) =>
      Object.fromEntries(rows.map((row) => [row.package, row.channel]));
    const debug = { all: false, debug: true };
    expect(names(lookUpPackages(await load(config), ['libcurl', 'curl-debuginfo'], debug))).toEqual({
      'curl-debuginfo': 'debug',
      'curl-debugsource': 'debug',
      libcurl: 'sdk',
      'libcurl-debuginfo': 'debug',
      'zlib-debugsource': 'debug',
    });
    const without = await load(config.replace('debuginfo-channel = "debug"\n', ''));
    expect(names(lookUpPackages(without, ['libcurl', 'curl-minimal'], debug))).toEqual({
      'curl-debugsource': 'net-debuginfo',
      'curl-minimal': undefined,
      'curl-minimal-debuginfo': undefined,
      libcurl: 'sdk',
      'libcurl-debuginfo': 'sdk-debuginfo',
      'zlib-debugsource': 'base-debuginfo',
    });
  });

  it('takes source packages and their binary packages from a map', async () => {
    const map = [
      { packageName: 'zlib-devel', sourcePackageName: 'zlib' },
      { packageName: 'curl', sourcePackageName: 'curl' },
      { packageName: 'other-libs', sourcePackageName: 'other' },
      { packageName: 'curl', sourcePackageName: 'zlib' },
    ];
    const { rows, conflicts } = lookUpSourceMap(await load(config), map);
    expect(rows.map((row) => [row.package, row.type, row.component, row.channel])).toEqual([
      ['curl', 'rpm', 'curl', 'net'],
      ['curl', 'srpm', 'curl', 'sources'],
      ['other', 'srpm', 'other', undefined],
      ['other-libs', 'rpm', 'other', 'base'],
      ['zlib', 'srpm', 'zlib', undefined],
      ['zlib-devel', 'rpm', 'zlib', 'sdk'],
    ]);
    expect(conflicts).toEqual(['curl: curl, and again zlib']);
  });
});

describe('a map of packages to sources', () => {
  it.each([
    ['no JSON', '[{', 'invalid JSON'],
    ['no array', '{}', 'array'],
    [
      'an entry without a source',
      '[{"packageName":"a","sourcePackageName":"a"},{"packageName":"b"}]',
      'entry 2, sourcePackageName',
    ],
    ['an empty name', '[{"packageName":"","sourcePackageName":"a"}]', 'entry 1, packageName'],
  ])('with %s is refused with the place', async (_what, text, said) => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-map-'));
    const file = join(dir, 'map.json');
    await writeFile(file, text);
    const error = await failure(readSourceMap(file));
    expect(error).toMatchObject({ code: 'bad-package-map', exit: 2, where: { file } });
    expect(error.message).toContain(said);
    await rm(dir, { recursive: true });
  });

  it('that is missing is an error with its name', async () => {
    const error = await failure(readSourceMap('/nowhere/map.json'));
    expect(error).toMatchObject({ code: 'not-readable', exit: 2, where: { file: '/nowhere/map.json' } });
  });
});
