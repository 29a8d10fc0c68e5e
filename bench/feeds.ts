// Writes feeds of vulnerabilities that do not exist, in every format, and measures reading each against a release of 400 packages:
//
//     node bench/feeds.ts DIR [entries]

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { readFeed } from '../src/advisory/match/feed.ts';
import { Matcher, plainKey, type Shipped } from '../src/advisory/match/matcher.ts';
import { zipOf } from '../tests/archive/zip-maker.ts';

const [dir, countText = '100000', one] = process.argv.slice(2);
if (dir === undefined) {
  process.stderr.write('usage: node bench/feeds.ts DIR [entries]\n');
  process.exit(2);
}
const count = Number(countText);

/** As long as real ones. */
const prose =
  'A flaw was found in the parser of this program, which a remote attacker can use by a crafted file. '.repeat(4);
const projects = 20_000;
const projectOf = (index: number): string => `project-${index % projects}`;
const idOf = (index: number): string => `CVE-${2000 + (index % 26)}-${10_000 + index}`;
const vector = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';
const links = (index: number): string[] =>
  Array.from({ length: 6 }, (_, n) => `https://example.org/advisories/${index}/${n}`);

function nvd(index: number): unknown {
  const name = projectOf(index);
  const cpe = (version: string): string => `cpe:2.3:a:vendor-${index % 500}:${name}:${version}:*:*:*:*:*:*:*`;
  const id = '0123456789abcdef0123456789abcdef';
  return {
    cve: {
      ...{ id: idOf(index), sourceIdentifier: 'cve@example.org', published: '2026-01-02T03:04:05.000' },
      ...{ lastModified: '2026-02-02T03:04:05.000', vulnStatus: 'Analyzed', cveTags: [] },
      descriptions: [
        { lang: 'en', value: prose },
        { lang: 'es', value: prose },
      ],
      metrics: {
        cvssMetricV31: [
          {
            ...{ source: 'nvd@example.org', type: 'Primary', exploitabilityScore: 3.9, impactScore: 5.9 },
            cvssData: { version: '3.1', vectorString: vector, baseScore: 9.8, baseSeverity: 'CRITICAL' },
          },
        ],
      },
      weaknesses: [{ source: 'nvd@example.org', type: 'Primary', description: [{ lang: 'en', value: 'CWE-787' }] }],
      configurations: [
        {
          nodes: [
            {
              ...{ operator: 'OR', negate: false },
              cpeMatch: [
                {
                  vulnerable: true,
                  criteria: cpe('*'),
                  versionStartIncluding: '1.0',
                  versionEndExcluding: '2.5.1',
                  matchCriteriaId: id,
                },
                ...Array.from({ length: 9 }, (_, n) => ({
                  vulnerable: true,
                  criteria: cpe(`3.${n}`),
                  matchCriteriaId: id,
                })),
              ],
            },
          ],
        },
      ],
      references: links(index).map((url) => ({ url, source: 'cve@example.org', tags: ['Patch'] })),
    },
  };
}

function osv(index: number): unknown {
  const versions = Array.from({ length: 40 }, (_, n) => `1.${n}.0`);
  return {
    ...{ schema_version: '1.7.0', id: `GHSA-${index}`, aliases: [idOf(index)], modified: '2026-02-02T03:04:05Z' },
    ...{ published: '2026-01-02T03:04:05Z', summary: prose.slice(0, 80), details: prose },
    severity: [{ type: 'CVSS_V3', score: vector }],
    affected: [
      {
        package: { ecosystem: 'PyPI', name: projectOf(index), purl: `pkg:pypi/${projectOf(index)}` },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.40.0' }] }],
        versions,
      },
      {
        package: {
          ecosystem: 'Debian:14',
          name: projectOf(index),
          purl: `pkg:deb/debian/${projectOf(index)}?arch=source`,
        },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.40.0-2' }] }],
      },
    ],
    references: links(index).map((url) => ({ type: 'WEB', url })),
    database_specific: { cwe_ids: ['CWE-787'], severity: 'CRITICAL' },
  };
}

function csaf(index: number): unknown {
  const products = Array.from({ length: 6 }, (_, n) => ({
    ...{ category: 'product_version', name: `1.${n}` },
    product: {
      product_id: `p${n}`,
      name: `${projectOf(index)} 1.${n}`,
      product_identification_helper: { purl: `pkg:generic/${projectOf(index)}@1.${n}` },
    },
  }));
  return {
    document: {
      ...{ category: 'csaf_vex', csaf_version: '2.0', title: prose.slice(0, 80), lang: 'en' },
      publisher: { category: 'vendor', name: 'Example', namespace: 'https://example.org' },
      tracking: {
        id: idOf(index),
        status: 'final',
        version: '1',
        initial_release_date: '2026-01-02T03:04:05Z',
        current_release_date: '2026-01-02T03:04:05Z',
      },
    },
    product_tree: {
      branches: [
        {
          category: 'vendor',
          name: 'Example',
          branches: [{ category: 'product_name', name: projectOf(index), branches: products }],
        },
      ],
    },
    vulnerabilities: [
      {
        ...{ cve: idOf(index), cwe: { id: 'CWE-787', name: 'Out-of-bounds Write' } },
        notes: [{ category: 'description', text: prose }],
        product_status: { known_affected: ['p0', 'p1', 'p2', 'p3', 'p4'], fixed: ['p5'] },
        scores: [
          {
            cvss_v3: { version: '3.1', vectorString: vector, baseScore: 9.8, baseSeverity: 'CRITICAL' },
            products: ['p0'],
          },
        ],
        references: links(index).map((url) => ({ category: 'external', summary: 'x', url })),
      },
    ],
  };
}

