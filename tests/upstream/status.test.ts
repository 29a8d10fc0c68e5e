import { symlinkSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { serveGit } from '../sources/git-server.ts';
import { siteWith, spec } from './fixture.ts';

const sources = (version: string, hash: string): string => `SHA512 (a-${version}.tar.gz) = ${hash.repeat(128)}\n`;

describe('upstream status', () => {
  it('lists what lies between the pinned commit and the newest', async () => {
    const site = await siteWith('[components.a]\n');
    const git = site.distGit('a');
    const first = git.commit({
      'a.spec': spec('a', { body: '%global commit abc\nPatch1: old.patch\nPatch2: kept.patch\n%bcond_with x\n' }),
      'old.patch': 'old\n',
      'kept.patch': 'one\n',
      sources: sources('1', '1'),
    });
    await site.lock();
    expect(await site.status()).toMatchObject({ a: { state: 'current', overlays: [], pinned: { by: 'lock' } } });
    git.commit({ 'kept.patch': 'two\n' }, 'Fix the build\n\nResolves: CVE-2020-12345');
    const changelog = '* Tue Jan 07 2020 Ann <ann@example.org> - 2-1\n- cve-2020-99999 and CVE-2019-0001\n';
    const second = git.commit(
      {
        'a.spec': spec('a', {
          version: '2',
          body: '%global commit def\n%global fresh 1\nPatch2: kept.patch\nPatch3: CVE-2021-4444.patch\n%bcond_with x\n',
          changelog: `${changelog}\n* Mon Jan 06 2020 Ann <ann@example.org> - 1-1\n- first\n`,
        }),
        'old.patch': undefined,
        'CVE-2021-4444.patch': 'new\n',
        sources: sources('2', '2'),
      },
      'Update to 2',
    );
    const { a } = await site.status();
    expect(a).toMatchObject({
      state: 'behind',
      branch: 'f1',
      pinned: { commit: first, by: 'lock' },
      newest: { commit: second },
      overlays: [],
    });
    expect(a!.between).toEqual({
      relation: 'newer',
      commits: [
        { id: second, time: 1_600_172_800, subject: 'Update to 2' },
        expect.objectContaining({ subject: 'Fix the build' }),
      ],
      spec: {
        version: { before: '1', after: '2' },
        patches: { added: ['CVE-2021-4444.patch'], removed: ['old.patch'], changed: ['kept.patch'] },
        sources: { added: ['a-2.tar.gz'], removed: ['a-1.tar.gz'], changed: [] },
        macros: [
          { name: 'commit', before: ['%global commit abc'], after: ['%global commit def'] },
          { name: 'fresh', before: [], after: ['%global fresh 1'] },
        ],
      },
      files: {
        added: ['CVE-2021-4444.patch'],
        removed: ['old.patch'],
        changed: ['a.spec', 'kept.patch', 'sources'],
      },
      cves: [
        { id: 'CVE-2019-0001', in: ['changelog'] },
        { id: 'CVE-2020-12345', in: ['message'] },
        { id: 'CVE-2020-99999', in: ['changelog'] },
        { id: 'CVE-2021-4444', in: ['patch'] },
      ],
    });
  });

  it('names no CVE number anew whose line only moved', async () => {
    const site = await siteWith('[components.a]\n');
    const git = site.distGit('a');
    const old = '* Mon Jan 06 2020 Ann <ann@example.org> - 1-1\n- CVE-2020-1111\n-  CVE-2020-2222\n';
    git.commit({ 'a.spec': spec('a', { changelog: old }) });
    await site.lock();
    git.commit({ 'a.spec': spec('a', { changelog: old.replace('-  CVE', '- CVE') }) });
    expect((await site.status()).a!.between!.cves).toEqual([]);
    git.commit({ 'a.spec': spec('a', { changelog: '%autochangelog\n' }), changelog: `- CVE-2020-3333\n${old}` });
    expect((await site.status()).a!.between!.cves).toEqual([{ id: 'CVE-2020-3333', in: ['changelog'] }]);
    await site.lock();
    git.commit({ changelog: '- CVE-2020-1111, CVE-2020-2222 and CVE-2020-3333\n' });
    expect((await site.status()).a).toMatchObject({ state: 'behind', between: { cves: [] } });
  });

  it('does not take a component whose spec is a link for retired', async () => {
    const site = await siteWith('[components.a]\n');
    const git = site.distGit('a');
    git.commit({ 'a.spec': spec('a') });
    await site.lock();
    symlinkSync('other.spec.in', join(git.dir, 'b.spec'));
    git.commit({ 'a.spec': undefined });
    const { a } = await site.status();
    expect(a).toMatchObject({ state: 'behind' });
    expect(a!.between).not.toHaveProperty('retired');
  });

  it('reports a lock that cannot be read, with its place', async () => {
    const site = await siteWith('[components.a]\n[components.b]\n');
    for (const name of ['a', 'b']) site.distGit(name).commit({ [`${name}.spec`]: spec(name) });
    await site.lock();
    await site.write({ 'locks/b.lock': `<<<<<<< HEAD\n${await site.read('locks/b.lock')}` });
    expect(await site.status()).toMatchObject({
      a: { state: 'current' },
      b: { state: 'failed', error: { where: { file: join(site.dir, 'locks/b.lock'), line: 1 } } },
    });
  });

  it('compares with the state of a day', async () => {
    const site = await siteWith('[components.a]\n', '2020-09-13T12:26:40Z');
    const git = site.distGit('a');
    const commits = ['1', '2', '3'].map((version) => git.commit({ 'a.spec': spec('a', { version }) }));
    const newest = await site.status();
    expect(newest.a).toMatchObject({
      state: 'behind',
      pinned: { commit: commits[0], by: 'snapshot' },
      newest: { commit: commits[2] },
      between: { spec: { version: { before: '1', after: '3' } } },
    });
    const earlier = await site.status({ to: '2020-09-14T12:26:40Z' });
    expect(earlier.a).toMatchObject({ newest: { commit: commits[1] }, between: { commits: [{ id: commits[1] }] } });
    const before = await siteWith('[components.a]\n', '2020-09-15T12:26:40Z');
    const old = before.distGit('a');
    for (const version of ['1', '2', '3']) old.commit({ 'a.spec': spec('a', { version }) });
    expect((await before.status({ to: '2020-09-13T23:59:59Z' })).a).toMatchObject({
      state: 'ahead',
      between: { relation: 'older', commits: [], spec: { version: { before: '3', after: '1' } } },
    });
  });

  it('says which overlays fail, have no effect or were taken in on the newest commit, and which did so before', async () => {
    const site = await siteWith(`
[components.a]
[[components.a.overlays]]
type = "spec-search-replace"
description = "one"
regex = "--old-option"
replacement = "--new-option"
[[components.a.overlays]]
type = "patch-add"
description = "two"
source = "fix.patch"
[[components.a.overlays]]
type = "spec-remove-tag"
description = "three"
tag = "BuildRequires"
value = "gone"
[[components.a.overlays]]
type = "spec-update-tag"
description = "four"
tag = "Vendor"
value = "us"
`);
    await site.write({ 'fix.patch': '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n' });
    const git = site.distGit('a');
    const body = (more: string): string => `BuildRequires: kept\n${more}`;
    git.commit({ 'a.spec': spec('a', { body: `${body('BuildRequires: gone\n')}%global o --old-option\n` }) });
    await site.lock();
    git.commit({
      'a.spec': spec('a', { body: `${body('')}%global o --other\nPatch0: theirs.patch\n` }),
      'theirs.patch': await site.read('fix.patch'),
    });
    const { a } = await site.status();
    expect(a!.overlays.map(({ kind, overlay, already, place }) => ({ kind, overlay, already, place }))).toEqual([
      { kind: 'fails', overlay: 1, already: false, place: 'weir.toml:13' },
      { kind: 'taken-in', overlay: 2, already: false, place: 'weir.toml:18' },
      { kind: 'no-effect', overlay: 3, already: false, place: 'weir.toml:22' },
      { kind: 'fails', overlay: 4, already: true, place: 'weir.toml:27' },
    ]);
    expect((await site.status({ withoutOverlays: true })).a!.overlays).toEqual([]);
  });

  it('tells apart what was retired, is on another branch, or has no upstream with commits', async () => {
    const site = await siteWith(`
[components.gone]
[components.other]
[components.own]
spec = { type = "local", path = "own.spec" }
[components.missing]
`);
    await site.write({ 'own.spec': 'Name: own\n' });
    const gone = site.distGit('gone');
    gone.commit({ 'gone.spec': spec('gone') });
    const other = site.distGit('other');
    other.commit({ 'other.spec': spec('other') });
    other.git('checkout', '-q', '-b', 'side');
    const side = other.commit({ 'other.spec': spec('other', { version: '9' }) });
    other.git('checkout', '-q', 'f1');
    await site.lock();
    const lock = await site.read('locks/other.lock');
    await site.write({ 'locks/other.lock': lock.replace(/upstream-commit = '.*'/, `upstream-commit = '${side}'`) });
    const head = other.commit({ 'other.spec': spec('other', { version: '2' }) });
    gone.commit({ 'gone.spec': undefined, 'dead.package': 'Use fresh instead.\n' });
    const status = await site.status();
    expect(status.gone).toMatchObject({ state: 'retired', between: { retired: 'Use fresh instead.' } });
    expect(status.gone!.between!.spec).toBeUndefined();
    expect(status.other).toMatchObject({ state: 'apart', newest: { commit: head } });
    expect(status.other!.between!.commits.map(({ id }) => id)).toEqual([head]);
    const several = gone.commit({ 'one.spec': 'Name: one\n', 'two.spec': 'Name: two\n' });
    expect((await site.status()).gone).toMatchObject({ state: 'behind', newest: { commit: several } });
    expect(status.own).toMatchObject({ state: 'skipped', reason: "its spec is the project's own" });
    expect(status.missing).toMatchObject({ state: 'failed', error: { code: 'no-dist-git' } });
  });
});

it('a commit of another dist-git is none of this one', async () => {
  const site = await siteWith('[components.a]\n[components.b]\n');
  for (const name of ['a', 'b']) site.distGit(name).commit({ [`${name}.spec`]: spec(name) });
  await site.lock();
  const other = /upstream-commit = '(.*)'/.exec(await site.read('locks/b.lock'))![1]!;
  const lock = await site.read('locks/a.lock');
  await site.write({ 'locks/a.lock': lock.replace(/upstream-commit = '.*'/, `upstream-commit = '${other}'`) });
  expect((await site.status()).a).toMatchObject({ state: 'failed', error: { code: 'no-commit' } });
});

describe('a dist-git on a server', () => {
  it('is fetched in part, and compared again offline', async () => {
    const site = await siteWith('[components.a]\n');
    const server = await serveGit(join(site.root, 'git'));
    await site.write({ 'weir.toml': (await site.read('weir.toml')).replace('../git/$pkg', `${server.url}/$pkg`) });
    const git = site.distGit('a');
    git.commit({ 'a.spec': spec('a'), 'large.bin': 'x'.repeat(100_000) });
    await site.lock();
    const second = git.commit({ 'a.spec': spec('a', { version: '2' }), 'large.bin': 'y'.repeat(100_000) });
    const first = await site.status();
    expect(first.a).toMatchObject({
      state: 'behind',
      newest: { commit: second },
      between: {
        spec: { version: { before: '1', after: '2' } },
        files: { changed: ['a.spec', 'large.bin'] },
      },
    });
    const asked = server.asked.length;
    vi.stubEnv('WEIR_OFFLINE', '1');
    expect(await site.status()).toEqual(first);
    await rm(join(site.root, 'home/weir/upstream'), { recursive: true });
    expect(await site.status()).toEqual(first);
    expect(server.asked.length).toBe(asked);
    vi.stubEnv('WEIR_OFFLINE', '');
    const third = git.commit({ 'a.spec': spec('a', { version: '3' }) });
    expect((await site.status()).a).toMatchObject({ newest: { commit: third } });
    server.fail(404, 404);
    expect((await site.status()).a).toMatchObject({ state: 'failed', error: { code: 'git-failed' } });
  });
});

describe('a second status', () => {
  const overlays = (regex: string): string => `
[components.a]
[[components.a.overlays]]
type = "spec-search-replace"
description = "one"
regex = "${regex}"
replacement = "--new-option"
[[components.a.overlays]]
type = "file-add"
description = "two"
file = "extra.conf"
source = "extra.conf"
`;

  async function made() {
    const site = await siteWith(overlays('--old-option'));
    await site.write({ 'extra.conf': 'x = 1\n' });
    const git = site.distGit('a');
    git.commit({ 'a.spec': spec('a', { body: '%global o --old-option\n' }) });
    await site.lock();
    git.commit({ 'a.spec': spec('a', { body: '%global o --other\n' }), 'extra.conf': 'x = 1\n' });
    const kinds = async (options = {}) => (await site.status(options)).a!.overlays.map(({ kind }) => kind);
    return { site, git, kinds };
  }

  it('gives the same answer, with and without overlays', async () => {
    const { site, kinds } = await made();
    const first = await site.status();
    expect(first.a!.overlays.map(({ kind }) => kind)).toEqual(['fails', 'no-effect']);
    expect(await site.status()).toEqual(first);
    expect(await kinds({ withoutOverlays: true })).toEqual([]);
    // The refs are rewritten, but name the same commits.
    site.distGit('a').git('pack-refs', '--all');
    expect(await kinds({ withoutOverlays: true })).toEqual([]);
    expect(await site.status()).toEqual(first);
  });

  it('notices newer commits, changed overlays and changed files of overlays', async () => {
    const { site, git, kinds } = await made();
    expect(await kinds()).toEqual(['fails', 'no-effect']);
    const config = await site.read('weir.toml');
    await site.write({ 'weir.toml': config.replace('--old-option', '--other') });
    expect(await kinds()).toEqual(['no-effect']);
    await site.write({ 'extra.conf': 'x = 2\n' });
    expect(await kinds()).toEqual(['fails']);
    const newest = git.commit({ 'extra.conf': undefined });
    const { a } = await site.status();
    expect(a).toMatchObject({ newest: { commit: newest }, overlays: [] });
    expect(a!.between!.commits).toHaveLength(2);
  });

  it('survives a damaged record', async () => {
    const { site } = await made();
    const first = await site.status();
    const folder = join(site.root, 'home/weir/upstream');
    const [name] = (await readdir(folder)).filter((one) => one.endsWith('.jsonl'));
    const text = await readFile(join(folder, name!), 'utf8');
    expect(text).not.toBe('');
    await writeFile(join(folder, name!), text.slice(0, -20));
    expect(await site.status()).toEqual(first);
  });
});
