import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAdvisories } from '../../../src/advisory/load.ts';
import { appendEvents, createRecord } from '../../../src/advisory/write.ts';
import { createProgress } from '../../../src/base/progress.ts';
import { loadProject } from '../../../src/project/load.ts';
import type { Project } from '../../../src/project/model/project.ts';
import { namedFeed } from '../../../src/release/service/feeds.ts';
import { type ScanOptions, type ScanReport, scanFeeds } from '../../../src/release/service/scan.ts';
import { cpe, csaf, csafPurl, filesIn, nvd, nvdFeed, osv, tracker } from '../../advisory/match/samples.ts';
import { event, header } from '../../advisory/records.ts';
import { failure } from '../../base/failure.ts';
import { folder } from '../../project/fixture.ts';
import { serveFiles, status } from '../../sources/server.ts';

const now = Date.parse('2026-11-02T10:00:00Z') / 1000;

const overlay = `
[[components.bash.overlays]]
type = "spec-add-tag"
description = "Fixes CVE-2026-7777"
tag = "Provides"
value = "x"
`;

const release = {
  ...{ schema: 'x', name: 'x', version: '4.0', snapshot: '20261101-x', clock: 0, arch: 'x86_64' },
  signingKey: { fingerprint: 'x', publicKey: 'x', development: true },
  imageKey: { id: 'x', publicKey: 'x', development: true },
  inputs: { toolbox: 'x' },
  components: [
    {
      ...{ name: 'bash', version: '5.2.37-1.wl4', packages: ['bash-5.2.37-1.wl4.x86_64'] },
      ...{ srpm: { file: 'x', sha256: 'x' }, sources: { 'CVE-2026-8888.patch': 'x' }, overlays: [] as object[] },
    },
  ],
  channels: [
    {
      name: 'base',
      packages: [
        { nevra: 'bash-5.2.37-1.wl4.x86_64', sha256: 'x', origin: 'bash' },
        { nevra: 'xz-5.8.1-1.x86_64', sha256: 'x', origin: 'seed', debian: 'xz-utils 5.8.1-1' },
        { nevra: 'other-1-1.x86_64', sha256: 'x', origin: 'fedora' },
      ],
    },
  ],
  images: [],
};

interface Place {
  readonly project: Project;
  readonly out: string;
  readonly cache: string;
  readonly scan: (feeds: readonly string[], options?: Partial<ScanOptions>) => Promise<ScanReport>;
  /** Files of records with their content. */
  readonly records: () => Record<string, string>;
}

async function place(record: object | null = release): Promise<Place> {
  const dir = folder({
    'weir.toml': `[components.bash]\nspec = { type = "local", path = "bash.spec" }\n${overlay}`,
    'bash.spec': 'Name: bash\n',
    'specs/b/bash/bash.spec': 'Name: bash\nVersion: 5.2.37\nRelease: 1\nPatch0: CVE-2026-8888.patch\n',
  });
  const loaded = await loadProject(dir, { env: {} });
  const project = {
    ...loaded,
    root: dir,
    advisories: { path: join(dir, 'advisories'), publisher: {} },
    seed: { suite: 'forky' },
  } as unknown as Project;
  const out = filesIn(record === null ? {} : { 'release.json': JSON.stringify(record) });
  const cache = filesIn({});
  return {
    ...{ project, out, cache },
    scan: (feeds, options = {}) =>
      scanFeeds(
        { project, out, cache, progress: createProgress('quiet', false, () => {}) },
        { feeds: feeds.map(namedFeed), now, download: { wait: () => Promise.resolve() }, ...options },
      ),
    records: () => {
      const path = project.advisories.path;
      const names = readdirSync(dir).includes('advisories')
        ? readdirSync(path).filter((name) => name.endsWith('.toml'))
        : [];
      return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(path, name), 'utf8')]));
    },
  };
}

const feed = (name: string, content: object): string => join(filesIn({ [name]: JSON.stringify(content) }), name);
const bash = (id: string, bounds: object = { versionEndExcluding: '5.3' }, more: object = {}): object =>
  nvd(id, [{ criteria: cpe('gnu', 'bash'), ...bounds }], more);
