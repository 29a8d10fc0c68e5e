import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { formatOwner, thisProcess } from '../../src/base/alive.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { checkOut, commitFiles } from '../../src/sources/git-checkout.ts';
import { readTogether } from '../../src/sources/git-readers.ts';
import { knownRevision, resolveCommit } from '../../src/sources/git-revision.ts';
import type { GitRepository } from '../../src/sources/git-run.ts';
import { type GitStore, openGitStore, openRepository } from '../../src/sources/git-store.ts';
import { failure } from '../base/failure.ts';
import { type Repository, repositoryAt } from './git-repository.ts';
import { serveGit } from './git-server.ts';

let root: string;
let store: GitStore;
let upstream: Repository;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  store = openGitStore(join(root, 'cache'));
  upstream = repositoryAt(join(root, 'git/demo'));
});

const branch = 'f1';

/** Every object that a repository has, by type. */
function objects({ gitDir }: GitRepository): Record<string, number> {
  const args = ['--git-dir', gitDir, 'cat-file', '--batch-all-objects', '--batch-check=%(objecttype)'];
  const counts: Record<string, number> = {};
  for (const type of execFileSync('git', args, { encoding: 'utf8' }).trim().split('\n')) {
    counts[type] = (counts[type] ?? 0) + 1;
  }
  return counts;
}

/** Five commits, each with another spec and another large file. */
function fiveCommits(): string[] {
  return [1, 2, 3, 4, 5].map((version) =>
    upstream.commit({ 'demo.spec': `Version: ${version}\n`, 'sub/big.patch': `${version}\n`.repeat(5000) }),
  );
}

async function text(repository: GitRepository, commit: string, name: string): Promise<string | undefined> {
  return (await commitFiles(repository, commit)).get(name)?.bytes.toString();
}

