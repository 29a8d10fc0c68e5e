import { describe, expect, it } from 'vitest';
import {
  componentKeys,
  cvesOfOverlays,
  cvesOfPatches,
  keysOfName,
  specVersion,
} from '../../../src/advisory/match/component-keys.ts';
import { Matcher, type Shipped } from '../../../src/advisory/match/matcher.ts';
import type { Overlay } from '../../../src/project/model/overlay.ts';
import { parseSpec, type Spec } from '../../../src/spec/parse.ts';
import { cpe, csaf, csafPurl, entriesIn, nvd, nvdFeed, osv, tracker } from './samples.ts';

const spec = (): Spec =>
  parseSpec(
    'Name: bash\nVersion: 5.2.37\nURL: https://github.com/Owner/Bash-Fork\nSource0: https://example.org/%{name}-%{version}.tar.gz\n',
  );

function component(version: string, keys: readonly string[], more: Partial<Shipped> = {}): Shipped {
  return { component: 'bash', kind: 'component', evr: `${version}-1.wl4`, version, keys, handled: new Map(), ...more };
}

const named = (name: string, version: string): Shipped => component(version, componentKeys({ name, spec: undefined }));

function seed(version: string, name = 'bash'): Shipped {
  return { component: name, kind: 'debian', evr: version, version, keys: [`debian:${name}`], handled: new Map() };
}

/** Why a feed matches what is shipped: one text a match. */
async function whys(feed: object, ...shipped: readonly Shipped[]): Promise<string[]> {
  const matcher = new Matcher(shipped, 'forky');
  return (await entriesIn(feed)).flatMap((entry) => matcher.matches(entry).map(({ why }) => why));
}

const bash = (...bounds: readonly object[]): object =>
  nvdFeed(
    nvd(
      'CVE-2026-1234',
      bounds.map((each) => ({ criteria: cpe('gnu', 'bash'), ...each })),
    ),
  );

const all = [{ introduced: '0' }];

