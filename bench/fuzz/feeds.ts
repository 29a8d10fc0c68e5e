import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readFeed } from '../../src/advisory/match/feed.ts';
import { keysOf, Matcher, type Shipped } from '../../src/advisory/match/matcher.ts';
import { bytesReader } from '../../src/archive/read-at.ts';
import { readZip, readZipMember } from '../../src/archive/zip.ts';
import { cpe, csaf, csafPurl, nvd, nvdFeed, osv, tracker } from '../../tests/advisory/match/samples.ts';
import { handMade } from '../../tests/archive/tar-maker.ts';
import { zipOf } from '../../tests/archive/zip-maker.ts';
import type { Target } from './target.ts';

const bounds = { versionStartIncluding: '1.0', versionEndExcluding: '5.3' };
const entry = {
  aliases: ['CVE-2026-1234'],
  severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H' }],
};
const range = { type: 'GIT', repo: 'https://github.com/gnu/bash.git', events: [{ introduced: '0' }] };

const documents: readonly object[] = [
  nvdFeed(
    nvd('CVE-2026-1234', [
      { criteria: cpe('gnu', 'bash'), ...bounds },
      { criteria: cpe('gnu', 'bash', '1.9', 'p1', 'python') },
    ]),
  ),
  osv('GHSA-1', 'PyPI', 'bash', [{ introduced: '0' }, { fixed: '5.3rc1' }, { introduced: '6' }], {
    versions: ['1.0a1'],
    entry,
  }),
  osv('CVE-2026-0001', 'Debian:14', 'bash', [{ introduced: '0' }, { last_affected: '1:5.2~1-2' }]),
  [osv('CVE-2026-0001', 'x', 'x', [], { type: 'SEMVER', affected: { ranges: [range], versions: ['v1.0'] } })],
  csaf(
    'CVE-2026-0001',
    { a: csafPurl('a', 'pkg:generic/bash@5.2'), b: csafPurl('b', 'pkg:deb/debian/bash?arch=source') },
    { known_affected: ['a', 'b'], fixed: ['b'] },
  ),
  csaf(
    'CVE-2026-0001',
    {
      a: {
        category: 'product_name',
        name: 'bash',
        branches: [
          {
            category: 'product_version_range',
            name: 'vers:generic/>=2.0|<2.5',
            product: { product_id: 'r', name: 'r' },
          },
        ],
      },
    },
    { known_affected: ['r'] },
  ),
  tracker('bash', 'CVE-2026-1234', {
    forky: { status: 'resolved', fixed_version: '5.2-2', urgency: 'low' },
    sid: { status: 'open' },
  }),
];

const texts = documents.map((document, index) => JSON.stringify(document, null, index % 2));

const ours: readonly Shipped[] = [
  {
    component: 'bash',
    kind: 'component',
    evr: '5.2-1',
    version: '5.2',
    keys: ['name:bash', 'purl:pkg:pypi/bash', 'repository:github.com/gnu/bash'],
    handled: new Map(),
  },
  { component: 'bash', kind: 'debian', evr: '5.2-1', version: '5.2-1', keys: ['debian:bash'], handled: new Map() },
];

const feeds: Target = {
  name: 'feeds',
  samples: async () => [
    ...texts.map((text) => Buffer.from(text)),
    Buffer.from(`${JSON.stringify(documents[1])}\n${JSON.stringify(documents[2])}\n`),
    gzipSync(texts[0]!),
    zipOf({ 'a.json': texts[1]!, 'b.json': texts[4]! }),
    handMade({ name: 'a.json', content: texts[2]! }, { name: 'b.json', content: texts[6]! }),
  ],
  read: async (input, work) => {
    const file = join(work, 'feed');
    writeFileSync(file, input);
    const matcher = new Matcher(ours, 'forky');
    await readFeed(file, 'feed', work, (each) => {
      each.affects.map(keysOf);
      matcher.matches(each);
      each.rating();
      each.description();
    });
  },
};

const zip: Target = {
  name: 'zip',
  samples: async () => [zipOf({ 'a.json': 'text\n'.repeat(200), 'b/': '', c: '' }), zipOf({ a: 'stored' }, true)],
  read: (input) => {
    const read = bytesReader(input);
    for (const member of readZip(read, input.length)) readZipMember(read, member, 1 << 20);
  },
};

export const feedTargets: readonly Target[] = [feeds, zip];