function debian(index: number): unknown {
  const release = {
    status: 'resolved',
    repositories: { forky: '1.40.0-2' },
    fixed_version: '1.40.0-2',
    urgency: 'high',
  };
  const releases = { bookworm: release, trixie: release, forky: release, sid: release };
  return { description: prose, debianbug: index, scope: 'remote', releases };
}

async function write(file: string, lines: Iterable<string>): Promise<void> {
  const out = createWriteStream(file);
  for (const line of lines) if (!out.write(line)) await once(out, 'drain');
  out.end();
  await finished(out);
}

function* listed(begin: string, end: string, entry: (index: number) => string): Generator<string> {
  yield begin;
  for (let index = 0; index < count; index++) yield `${index === 0 ? '' : ',\n'}${entry(index)}`;
  yield end;
}

function* tracker(): Generator<string> {
  const each = Math.ceil(count / projects);
  for (let project = 0; project * each < count; project++) {
    const issues = Array.from({ length: Math.min(each, count - project * each) }, (_, n) => project * each + n);
    const text = JSON.stringify(Object.fromEntries(issues.map((index) => [idOf(index), debian(index)])));
    yield `${project === 0 ? '{' : ','}"${projectOf(project)}":${text}`;
  }
  yield '}';
}

function shipped(): Shipped[] {
  return Array.from({ length: 400 }, (_, index) => {
    const name = projectOf(index * 50);
    const kind = index % 2 === 0 ? 'component' : 'debian';
    const version = kind === 'component' ? '2.0' : '1.40.0-1';
    const keys = kind === 'component' ? [plainKey(name), `purl:pkg:pypi/${name}`] : [`debian:${name}`];
    return { component: name, kind, evr: version, version, keys, handled: new Map() };
  });
}

async function measure(file: string): Promise<void> {
  const matcher = new Matcher(shipped(), 'forky');
  let matches = 0;
  const before = performance.now();
  const { entries } = await readFeed(file, file, dir!, (entry) => {
    matches += matcher.matches(entry).length;
  });
  const seconds = (performance.now() - before) / 1000;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpu = (userCPUTime + systemCPUTime) / 1e6;
  process.stdout.write(`${JSON.stringify({ entries, matches, seconds, cpu, peak: maxRSS / 1024 })}\n`);
}

async function all(): Promise<void> {
  mkdirSync(dir!, { recursive: true });
  const at = (name: string): string => join(dir!, name);
  await write(
    at('nvd.json'),
    listed(
      '{"resultsPerPage":1,"startIndex":0,"totalResults":1,"format":"NVD_CVE","version":"2.0","timestamp":"2026-01-01T00:00:00.000","vulnerabilities":[',
      ']}',
      (index) => JSON.stringify(nvd(index)),
    ),
  );
  await write(
    at('osv.jsonl'),
    (function* () {
      for (let index = 0; index < count; index++) yield `${JSON.stringify(osv(index))}\n`;
    })(),
  );
  await write(at('tracker.json'), tracker());
  const members = (entry: (index: number) => unknown): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}.json`, JSON.stringify(entry(index))]));
  writeFileSync(at('osv.zip'), zipOf(members(osv)));
  writeFileSync(at('csaf.zip'), zipOf(members(csaf)));
  writeFileSync(at('tracker.json.gz'), gzipSync([...tracker()].join('')));
  process.stdout.write(
    `${'feed'.padEnd(18)}${['MB', 'entries', 'match', 's', 'CPU s', 'peak MB'].map((each) => each.padStart(9)).join('')}\n`,
  );
  for (const name of ['nvd.json', 'osv.jsonl', 'osv.zip', 'csaf.zip', 'tracker.json', 'tracker.json.gz']) {
    const { stdout, stderr } = spawnSync(process.execPath, [import.meta.filename, dir!, countText, at(name)], {
      encoding: 'utf8',
    });
    if (stdout === '') throw new Error(stderr);
    const { entries, matches, seconds, cpu, peak } = JSON.parse(stdout) as Record<string, number>;
    const cells = [statSync(at(name)).size / 1e6, entries!, matches!].map((each) => each.toFixed(0));
    const figures = [...cells, seconds!.toFixed(1), cpu!.toFixed(1), peak!.toFixed(0)];
    process.stdout.write(`${name.padEnd(18)}${figures.map((each) => each.padStart(9)).join('')}\n`);
  }
}

if (one === undefined) await all();
else await measure(one);