describe('a component', () => {
  const ours = named('bash', '5.2.37');

  it.each<[string, readonly object[], readonly string[]]>([
    ['below the fixed version', [{ versionEndExcluding: '5.3' }], ['NVD cpe gnu:bash < 5.3, ours 5.2.37']],
    ['at the fixed version', [{ versionEndExcluding: '5.2.37' }], []],
    ['at the last version', [{ versionEndIncluding: '5.2.37' }], ['NVD cpe gnu:bash <= 5.2.37, ours 5.2.37']],
    [
      'in one of two ranges',
      [{ versionEndExcluding: '4.0' }, { versionStartIncluding: '5.2', versionEndExcluding: '5.2.40' }],
      ['NVD cpe gnu:bash >= 5.2, < 5.2.40, ours 5.2.37'],
    ],
    ['between two ranges', [{ versionEndExcluding: '4.0' }, { versionStartIncluding: '5.3' }], []],
    ['of all versions', [{}], ['NVD cpe gnu:bash all versions, ours 5.2.37']],
    ['of this version', [{ criteria: cpe('gnu', 'bash', '5.2.37') }], ['NVD cpe gnu:bash 5.2.37, ours 5.2.37']],
    ['of another version', [{ criteria: cpe('gnu', 'bash', '5.2.3') }], []],
    ['of another product', [{ criteria: cpe('gnu', 'bashful') }], []],
    ['that is not vulnerable', [{ vulnerable: false }], []],
  ])('%s', async (_what, bounds, expected) => {
    expect(await whys(bash(...bounds), ours)).toEqual(expected);
  });

  it('is matched without its release, and with an update in its version', async () => {
    const feed = nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('todd', 'sudo', '1.9.5', 'p1') }]));
    expect(await whys(feed, named('sudo', '1.9.5p1'))).toEqual(['NVD cpe todd:sudo 1.9.5p1, ours 1.9.5p1']);
    expect(await whys(feed, named('sudo', '1.9.5'))).toEqual([]);
    expect(await whys(feed, named('sudo', '1.9.5p2'))).toEqual([]);
  });

  it.each(['npm', 'PyPI', 'crates.io', 'Alpine:v3.20', 'Ubuntu:24.04:LTS', 'Debian:14', 'Red Hat'])(
    'is not matched by a package of its name in %s',
    async (ecosystem) => {
      expect(await whys(osv('CVE-2026-1234', ecosystem, 'bash', all), ours)).toEqual([]);
    },
  );

  it('is not matched by a product for a language, nor by a package of a distribution in CSAF', async () => {
    const product = nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('x', 'bash', '*', '*', 'node.js') }]));
    expect(await whys(product, ours)).toEqual([]);
    const products = { a: csafPurl('a', 'pkg:rpm/redhat/bash') };
    expect(await whys(csaf('CVE-2026-1234', products, { known_affected: ['a'] }), ours)).toEqual([]);
  });

  it('is matched by a project of its name', async () => {
    const feed = osv('CVE-2026-1234', 'OSS-Fuzz', 'bash', [...all, { fixed: '5.3' }]);
    expect(await whys(feed, ours)).toEqual(['OSV OSS-Fuzz bash < 5.3, ours 5.2.37']);
    const products = { a: csafPurl('a', 'pkg:generic/bash@5.2.37') };
    expect(await whys(csaf('CVE-2026-1234', products, { known_affected: ['a'] }), ours)).toEqual([
      'CSAF pkg:generic/bash 5.2.37, ours 5.2.37',
    ]);
  });

  it('is matched by the repository of its URL, by tags and versions', async () => {
    const fork = component('5.2.37', componentKeys({ name: 'other', spec: undefined }, spec()));
    const range = { type: 'GIT', repo: 'https://github.com/owner/bash-fork', events: [{ introduced: 'abc' }] };
    const of = (versions: readonly string[], more: object = {}): object =>
      osv('CVE-2026-1234', 'x', 'x', [], { entry: { affected: [{ ranges: [{ ...range, ...more }], versions }] } });
    expect(await whys(of(['v5.2.36', 'bash-5_2_37']), fork)).toEqual([
      'OSV github.com/owner/bash-fork bash-5_2_37, ours 5.2.37',
    ]);
    expect(await whys(of(['v5.2.36']), fork)).toEqual([]);
    const events = { database_specific: { versions: [{ introduced: '0' }, { fixed: '5.3' }] } };
    expect(await whys(of([], events), fork)).toEqual(['OSV github.com/owner/bash-fork < 5.3, ours 5.2.37']);
    expect(await whys(osv('CVE-2026-1234', 'Go', 'github.com/owner/bash-fork/v5', all), fork)).toHaveLength(1);
    expect(await whys(osv('CVE-2026-1234', 'Go', 'github.com/owner/bash-fork/part', all), fork)).toEqual([]);
  });

  it('of a language is matched by its package', async () => {
    const requests = named('python-requests', '2.31.0');
    const feed = (name: string): object => osv('CVE-2026-1234', 'PyPI', name, [...all, { fixed: '2.32.0' }]);
    expect(await whys(feed('Requests'), requests)).toEqual(['OSV PyPI Requests < 2.32.0, ours 2.31.0']);
    const product = (target: string): object =>
      nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('x', 'requests', '*', '*', target) }]));
    expect(await whys(product('python'), requests)).toHaveLength(1);
    expect(await whys(product('*'), requests)).toEqual([]);
  });

  it('with upstream-names is matched by these alone', async () => {
    const names = (...upstreamNames: readonly string[]): Shipped =>
      component('5.2.37', componentKeys({ name: 'bash', spec: undefined, upstreamNames }, spec()));
    const other = nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('other', 'bash') }]));
    expect(await whys(bash({}), names('cpe:gnu:bash'))).toHaveLength(1);
    expect(await whys(other, names('cpe:gnu:bash'))).toEqual([]);
    expect(await whys(other, names('bash'))).toHaveLength(1);
    expect(await whys(bash({}), names())).toEqual([]);
    const npm = osv('CVE-2026-1234', 'npm', 'bash', all);
    expect(await whys(npm, names('pkg:npm/bash'))).toHaveLength(1);
    expect(await whys(npm, names('pkg:github/owner/bash'))).toEqual([]);
  });

  it("with the name of a distribution's package is compared with its epoch and release", async () => {
    const like = component('5.2.37', keysOfName('pkg:rpm/redhat/bash'), { evr: '1:5.2.37-2' });
    const feed = (fixed: string): object =>
      csaf(
        'CVE-2026-1234',
        { a: csafPurl('a', 'pkg:rpm/redhat/bash'), f: csafPurl('f', `pkg:rpm/redhat/bash@${fixed}`) },
        { known_affected: ['a'], fixed: ['f'] },
      );
    expect(await whys(feed('1:5.2.37-3'), like)).toEqual(['CSAF pkg:rpm/redhat/bash < 1:5.2.37-3, ours 1:5.2.37-2']);
    expect(await whys(feed('1:5.2.37-2'), like)).toEqual([]);
  });

  it('gives one match for an entry that names it in several ways', async () => {
    const twice = nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('gnu', 'bash') }, { criteria: cpe('x', 'bash') }]));
    expect(await whys(twice, ours)).toHaveLength(1);
  });

  it('gives the fixed version of the range that it is in', async () => {
    const feed = bash({ versionEndExcluding: '4.4' }, { versionStartIncluding: '5.0', versionEndExcluding: '5.3' });
    const [entry] = await entriesIn(feed);
    expect(new Matcher([ours]).matches(entry!)[0]?.fixed).toBe('5.3');
  });
});

