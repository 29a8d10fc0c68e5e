import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import { createProgress } from '../../src/base/progress.ts';
import { type PrepareOptions, type PrepareReport, prepareFolder } from '../../src/component/prepare.ts';
import { sourceContext } from '../../src/component/sources.ts';
import { findComponent } from '../../src/project/select.ts';
import type { SourceContext } from '../../src/sources/fetch.ts';
import { parseSourcesFile } from '../../src/sources/listing.ts';
import { openProjectWorkspace } from '../../src/workspace/workspace.ts';
import { failure } from '../base/failure.ts';
import { type Bench, bench, sha512 } from '../sources/fixture.ts';
import { type FileServer, serveFiles } from '../sources/server.ts';

let at: Bench;
let server: FileServer;
let archive: Buffer;

const project = (more = ''): string => `
[project]
description = "p"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[distros.up]
dist-git-base-uri = "${join(at.root, 'git')}/$pkg"
lookaside-base-uri = "${server.url}/$pkg/$filename"
[distros.up.versions.1]
dist-git-branch = "f1"
[components.a]
${more}
[[components.a.overlays]]
type = "spec-set-tag"
description = "another summary"
tag = "Summary"
value = "ours"
[[components.a.overlays]]
type = "file-add"
description = "a file of ours"
file = "ours.conf"
source = "ours.conf"
`;

beforeEach(async () => {
  at = await bench();
  vi.stubEnv('XDG_CACHE_HOME', join(at.root, 'home'));
  await at.files('tree', { 'a-1/keep': 'keep', 'a-1/drop': 'drop' });
  await runOk(['tar', '-C', join(at.root, 'tree'), '-czf', join(at.root, 'a-1.tar.gz'), 'a-1']);
  archive = await readFile(join(at.root, 'a-1.tar.gz'));
  server = await serveFiles({ '/a/a-1.tar.gz': archive, '/more.txt': 'more' });
  await at.commit('git/a', {
    'a.spec': 'Name: a\nVersion: 1\nRelease: 1\nSummary: theirs\nSource0: a-1.tar.gz\nPatch0: a.patch\n',
    'a.patch': 'patch',
    'unlisted.txt': 'x',
    sources: `# theirs\nSHA512 (a-1.tar.gz) = ${sha512(archive)}\n`,
  });
  await at.files('p', { 'weir.toml': project(), 'ours.conf': 'ours' });
  return () => vi.unstubAllEnvs();
});

const out = (): string => join(at.root, 'out');
async function prepare(options: PrepareOptions = {}, more: Partial<SourceContext> = {}): Promise<PrepareReport> {
  const progress = createProgress('quiet', false, () => {});
  const workspace = await openProjectWorkspace({ directory: join(at.root, 'p'), progress });
  const context = { ...(await sourceContext(workspace)), attempts: 1, ...more };
  return prepareFolder(workspace, findComponent(workspace.project, 'a'), out(), context, options);
}
const read = (name: string): Promise<string> => readFile(join(out(), name), 'utf8');