describe('over HTTP', () => {
  it('fetches commits and trees, but only the files of the requested commit', async () => {
    const commits = fiveCommits();
    const server = await serveGit(join(root, 'git'));
    const repository = await openRepository(store, `${server.url}/demo`);
    const config = readFileSync(join(repository.gitDir, 'config'), 'utf8');
    expect(await resolveCommit(repository, { branch })).toBe(commits[4]);
    expect(objects(repository)).toEqual({ commit: 5, tree: 10 });
    expect(await text(repository, commits[3]!, 'demo.spec')).toBe('Version: 4\n');
    expect(objects(repository)).toEqual({ commit: 5, tree: 10, blob: 2 });
    // No promisor is left behind that git would ask by itself.
    expect(readFileSync(join(repository.gitDir, 'config'), 'utf8')).toBe(config);
    const asked = server.asked.length;
    expect(await text(repository, commits[3]!, 'sub/big.patch')).toContain('4\n4\n');
    expect(server.asked.length).toBe(asked);
  });

  it('fetches everything from a server without filters', async () => {
    const commits = fiveCommits();
    const server = await serveGit(join(root, 'git'), { settings: { 'uploadpack.allowFilter': 'false' } });
    const repository = await openRepository(store, `${server.url}/demo`);
    await resolveCommit(repository, { branch });
    expect(objects(repository)).toEqual({ commit: 5, tree: 10, blob: 10 });
    const asked = server.asked.length;
    expect(await text(repository, commits[0]!, 'demo.spec')).toBe('Version: 1\n');
    expect(server.asked.length).toBe(asked);
  });

  it('fetches everything from a server that does not serve objects by id', async () => {
    const commits = fiveCommits();
    const settings = { 'uploadpack.allowAnySHA1InWant': 'false' };
    const server = await serveGit(join(root, 'git'), { settings, old: true });
    const repository = await openRepository(store, `${server.url}/demo`);
    await resolveCommit(repository, { branch });
    expect(objects(repository).blob).toBeUndefined();
    expect(await text(repository, commits[0]!, 'demo.spec')).toBe('Version: 1\n');
    expect(objects(repository).blob).toBe(10);
  });

  it('finds the snapshot on the first-parent line, and caches it', async () => {
    const commits = fiveCommits();
    // A side line that is younger than the last commit before it was merged.
    upstream.git('checkout', '-q', '-b', 'side', commits[1]!);
    upstream.commit({ side: '' });
    upstream.git('checkout', '-q', branch);
    upstream.git('merge', '-q', '--no-ff', '--no-commit', 'side');
    const merge = upstream.commit({});
    const server = await serveGit(join(root, 'git'));
    const repository = await openRepository(store, `${server.url}/demo`);
    const revision = { branch, snapshot: '2020-09-16T12:26:40Z' };
    expect(await resolveCommit(repository, revision)).toBe(commits[3]);
    expect(await resolveCommit(repository, { branch, snapshot: '2020-09-16T12:26:39Z' })).toBe(commits[2]);
    expect(await resolveCommit(repository, { branch, snapshot: '2020-09-16T14:26:40+02:00' })).toBe(commits[3]);
    expect(await resolveCommit(repository, { branch, snapshot: '2020-09-19T00:00:00Z' })).toBe(commits[4]);
    expect(await resolveCommit(repository, { branch, snapshot: '2020-09-20T00:00:00Z' })).toBe(merge);
    expect(knownRevision(store, repository.url, revision)).toEqual({ commit: commits[3] });
    const asked = server.asked.length;
    expect(await resolveCommit(repository, revision)).toBe(commits[3]);
    expect(server.asked.length).toBe(asked);
    const early = await failure(resolveCommit(repository, { branch, snapshot: '2001-01-01T00:00:00Z' }));
    expect(early).toMatchObject({ code: 'no-commit', exit: 2 });
    expect((await failure(resolveCommit(repository, { branch, snapshot: 'soon' }))).code).toBe('bad-snapshot');
  });

  it('finds short commits, those of other branches and those on no branch', async () => {
    const commits = fiveCommits();
    upstream.git('checkout', '-q', '-b', 'f2', commits[1]!);
    const beside = upstream.commit({ beside: '' });
    upstream.git('checkout', '-q', '--detach');
    const loose = upstream.commit({ loose: '' });
    upstream.git('checkout', '-q', branch);
    const server = await serveGit(join(root, 'git'));
    const repository = await openRepository(store, `${server.url}/demo`);
    const resolve = (commit: string, at = branch): Promise<string> => resolveCommit(repository, { commit, branch: at });
    expect(await resolve(commits[2]!.slice(0, 10))).toBe(commits[2]);
    expect(await resolve(commits[2]!.slice(0, 10).toUpperCase())).toBe(commits[2]);
    expect(await resolve(beside.slice(0, 12))).toBe(beside);
    expect(await resolve(loose, 'gone')).toBe(loose);
    expect(await failure(resolve('0123456789'))).toMatchObject({ code: 'no-commit', exit: 2 });
    expect(await failure(resolve('f'.repeat(40)))).toMatchObject({ code: 'no-commit', exit: 2 });
    expect(await failure(resolveCommit(repository, { branch: 'gone' }))).toMatchObject({ code: 'no-branch', exit: 2 });
    expect((await failure(resolveCommit(repository, { branch: 'f1^{tree}' }))).code).toBe('bad-branch');
  });

  it('retries failed responses, and gives up if there is no repository', async () => {
    const commits = fiveCommits();
    const server = await serveGit(join(root, 'git'));
    const wait = (): Promise<void> => Promise.resolve();
    const repository = await openRepository(store, `${server.url}/demo`);
    server.fail(503, 500);
    expect(await resolveCommit(repository, { branch }, { wait })).toBe(commits[4]);
    const none = await openRepository(store, `${server.url}/none`);
    const before = server.asked.length;
    expect((await failure(resolveCommit(none, { branch }, { wait }))).code).toBe('git-failed');
    expect(server.asked.length).toBe(before + 1);
  });

  it('reads several clones together', async () => {
    const commits = fiveCommits();
    const other = repositoryAt(join(root, 'git/other')).commit({ 'other.spec': 'other' });
    const server = await serveGit(join(root, 'git'));
    const urls = [`${server.url}/demo`, `${server.url}/other`];
    const [demo, second] = await Promise.all(urls.map((url) => openRepository(store, url)));
    const snapshot = { branch, snapshot: '2020-09-16T12:26:40Z' };
    await resolveCommit(demo!, snapshot);
    await resolveCommit(second!, { branch });
    const git = readTogether(store, urls);
    expect(await resolveCommit(demo!, snapshot)).toBe(commits[3]);
    expect(await text(demo!, commits[3]!, 'demo.spec')).toBe('Version: 4\n');
    expect(await text(second!, other, 'other.spec')).toBe('other');
    // Twice: what is known of a commit is remembered, but of this repository alone.
    for (let turn = 0; turn < 2; turn++) {
      expect(await resolveCommit(demo!, { commit: commits[1]!.slice(0, 9), branch })).toBe(commits[1]);
      expect((await failure(resolveCommit(demo!, { commit: other, branch }))).code).toBe('no-commit');
    }
    git.done();
  });

  it('works from the store when offline, as far as possible', async () => {
    const commits = fiveCommits();
    const server = await serveGit(join(root, 'git'));
    const repository = await openRepository(store, `${server.url}/demo`);
    const offline = { offline: true };
    expect((await failure(resolveCommit(repository, { branch }, offline))).code).toBe('offline');
    await resolveCommit(repository, { branch });
    expect(await resolveCommit(repository, { branch }, offline)).toBe(commits[4]);
    expect((await failure(commitFiles(repository, commits[4]!, offline))).code).toBe('offline');
    await commitFiles(repository, commits[4]!);
    const asked = server.asked.length;
    expect((await commitFiles(repository, commits[4]!, offline)).size).toBe(2);
    expect(server.asked.length).toBe(asked);
  });

  it('can be used by several runs at once', async () => {
    const commits = fiveCommits();
    const server = await serveGit(join(root, 'git'));
    const url = `${server.url}/demo`;
    const script = join(import.meta.dirname, 'fetch-once.ts');
    const outputs = [0, 1, 2].map(async () => {
      const child = spawn(process.execPath, [script, join(root, 'cache'), url, branch], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [output] = await Promise.all([child.stdout.toArray(), once(child, 'close')]);
      return output.join('');
    });
    const here = [0, 1, 2].map(async () => resolveCommit(await openRepository(store, url), { branch }));
    expect(await Promise.all(outputs)).toEqual([0, 1, 2].map(() => `${commits[4]}\n`));
    expect(await Promise.all(here)).toEqual([commits[4], commits[4], commits[4]]);
    expect((await readdir(join(root, 'cache/git'))).length).toBe(1);
  });

  it('recovers after a run was killed in the middle of a fetch', async () => {
    const commits = fiveCommits();
    const server = await serveGit(join(root, 'git'));
    const url = `${server.url}/demo`;
    const stalled = server.stall();
    const script = join(import.meta.dirname, 'fetch-once.ts');
    const child = spawn(process.execPath, [script, join(root, 'cache'), url, branch], { stdio: 'ignore' });
    await stalled;
    child.kill('SIGKILL');
    await once(child, 'close');
    const repository = await openRepository(store, url);
    expect(existsSync(join(repository.gitDir, 'weir-lock'))).toBe(true);
    // What git itself leaves when it is killed at a worse moment.
    mkdirSync(join(repository.gitDir, 'refs/weir/heads'), { recursive: true });
    for (const name of ['packed-refs.lock', 'refs/weir/heads/x.lock', 'objects/pack/tmp_pack_abc']) {
      writeFileSync(join(repository.gitDir, name), 'half');
    }
    expect(await resolveCommit(repository, { branch })).toBe(commits[4]);
    expect(await text(repository, commits[4]!, 'demo.spec')).toBe('Version: 5\n');
    expect(await readdir(join(repository.gitDir, 'objects/pack'))).not.toContain('tmp_pack_abc');
    expect(existsSync(join(repository.gitDir, 'weir-git'))).toBe(false);
    expect(existsSync(join(repository.gitDir, 'weir-lock'))).toBe(false);
  });
});

it('leaves files of a git that may still run in another container, for a while', async () => {
  const commits = fiveCommits();
  const server = await serveGit(join(root, 'git'));
  const repository = await openRepository(store, `${server.url}/demo`);
  const { pid, namespace, started } = thisProcess;
  writeFileSync(join(repository.gitDir, 'weir-git'), formatOwner({ pid, namespace: namespace + 1, started }));
  const leftover = join(repository.gitDir, 'other.lock');
  writeFileSync(leftover, '');
  expect(await resolveCommit(repository, { branch })).toBe(commits[4]);
  expect(existsSync(leftover)).toBe(true);
  const old = new Date(Date.now() - 3_600_000);
  utimesSync(leftover, old, old);
  writeFileSync(join(repository.gitDir, 'weir-git'), formatOwner({ pid, namespace: namespace + 1, started }));
  expect(await resolveCommit(repository, { branch })).toBe(commits[4]);
  expect(existsSync(leftover)).toBe(false);
});

describe('with SHA-256 names', () => {
  it.each(['over HTTP', 'on this machine'])('%s, by branch, snapshot and commit', async (where) => {
    const long = repositoryAt(join(root, 'git/long'), branch, 'sha256');
    const commits = [1, 2, 3].map((version) => long.commit({ 'long.spec': `Version: ${version}\n` }));
    const short = upstream.commit({ 'demo.spec': 'short' });
    expect(commits[0]).toMatch(/^[0-9a-f]{64}$/);
    const server = where === 'over HTTP' ? await serveGit(join(root, 'git')) : undefined;
    const urls = ['long', 'demo'].map((name) => `${server?.url ?? join(root, 'git')}/${name}`);
    const repository = await openRepository(store, urls[0]!);
    // A name that it can't have before upstream was ever asked, and another in which the clone gets to know its names.
    expect((await failure(resolveCommit(repository, { commit: 'f'.repeat(40), branch }))).code).toBe('no-commit');
    expect(await resolveCommit(repository, { commit: commits[1]!, branch })).toBe(commits[1]);
    for (let turn = 0; turn < 2; turn++) {
      expect(await resolveCommit(repository, { branch })).toBe(commits[2]);
      expect(await resolveCommit(repository, { branch, snapshot: '2020-09-14T12:26:40Z' })).toBe(commits[1]);
      for (const length of [64, 63, 41, 40, 12]) {
        expect(await resolveCommit(repository, { commit: commits[0]!.slice(0, length), branch })).toBe(commits[0]);
      }
    }
    expect(knownRevision(store, urls[0]!, { commit: commits[0]! })).toEqual({ commit: commits[0] });
    expect(await text(repository, commits[0]!, 'long.spec')).toBe('Version: 1\n');
    // Beside one with SHA-1 names.
    const other = await openRepository(store, urls[1]!);
    expect(await resolveCommit(other, { branch })).toBe(short);
    const git = readTogether(store, urls);
    expect(await resolveCommit(repository, { commit: commits[1]!, branch })).toBe(commits[1]);
    expect(await text(repository, commits[1]!, 'long.spec')).toBe('Version: 2\n');
    expect(await text(other, short, 'demo.spec')).toBe('short');
    git.done();
  });

  it('finds commits that are not on its branch', async () => {
    const long = repositoryAt(join(root, 'git/long'), branch, 'sha256');
    const first = long.commit({ 'long.spec': 'a' });
    long.git('checkout', '-q', '--detach');
    const loose = long.commit({ 'long.spec': 'b' });
    long.git('checkout', '-q', branch);
    const server = await serveGit(join(root, 'git'));
    const repository = await openRepository(store, `${server.url}/long`);
    expect(await resolveCommit(repository, { commit: loose, branch: 'gone' })).toBe(loose);
    expect(await resolveCommit(repository, { commit: first, branch })).toBe(first);
  });
});

describe('over other protocols than HTTP', () => {
  it.each([
    ['ssh', (dir: string) => `ssh://git@example.org${dir}`],
    ["ssh's short form", (dir: string) => `git@example.org:${dir}`],
    ["git's own protocol", (dir: string) => `git://example.org${dir}`],
  ])('fetches by %s', async (_, address) => {
    const commits = fiveCommits();
    upstream.git('config', 'uploadpack.allowFilter', 'true');
    // What a login shell, or git's port, would run over there.
    const scripts = { ssh: 'for last; do :; done\neval "$last"', daemon: 'exec git daemon --inetd --export-all' };
    for (const [name, text] of Object.entries(scripts)) {
      writeFileSync(join(root, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    writeFileSync(join(root, '.gitconfig'), `[core]\n\tgitProxy = ${join(root, 'daemon')}\n`);
    const env = { PATH: process.env.PATH, HOME: root, GIT_SSH: join(root, 'ssh'), GIT_SSH_VARIANT: 'ssh' };
    const url = address(upstream.dir);
    const argv = [join(import.meta.dirname, 'fetch-once.ts'), join(root, 'cache'), url, branch];
    expect(execFileSync(process.execPath, argv, { env, encoding: 'utf8' })).toBe(`${commits[4]}\n`);
    expect(objects(await openRepository(store, url))).toEqual({ commit: 5, tree: 10, blob: 2 });
  });
});

describe('on this machine', () => {
  it.each([
    ['a path', (dir: string) => dir],
    ['a file URL', (dir: string) => pathToFileURL(dir).href],
  ])('is read where it is, by %s', async (_, address) => {
    const [, second] = [upstream.commit({ 'demo.spec': 'a' }), upstream.commit({ 'demo.spec': 'b' })];
    const repository = await openRepository(store, address(upstream.dir));
    expect(repository.remote).toBe(false);
    expect(await resolveCommit(repository, { branch })).toBe(second);
    expect(await resolveCommit(repository, { commit: second.slice(0, 8) })).toBe(second);
    expect(await resolveCommit(repository, {})).toBe(second);
    expect(await text(repository, second, 'demo.spec')).toBe('b');
    expect(existsSync(store.dir)).toBe(false);
  });

  it('can be bare, a clone, or an additional work tree, in a folder with an unusual name', async () => {
    const commit = upstream.commit({ 'demo.spec': 'a' });
    const at = (name: string): string => join(root, `od:d "na me"`, name);
    upstream.git('clone', '-q', '--bare', upstream.dir, at('bare'));
    upstream.git('clone', '-q', upstream.dir, at('clone'));
    execFileSync('git', ['-C', at('clone'), 'checkout', '-q', '--detach']);
    execFileSync('git', ['-C', at('clone'), 'branch', '-q', '-D', branch]);
    upstream.git('worktree', 'add', '-q', at('tree'), '--detach');
    for (const name of ['bare', 'clone', 'tree']) {
      const repository = await openRepository(store, at(name));
      expect(await resolveCommit(repository, { branch })).toBe(commit);
      expect(await text(repository, commit, 'demo.spec')).toBe('a');
    }
  });

  it('is an error if missing or empty', async () => {
    expect((await failure(openRepository(store, join(root, 'nothing')))).code).toBe('no-dist-git');
    expect((await failure(openRepository(store, 'file://elsewhere.example/x'))).code).toBe('no-dist-git');
    const repository = await openRepository(store, upstream.dir);
    expect(await failure(resolveCommit(repository, {}))).toMatchObject({ code: 'no-branch', exit: 2 });
    upstream.commit({ 'demo.spec': 'a' });
    expect(await failure(resolveCommit(repository, { branch: 'f9' }))).toMatchObject({ code: 'no-branch', exit: 2 });
    expect((await failure(resolveCommit(repository, { commit: 'abcdef0' }))).code).toBe('no-commit');
  });

  it('counts as unchanged without running git, until its refs change', async () => {
    upstream.commit({ 'demo.spec': 'a' });
    const look = (revision: object): string | undefined => knownRevision(store, upstream.dir, revision).refs;
    const [named, head] = [look({ branch }), look({})];
    expect(named).toBeDefined();
    expect([look({ branch }), look({})]).toEqual([named, head]);
    upstream.commit({ 'demo.spec': 'b' });
    const after = look({ branch });
    expect(after).not.toBe(named);
    expect(look({})).not.toBe(head);
    upstream.git('pack-refs', '--all');
    expect(look({ branch })).not.toBe(after);
    upstream.git('worktree', 'add', '-q', join(root, 'tree'), '--detach');
    expect(knownRevision(store, join(root, 'tree'), { branch })).toEqual({});
  });

  it('can be read together with others, but returns only its own commits', async () => {
    const others = ['a', 'b', 'c'].map((name) => repositoryAt(join(root, 'git', name)));
    const commits = others.map((other, index) => other.commit({ 'demo.spec': `Name: ${index}\n`, 'sub/x': 'x' }));
    const urls = others.map(({ dir }) => dir);
    const git = readTogether(store, [...urls, 'https://example.org/x', join(root, 'nothing')]);
    for (const [index, url] of urls.entries()) {
      const repository = await openRepository(store, url);
      expect(await resolveCommit(repository, { branch })).toBe(commits[index]);
      expect(await text(repository, commits[index]!, 'demo.spec')).toBe(`Name: ${index}\n`);
      const foreign = commits[(index + 1) % 3]!;
      expect((await failure(resolveCommit(repository, { commit: foreign }))).code).toBe('no-commit');
      expect((await failure(resolveCommit(repository, { branch: 'f9' }))).code).toBe('no-branch');
    }
    others[1]!.git('pack-refs', '--all');
    expect(await resolveCommit(await openRepository(store, urls[1]!), { branch })).toBe(commits[1]);
    git.done();
    expect(await resolveCommit(await openRepository(store, urls[0]!), { branch })).toBe(commits[0]);
  });

  it('that is damaged does not affect others read with it', async () => {
    const others = ['a', 'b'].map((name) => repositoryAt(join(root, 'git', name)));
    const commits = others.map((other, index) => other.commit({ 'demo.spec': `Name: ${index}\n` }));
    const blob = others[0]!.git('rev-parse', 'HEAD:demo.spec');
    const path = join(others[0]!.dir, '.git/objects', blob.slice(0, 2), blob.slice(2));
    chmodSync(path, 0o644);
    writeFileSync(path, 'no object');
    const git = readTogether(
      store,
      others.map(({ dir }) => dir),
    );
    const [bad, good] = await Promise.all(others.map(({ dir }) => openRepository(store, dir)));
    expect((await failure(commitFiles(bad!, commits[0]!))).code).toBe('git-failed');
    expect(await text(good!, commits[1]!, 'demo.spec')).toBe('Name: 1\n');
    git.done();
  });
});

describe('files of a commit', () => {
  it('are as committed, byte for byte', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0, 10, 13, 10]);
    const commit = upstream.commit({
      'demo.spec': 'Name: demo\r\nVersion: 1\n',
      '.gitattributes': '* text eol=crlf\n*.bin binary\n',
      'data.bin': bytes,
      'run.sh': '#!/bin/sh\n',
      'deep/er/x y\n?': 'odd',
      'é.patch': 'name',
      empty: '',
    });
    const repository = await openRepository(store, upstream.dir);
    const committed = (name: string): Buffer =>
      execFileSync('git', ['-C', upstream.dir, 'cat-file', 'blob', `${commit}:${name}`]);
    const files = await commitFiles(repository, commit);
    expect([...files.keys()].sort()).toEqual(
      ['.gitattributes', 'data.bin', 'deep/er/x y\n?', 'demo.spec', 'empty', 'run.sh', 'é.patch'].sort(),
    );
    for (const [name, file] of files) {
      expect(file.bytes.equals(committed(name)), name).toBe(true);
      expect(file.executable, name).toBe(name === 'run.sh');
    }
    await checkOut(repository, commit, join(root, 'out'));
    expect(readFileSync(join(root, 'out/data.bin')).equals(bytes)).toBe(true);
    expect(readFileSync(join(root, 'out/deep/er/x y\n?'), 'utf8')).toBe('odd');
  });

  it('replace links to them; other links and submodules are left out', async () => {
    const dir = upstream.dir;
    upstream.commit({ 'demo.spec': 'a', 'sub/run.sh': 'run' });
    symlinkSync('sub/run.sh', join(dir, 'link'));
    symlinkSync('../link', join(dir, 'sub/again'));
    symlinkSync('/etc/passwd', join(dir, 'absolute'));
    symlinkSync('../../../etc/passwd', join(dir, 'out'));
    symlinkSync('sub', join(dir, 'folder'));
    symlinkSync('loop', join(dir, 'loop'));
    upstream.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},module`);
    upstream.git('add', '-A', '--', 'link', 'sub', 'absolute', 'out', 'folder', 'loop');
    upstream.git('commit', '-q', '-m', 'links');
    const repository = await openRepository(store, dir);
    const files = await commitFiles(repository, await resolveCommit(repository, {}));
    expect([...files.keys()].sort()).toEqual(['demo.spec', 'link', 'sub/again', 'sub/run.sh']);
    expect(files.get('sub/again')).toEqual({ bytes: Buffer.from('run'), executable: true });
  });

  it.each([
    ['that leads out of the folder', [['100644', '..']]],
    ["that is git's own", [['100644', '.GIT']]],
    ['with a slash', [['100644', 'a/b']]],
    [
      'that is there twice',
      [
        ['100644', 'x'],
        ['40000', 'x'],
      ],
    ],
    ['that is not UTF-8', [['100644', 'caf\xe9']]],
    ['that is too long', [['100644', 'x'.repeat(256)]]],
  ])('are refused for a name %s', async (_, entries) => {
    upstream.commit({ 'demo.spec': 'a' });
    const blob = upstream.git('rev-parse', 'HEAD:demo.spec');
    const sub = upstream.git('rev-parse', 'HEAD^{tree}');
    const tree = Buffer.concat(
      entries.map(([mode, name]) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(mode === '40000' ? sub : blob, 'hex')]),
      ),
    );
    writeFileSync(join(root, 'tree'), tree);
    const id = upstream.git('hash-object', '-t', 'tree', '-w', '--literally', join(root, 'tree'));
    const commit = upstream.git('commit-tree', id, '-m', 'bad');
    const error = await failure(commitFiles(await openRepository(store, upstream.dir), commit));
    expect(error.code).toBe('bad-file-name');
    expect(error.message).toContain('the dist-git has a file whose name');
  });

  it('are an error if the repository lacks them', async () => {
    const commit = upstream.commit({ 'demo.spec': 'a' });
    const blob = upstream.git('rev-parse', 'HEAD:demo.spec');
    await rm(join(upstream.dir, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    const error = await failure(commitFiles(await openRepository(store, upstream.dir), commit));
    expect(error).toMatchObject({ code: 'git-failed' });
    expect(error.message).toContain(blob);
  });
});
