import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { runOk } from '../../src/base/process.ts';
import { removeTree } from '../../src/engine/sandbox.ts';
import { openStore } from '../../src/engine/store.ts';
import type { Distro, Project, ResolvedComponent, SourceFile } from '../../src/project/model.ts';
import { fetchSources, lookasideUrl, type SourceContext } from '../../src/sources/fetch.ts';
import { historyOf } from '../../src/sources/git.ts';
import { component } from '../overlay/fixture.ts';
import { serveGit } from './git-server.ts';

let root: string;
let context: SourceContext;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  context = { store: await openStore(join(root, 'cache/store')), cache: join(root, 'cache'), attempts: 1 };
});

async function files(dir: string, content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) {
    await mkdir(dirname(join(root, dir, name)), { recursive: true });
    await writeFile(join(root, dir, name), text);
  }
}

function project(distro: Partial<Distro>): Project {
  const up: Distro = { name: 'up', repos: [], disableOrigins: false, versions: new Map(), ...distro };
  return { distros: new Map([['up', up]]), seed: undefined } as unknown as Project;
}

function upstream(part: Partial<ResolvedComponent> = {}, spec: object = {}): ResolvedComponent {
  return component({ spec: { type: 'upstream', name: 'demo', distro: { name: 'up' }, ...spec }, ...part });
}

const sha512 = (text: string): string => createHash('sha512').update(text).digest('hex');
const download = (filename: string, content: string, part: Partial<SourceFile> = {}): SourceFile => ({
  filename,
  hash: sha512(content),
  hashType: 'SHA512',
  origin: { type: 'download', uri: pathToFileURL(join(root, 'origin', filename)).href },
  replaceUpstream: false,
  ...part,
});

async function failure(work: Promise<unknown>): Promise<WeirError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WeirError) return error;
  throw new Error(`no WeirError: ${String(error)}`);
}

let uses = 0;
const fetchDemo = (
  one: ResolvedComponent,
  of: Project,
  more: Partial<SourceContext> = {},
): ReturnType<typeof fetchSources> => fetchSources(one, of, { ...context, ...more }, join(root, `out${uses++}`));

describe('a local spec', () => {
  it('comes with the files beside it, but for TOML, other specs and links that lead out', async () => {
    await files('c', {
      'demo.spec': 'Name: demo\n',
      'a.patch': 'a',
      'sub/b': 'b',
      'demo.comp.toml': '',
      'other.spec': '',
    });
    await chmod(join(root, 'c/a.patch'), 0o755);
    await symlink('a.patch', join(root, 'c/link.patch'));
    await symlink('/nowhere', join(root, 'c/broken'));
    const local = component({ name: 'other-name', spec: { type: 'local', path: join(root, 'c/demo.spec') } });
    const fetched = await fetchDemo(local, project({}));
    expect((await readdir(fetched.dir)).sort()).toEqual(['a.patch', 'link.patch', 'other-name.spec', 'sub']);
    expect(fetched.specPath).toBe(join(fetched.dir, 'other-name.spec'));
    expect(fetched.origin.kind).toBe('local');
  });

  it('that is not there is an error, as is none at all', async () => {
    const local = component({ spec: { type: 'local', path: join(root, 'x.spec') } });
    expect(await failure(fetchDemo(local, project({})))).toMatchObject({ code: 'no-spec-file', exit: 2 });
    expect(await failure(fetchDemo(component(), project({})))).toMatchObject({ code: 'no-spec', exit: 2 });
  });
});