describe('component prepare', () => {
  it('writes the spec after the overlays, sources, and every file', async () => {
    const report = await prepare();
    const files = ['a-1.tar.gz', 'a.patch', 'a.spec', 'ours.conf', 'sources', 'unlisted.txt'];
    expect(report).toMatchObject({ component: 'a', folder: out(), files, computed: [], warnings: [] });
    expect(report.commit).toMatch(/^[0-9a-f]{40}$/);
    expect((await readdir(out())).sort()).toEqual(['.weir-prepared.json', ...files]);
    expect(await read('a.spec')).toContain('Summary: ours\n');
    expect(await read('ours.conf')).toBe('ours');
    expect((await readFile(join(out(), 'a-1.tar.gz'))).equals(archive)).toBe(true);
    expect(await read('sources')).toBe(`SHA512 (a-1.tar.gz) = ${sha512(archive)}\n`);
  });

  it('writes files that can be changed without changing the cache', async () => {
    await prepare();
    const { mode, nlink } = await stat(join(out(), 'a-1.tar.gz'));
    expect([mode & 0o777, nlink]).toEqual([0o644, 1]);
    await writeFile(join(out(), 'a-1.tar.gz'), 'changed');
    await prepare({ force: true }, { offline: true });
    expect((await readFile(join(out(), 'a-1.tar.gz'))).equals(archive)).toBe(true);
  });

  it('writes the upstream files without overlays', async () => {
    const { files } = await prepare({ skipOverlays: true });
    expect(files).toEqual(['a-1.tar.gz', 'a.patch', 'a.spec', 'sources', 'unlisted.txt']);
    expect(await read('a.spec')).toContain('Summary: theirs\n');
    expect(await read('sources')).toMatch(/^# theirs\n/);
  });

  it('asks no lookaside if only dist-git is requested, even with overlays into archives', async () => {
    const hash = 'd'.repeat(128);
    await at.files('p', { 'weir.toml': project(overlaid(hash)) });
    const { files } = await prepare({ skipSources: true });
    expect(files).toEqual(['a.patch', 'a.spec', 'ours.conf', 'sources', 'unlisted.txt']);
    expect(await read('a.spec')).toContain('Summary: ours\n');
    expect(await read('sources')).toBe(`SHA512 (a-1.tar.gz) = ${hash}\n`);
    expect(server.asked).toEqual([]);
  });
});

/** The archive changed by an overlay, with the hash that it has then. */
const overlaid = (hash: string | undefined): string => `
[[components.a.source-files]]
filename = "a-1.tar.gz"
${hash === undefined ? '' : `hash = "${hash}"\nhash-type = "SHA512"`}
origin = { type = "overlay" }
replace-upstream = true
replace-reason = "smaller"
[[components.a.overlays]]
type = "file-remove"
description = "not wanted"
archive = "a-1.tar.gz"
file = "drop"
`;

describe('hashes missing from the configuration', () => {
  it('are computed on request, and valid from then on', async () => {
    const more = (hash?: string): string => `
[[components.a.source-files]]
filename = "more.txt"
${hash === undefined ? '' : `hash = "${hash}"\nhash-type = "SHA512"`}
origin = { type = "download", uri = "${server.url}/more.txt" }
`;
    await at.files('p', { 'weir.toml': project(more() + overlaid(undefined)) });
    const error = await failure(prepare());
    expect(error).toMatchObject({ code: 'no-hash', exit: 2, where: { component: 'a' } });
    expect(error.hint).toContain('weir component prepare a -o DIR --allow-no-hashes');
    const { computed } = await prepare({}, { allowNoHashes: true });
    expect(computed.map(({ filename, hashType }) => [filename, hashType])).toEqual([
      ['more.txt', 'SHA512'],
      ['a-1.tar.gz', 'SHA512'],
    ]);
    expect(computed[0]!.hash).toBe(sha512('more'));
    expect(computed[1]!.hash).toBe(sha512(await readFile(join(out(), 'a-1.tar.gz'))));
    expect(computed[1]!.hash).not.toBe(sha512(archive));
    await at.files('p', { 'weir.toml': project(more(computed[0]!.hash) + overlaid(computed[1]!.hash)) });
    expect((await prepare({ force: true })).computed).toEqual([]);
    expect(parseSourcesFile(await read('sources'), 'sources')).toEqual([computed[1], computed[0]]);
  });

  it('are not needed without sources', async () => {
    await at.files('p', { 'weir.toml': project(overlaid(undefined)) });
    const { files, computed } = await prepare({ skipSources: true }, { allowNoHashes: true });
    expect(files).not.toContain('a-1.tar.gz');
    expect(computed).toEqual([]);
  });

  it('must match the archive after the overlays', async () => {
    await at.files('p', { 'weir.toml': project(overlaid('d'.repeat(128))) });
    const error = await failure(prepare());
    expect(error).toMatchObject({ code: 'wrong-hash', exit: 2, where: { component: 'a' } });
    expect(error.details[0]).toBe(`expected ${'d'.repeat(128)}`);
    expect(await readdir(at.root)).not.toContain('out');
  });
});

describe('the folder', () => {
  it('is never replaced without force, or if it was not prepared', async () => {
    await mkdir(out());
    await prepare();
    expect(await failure(prepare())).toMatchObject({
      code: 'not-empty',
      exit: 2,
      hint: expect.stringContaining('--force'),
    });
    await prepare({ force: true });
    await at.files('out', { 'mine/notes.txt': 'mine' });
    expect(await failure(prepare({ force: true }))).toMatchObject({ code: 'not-prepared', exit: 2 });
    expect(await read('mine/notes.txt')).toBe('mine');
  });

  it.each(['{}', 'x', undefined])('does not count as prepared with a marker like %s', async (text) => {
    await at.files('out', { 'notes.txt': 'mine', ...(text === undefined ? {} : { '.weir-prepared.json': text }) });
    expect(await failure(prepare({ force: true }))).toMatchObject({ code: 'not-empty', exit: 2 });
    expect(await read('notes.txt')).toBe('mine');
  });

  it('contains nothing of an earlier run', async () => {
    await prepare();
    await prepare({ force: true, skipOverlays: true });
    expect(await readdir(out())).not.toContain('ours.conf');
  });

  it('is created atomically', async () => {
    server.files.set('/a/a-1.tar.gz', 'other');
    expect((await failure(prepare())).code).toBe('wrong-hash');
    expect(await readdir(at.root)).not.toContain('out');
    server.files.set('/a/a-1.tar.gz', archive);
    await prepare();
    await at.files('p', {
      'weir.toml': project().replace('spec-set-tag', 'spec-remove-tag').replace('value = "ours"', 'value = "no"'),
    });
    const before = await read('a.spec');
    expect((await failure(prepare({ force: true }))).exit).toBe(2);
    expect(await read('a.spec')).toBe(before);
    expect((await readdir(at.root)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('can be a link, but not a file', async () => {
    await mkdir(join(at.root, 'real'));
    await symlink('real', out());
    expect((await prepare()).folder).toBe(join(at.root, 'real'));
    await writeFile(join(at.root, 'file'), '');
    await symlink('file', join(at.root, 'real/x'));
    const progress = createProgress('quiet', false, () => {});
    const workspace = await openProjectWorkspace({ directory: join(at.root, 'p'), progress });
    const one = findComponent(workspace.project, 'a');
    const work = prepareFolder(workspace, one, join(at.root, 'file'), await sourceContext(workspace));
    expect(await failure(work)).toMatchObject({ code: 'not-a-folder', exit: 2 });
  });
});
