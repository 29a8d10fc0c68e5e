import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type CheckEvidence,
  type CheckOptions,
  checkComponent,
  type FindingKind,
  findingKinds,
} from '../../src/overlay/check.ts';
import { commitOfUrl, commitsOfPatch } from '../../src/overlay/taken-in.ts';
import type { SourceFile } from '../../src/project/model/component.ts';
import type { Overlay, OverlayMetadata } from '../../src/project/model/overlay.ts';
import type { FetchedSources } from '../../src/sources/fetch.ts';
import { component, folder, type OverlayData, overlay } from './fixture.ts';

const spec = `Name: demo
Version: 1
URL: https://demo.example
BuildRequires:  gcc
%if 0%{?clang}
BuildRequires: clang
%endif
Patch0: upstream.patch

%description
Demo.

%prep
%autosetup
sed -i s/a/b/ configure

%files devel
%{_includedir}/demo.h
`;

const pruning: OverlayMetadata = {
  category: 'weir-pruning',
  upstreamStatus: 'inapplicable',
  commits: [],
  bugs: [],
};
const id = (digit: string): string => digit.repeat(40);
const backport = (...commits: string[]): OverlayMetadata => ({
  category: 'upstream-backport',
  upstreamStatus: 'upstreamable',
  commits,
  bugs: [],
});

const now = Date.UTC(2026, 0, 1) / 1000;
const days = (count: number): number => now - count * 86_400;

async function fetched(extra: Readonly<Record<string, string | Uint8Array>> = {}): Promise<FetchedSources> {
  const files = { 'demo.spec': spec, 'a.conf': 'one\ntwo\n', 'upstream.patch': 'upstream\n', ...extra };
  const dir = await folder(files);
  return { dir, root: dir, specPath: join(dir, 'demo.spec'), origin: { kind: 'folder', from: '/dg' }, files: [] };
}

type Given = OverlayData & { readonly metadata?: OverlayMetadata; readonly description?: string };

async function check(
  overlays: readonly Given[],
  evidence: CheckEvidence,
  options: Partial<CheckOptions> = {},
  sourceFiles: readonly SourceFile[] = [],
): Promise<(readonly [FindingKind, number | undefined, string])[]> {
  const demo = component({
    overlays: overlays.map((one): Overlay => ({ metadata: pruning, ...overlay(one), ...one })),
    sourceFiles,
  });
  const findings = await checkComponent(demo, evidence, { now, ...options });
  for (const finding of findings) {
    expect(finding).toMatchObject({ component: 'demo', origin: { file: '/p/demo.toml', line: 7 } });
    expect(finding.advice).not.toBe('');
    expect(Object.keys(findingKinds)).toContain(finding.kind);
  }
  return findings.map(({ kind, overlay: number, message }) => [kind, number, message]);
}

describe('findings from the configuration alone', () => {
  it('no description, no metadata, an unknown status', async () => {
    const plain: OverlayData = { type: 'spec-remove-tag', tag: 'URL' };
    const unknown: OverlayMetadata = { ...pruning, upstreamStatus: 'unknown' };
    const demo = component({
      overlays: [{ ...overlay(plain), description: '' }, { ...overlay(plain), metadata: unknown }, overlay(plain)],
    });
    const findings = await checkComponent(demo, {}, { now });
    expect(findings.map(({ kind, overlay: number }) => [kind, number])).toEqual([
      ['no-description', 1],
      ['no-metadata', 1],
      ['unknown-status', 2],
      ['no-metadata', 3],
    ]);
  });

  it.each<[age: number | undefined, limit: number | undefined, metadata: OverlayMetadata, found: boolean]>([
    [100, 90, backport('https://x.example/c/1'), true],
    [90, 90, backport('https://x.example/c/1'), false],
    [100, undefined, backport('https://x.example/c/1'), false],
    [undefined, 90, backport('https://x.example/c/1'), false],
    [100, 90, pruning, false],
  ])('a backport of %s days, limit %s', async (age, limit, metadata, found) => {
    const evidence = { introduced: () => (age === undefined ? undefined : days(age)) };
    const options = limit === undefined ? {} : { olderThanDays: limit };
    const result = await check([{ type: 'spec-remove-tag', tag: 'URL', metadata }], evidence, options);
    expect(result).toEqual(found ? [['old-backport', 1, 'this backport is 100 days old']] : []);
  });

  it('the effect is not checked without sources', async () => {
    expect(await check([{ type: 'spec-remove-tag', tag: 'None' }], {})).toEqual([]);
  });
});