describe('a dist-git that is a plain folder', () => {
  const tar = 'tarball';
  const listed = (): Record<string, string> => ({
    'demo/demo.spec': 'Name: demo\n',
    'demo/sources': `SHA512 (d.tar.gz) = ${sha512(tar)}\n`,
  });

  it.each(['', '/$pkg'])('gives spec, files and lookaside (base with "%s")', async (tail) => {
    await files('dg', listed());
    await files('seed', { x: tar });
    const asked: string[] = [];
    const lookaside: SourceContext['lookaside'] = (request) => {
      asked.push(`${request.package} ${request.filename} ${request.hashType}`);
      return Promise.resolve(join(root, 'seed/x'));
    };
    const of = project({ distGitBaseUri: pathToFileURL(join(root, 'dg')).href + tail, lookasideBaseUri: 'seed:' });
    const fetched = await fetchDemo(upstream(), of, { lookaside });
    expect(asked).toEqual(['demo d.tar.gz SHA512']);
    expect(await readFile(join(fetched.dir, 'd.tar.gz'), 'utf8')).toBe(tar);
    expect(fetched.files).toEqual([{ filename: 'd.tar.gz', hashType: 'SHA512', hash: sha512(tar) }]);
    await fetchDemo(upstream(), of, { lookaside });
    expect(asked.length, 'what is in the store is not fetched again').toBe(1);
    await writeFile(join(root, 'seed/x'), 'changed');
    const error = await failure(fetchDemo(upstream(), of, { lookaside, cache: join(root, 'other') }));
    expect(error).toMatchObject({ code: 'wrong-hash', where: { component: 'demo' } });
  });

  it('asks the lookaside by its template, then the mirrors', async () => {
    await files('dg', listed());
    await files(`look/demo/sha512`, { [`${sha512(tar)}/d.tar.gz`]: tar });
    const template = `${pathToFileURL(root).href}/look/$pkg/$hashtype/$hash/$filename`;
    const of = project({
      distGitBaseUri: join(root, 'dg/$pkg'),
      lookasideBaseUri: `${pathToFileURL(root).href}/gone/$hash`,
    });
    expect((await failure(fetchDemo(upstream(), of))).code).toBe('not-found');
    const fetched = await fetchDemo(upstream(), of, { mirrors: [template] });
    expect(await readdir(fetched.dir)).toContain('d.tar.gz');
    await rm(join(root, 'look'), { recursive: true });
    await fetchDemo(upstream(), of, { offline: true });
    const without = await fetchDemo(upstream(), of, { withLookaside: false });
    expect((await readdir(without.dir)).sort()).toEqual(['demo.spec', 'sources']);
  });

  it('merges the source files of the component', async () => {
    await files('dg', listed());
    await files('origin', { 'd.tar.gz': 'ours', 'more.txt': 'more' });
    const of = project({ distGitBaseUri: join(root, 'dg/$pkg') });
    const both = [
      download('d.tar.gz', 'ours', { replaceUpstream: true, replaceReason: 'r' }),
      download('more.txt', 'more'),
    ];
    const fetched = await fetchDemo(upstream({ sourceFiles: both }), of);
    expect(await readFile(join(fetched.dir, 'd.tar.gz'), 'utf8')).toBe('ours');
    expect(fetched.files.map((one) => [one.filename, one.hash])).toEqual([
      ['d.tar.gz', sha512('ours')],
      ['more.txt', sha512('more')],
    ]);
    const cases: [SourceFile, string][] = [
      [download('d.tar.gz', 'ours'), 'source-twice'],
      [{ filename: 'x', origin: { type: 'download', uri: 'file:///x' }, replaceUpstream: false }, 'no-hash'],
      [
        { filename: 'x', origin: { type: 'custom', script: 's', packages: [], inputs: [] }, replaceUpstream: false },
        'not-supported-yet',
      ],
    ];
    for (const [source, code] of cases) {
      expect(await failure(fetchDemo(upstream({ sourceFiles: [source] }), of))).toMatchObject({ code, exit: 2 });
    }
    const noOrigins = project({ distGitBaseUri: join(root, 'dg/$pkg'), disableOrigins: true });
    const fresh = { ...context, cache: join(root, 'cache2'), store: await openStore(join(root, 'cache2/store')) };
    const blocked = fetchSources(upstream({ sourceFiles: both }), noOrigins, fresh, join(root, 'blocked'));
    expect((await failure(blocked)).code).toBe('not-found');
  });

  it('says what is missing', async () => {
    await files('dg', { 'demo/x': '', 'demo/a.spec': '', 'demo/b.spec': '' });
    expect((await failure(fetchDemo(upstream(), project({})))).code).toBe('no-dist-git');
    expect((await failure(fetchDemo(upstream(), project({ distGitBaseUri: join(root, 'no/$pkg') })))).code).toBe(
      'no-dist-git',
    );
    expect(await failure(fetchDemo(upstream({}, { distro: { name: 'upp' } }), project({})))).toMatchObject({
      code: 'unknown-distro',
      hint: 'did you mean up?',
    });
  });
});