describe('a Debian source package', () => {
  const at = (release: string, fields: object): object => tracker('bash', 'CVE-2026-1234', { [release]: fields });

  it.each<[string, string, object, number]>([
    ['below the fixed version', '5.2.37-2', { status: 'resolved', fixed_version: '5.2.37-3' }, 1],
    ['at the fixed version', '5.2.37-3', { status: 'resolved', fixed_version: '5.2.37-3' }, 0],
    ['of a later build', '5.2.37-3+b1', { status: 'resolved', fixed_version: '5.2.37-3' }, 0],
    ['of a backport before it', '5.2.37-3~deb13u1', { status: 'resolved', fixed_version: '5.2.37-3' }, 1],
    ['with a higher epoch', '1:4.0-1', { status: 'resolved', fixed_version: '5.2.37-3' }, 0],
    ['that is open', '5.2.37-3', { status: 'open' }, 1],
    ['that was never affected', '5.2.37-3', { status: 'resolved', fixed_version: '0' }, 0],
    ['that is undetermined', '5.2.37-3', { status: 'undetermined' }, 0],
    ['that is unimportant', '5.2.37-3', { status: 'open', urgency: 'unimportant' }, 0],
  ])('%s', async (_what, version, fields, count) => {
    expect(await whys(at('forky', fields), seed(version))).toHaveLength(count);
  });

  it('is compared with entries of its own release only', async () => {
    expect(await whys(at('sid', { status: 'open' }), seed('5.2-1'))).toEqual([]);
    expect(await whys(at('forky', { status: 'open' }), seed('5.2-1'))).toEqual([
      'Debian bash in forky, all versions, ours 5.2-1',
    ]);
  });

  it('is matched by OSV, whose releases are numbers', async () => {
    const of = (ecosystem: string): Promise<string[]> =>
      whys(osv('DSA-1', ecosystem, 'bash', [...all, { fixed: '5.2.37-3' }]), seed('5.2.37-2'));
    expect(await of('Debian:14')).toEqual(['OSV Debian:14 bash < 5.2.37-3, ours 5.2.37-2']);
    expect(await of('Debian')).toHaveLength(1);
    expect(await of('Debian:13')).toEqual([]);
  });

  it('is not matched by names of upstream, whose versions do not reflect backports', async () => {
    expect(await whys(bash({ versionEndExcluding: '9' }), seed('5.2.37-2'))).toEqual([]);
  });
});