describe('overlays with an effect', () => {
  const source = join(import.meta.dirname, 'fixture.ts');

  it.each<Given>([
    { type: 'spec-remove-tag', tag: 'URL' },
    { type: 'spec-set-tag', tag: 'URL', value: 'x' },
    { type: 'spec-add-tag', tag: 'BuildRequires', value: 'make' },
    // Upstream has it under a condition only.
    { type: 'spec-add-tag', tag: 'BuildRequires', value: 'clang' },
    { type: 'spec-append-lines', section: '%prep', lines: ['true'] },
    { type: 'spec-append-lines', section: '%prep', lines: ['', '# note'] },
    { type: 'spec-prepend-lines', lines: ['%global x 1'] },
    { type: 'spec-search-replace', regex: 'autosetup', replacement: 'autosetup -p1' },
    { type: 'patch-add', source, file: 'new.patch' },
    { type: 'patch-remove', file: 'upstream.patch' },
    { type: 'file-add', source, file: 'new.txt' },
    { type: 'file-remove', file: 'a.conf' },
    { type: 'file-rename', file: 'a.conf', replacement: 'b.conf' },
    { type: 'file-search-replace', file: '*.conf', regex: 'two', replacement: 'three' },
    // What it puts there is a part of what it looks for.
    { type: 'spec-search-replace', regex: '%autosetup', replacement: 'setup' },
  ])('$type is nothing to tell of', async (data) => {
    expect(await check([data], { fetched: await fetched() })).toEqual([]);
  });
});

describe('overlays without effect', () => {
  it.each<[what: string, data: Given, message: string]>([
    ['a tag set to what it is', { type: 'spec-set-tag', tag: 'Version', value: '1' }, 'it changes nothing'],
    [
      'an existing tag',
      { type: 'spec-add-tag', tag: 'buildrequires', value: 'gcc' },
      'line 4 of the spec already has BuildRequires: gcc',
    ],
    [
      'an existing tag, inserted',
      { type: 'spec-insert-tag', tag: 'URL', value: 'https://demo.example' },
      'line 3 of the spec already has URL: https://demo.example',
    ],
    [
      'existing lines',
      { type: 'spec-append-lines', section: '%prep', lines: ['%autosetup', '  sed -i s/a/b/ configure'] },
      'its lines already exist',
    ],
    [
      "a sub-package's lines that are there",
      { type: 'spec-prepend-lines', section: '%files', package: 'devel', lines: ['%{_includedir}/demo.h'] },
      'its lines already exist',
    ],
    [
      'lines for the whole spec that are there',
      { type: 'spec-append-lines', lines: ['sed -i s/a/b/ configure\n'] },
      'its lines already exist',
    ],
    [
      'a search whose replacement is there',
      { type: 'spec-search-replace', section: '%prep', regex: '%setup -q', replacement: '%autosetup' },
      'its replacement already exists',
    ],
    [
      'a search in files whose replacement is there',
      { type: 'file-search-replace', file: 'a.conf', regex: 'zwei', replacement: 'one\ntwo' },
      'its replacement is already in a.conf',
    ],
    [
      'a search whose replacement holds what it looks for, and is there',
      { type: 'spec-search-replace', regex: '%autosetup', replacement: '%autosetup\nsed -i s/a/b/ configure' },
      'its replacement already exists',
    ],
    [
      'such a search in files',
      { type: 'file-search-replace', file: '*.conf', regex: '(?m)^one$', replacement: 'one\ntwo' },
      'its replacement already exists',
    ],
    [
      'a search for what is to be deleted, and nothing like it is there',
      { type: 'spec-search-replace', regex: '.*girepository.*', replacement: '' },
      'what it deletes is already gone',
    ],
    [
      'such a search in files',
      { type: 'file-search-replace', file: '*.conf', regex: 'girepository', replacement: '' },
      'what it deletes is already gone',
    ],
    ['a tag to remove that is gone', { type: 'spec-remove-tag', tag: 'Vendor' }, 'what it removes is already gone'],
    [
      'a section to remove that is gone',
      { type: 'spec-remove-section', section: '%check' },
      'what it removes is already gone',
    ],
    [
      'a package to remove that is gone',
      { type: 'spec-remove-subpackage', package: 'doc' },
      'what it removes is already gone',
    ],
    [
      'a patch to remove that is gone',
      { type: 'patch-remove', file: 'old*.patch' },
      'no patch is named old*.patch any more',
    ],
    ['a file to remove that is gone', { type: 'file-remove', file: 'old.conf' }, 'what it removes is already gone'],
    [
      'a file renamed upstream',
      { type: 'file-rename', file: 'alpha.conf', replacement: 'a.conf' },
      'a.conf already exists',
    ],
  ])('%s', async (_what, data, message) => {
    const found = await check([data], { fetched: await fetched() });
    expect(found).toEqual([['no-effect', 1, expect.stringContaining(message)]]);
  });

  it('a file to add that upstream already has with the same content', async () => {
    const own = await folder({ 'a.conf': 'one\ntwo\n' });
    const data: Given = { type: 'file-add', source: join(own, 'a.conf'), file: 'a.conf' };
    expect(await check([data], { fetched: await fetched() })).toEqual([
      ['no-effect', 1, 'upstream has the same a.conf'],
    ]);
    const other = { ...data, source: import.meta.filename };
    expect(await check([other], { fetched: await fetched() })).toEqual([
      ['fails', 1, expect.stringContaining('the sources already have a.conf')],
    ]);
  });
});