const xz = (id: string): object =>
  tracker('xz-utils', id, { forky: { status: 'resolved', fixed_version: '5.8.1-2', urgency: 'high' } });

describe('a scan', () => {
  it('opens a record for what is new, and says why', async () => {
    const at = await place();
    const metrics = {
      cvssMetricV31: [{ type: 'Primary', cvssData: { vectorString: 'CVSS:3.1/AV:N', baseScore: 7.5 } }],
    };
    const report = await at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-1234', undefined, { metrics })))]);
    expect(report).toMatchObject({
      snapshot: '20261101-x',
      checked: 2,
      records: ['CVE-2026-1234.toml'],
      dryRun: false,
    });
    expect(report.findings).toEqual([
      {
        ...{ id: 'CVE-2026-1234', severity: 'important', component: 'bash', ours: '5.2.37-1.wl4', fixed: '5.3' },
        ...{ why: 'NVD cpe gnu:bash < 5.3, ours 5.2.37', feed: 'nvd.json', state: 'new' },
      },
    ]);
    expect(report.notChecked).toEqual(['1 packages of RPM repositories: fedora']);
    expect(at.records()).toEqual({
      'CVE-2026-1234.toml': `id = "CVE-2026-1234"
title = "A fault in CVE-2026-1234"
severity = "important"
cvss = "CVSS:3.1/AV:N"
published = "2026-01-02T03:04:05Z"
description = "A fault in CVE-2026-1234. It is bad."

[[events]]
type = "detected"
at = "2026-11-02T10:00:00Z"
by = "weir cve scan"
component = "bash"
feed = "nvd.json"
why = "NVD cpe gnu:bash < 5.3, ours 5.2.37"
version = "5.2.37-1.wl4"
below = "5.3"
`,
    });
  });

  it('changes nothing the second time', async () => {
    const at = await place();
    const feeds = [feed('nvd.json', nvdFeed(bash('CVE-2026-1234'))), feed('tracker.json', xz('CVE-2026-2222'))];
    await at.scan(feeds);
    const before = at.records();
    expect(Object.keys(before)).toEqual(['CVE-2026-1234.toml', 'CVE-2026-2222.toml']);
    const again = await at.scan(feeds, { now: now + 86_400 });
    expect(again.findings.map(({ state, reason }) => [state, reason])).toEqual([
      ['known', 'detected'],
      ['known', 'detected'],
    ]);
    expect(again.records).toEqual([]);
    expect(at.records()).toEqual(before);
  });

  it('matches source packages of the seed, and says what no feed says', async () => {
    const at = await place();
    const [finding] = (await at.scan([feed('tracker.json', xz('CVE-2026-2222'))])).findings;
    expect(finding).toMatchObject({ component: 'xz-utils', ours: '5.8.1-1', fixed: '5.8.1-2', severity: 'important' });
    const [record] = await loadAdvisories(at.project.advisories.path);
    expect(record).toMatchObject({
      published: '2026-11-02T10:00:00Z',
      events: [{ below: '5.8.1-2', note: expect.stringMatching(/no feed says when/) }],
    });
  });

  it('takes severity and date from whichever feed has them', async () => {
    const at = await place();
    const metrics = {
      cvssMetricV31: [{ type: 'Primary', cvssData: { vectorString: 'CVSS:3.1/AV:N', baseScore: 9.8 } }],
    };
    const open = tracker('xz-utils', 'CVE-2026-2222', { forky: { status: 'open' } });
    const other = nvdFeed(nvd('CVE-2026-2222', [{ criteria: cpe('x', 'elsewhere') }], { metrics }));
    await at.scan([feed('tracker.json', open), feed('nvd.json', other)]);
    const [record] = await loadAdvisories(at.project.advisories.path);
    expect(record).toMatchObject({ severity: 'critical', cvss: 'CVSS:3.1/AV:N', published: '2026-01-02T03:04:05Z' });
    expect(record?.events[0]).not.toHaveProperty('note');
  });

  it('adds a component to a record that there is, and leaves the rest byte for byte', async () => {
    const at = await place();
    const path = at.project.advisories.path;
    await createRecord(path, header('CVE-2026-1234'), [
      event('not-affected', { component: 'other', justification: 'component_not_present', at: '2026-11-02T09:00:00Z' }),
    ]);
    const before = at.records()['CVE-2026-1234.toml']!;
    const report = await at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-1234')))]);
    expect(report.findings.map(({ state }) => state)).toEqual(['added']);
    const after = at.records()['CVE-2026-1234.toml']!;
    expect(after.startsWith(before)).toBe(true);
    expect(after.slice(before.length)).toMatch(/^\n\[\[events\]\]\ntype = "detected"/);
  });

  it.each(['fixed', 'not-affected', 'disputed'] as const)('does not open again what is %s', async (type) => {
    const at = await place();
    const path = at.project.advisories.path;
    await createRecord(path, header('CVE-2026-1234'), [
      event('detected', { component: 'bash', at: '2026-11-02T09:00:00Z' }),
    ]);
    const more = {
      fixed: { in: ['bash-5.2.37-1.wl4.src'] },
      'not-affected': { justification: 'component_not_present' },
      disputed: { reason: 'no' },
    } as const;
    await appendEvents(path, 'CVE-2026-1234', [
      event(type, { component: 'bash', ...more[type], at: '2026-11-02T09:30:00Z' } as never),
    ]);
    const before = at.records();
    const report = await at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-1234')))]);
    expect(report.findings.map(({ state, reason }) => [state, reason])).toEqual([['known', type]]);
    expect(at.records()).toEqual(before);
  });

  it('finds the record of another name of the same', async () => {
    const at = await place();
    await createRecord(at.project.advisories.path, header('CVE-2026-1234', { aliases: ['GHSA-aaaa-bbbb-cccc'] }), []);
    const entry = { aliases: [] };
    const named = osv('GHSA-aaaa-bbbb-cccc', 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry });
    expect((await at.scan([feed('osv.json', named)])).findings).toMatchObject([
      { id: 'CVE-2026-1234', state: 'added' },
    ]);
    expect(Object.keys(at.records())).toEqual(['CVE-2026-1234.toml']);
  });

  it('gives one alias to one record only', async () => {
    const at = await place();
    const entry = { aliases: ['CVE-2026-1111', 'CVE-2026-2222'] };
    await at.scan([feed('osv.json', osv('GHSA-aaaa-bbbb-cccc', 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry }))]);
    const records = await loadAdvisories(at.project.advisories.path);
    expect(records.map(({ id, aliases }) => [id, aliases])).toEqual([
      ['CVE-2026-1111', ['GHSA-aaaa-bbbb-cccc']],
      ['CVE-2026-2222', undefined],
    ]);
  });

  it.each([
    ['one feed', 1],
    ['several feeds', 3],
  ])('opens one record for a vulnerability of several names in %s', async (_what, count) => {
    const at = await place();
    const named = (id: string, ...aliases: readonly string[]): object =>
      osv(id, 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry: { aliases } });
    const entries = [
      named('PYSEC-2026-1', 'GHSA-aaaa-bbbb-cccc'),
      named('GHSA-aaaa-bbbb-cccc', 'CVE-2026-1234'),
      bash('CVE-2026-1234'),
    ];
    const feeds =
      count === 1
        ? [feed('osv.json', entries.slice(0, 2))]
        : [feed('a.json', entries[0]!), feed('b.json', entries[1]!), feed('nvd.json', nvdFeed(entries[2]!))];
    const report = await at.scan(feeds);
    expect(report.findings.map(({ id, component }) => [id, component])).toEqual([['CVE-2026-1234', 'bash']]);
    const records = await loadAdvisories(at.project.advisories.path);
    expect(records.map(({ id, aliases, events }) => [id, aliases, events.length])).toEqual([
      ['CVE-2026-1234', ['GHSA-aaaa-bbbb-cccc', 'PYSEC-2026-1'], 1],
    ]);
    expect((await at.scan(feeds)).records).toEqual([]);
  });

  it('joins names that only a later entry connects', async () => {
    const at = await place();
    const named = (id: string, ...aliases: readonly string[]): object =>
      osv(id, 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry: { aliases } });
    await at.scan([feed('osv.json', [named('AA-1'), named('BB-1'), named('CC-1', 'BB-1', 'AA-1')])]);
    const records = await loadAdvisories(at.project.advisories.path);
    expect(records.map(({ id, aliases }) => [id, aliases])).toEqual([['AA-1', ['BB-1', 'CC-1']]]);
  });

  it('adds one event to a record that several entries mean', async () => {
    const at = await place();
    await createRecord(at.project.advisories.path, header('CVE-2026-1234', { aliases: ['GHSA-aaaa-bbbb-cccc'] }), []);
    const named = osv('GHSA-aaaa-bbbb-cccc', 'OSS-Fuzz', 'bash', [{ introduced: '0' }]);
    await at.scan([feed('osv.json', named), feed('nvd.json', nvdFeed(bash('CVE-2026-1234')))]);
    const records = await loadAdvisories(at.project.advisories.path);
    expect(records.map(({ id, events }) => [id, events.length])).toEqual([['CVE-2026-1234', 1]]);
  });

  it('does not take a CVE for another one with the same alias', async () => {
    const at = await place();
    await createRecord(at.project.advisories.path, header('CVE-2026-1111', { aliases: ['GHSA-aaaa-bbbb-cccc'] }), []);
    const entry = { aliases: ['CVE-2026-2222'] };
    await at.scan([feed('osv.json', osv('GHSA-aaaa-bbbb-cccc', 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry }))]);
    const records = await loadAdvisories(at.project.advisories.path);
    expect(records.map(({ id, events }) => [id, events.length])).toEqual([
      ['CVE-2026-1111', 0],
      ['CVE-2026-2222', 1],
    ]);
  });

  it('says what matches, but has no name that a record can have', async () => {
    const at = await place();
    const entries = ['x:1', 'y:1'].map((id) => osv(id, 'OSS-Fuzz', 'bash', [{ introduced: '0' }]));
    const usable = osv('z:1', 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry: { aliases: ['GHSA-a-b-c'] } });
    const report = await at.scan([feed('osv.json', [...entries, usable])]);
    expect(report.notChecked).toContain(
      "2 matching entries with an ID that no record can have: 'x:1' of osv.json (bash), 'y:1' of osv.json (bash)",
    );
    expect(report.records).toEqual(['GHSA-a-b-c.toml']);
  });

  it('writes nothing if one of the records cannot be written', async () => {
    const at = await place();
    const later = event('detected', { component: 'other', at: '2026-11-03T00:00:00Z' });
    await createRecord(at.project.advisories.path, header('CVE-2026-9999'), [later]);
    const before = at.records();
    const feeds = [feed('nvd.json', nvdFeed(bash('CVE-2026-1234'), bash('CVE-2026-9999')))];
    expect(await failure(at.scan(feeds))).toMatchObject({ code: 'event-order' });
    expect(at.records()).toEqual(before);
  });

  it("takes Debian's severity for the project's release only", async () => {
    const at = await place();
    const releases = { trixie: { status: 'open', urgency: 'low' }, forky: { status: 'open', urgency: 'high' } };
    const report = await at.scan([feed('tracker.json', tracker('xz-utils', 'CVE-2026-2222', releases))]);
    expect(report.findings).toMatchObject([{ severity: 'important' }]);
  });

  it('removes what a killed scan left behind', async () => {
    const at = await place();
    const path = at.project.advisories.path;
    await createRecord(path, header('CVE-2026-1111'), []);
    const left = `.${(4_000_000).toString(36)}-1-1-0123abcd.tmp`;
    writeFileSync(join(path, left), 'half');
    utimesSync(join(path, left), 0, 0);
    await at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-1234')))]);
    expect(readdirSync(path)).toEqual(['CVE-2026-1111.toml', 'CVE-2026-1234.toml']);
  });

  it('opens nothing for what a patch of the build is named after', async () => {
    const at = await place();
    const report = await at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-8888')))]);
    expect(report.findings).toMatchObject([
      { state: 'handled', reason: 'the spec has a patch for it: CVE-2026-8888.patch' },
    ]);
    expect(at.records()).toEqual({});
  });

  it('opens nothing for what an overlay names, once it is built', async () => {
    const nvdOnly = nvdFeed(bash('CVE-2026-7777'));
    const before = await (await place()).scan([feed('nvd.json', nvdOnly)]);
    expect(before.findings.map(({ state }) => state)).toEqual(['new']);
    const overlays = [{ type: 'spec-add-tag', description: 'Fixes CVE-2026-7777' }];
    const built = { ...release, components: release.components.map((each) => ({ ...each, overlays })) };
    const after = await (await place(built)).scan([feed('nvd.json', nvdOnly)]);
    expect(after.findings).toMatchObject([{ state: 'handled', reason: 'an overlay fixes it: Fixes CVE-2026-7777' }]);
  });

  it('writes nothing in a dry run', async () => {
    const at = await place();
    const report = await at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-1234')))], { dryRun: true });
    expect(report).toMatchObject({ records: ['CVE-2026-1234.toml'], dryRun: true, findings: [{ state: 'new' }] });
    expect(at.records()).toEqual({});
  });

  it('scans one component, and knows its name', async () => {
    const at = await place();
    const feeds = [feed('nvd.json', nvdFeed(bash('CVE-2026-1234'))), feed('tracker.json', xz('CVE-2026-2222'))];
    const report = await at.scan(feeds, { components: ['xz-utils'], dryRun: true });
    expect(report.findings.map(({ component }) => component)).toEqual(['xz-utils']);
    expect(await failure(at.scan(feeds, { components: ['bsh'] }))).toMatchObject({
      code: 'unknown-component',
      hint: 'did you mean bash?',
      exit: 2,
    });
  });

  it('takes the versions of rendered specs if nothing was built', async () => {
    const at = await place(null);
    const [first, other] = ['CVE-2026-1234', 'CVE-2026-8888'].map((id) => bash(id));
    const report = await at.scan([
      feed('nvd.json', nvdFeed(first!, other!)),
      feed('tracker.json', xz('CVE-2026-2222')),
    ]);
    expect(report.findings.map(({ id, ours, state }) => [id, ours, state])).toEqual([
      ['CVE-2026-1234', '5.2.37', 'new'],
      ['CVE-2026-8888', '5.2.37', 'handled'],
    ]);
    expect(report.notChecked).toEqual(['packages that no component builds: no release was built yet']);
  });

  it('does not take a date in the future', async () => {
    const at = await place();
    const error = await failure(
      at.scan([feed('nvd.json', nvdFeed(bash('CVE-2026-1234', undefined, { published: '2027-01-01' })))]),
    );
    expect(error).toMatchObject({
      code: 'bad-feed',
      message: expect.stringMatching(/published in the future/),
      where: { line: 1 },
    });
    expect(at.records()).toEqual({});
  });

  it('writes texts of a feed as they are, whatever they hold', async () => {
    const at = await place();
    const nasty = 'A """ fault\n\u001b[31m\\ \u202e. Next\r\n\0';
    const descriptions = [{ lang: 'en', value: nasty }];
    await at.scan([
      feed('nvd.json', nvdFeed(bash('CVE-2026-1234', { versionEndExcluding: '5.3\u001b"' }, { descriptions }))),
    ]);
    const [record] = await loadAdvisories(at.project.advisories.path);
    expect(record?.title).toBe('A """ fault \\u{1b}[31m\\ \\u{202e}');
    expect(at.records()['CVE-2026-1234.toml']).not.toContain('\u001b');
  });

  it.each<[string, object, object]>([
    ['a cut pair', { summary: undefined, details: `${'x'.repeat(3999)}😀${'y'.repeat(50)}` }, {}],
    ['a cut pair in a title', { summary: `${'x'.repeat(199)}😀${'y'.repeat(50)}` }, {}],
    ['half a pair', { summary: 'a \ud800 fault', details: 'bad \ud800' }, { title: 'a \ufffd fault' }],
    ['blank texts', { summary: '   ', details: ' \n ' }, { title: 'CVE-2026-1234' }],
    ['a full stop', { summary: '\t', details: '.' }, { title: 'CVE-2026-1234', description: '.' }],
    [
      'lines and controls',
      { summary: 'a\r\nb\u2028c\u0085', details: 'a\r\nb\u001b' },
      { title: 'a b c\\u{85}', description: 'a\nb\\u{1b}' },
    ],
    [
      'a reference to no host',
      { references: [{ type: 'WEB', url: 'https:///x' }, { url: 'https://x.example/\ud800' }] },
      { references: undefined },
    ],
    [
      'references with secrets',
      {
        references: [
          'https://user:secret@x.example/a?id=1',
          'https://x.example/b?id=1&apiKey=secret&access_token=secret&X-Amz-Signature=secret&key=secret',
          'https://x.example/c?monkey=1&id=a,b',
        ].map((url) => ({ type: 'WEB', url })),
      },
      {
        references: ['https://x.example/a?id=1', 'https://x.example/b?id=1', 'https://x.example/c?monkey=1&id=a,b'],
      },
    ],
  ])('takes %s', async (_what, entry, expected) => {
    const at = await place();
    await at.scan([feed('osv.json', osv('CVE-2026-1234', 'OSS-Fuzz', 'bash', [{ introduced: '0' }], { entry }))]);
    const [record] = await loadAdvisories(at.project.advisories.path);
    for (const [key, value] of Object.entries(expected)) expect(record?.[key as 'title']).toEqual(value);
    expect(record?.title.isWellFormed()).toBe(true);
  });

  it('reads CSAF, too', async () => {
    const at = await place();
    const document = csaf('CVE-2026-1234', { a: csafPurl('a', 'pkg:generic/bash@5.2.37') }, { known_affected: ['a'] });
    expect((await at.scan([feed('csaf.json', document)])).findings).toMatchObject([
      { why: 'CSAF pkg:generic/bash 5.2.37, ours 5.2.37' },
    ]);
  });
});

