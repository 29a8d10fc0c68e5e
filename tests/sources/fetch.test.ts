import { chmod, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import type { Project } from '../../src/project/model/project.ts';
import { type ComponentLock, writeLock } from '../../src/sources/component-lock.ts';
import { failure } from '../base/failure.ts';
import { component } from '../overlay/fixture.ts';
import { type Bench, bench, branchF1, sha512, upstream } from './fixture.ts';
import { serveGit } from './git-server.ts';
import { serveFiles } from './server.ts';

let at: Bench;

beforeEach(async () => {
  at = await bench();
});

describe('a local spec', () => {
  it('comes with the files beside it, except TOML, other specs and dangling links', async () => {
    await at.files('c', {
      'demo.spec': 'Name: demo\n',
      'a.patch': 'a',
      'sub/b': 'b',
      'demo.comp.toml': '',
      'other.spec': '',
    });
    await chmod(join(at.root, 'c/a.patch'), 0o755);
    await symlink('a.patch', join(at.root, 'c/link.patch'));
    await symlink('nowhere', join(at.root, 'c/broken'));
    await symlink('../shared', join(at.root, 'c/folder'));
    await at.files('shared', { 'b.patch': 'b' });
    await symlink('../shared/b.patch', join(at.root, 'c/b.patch'));
    const local = component({ name: 'other-name', spec: { type: 'local', path: join(at.root, 'c/demo.spec') } });
    const fetched = await at.fetch(local, at.project({}));
    expect((await readdir(fetched.dir)).sort()).toEqual(['a.patch', 'b.patch', 'link.patch', 'other-name.spec', 'sub']);
    expect(fetched.specPath).toBe(join(fetched.dir, 'other-name.spec'));
    expect(fetched.origin.kind).toBe('local');
  });

  it.each([
    ['beside it', 'leak'],
    ['in a folder below', 'sub/leak'],
    ['in place of it', 'demo.spec'],
  ])('with a link %s that leads out of the project is refused', async (_, name) => {
    await at.files('p/c', { 'demo.spec': 'Name: demo\n', 'sub/x': '' });
    await at.files('', { 'secret.spec': 'Name: secret\n' });
    const link = join(at.root, 'p/c', name);
    await rm(link, { force: true });
    await symlink(join(at.root, 'secret.spec'), link);
    const local = component({ spec: { type: 'local', path: join(at.root, 'p/c/demo.spec') } });
    const project = { ...at.project({}), root: join(at.root, 'p') };
    expect(await failure(at.fetch(local, project))).toMatchObject({
      code: 'link-out',
      where: { file: link, component: 'demo' },
    });
  });

  it('is an error if missing or not configured', async () => {
    const local = component({ spec: { type: 'local', path: join(at.root, 'x.spec') } });
    expect(await failure(at.fetch(local, at.project({})))).toMatchObject({ code: 'no-spec-file', exit: 2 });
    expect(await failure(at.fetch(component(), at.project({})))).toMatchObject({ code: 'no-spec', exit: 2 });
  });

  it('with an invalid sources file reports the place', async () => {
    await at.files('c', { 'demo.spec': 'Name: demo\n', sources: '\nnonsense\n' });
    const local = component({ spec: { type: 'local', path: join(at.root, 'c/demo.spec') } });
    const error = await failure(at.fetch(local, at.project({})));
    expect(error.code).toBe('bad-sources');
    expect(error.where).toEqual({ file: join(at.root, 'c/sources'), line: 2, column: 1, component: 'demo' });
  });

  it('includes its lock', async () => {
    await at.files('c', { 'demo.spec': 'Name: demo\n' });
    const local = component({ spec: { type: 'local', path: join(at.root, 'c/demo.spec') } });
    const of = at.project({});
    expect((await at.fetch(local, of)).lock).toBeUndefined();
    await writeLock(of, 'demo', { manualBump: 3 });
    expect((await at.fetch(local, of)).lock).toEqual({ manualBump: 3 });
  });
});

describe('a dist-git that is a plain folder', () => {
  it.each(['', '/$pkg'])('provides spec and files (base with "%s")', async (tail) => {
    await at.files('dg', { 'demo/demo.spec': 'Name: demo\n', 'demo/a.patch': '' });
    const of = at.project({ distGitBaseUri: pathToFileURL(join(at.root, 'dg')).href + tail });
    const fetched = await at.fetch(upstream(), of);
    expect((await readdir(fetched.dir)).sort()).toEqual(['a.patch', 'demo.spec']);
    expect(fetched.origin).toEqual({ kind: 'folder', from: join(at.root, 'dg/demo') });
    // It has no commits, so a lock of another component asks for none.
    await writeLock(of, 'other', { manualBump: 0 });
    await at.fetch(upstream(), of);
  });

  it('reports what is missing', async () => {
    await at.files('dg', { 'demo/x': '', 'demo/a.spec': '', 'demo/b.spec': '' });
    const { origin } = upstream();
    const where = { component: 'demo', file: origin.file, line: origin.line };
    expect(await failure(at.fetch(upstream(), at.project({})))).toMatchObject({ code: 'no-dist-git', where });
    const elsewhere = at.project({ distGitBaseUri: join(at.root, 'no/$pkg') });
    expect(await failure(at.fetch(upstream(), elsewhere))).toMatchObject({ code: 'no-dist-git', where });
    expect(await failure(at.fetch(upstream({}, { distro: { name: 'upp' } }), at.project({})))).toMatchObject({
      code: 'unknown-distro',
      hint: 'did you mean up?',
    });
  });
});

describe('a dist-git that is git', () => {
  let commits: string[];
  let of: Project;
  const snapshot = { distro: { name: 'up', snapshot: '2020-09-14T12:26:40Z' } };

  beforeEach(async () => {
    commits = [];
    for (const spec of ['Version: 1', 'Version: 1\n# x', 'Version: 2', 'Version: 2\n# y']) {
      commits.push(
        await at.commit('git/demo', {
          'demo.spec': `Name: demo\n${spec}\n`,
          sources: `SHA512 (d.tar.gz) = ${sha512('tar')}\n`,
          '.gitattributes': '* text eol=crlf\n',
        }),
      );
    }
    of = at.project({ distGitBaseUri: `${pathToFileURL(at.root).href}/git/$pkg`, ...branchF1 });
  });

  const commitOf = async (spec: object, skipLockValidation = false): Promise<string | undefined> =>
    (await at.fetch(upstream({}, spec), of, { withLookaside: false, skipLockValidation })).origin.commit;

  it('is read at the head, a commit, a commit prefix, or the snapshot', async () => {
    const fetched = await at.fetch(upstream(), of, { withLookaside: false });
    expect(fetched.origin).toMatchObject({ kind: 'git', commit: commits[3] });
    expect(await commitOf({ commit: commits[1] })).toBe(commits[1]);
    expect(await commitOf({ commit: commits[2]!.slice(0, 9) })).toBe(commits[2]);
    expect(await commitOf(snapshot)).toBe(commits[1]);
    expect(await commitOf({ ...snapshot, commit: commits[2] }), 'a commit wins over the snapshot').toBe(commits[2]);
  });

  it('is always read at the commit of the lock', async () => {
    const lock: ComponentLock = { manualBump: 0, upstreamCommit: commits[0]! };
    await writeLock(of, 'demo', lock);
    expect(await commitOf({})).toBe(commits[0]);
    expect(await commitOf(snapshot)).toBe(commits[0]);
    await at.commit('git/demo', { 'demo.spec': 'Name: demo\nVersion: 3\n' });
    expect(await commitOf({})).toBe(commits[0]);
    expect((await at.fetch(upstream(), of, { withLookaside: false })).lock).toEqual(lock);
  });

  it('is rejected if lock and configuration contradict each other, unless disabled', async () => {
    await writeLock(of, 'demo', { manualBump: 0, upstreamCommit: commits[0]! });
    const error = await failure(commitOf({ commit: commits[1] }));
    expect(error).toMatchObject({
      code: 'stale-lock',
      exit: 2,
      where: { component: 'demo' },
      details: [`configured ${commits[1]}`, `locked     ${commits[0]}`],
    });
    expect(await commitOf({ commit: commits[1] }, true)).toBe(commits[0]);
    expect(await commitOf({ commit: commits[0]!.slice(0, 12) })).toBe(commits[0]);
  });

  it('needs a lock once the project has any', async () => {
    await writeLock(of, 'other', { manualBump: 0 });
    const error = await failure(commitOf({}));
    expect(error).toMatchObject({ code: 'no-lock', exit: 2, where: { component: 'demo' } });
    expect(await commitOf({}, true)).toBe(commits[3]);
  });

  it('does not ask upstream again for a commit or a past snapshot', async () => {
    const { url } = await serveGit(join(at.root, 'git'));
    const served = at.project({ distGitBaseUri: `${url}/$pkg`, ...branchF1 });
    const get = (spec: object, offline = false): ReturnType<Bench['fetch']> =>
      at.fetch(upstream({}, spec), served, { offline, withLookaside: false });
    for (const revision of [snapshot, { commit: commits[2] }, {}]) await get(revision);
    await rm(join(at.root, 'git'), { recursive: true });
    expect((await get(snapshot)).origin.commit).toBe(commits[1]);
    expect((await get({ commit: commits[2] })).origin.commit).toBe(commits[2]);
    expect((await get({}, true)).origin.commit).toBe(commits[3]);
    expect((await failure(get({}))).code).toBe('git-failed');
    expect((await failure(get({ commit: 'f'.repeat(40) }, true))).code).toBe('offline');
  });

  it('does not use the network if the cache has everything', async () => {
    const [git, lookaside] = [await serveGit(join(at.root, 'git')), await serveFiles({ '/demo/d.tar.gz': 'tar' })];
    const served = at.project({
      distGitBaseUri: `${git.url}/$pkg`,
      lookasideBaseUri: `${lookaside.url}/$pkg/$filename`,
      ...branchF1,
    });
    const pinned: ResolvedComponent = upstream({}, { commit: commits[3] });
    const first = await at.fetch(pinned, served);
    expect(git.asked.length).toBeGreaterThan(0);
    expect(lookaside.asked.length).toBe(1);
    const before = git.asked.length;
    for (const offline of [false, true]) {
      const again = await at.fetch(pinned, served, { offline });
      expect(again.files).toEqual(first.files);
      expect(await readFile(join(again.dir, 'd.tar.gz'), 'utf8')).toBe('tar');
    }
    expect([git.asked.length, lookaside.asked.length]).toEqual([before, 1]);
  });

  it('reports which commit or snapshot does not exist', async () => {
    const early = { distro: { name: 'up', snapshot: '2001-01-01T00:00:00Z' } };
    expect(await failure(commitOf(early))).toMatchObject({ code: 'no-commit', exit: 2, where: { component: 'demo' } });
    expect((await failure(commitOf({ commit: 'fffffff' }))).code).toBe('no-commit');
    expect((await failure(commitOf({ commit: 'f'.repeat(40) }))).code).toBe('no-commit');
  });

  it('retries a failing server, but not a missing repository', async () => {
    const server = await serveGit(join(at.root, 'git'));
    server.fail(503, 502, 404);
    const waits: number[] = [];
    const wait = (attempt: number): Promise<void> => Promise.resolve(void waits.push(attempt));
    const served = at.project({ distGitBaseUri: `${server.url}/$pkg` });
    const error = await failure(at.fetch(upstream(), served, { wait, attempts: 5 }));
    expect(error.code).toBe('git-failed');
    expect(waits).toEqual([1, 2]);
  });
});