describe('overlays that fail', () => {
  it.each<[data: Given, message: string]>([
    [{ type: 'spec-update-tag', tag: 'Vershun', value: '2' }, 'closest: line 2: Version: 1'],
    [{ type: 'spec-search-replace', regex: 'autosetop', replacement: '' }, 'closest: line 14: %autosetup'],
    [{ type: 'spec-search-replace', regex: 'nothing', replacement: 'fi' }, 'nothing changes'],
    [{ type: 'patch-add', source: '/nowhere/x.patch', file: 'x.patch' }, 'does not exist'],
    [{ type: 'file-rename', file: '*', replacement: 'x' }, 'matches'],
    [{ type: 'file-remove', file: 'x', archive: 'none.tar' }, 'the sources have no archive none.tar'],
  ])('%j', async (data, message) => {
    expect(await check([data], { fetched: await fetched() })).toEqual([['fails', 1, expect.stringContaining(message)]]);
  });

  it('a patch to remove that is still listed, without a file', async () => {
    const sources = await fetched();
    await rm(join(sources.dir, 'upstream.patch'));
    expect(await check([{ type: 'patch-remove', file: 'up*.patch' }], { fetched: sources })).toEqual([
      ['fails', 1, expect.stringContaining('the spec lists upstream.patch')],
    ]);
  });

  it('do not stop later ones', async () => {
    const result = await check(
      [
        { type: 'spec-update-tag', tag: 'Vershun', value: '2' },
        { type: 'spec-set-tag', tag: 'Version', value: '2' },
        { type: 'spec-set-tag', tag: 'Version', value: '2' },
      ],
      { fetched: await fetched() },
    );
    expect(result.map(([kind, number]) => [kind, number])).toEqual([
      ['fails', 1],
      ['no-effect', 3],
    ]);
  });
});