describe('a dist-git that is git', () => {
  const commits: string[] = [];
  let of: Project;

  beforeEach(async () => {
    commits.length = 0;
    await mkdir(join(root, 'git/demo'), { recursive: true });
    const env = { PATH: process.env.PATH!, HOME: root, GIT_CONFIG_NOSYSTEM: '1' };
    const git = (args: string[], date = 0): Promise<{ stdout: string }> =>
      runOk(['git', '-c', 'user.name=A B', '-c', 'user.email=a@b.example', '-C', join(root, 'git/demo'), ...args], {
        env: { ...env, GIT_COMMITTER_DATE: `${date} +0000`, GIT_AUTHOR_DATE: `${date} +0000` },
      });
    await git(['init', '-q', '-b', 'f1']);
    for (const [index, spec] of ['Version: 1', 'Version: 1\n# x', 'Version: 2', 'Version: 2\n# y'].entries()) {
      await files('git/demo', { 'demo.spec': `Name: demo\n${spec}\n`, '.gitattributes': '* text eol=crlf\n' });
      await git(['add', '-A']);
      await git(['commit', '-q', '-m', `change ${index}`], 1_600_000_000 + index * 86_400);
      commits.push((await git(['rev-parse', 'HEAD'])).stdout.trim());
    }
    of = project({
      distGitBaseUri: `${pathToFileURL(root).href}/git/$pkg`,
      defaultVersion: '1',
      versions: new Map([['1', { name: '1', distGitBranch: 'f1', inputs: { rpmBuild: [], imageBuild: [] } }]]),
    });
  });

  it('is taken at the head, the commit, the beginning of one, the lock, or the snapshot', async () => {
    const at = async (spec: object, more: Partial<SourceContext> = {}): Promise<unknown> =>
      (await fetchDemo(upstream({}, spec), of, more)).origin;
    const from = `${pathToFileURL(root).href}/git/demo`;
    const snapshot = { distro: { name: 'up', snapshot: '2020-09-14T12:26:40Z' } };
    expect(await at({})).toMatchObject({ kind: 'git', from, commit: commits[3], commitsSinceVersion: 2 });
    expect(await at({ commit: commits[1] })).toMatchObject({ commit: commits[1], commitsSinceVersion: 2 });
    expect(await at({ commit: commits[2]!.slice(0, 9) })).toMatchObject({ commit: commits[2], commitsSinceVersion: 1 });
    expect(await at({ commit: commits[1] }, { locked: commits[0]! })).toMatchObject({ commit: commits[0] });
    expect(await at(snapshot)).toMatchObject({ commit: commits[1] });
  });

  it('needs nothing of upstream again for a commit or a past snapshot', async () => {
    const snapshot = { distro: { name: 'up', snapshot: '2020-09-14T12:26:40Z' } };
    const { url } = await serveGit(join(root, 'git'));
    const served: Project = project({ ...of.distros.get('up')!, distGitBaseUri: `${url}/$pkg` });
    for (const wish of [snapshot, { commit: commits[2] }, {}]) await fetchDemo(upstream({}, wish), served);
    await rm(join(root, 'git'), { recursive: true });
    expect((await fetchDemo(upstream({}, snapshot), served)).origin.commit).toBe(commits[1]);
    expect((await fetchDemo(upstream({}, { commit: commits[2] }), served)).origin.commit).toBe(commits[2]);
    expect((await fetchDemo(upstream(), served, { offline: true })).origin.commit).toBe(commits[3]);
    expect((await failure(fetchDemo(upstream(), served))).code).toBe('git-failed');
    expect((await failure(fetchDemo(upstream({}, { commit: 'f'.repeat(40) }), served, { offline: true }))).code).toBe(
      'offline',
    );
  });

  it('says which commit or snapshot is not there', async () => {
    const early = { distro: { name: 'up', snapshot: '2001-01-01T00:00:00Z' } };
    expect(await failure(fetchDemo(upstream({}, early), of))).toMatchObject({ code: 'no-commit', exit: 2 });
    expect((await failure(fetchDemo(upstream({}, { commit: 'fffffff' }), of))).code).toBe('no-commit');
    expect((await failure(fetchDemo(upstream({}, { commit: 'f'.repeat(40) }), of))).code).toBe('no-commit');
  });

  it('asks a server that fails again, and one that has nothing once', async () => {
    const answers = [503, 502, 404];
    let asked = 0;
    const server = createServer((_request, response) => {
      response.statusCode = answers[Math.min(asked++, 2)]!;
      response.end();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    const waits: number[] = [];
    const wait = (attempt: number): Promise<void> => Promise.resolve(void waits.push(attempt));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/$pkg`;
    const error = await failure(fetchDemo(upstream(), project({ distGitBaseUri: base }), { wait, attempts: 5 }));
    expect(error.code).toBe('git-failed');
    expect(waits).toEqual([1, 2]);
  });

  it('tells the history of paths', async () => {
    const history = await historyOf(join(root, 'git/demo/.git'), 'HEAD', ['demo.spec']);
    expect(history?.length).toBe(4);
    expect(history?.[3]).toEqual({
      commit: commits[0],
      time: 1_600_000_000,
      author: 'A B',
      email: 'a@b.example',
      subject: 'change 0',
    });
    expect(await historyOf(join(root, 'nowhere'), 'HEAD', [])).toBeUndefined();
  });
});

it('escapes every part of a lookaside address', () => {
  const file = { filename: 'a b+c#1.tgz', hashType: 'SHA512', hash: 'ff' } as const;
  expect(lookasideUrl('https://l.example/$pkg/$filename/$hashtype/$hash', file, 'x/y')).toBe(
    'https://l.example/x%2Fy/a%20b%2Bc%231.tgz/sha512/ff',
  );
});