describe('a feed of a URL', () => {
  const content = JSON.stringify(nvdFeed(bash('CVE-2026-1234')));

  it('is downloaded, retried, and removed afterwards', async () => {
    const at = await place();
    const server = await serveFiles({ '/feed': content });
    server.next(status(503), status(503));
    const url = `${server.url}/feed`;
    server.files.set('/feed?apiKey=secret', content);
    const report = await at.scan([`${url.replace('://', '://user:secret@')}?apiKey=secret#secret`]);
    expect(report.findings).toMatchObject([{ feed: url, state: 'new' }]);
    expect(server.asked.length).toBeGreaterThanOrEqual(3);
    expect(JSON.stringify([report, at.records()])).not.toContain('secret');
    expect(readdirSync(join(at.cache, 'tmp'))).toEqual([]);
  });

  it('is one clear error if it is not there, too large, or a web page', async () => {
    const at = await place();
    const server = await serveFiles({ '/feed': content });
    const none = await failure(at.scan([`${server.url}/none?token=secret`]));
    expect(none).toMatchObject({ code: 'not-found', hint: 'check the URL, and whether it needs a login' });
    expect(JSON.stringify([none.message, none.details])).not.toContain('secret');
    const closed = await failure(at.scan(['http://user:secret@127.0.0.1:1/feed?key=secret']));
    expect(closed).toMatchObject({ code: 'download-failed', hint: expect.stringMatching(/starts anew/) });
    expect(JSON.stringify([closed.message, closed.details])).not.toContain('secret');
    const small = { most: 10, wait: () => Promise.resolve() };
    expect(await failure(at.scan([`${server.url}/feed`], { download: small }))).toMatchObject({
      code: 'download-failed',
      details: [expect.stringMatching(/more than 10 bytes/)],
    });
    expect(await failure(at.scan([`${server.url}/feed`], { download: { offline: true } }))).toMatchObject({
      code: 'offline',
    });
  });

  it('is http or https', () => {
    expect(() => namedFeed('ftp://example.org/x')).toThrow(/not an http or https URL/);
    const secret = 'ftp://user:secret@example.org/x?key=secret';
    expect(() => namedFeed(secret)).toThrow(/^invalid --feed ftp:\/\/example\.org\/x: not/);
    expect(() => namedFeed('')).toThrow(/--feed requires a file or a URL/);
  });
});
