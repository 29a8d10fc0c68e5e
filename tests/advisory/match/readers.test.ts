import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readFeed } from '../../../src/advisory/match/feed.ts';
import type { Affected } from '../../../src/advisory/match/feed-entry.ts';
import { handMade } from '../../archive/tar-maker.ts';
import { zipOf } from '../../archive/zip-maker.ts';
import { failure } from '../../base/failure.ts';
import { cpe, csaf, csafPurl, entriesAt, entriesIn, filesIn, nvd, nvdFeed, osv, tracker } from './samples.ts';

const affected = (one: Affected | undefined): unknown[] => [
  one?.kind,
  one?.name,
  one?.scheme,
  one?.ranges,
  one?.versions,
];

describe('NVD', () => {
  it('gives an entry in the common form', async () => {
    const more = {
      metrics: {
        cvssMetricV2: [{ type: 'Primary', cvssData: { baseScore: 10, vectorString: 'AV:N' } }],
        cvssMetricV31: [
          { type: 'Secondary', cvssData: { vectorString: 'CVSS:3.1/AV:L', baseScore: 1, baseSeverity: 'LOW' } },
          { type: 'Primary', cvssData: { vectorString: 'CVSS:3.1/AV:N', baseScore: 7.5, baseSeverity: 'HIGH' } },
        ],
      },
      weaknesses: [
        {
          description: [
            { lang: 'en', value: 'CWE-787' },
            { lang: 'en', value: 'NVD-CWE-noinfo' },
          ],
        },
      ],
      references: [{ url: 'https://example.org/a' }, { url: 'https://example.org/a' }, { url: 'ftp://example.org' }],
    };
    const [good] = await entriesIn(
      nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('gnu', 'bash'), versionEndExcluding: '5.3' }], more)),
    );
    expect(good).toEqual({
      id: 'CVE-2026-1234',
      aliases: [],
      title: 'A fault in CVE-2026-1234',
      description: 'A fault in CVE-2026-1234. It is bad.',
      severity: 'important',
      cvss: 'CVSS:3.1/AV:N',
      cwe: ['CWE-787'],
      published: '2026-01-02T03:04:05Z',
      references: ['https://example.org/a'],
      affects: [
        {
          kind: 'cpe',
          name: 'gnu:bash',
          shown: 'cpe gnu:bash',
          scheme: 'upstream',
          ranges: [{ fixed: '5.3' }],
          versions: [],
        },
      ],
      source: 'NVD',
      place: { file: 'feed.json', line: 1, pointer: '/vulnerabilities/0/cve' },
    });
  });

  it('reads bounds and exact versions with updates', async () => {
    const [entry] = await entriesIn(
      nvdFeed(
        nvd('CVE-2026-1234', [
          { criteria: cpe('a', 'b'), versionStartIncluding: '1.0', versionEndIncluding: '1.5' },
          { criteria: cpe('a', 'b'), versionStartExcluding: '2.0', versionEndExcluding: '2.5' },
          { criteria: cpe('a', 'b') },
          { criteria: cpe('a', 'b', '1.9.5', 'p1') },
          { criteria: cpe('a', 'b', '1.9.6', '-') },
          { criteria: cpe('a', 'b', '-') },
          { criteria: cpe('a', 'b', '9'), vulnerable: false },
        ]),
      ),
    );
    expect(entry?.affects.map(affected)).toEqual([
      [
        'cpe',
        'a:b',
        'upstream',
        [{ introduced: '1.0', lastAffected: '1.5' }, { introduced: '2.0', isAfter: true, fixed: '2.5' }, {}],
        ['1.9.5p1', '1.9.5-p1', '1.9.6'],
      ],
    ]);
  });

  it('leaves out what is for other systems, and knows languages', async () => {
    const of = async (target: string): Promise<unknown> =>
      (await entriesIn(nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('a', 'b', '1', '*', target) }]))))[0]?.affects.map(
        ({ name, purl }) => purl ?? name,
      );
    expect(await of('linux')).toEqual(['a:b']);
    expect(await of('wordpress')).toEqual([]);
    expect(await of('windows')).toEqual([]);
    expect(await of('node.js')).toEqual(['pkg:npm/b']);
  });

  it.each([
    ['o:microsoft:windows', 0],
    ['o:linux:linux_kernel', 1],
    ['h:example:board', 0],
    ['o:debian:debian_linux', 1],
  ])('reads a configuration that needs %s', async (system, count) => {
    const configurations = [
      {
        operator: 'AND',
        nodes: [
          { operator: 'OR', cpeMatch: [{ vulnerable: true, criteria: cpe('a', 'b') }] },
          { operator: 'OR', cpeMatch: [{ vulnerable: false, criteria: `cpe:2.3:${system}:-:*:*:*:*:*:*:*` }] },
        ],
      },
    ];
    const [entry] = await entriesIn(nvdFeed(nvd('CVE-2026-1234', [], { configurations })));
    expect(entry?.affects.length).toBe(count);
  });

  it.each([
    ['o:microsoft:windows', 0],
    ['o:linux:linux_kernel', 1],
    ['h:example:board', 0],
  ])('reads one node that needs %s, too', async (system, count) => {
    const cpeMatch = [
      { vulnerable: true, criteria: cpe('a', 'b') },
      { vulnerable: false, criteria: `cpe:2.3:${system}:-:*:*:*:*:*:*:*` },
    ];
    const configurations = [{ nodes: [{ operator: 'AND', cpeMatch }] }];
    const [entry] = await entriesIn(nvdFeed(nvd('CVE-2026-1234', [], { configurations })));
    expect(entry?.affects.length).toBe(count);
    const either = [{ nodes: [{ operator: 'OR', cpeMatch }] }];
    const [other] = await entriesIn(nvdFeed(nvd('CVE-2026-1234', [], { configurations: either })));
    expect(other?.affects.length).toBe(1);
  });

  it('leaves out rejected entries, and takes entries without an analysis', async () => {
    const rejected = nvd('CVE-2026-1111', [], { vulnStatus: 'Rejected' });
    const waiting = nvd('CVE-2026-2222', [], { vulnStatus: 'Received', configurations: undefined, metrics: {} });
    const entries = await entriesIn(nvdFeed(rejected, waiting));
    expect(entries.map(({ id, severity, affects }) => [id, severity, affects])).toEqual([
      ['CVE-2026-2222', undefined, []],
    ]);
  });

  it('unescapes names', async () => {
    const [entry] = await entriesIn(nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('a\\:b', 'c\\+\\+') }])));
    expect(entry?.affects[0]?.name).toBe('a:b:c++');
  });
});