describe('overlays that upstream has taken in', () => {
  const history = [
    { id: id('d'), time: days(10), message: 'Rebuilt' },
    { id: id('c'), time: days(20), message: `Fix the build\n\n(cherry picked from commit ${id('b')})` },
    { id: id('a'), time: days(30), message: 'Fix CVE-2025-1' },
  ];
  const remove: Given = { type: 'spec-remove-tag', tag: 'URL' };

  it.each<[url: string, found: string | undefined]>([
    [`https://src.example/rpms/demo/c/${id('a')}`, 'is aaaaaaaaaaaa of the dist-git, from 2025-12-02'],
    ['https://src.example/rpms/demo/c/aaaaaaa', 'is aaaaaaaaaaaa of the dist-git'],
    [`https://git.example/demo/commit/${id('b')}.patch`, 'is named in cccccccccccc of the dist-git'],
    [`https://git.example/demo/commit/${id('e')}`, undefined],
    ['https://git.example/demo/pull/1234567', undefined],
  ])('by the commit of %s', async (url, found) => {
    const result = await check([{ ...remove, metadata: backport(url) }], { fetched: await fetched(), history });
    expect(result).toEqual(found === undefined ? [] : [['taken-in', 1, expect.stringContaining(found)]]);
  });

  it('by an upstream patch that is the same, or of the same commit', async () => {
    const own = await folder({ 'x.patch': `From ${id('f')} Mon Sep 17 00:00:00 2001\nSubject: x\n` });
    const add: Given = { type: 'patch-add', source: join(own, 'x.patch'), file: 'x.patch' };
    const same = await fetched({ 'other.patch': `From ${id('f')} Mon Sep 17 00:00:00 2001\nSubject: x\n` });
    expect(await check([add], { fetched: same })).toEqual([
      ['taken-in', 1, "upstream's other.patch is the same patch"],
    ]);
    const picked = await fetched({ 'other.patch': `Subject: y\n\n(cherry picked from commit ${id('f')})\n` });
    expect(await check([add], { fetched: picked })).toEqual([
      ['taken-in', 1, "upstream's other.patch has commit ffffffffffff"],
    ]);
    expect(await check([add], { fetched: await fetched() })).toEqual([]);
  });

  it('by sources that have the change of the patch', async () => {
    const add: Given = { type: 'patch-add', source: import.meta.filename, file: 'x.patch' };
    const asked: Uint8Array[] = [];
    const evidence = (archive: string | undefined): CheckEvidence => ({
      patchedArchive: (patch) => {
        asked.push(patch);
        return Promise.resolve(archive);
      },
    });
    const files = { fetched: await fetched() };
    expect(await check([add], { ...files, ...evidence('demo-1.tar.gz') })).toEqual([
      ['taken-in', 1, "demo-1.tar.gz already has the patch's changes"],
    ]);
    expect(await check([add], { ...files, ...evidence(undefined) })).toEqual([]);
    expect(Buffer.from(asked[0]!).toString()).toContain('by sources that have the change of the patch');
  });

  it.each<[since: number | undefined, pinned: boolean, kind: FindingKind, message: string]>([
    [40, true, 'moved-since', 'was updated to 2025-12-22 since it was written on 2025-11-22'],
    [5, true, 'update-due', 'the pinned sources, from 2025-12-22, do not'],
    [undefined, true, 'update-due', 'upstream has it'],
    [40, false, 'update-due', 'upstream has it, the pinned sources do not'],
  ])('or has it by its status, written %s days ago', async (since, pinned, kind, message) => {
    const metadata: OverlayMetadata = { ...pruning, upstreamStatus: 'upstreamed' };
    const evidence: CheckEvidence = {
      fetched: await fetched(),
      introduced: () => (since === undefined ? undefined : days(since)),
      ...(pinned ? { history } : {}),
    };
    expect(await check([{ ...remove, metadata }], evidence)).toEqual([[kind, 1, expect.stringContaining(message)]]);
  });
});

it.each<[url: string, ids: readonly string[]]>([
  ['https://src.fedoraproject.example/rpms/xclock/c/1e407488', ['1e407488']],
  [`https://github.example/a/b/commit/${id('a')}`, [id('a')]],
  [`https://github.example/a/b/pull/12/commits/${id('a')}`, [id('a')]],
  [`https://gitlab.example/chrony/chrony/-/commit/${id('b')}.diff`, [id('b')]],
  [`https://git.example/cgit/x.git/commit/?id=${id('c')}`, [id('c')]],
  ['https://bugs.example/show_bug.cgi?id=2234567', []],
  ['https://deadbeef.example/x', []],
  ['https://github.example/a/b/pull/12', []],
])('%s names %j', (url, ids) => {
  expect(commitOfUrl(url)).toEqual(ids);
});

it('a patch names its own commit and those that it was picked from', () => {
  const text = `From ${id('a')} Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\n\n(cherry picked from commit ${id('b')})\n`;
  expect(commitsOfPatch(Buffer.from(text))).toEqual([id('a'), id('b')]);
  expect(commitsOfPatch(Buffer.from(`From ${id('0')} Mon Sep 17\nFrom here on\n`))).toEqual([]);
});

it('an archive with another hash than the project names', async () => {
  const source: SourceFile = {
    filename: 'a.tar',
    origin: { type: 'overlay' },
    replaceUpstream: true,
    hash: 'ab'.repeat(32),
    hashType: 'SHA256',
  };
  const header = Buffer.alloc(512);
  header.write('gone');
  header.write('0000644\0', 100);
  header.write('00000000000\0', 124);
  header.write('        0', 148);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  const tar = Buffer.concat([header, Buffer.alloc(1024)]);
  const remove: Given = { type: 'file-remove', file: 'gone', archive: 'a.tar' };
  expect(await check([remove], { fetched: await fetched({ 'a.tar': tar }) }, {}, [source])).toEqual([
    ['archive-hash', 1, expect.stringContaining('a.tar has the SHA256')],
  ]);
});