describe('the keys of a component', () => {
  it.each<[string, readonly string[]]>([
    ['openssl', ['name:openssl']],
    ['Network_Manager', ['name:network-manager']],
    ['cpe:gnu:bash', ['cpe:gnu:bash']],
    ['pkg:generic/OpenSSL', ['name:openssl']],
    ['pkg:github/Owner/Name', ['repository:github.com/owner/name']],
    ['pkg:pypi/Some_Thing', ['purl:pkg:pypi/some-thing']],
  ])('of the name %s', (name, keys) => {
    expect(keysOfName(name)).toEqual(keys);
  });

  it.each([
    ['https://github.com/Owner/Name', 'github.com/owner/name'],
    ['https://github.com/owner/name/archive/v%{version}/name.tar.gz', 'github.com/owner/name'],
    ['https://github.com/owner/%{name}.git', 'github.com/owner/bash'],
    ['https://gitlab.com/group/sub/name/-/archive/v1/x.tar.gz', 'gitlab.com/group/sub/name'],
    ['https://gitlab.example.org/group/name', 'gitlab.example.org/group/name'],
    ['https://git.example.org/cgit/name.git/tree/x', 'git.example.org/cgit/name'],
  ])('of the URL %s', (url, repository) => {
    const keys = componentKeys({ name: 'x', spec: undefined }, parseSpec(`Name: bash\nVersion: 1\nURL: ${url}\n`));
    expect(keys).toEqual(['name:x', `repository:${repository}`]);
  });

  it.each(['https://example.org/name/', 'https://github.com/owner', 'https://github.com/%{owner}/x', 'no URL'])(
    'have no repository from %s',
    (url) => {
      expect(componentKeys({ name: 'x', spec: undefined }, parseSpec(`Name: x\nURL: ${url}\n`))).toEqual(['name:x']);
    },
  );

  it('have its name upstream', () => {
    const from = { type: 'upstream', name: 'bash5', distro: { name: 'fedora' } } as const;
    expect(componentKeys({ name: 'bash', spec: from })).toEqual(['name:bash', 'name:bash5']);
  });
});

describe('a spec', () => {
  it('has a version if its text has one', () => {
    expect(specVersion(spec())).toBe('5.2.37');
    expect(specVersion(parseSpec('%global v 3\nName: a\nVersion: %{v}.1\n'))).toBe('3.1');
    expect(specVersion(parseSpec('Name: a\nVersion: %(date)\n'))).toBeUndefined();
    expect(specVersion(parseSpec('Name: a\n'))).toBeUndefined();
  });
});

describe('what the project deals with itself', () => {
  const overlay = (more: object): Overlay =>
    ({
      ...{ type: 'patch-add', source: '/x/fix.patch', description: 'a reason', origin: { file: 'x', line: 1 } },
      ...more,
    }) as unknown as Overlay;

  it.each<[string, object]>([
    ['in its reason', { description: 'Fixes cve-2026-1234' }],
    ['in the name of its patch', { source: '/x/CVE-2026-1234-1.patch' }],
    ['in its bugs', { metadata: { commits: [], bugs: ['https://example.org/CVE-2026-1234'] } }],
    ['in its commits', { metadata: { commits: ['https://example.org/?q=CVE-2026-1234'], bugs: [] } }],
  ])('is what an overlay names %s', (_what, more) => {
    expect([...cvesOfOverlays([overlay(more)]).keys()]).toEqual(['CVE-2026-1234']);
  });

  it('is not what an overlay does not name', () => {
    expect([...cvesOfOverlays([overlay({ description: 'Fixes CVE-2026-12345' })]).keys()]).toEqual(['CVE-2026-12345']);
  });

  it('is what a patch of the spec is named after', () => {
    expect(cvesOfPatches(['CVE-2026-1234.patch', 'other.patch'])).toEqual(
      new Map([['CVE-2026-1234', 'the spec has a patch for it: CVE-2026-1234.patch']]),
    );
  });
});