describe('OSV', () => {
  it('gives an entry in the common form', async () => {
    const entry = {
      aliases: ['CVE-2026-1234', 'PYSEC-2026-1'],
      severity: [
        { type: 'CVSS_V4', score: 'CVSS:4.0/AV:N' },
        { type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H' },
      ],
      database_specific: { severity: 'CRITICAL', cwe_ids: ['CWE-79'] },
      references: [{ type: 'WEB', url: 'https://example.org/a' }],
    };
    const [found] = await entriesIn(
      osv('GHSA-aaaa-bbbb-cccc', 'PyPI', 'Some_Thing', [{ introduced: '0' }, { fixed: '2.0' }], { entry }),
    );
    expect(found).toEqual({
      id: 'CVE-2026-1234',
      aliases: ['GHSA-aaaa-bbbb-cccc', 'PYSEC-2026-1'],
      title: 'fault of Some_Thing',
      description: 'It is bad.',
      severity: 'important',
      cvss: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H',
      cwe: ['CWE-79'],
      published: '2026-01-02T03:04:05Z',
      references: ['https://example.org/a'],
      affects: [
        {
          kind: 'purl',
          name: 'pkg:pypi/some-thing',
          shown: 'PyPI Some_Thing',
          scheme: 'python',
          ranges: [{ fixed: '2.0' }],
          versions: [],
        },
      ],
      source: 'OSV',
      place: { file: 'feed.json', line: 1, pointer: '' },
    });
  });

  it('gives one entry for each CVE of an advisory', async () => {
    const entry = { aliases: [], upstream: ['CVE-2026-1111', 'CVE-2026-2222', 'CVE-2026-1111'] };
    const found = await entriesIn(osv('DSA-1-1', 'Debian:13', 'bash', [{ introduced: '0' }], { entry }));
    expect(found.map(({ id, aliases }) => [id, aliases])).toEqual([
      ['CVE-2026-1111', ['DSA-1-1']],
      ['CVE-2026-2222', ['DSA-1-1']],
    ]);
  });

  it.each<[string, readonly object[], unknown]>([
    ['one range', [{ introduced: '0' }, { fixed: '2' }], [{ fixed: '2' }]],
    ['no end', [{ introduced: '1' }], [{ introduced: '1' }]],
    ['a last version', [{ introduced: '1' }, { last_affected: '2' }], [{ introduced: '1', lastAffected: '2' }]],
    [
      'several ranges, in any order',
      [{ fixed: '1.5' }, { introduced: '10' }, { introduced: '0' }, { fixed: '10.2' }],
      [{ fixed: '1.5' }, { introduced: '10', fixed: '10.2' }],
    ],
    ['two events turned', [{ fixed: '2' }, { introduced: '0' }], [{ fixed: '2' }]],
    ['no limit', [{ introduced: '0' }, { limit: '*' }], [{}]],
    ['one event with both', [{ introduced: '1', fixed: '2' }], [{ introduced: '1', fixed: '2' }]],
    ['an end alone', [{ fixed: '2' }], []],
  ])('reads events of %s', async (_what, events, ranges) => {
    const [entry] = await entriesIn(osv('CVE-2026-1234', 'PyPI', 'a', events));
    expect(entry?.affects[0]?.ranges).toEqual(ranges);
  });

  it.each([
    ['Debian:14', ['debian-source', 'a', 'debian']],
    ['Debian', ['debian-source', 'a', 'debian']],
    ['OSS-Fuzz', ['name', 'a', 'upstream']],
    ['Linux', ['cpe', 'linux:linux_kernel', 'upstream']],
    ['crates.io', ['purl', 'pkg:cargo/a', 'upstream']],
    ['PyPI', ['purl', 'pkg:pypi/a', 'python']],
    ['Alpine:v3.20', undefined],
    ['Ubuntu:24.04:LTS', undefined],
    ['Red Hat:enterprise_linux:9::baseos', undefined],
    ['Something New', undefined],
  ])('knows the ecosystem %s', async (ecosystem, expected) => {
    const [entry] = await entriesIn(osv('CVE-2026-1234', ecosystem, 'a', [{ introduced: '0' }]));
    expect(entry?.affects[0] && affected(entry.affects[0]).slice(0, 3)).toEqual(expected);
  });

  it('compares semantic versions as such', async () => {
    const [entry] = await entriesIn(
      osv('CVE-2026-1234', 'crates.io', 'a', [{ introduced: '0.0.0-0' }], { type: 'SEMVER' }),
    );
    expect(entry?.affects.map(affected)).toEqual([['purl', 'pkg:cargo/a', 'semver', [{ introduced: '0.0.0-0' }], []]]);
  });

  it('takes the tags of a repository, and the versions that its commits came from', async () => {
    const range = {
      ...{ type: 'GIT', repo: 'https://github.com/Owner/Name.git', events: [{ introduced: '0' }, { fixed: 'abcdef' }] },
      database_specific: { versions: [{ introduced: '1.0' }, { fixed: '1.2' }] },
    };
    const entry = { affected: [{ ranges: [range], versions: ['v1.0', 'v1.1'] }] };
    const [found] = await entriesIn(osv('CVE-2026-1234', 'x', 'x', [], { entry }));
    expect(found?.affects.map(affected)).toEqual([
      ['repository', 'github.com/owner/name', 'upstream', [{ introduced: '1.0', fixed: '1.2' }], ['v1.0', 'v1.1']],
    ]);
  });

  it('leaves out withdrawn entries, and what Debian calls unimportant', async () => {
    expect(
      await entriesIn(osv('CVE-2026-1234', 'PyPI', 'a', [], { entry: { withdrawn: '2026-01-01T00:00:00Z' } })),
    ).toEqual([]);
    const unimportant = { ecosystem_specific: { urgency: 'unimportant' } };
    const [entry] = await entriesIn(
      osv('CVE-2026-1234', 'Debian:13', 'a', [{ introduced: '0' }], { affected: unimportant }),
    );
    expect(entry?.affects).toEqual([]);
  });
});

describe('CSAF', () => {
  it('gives the affected products, with the fixed version of the same', async () => {
    const products = {
      a: csafPurl('a', 'pkg:generic/thing'),
      b: csafPurl('b', 'pkg:generic/thing@2.1'),
      c: csafPurl('c', 'pkg:generic/other@1.0?arch=x86_64'),
    };
    const status = { known_affected: ['a', 'c'], fixed: ['b'], known_not_affected: [] };
    const more = {
      ...{ cwe: { id: 'CWE-79', name: 'x' }, notes: [{ category: 'description', text: 'It is bad.' }] },
      scores: [{ cvss_v3: { baseScore: 9.8, vectorString: 'CVSS:3.1/AV:N' }, products: ['a'] }],
      references: [{ url: 'https://example.org/a', summary: 'x' }],
    };
    const [entry] = await entriesIn(csaf('CVE-2026-1234', products, status, more));
    expect(entry).toMatchObject({
      ...{ id: 'CVE-2026-1234', title: 'VEX of CVE-2026-1234', description: 'It is bad.', severity: 'critical' },
      ...{ cvss: 'CVSS:3.1/AV:N', cwe: ['CWE-79'], published: '2026-01-02T03:04:05Z', source: 'CSAF' },
      place: { pointer: '/vulnerabilities/0' },
    });
    expect(entry?.affects.map(affected)).toEqual([
      ['name', 'thing', 'upstream', [{ fixed: '2.1' }], []],
      ['name', 'other', 'upstream', [], ['1.0']],
    ]);
  });

  it('reads branches with versions and ranges, and relationships', async () => {
    const version = (id: string, category: string, name: string): object => ({
      category,
      name,
      product: { product_id: id, name },
    });
    const document = csaf(
      'CVE-2026-1234',
      {
        a: {
          ...{ category: 'product_name', name: 'Some Thing' },
          branches: [
            version('v', 'product_version', '1.2'),
            version('r', 'product_version_range', 'vers:generic/>=2.0|<2.5'),
            version('words', 'product_version_range', 'versions before the third'),
          ],
        },
      },
      { known_affected: ['v', 'r', 'words', 'in-system'] },
    ) as { product_tree: object };
    document.product_tree = {
      ...document.product_tree,
      relationships: [
        {
          category: 'default_component_of',
          product_reference: 'v',
          full_product_name: { product_id: 'in-system', name: 'x' },
        },
      ],
    };
    const [entry] = await entriesIn(document);
    expect(entry?.affects.map(affected)).toEqual([
      ['cpe', 'example:some_thing', 'upstream', [{ introduced: '2.0', fixed: '2.5' }], ['1.2', '1.2']],
    ]);
  });

  it.each([
    ['pkg:deb/debian/bash@5.2-1?arch=source', ['debian-source', 'bash', 'debian']],
    ['pkg:rpm/redhat/bash@5.2-1', ['purl', 'pkg:rpm/redhat/bash', 'rpm']],
    ['pkg:github/Owner/Name@v1', ['repository', 'github.com/owner/name', 'upstream']],
    ['pkg:npm/%40scope/name@1', ['purl', 'pkg:npm/@scope/name', 'upstream']],
  ])('knows %s', async (purl, expected) => {
    const [entry] = await entriesIn(csaf('CVE-2026-1234', { a: csafPurl('a', purl) }, { known_affected: ['a'] }));
    expect(affected(entry?.affects[0]).slice(0, 3)).toEqual(expected);
  });

  it.each([
    ['pkg:rpm/acme/chrony@4.6.2-1?epoch=1', '1:4.6.2-1'],
    ['pkg:rpm/acme/chrony@4.6.2-1?arch=src&epoch=2#x', '2:4.6.2-1'],
    ['pkg:rpm/acme/chrony@4.6.2-1?oldepoch=2', '4.6.2-1'],
    ['pkg:rpm/acme/chrony@3%3A4.6.2-1?epoch=3', '3:4.6.2-1'],
    ['pkg:generic/chrony@4.6.2?epoch=1', '4.6.2'],
  ])('reads the version of %s', async (purl, version) => {
    const [entry] = await entriesIn(csaf('CVE-2026-1234', { a: csafPurl('a', purl) }, { known_affected: ['a'] }));
    expect(entry?.affects[0]?.versions).toEqual([version]);
  });

  it('gives nothing for what is not affected or under investigation', async () => {
    const products = { a: csafPurl('a', 'pkg:generic/thing') };
    expect(await entriesIn(csaf('CVE-2026-1234', products, { known_not_affected: ['a'] }))).toEqual([]);
    expect(await entriesIn(csaf('CVE-2026-1234', products, { under_investigation: ['a'] }))).toEqual([]);
  });
});

describe("Debian's tracker", () => {
  it('gives what each release needs', async () => {
    const [entry] = await entriesIn(
      tracker('bash', 'CVE-2026-1234', {
        bookworm: { status: 'resolved', fixed_version: '5.2-2', urgency: 'low' },
        trixie: { status: 'open', urgency: 'high**' },
        forky: { status: 'undetermined', urgency: 'not yet assigned' },
        sid: { status: 'resolved', fixed_version: '0', urgency: 'unimportant' },
      }),
    );
    expect(entry).toMatchObject({
      id: 'CVE-2026-1234',
      title: 'fault of bash',
      severity: 'important',
      source: 'Debian',
    });
    expect(entry?.affects.map(({ debianRelease, ranges }) => [debianRelease, ranges])).toEqual([
      ['bookworm', [{ fixed: '5.2-2' }]],
      ['trixie', [{}]],
    ]);
  });

  it('has no severity if the release of the project has none', async () => {
    const releases = {
      bookworm: { status: 'open', urgency: 'high' },
      trixie: { status: 'open', urgency: 'not yet assigned' },
    };
    const [entry] = await entriesIn(tracker('bash', 'CVE-2026-1234', releases));
    expect(entry).not.toHaveProperty('severity');
  });

  it('leaves out names that are no CVE yet', async () => {
    expect(await entriesIn(tracker('bash', 'TEMP-0000000-ABCDEF', { sid: { status: 'open' } }))).toEqual([]);
  });

  it('is not misled by odd names', async () => {
    const text = '{"constructor":{"CVE-2026-1234":{"releases":{"__proto__":{"status":"open"}}}},"__proto__":{}}';
    const entries = await entriesIn(text);
    expect(entries.map(({ affects }) => affects.map(({ name, debianRelease }) => [name, debianRelease]))).toEqual([
      [['constructor', '__proto__']],
    ]);
  });
});

describe('a feed', () => {
  const one = osv('CVE-2026-1111', 'PyPI', 'a', [{ introduced: '0' }]);
  const two = osv('CVE-2026-2222', 'PyPI', 'b', [{ introduced: '0' }]);
  const ids = (entries: readonly { readonly id: string }[]): string[] => entries.map(({ id }) => id);
  const json = JSON.stringify(one);

  it.each<[string, string | Uint8Array]>([
    ['a JSON array', JSON.stringify([one, two], null, 2)],
    ['JSON lines', `${json}\n${JSON.stringify(two)}\n`],
    ['gzip', gzipSync(JSON.stringify([one, two]))],
    ['zstd', zstdCompressSync(JSON.stringify([one, two]))],
    ['zip', zipOf({ 'a.json': json, 'b/c.json': JSON.stringify(two), LICENSE: 'x' })],
    [
      'tar',
      handMade(
        { name: 'a.json', content: json },
        { name: 'b.json', content: JSON.stringify(two) },
        { name: 'x', content: '?' },
      ),
    ],
    [
      'tar in gzip',
      gzipSync(handMade({ name: 'a.json', content: json }, { name: 'b.json', content: JSON.stringify(two) })),
    ],
  ])('may be %s, whatever its name', async (_what, content) => {
    expect(ids(await entriesIn(content, 'feed'))).toEqual(['CVE-2026-1111', 'CVE-2026-2222']);
  });

  it('may be a folder, with formats of all kinds and what accompanies them', async () => {
    const folder = filesIn({
      '2026/cve.json': JSON.stringify(
        csaf('CVE-2026-3333', { a: csafPurl('a', 'pkg:generic/a') }, { known_affected: ['a'] }),
      ),
      '2026/cve.json.sha256': 'x',
      'a.json.gz': gzipSync(json),
      'nvd.json': JSON.stringify(nvdFeed(nvd('CVE-2026-4444', []))),
      'provider-metadata.json': '{"metadata_version":"2.0"}',
      'index.txt': '2026/cve.json',
      '.hidden.json': 'no feed',
    });
    expect(ids(await entriesAt(folder))).toEqual(['CVE-2026-3333', 'CVE-2026-1111', 'CVE-2026-4444']);
  });

  it('may have no entries', async () => {
    expect(await entriesIn('[]')).toEqual([]);
    expect(await entriesIn(nvdFeed())).toEqual([]);
  });

  it('gives the same whether NVD has its keys in this order or another', async () => {
    const { vulnerabilities, ...rest } = nvdFeed(nvd('CVE-2026-4444', [])) as { vulnerabilities: unknown };
    expect(ids(await entriesIn({ vulnerabilities, ...rest }))).toEqual(['CVE-2026-4444']);
    expect(ids(await entriesIn({ other: { deep: [] }, ...rest, vulnerabilities }))).toEqual(['CVE-2026-4444']);
  });
});

describe('a bad feed', () => {
  const text = JSON.stringify(nvdFeed(nvd('CVE-2026-1234', [{ criteria: cpe('a', 'b') }])), null, 1);
  it.each<[string, string | Uint8Array | object, string, RegExp, number]>([
    [
      'with a fault in its JSON',
      text.replace('"gnu"', 'gnu').replace('"published": "', '"published" "'),
      'bad-feed',
      /Expected ':'/,
      10,
    ],
    ['that ends early', text.slice(0, -20), 'bad-feed', /ends too early/, text.slice(0, -20).split('\n').length],
    ['that is empty', '', 'bad-feed', /the file is empty/, 1],
    ['that is a web page', '<html>', 'bad-feed', /this is not JSON/, 1],
    ['of an unknown kind', { a: 1 }, 'unknown-feed', /unknown format of a feed/, 1],
    ['of an unknown kind inside', [{ a: 1 }], 'unknown-feed', /unknown format of a feed at \/0/, 1],
    ['of an old format', { CVE_data_type: 'CVE' }, 'bad-feed', /NVD's old format/, 1],
    [
      'with another type of a name',
      nvdFeed({ cve: { id: 5 } }),
      'bad-feed',
      /\/vulnerabilities\/0\/cve\/id: expected a text, found a number/,
      1,
    ],
    ['with a wrong number', nvdFeed({ cve: { id: 'CVE-1' } }), 'bad-feed', /'CVE-1' is not a CVE number/, 1],
    [
      'with a wrong CPE',
      nvdFeed(nvd('CVE-2026-1234', [{ criteria: 'cpe:2.3:a' }])),
      'bad-feed',
      /cpeMatch\/0\/criteria: 'cpe:2\.3:a' is not a CPE/,
      1,
    ],
    [
      'with a wrong date',
      nvdFeed(nvd('CVE-2026-1234', [], { published: 'soon' })),
      'bad-feed',
      /published: 'soon' is not a date/,
      1,
    ],
    [
      'with a day that there is not',
      osv('CVE-2026-1234', 'PyPI', 'a', [], { entry: { published: '2026-02-30' } }),
      'bad-feed',
      /published: '2026-02-30' is not a date/,
      1,
    ],
    [
      'with a year that there is not',
      nvdFeed(nvd('CVE-2026-1234', [], { published: '0000-01-01T00:00:00+14:00' })),
      'bad-feed',
      /published: '0000-01-01T00:00:00\+14:00' is not a date/,
      1,
    ],
    [
      'with a score above 10',
      nvdFeed(nvd('CVE-2026-1234', [], { metrics: { cvssMetricV31: [{ cvssData: { baseScore: 75 } }] } })),
      'bad-feed',
      /cvssMetricV31\/0\/cvssData\/baseScore: a CVSS score is from 0 to 10, not 75/,
      1,
    ],
    [
      'of CSAF with a score below 0',
      csaf(
        'CVE-2026-1234',
        { a: csafPurl('a', 'pkg:generic/a') },
        { known_affected: ['a'] },
        { scores: [{ cvss_v4: { baseScore: -1 } }] },
      ),
      'bad-feed',
      /scores\/0\/cvss_v4\/baseScore: a CVSS score is from 0 to 10, not -1/,
      1,
    ],
    [
      'with a text for a list',
      osv('CVE-2026-1234', 'PyPI', 'a', [], { entry: { affected: 'x' } }),
      'bad-feed',
      /\/affected: expected an array, found a string/,
      1,
    ],
    [
      'with a number for a version',
      osv('CVE-2026-1234', 'PyPI', 'a', [{ fixed: 5 }]),
      'bad-feed',
      /\/affected\/0\/ranges\/0\/events\/0\/fixed: expected a text/,
      1,
    ],
    [
      'with a product that is not there',
      csaf('CVE-2026-1234', {}, { known_affected: ['a'] }),
      'bad-feed',
      /known_affected\/0: the product tree has no 'a'/,
      1,
    ],
    [
      'with a wrong status',
      { bash: { 'CVE-2026-1234': { releases: { sid: 'open' } } } },
      'bad-feed',
      /\/bash\/CVE-2026-1234\/releases\/sid: expected an object/,
      1,
    ],
    ['that is cut gzip', gzipSync(text).subarray(0, 100), 'bad-feed', /gzip\): the file ends too early/, Number.NaN],
    [
      'that is damaged zstd',
      zstdCompressSync(text).fill(7, 30, 60),
      'bad-feed',
      /zstd\): the content is damaged/,
      Number.NaN,
    ],
    ['that is cut zip', zipOf({ 'a.json': text }).subarray(0, 100), 'bad-zip', /no directory at the end/, Number.NaN],
    ['that is a zip without a feed', zipOf({ a: text }), 'bad-feed', /the archive has no \.json file/, Number.NaN],
    ['that is xz', Buffer.from('fd377a585a0000', 'hex'), 'bad-feed', /xz are not supported/, Number.NaN],
  ])('%s is one clear error', async (_what, content, code, message, line) => {
    const error = await failure(entriesIn(content));
    expect({ code: error.code, message: error.message, where: error.where }).toEqual({
      code,
      message: expect.stringMatching(message),
      where: Number.isNaN(line) ? { file: 'feed.json' } : { file: 'feed.json', line },
    });
  });

  it('names the member of an archive', async () => {
    const error = await failure(entriesIn(zipOf({ 'a.json': '[]', 'b.json': '[\n{]' }), 'all.zip'));
    expect(error.where).toEqual({ file: 'all.zip/b.json', line: 2 });
  });

  it('is an error if it is not there, or an empty folder', async () => {
    expect((await failure(entriesAt(join(filesIn({}), 'none')))).code).toBe('no-feed');
    expect((await failure(entriesAt(filesIn({ a: '' }), 'folder'))).message).toMatch(/the folder has no \.json file/);
  });

  it('leaves no file of an unpacked archive behind', async () => {
    const folder = filesIn({ 'feed.tar.gz': gzipSync(handMade({ name: 'a.json', content: '[{' })) });
    const scratch = filesIn({});
    const error = await failure(readFeed(join(folder, 'feed.tar.gz'), 'feed.tar.gz', scratch, () => {}));
    expect(error.where).toEqual({ file: 'feed.tar.gz/a.json', line: 1 });
    expect(readdirSync(scratch)).toEqual([]);
  });
});
