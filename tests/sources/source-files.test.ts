import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/engine/store.ts';
import type { SourceFile } from '../../src/project/model/component.ts';
import type { Distro } from '../../src/project/model/distro.ts';
import type { Project } from '../../src/project/model/project.ts';
import type { SourceContext } from '../../src/sources/fetch.ts';
import { lookasideUrl, type ScriptRequest } from '../../src/sources/source-files.ts';
import { failure } from '../base/failure.ts';
import { component } from '../overlay/fixture.ts';
import { type Bench, bench, sha512, upstream } from './fixture.ts';
import { lie, serveFiles, status } from './server.ts';

const tar = 'tarball';
let at: Bench;
let of: Project;

beforeEach(async () => {
  at = await bench();
  await at.files('dg', {
    'demo/demo.spec': 'Name: demo\n',
    'demo/sources': `SHA512 (d.tar.gz) = ${sha512(tar)}\n`,
    'demo/conf': 'conf',
  });
  of = at.project({ distGitBaseUri: join(at.root, 'dg/$pkg') });
});

/** A fresh cache, so that nothing is known. */
async function emptyCache(name: string): Promise<Partial<SourceContext>> {
  return { cache: join(at.root, name), store: await openStore(join(at.root, name, 'store')) };
}

const source = (filename: string, part: Partial<SourceFile> = {}): SourceFile => ({
  filename,
  origin: { type: 'download', uri: pathToFileURL(join(at.root, 'origin', filename)).href },
  replaceUpstream: false,
  ...part,
});
const hashed = (filename: string, content: string, part: Partial<SourceFile> = {}): SourceFile =>
  source(filename, { hash: sha512(content), hashType: 'SHA512', ...part });
const replaced = { replaceUpstream: true, replaceReason: 'because' };

describe('the lookaside', () => {
  it('can be the seed', async () => {
    await at.files('seed', { x: tar });
    const asked: string[] = [];
    const lookaside: SourceContext['lookaside'] = (request) => {
      asked.push(`${request.package} ${request.filename} ${request.hashType}`);
      return Promise.resolve(join(at.root, 'seed/x'));
    };
    of = at.project({ distGitBaseUri: join(at.root, 'dg/$pkg'), lookasideBaseUri: 'seed:' });
    const fetched = await at.fetch(upstream(), of, { lookaside });
    expect(asked).toEqual(['demo d.tar.gz SHA512']);
    expect(await readFile(join(fetched.dir, 'd.tar.gz'), 'utf8')).toBe(tar);
    expect(fetched.files).toEqual([{ filename: 'd.tar.gz', hashType: 'SHA512', hash: sha512(tar) }]);
    await at.fetch(upstream(), of, { lookaside });
    expect(asked.length, 'what is in the store is not fetched again').toBe(1);
    await writeFile(join(at.root, 'seed/x'), 'changed');
    const error = await failure(at.fetch(upstream(), of, { lookaside, ...(await emptyCache('other')) }));
    expect(error).toMatchObject({ code: 'wrong-hash', where: { component: 'demo' } });
  });

  it('is tried by its template, then the mirrors in order; the error names component, file and all of them', async () => {
    const [first, second, third] = [await serveFiles(), await serveFiles(), await serveFiles()];
    first.next(status(500));
    second.next(lie('other'));
    const template = '/$pkg/$filename/$hashtype/$hash/$filename';
    of = at.project({ distGitBaseUri: join(at.root, 'dg/$pkg'), lookasideBaseUri: first.url + template });
    const mirrors = [second.url + template, third.url + template];
    const error = await failure(at.fetch(upstream(), of, { mirrors }));
    const path = `/demo/d.tar.gz/sha512/${sha512(tar)}/d.tar.gz`;
    expect(error).toMatchObject({ code: 'wrong-hash', where: { component: 'demo' } });
    expect(error.message).toContain('d.tar.gz');
    expect(error.details.slice(2)).toEqual([
      `from     ${second.url}${path}`,
      `${first.url}${path}: HTTP 500 Internal Server Error`,
      `${third.url}${path}: HTTP 404 Not Found`,
    ]);
    expect([first, second, third].map((one) => one.asked.map((asked) => asked.path))).toEqual([[path], [path], [path]]);
    third.files.set(path, tar);
    const fetched = await at.fetch(upstream(), of, { mirrors });
    expect(await readFile(join(fetched.dir, 'd.tar.gz'), 'utf8')).toBe(tar);
    const asked = third.asked.length;
    await at.fetch(upstream(), of, { mirrors });
    expect(third.asked.length).toBe(asked);
    const without = await at.fetch(upstream(), of, { withLookaside: false });
    expect((await readdir(without.dir)).sort()).toEqual(['conf', 'demo.spec', 'sources']);
  });

  it('is that of the default distro for a local component, which can contain its archives', async () => {
    const server = await serveFiles({ '/local/a.tgz': 'from the lookaside' });
    const ours: Distro = {
      name: 'ours',
      repos: [],
      disableOrigins: false,
      versions: new Map(),
      lookasideBaseUri: `${server.url}/$pkg/$filename`,
    };
    await at.files('c', {
      'local.spec': 'Name: local\n',
      sources: `SHA512 (a.tgz) = ${sha512('from the lookaside')}\nSHA512 (b.tgz) = ${sha512('beside')}\n`,
      'b.tgz': 'beside',
    });
    const local = component({ name: 'local', spec: { type: 'local', path: join(at.root, 'c/local.spec') } });
    const plain = at.project({}, [ours]);
    const project = { ...plain, project: { ...plain.project, defaultDistro: { name: 'ours' } } };
    const fetched = await at.fetch(local, project);
    expect(await readFile(join(fetched.dir, 'a.tgz'), 'utf8')).toBe('from the lookaside');
    expect(server.asked.map((one) => one.path)).toEqual(['/local/a.tgz']);
    await at.files('c', { 'b.tgz': 'changed', sources: `SHA512 (b.tgz) = ${sha512('as it was')}\n` });
    const alone = await failure(at.fetch(local, at.project({})));
    expect(alone.code).toBe('wrong-hash');
  });

  it('has URLs with every part escaped', () => {
    const file = { filename: 'a b+c#1.tgz', hashType: 'SHA512', hash: 'ff' } as const;
    expect(lookasideUrl('https://l.example/$pkg/$filename/$hashtype/$hash', file, 'x/y')).toBe(
      'https://l.example/x%2Fy/a%20b%2Bc%231.tgz/sha512/ff',
    );
  });
});

describe("the component's own source files", () => {
  it("replace upstream's in place, or come last", async () => {
    await at.files('origin', { 'd.tar.gz': 'ours', 'more.txt': 'more' });
    const both = [hashed('more.txt', 'more'), hashed('d.tar.gz', 'ours', replaced)];
    const fetched = await at.fetch(upstream({ sourceFiles: both }), of);
    expect(await readFile(join(fetched.dir, 'd.tar.gz'), 'utf8')).toBe('ours');
    expect(fetched.files.map((one) => [one.filename, one.hash])).toEqual([
      ['d.tar.gz', sha512('ours')],
      ['more.txt', sha512('more')],
    ]);
    expect(fetched.unhashed).toEqual([]);
    const listed = await at.fetch(upstream({ sourceFiles: both }), of, { withLookaside: false });
    expect(listed.files).toEqual(fetched.files);
  });

  it('come from the lookaside, then from their origin, which a distro can disable', async () => {
    const server = await serveFiles({ '/origin/x.tgz': 'x' });
    server.next(status(404));
    const x = hashed('x.tgz', 'x', { origin: { type: 'download', uri: `${server.url}/origin/x.tgz` } });
    const distro = { distGitBaseUri: join(at.root, 'dg2/$pkg'), lookasideBaseUri: `${server.url}/look/$filename` };
    await at.files('dg2', { 'demo/demo.spec': 'Name: demo\n' });
    const one = upstream({ sourceFiles: [x] });
    await at.fetch(one, at.project(distro));
    expect(server.asked.map((asked) => asked.path)).toEqual(['/look/x.tgz', '/origin/x.tgz']);
    const blocked = at.fetch(one, at.project({ ...distro, disableOrigins: true }), await emptyCache('other'));
    const error = await failure(blocked);
    expect(error.code).toBe('not-found');
    expect(error.details.slice(1)).toEqual([`${server.url}/look/x.tgz: HTTP 404 Not Found`]);
  });

  it('must match the files of upstream', async () => {
    const cases: [SourceFile, string][] = [
      [hashed('d.tar.gz', 'ours'), 'source-twice'],
      [hashed('d.tgz', 'ours', replaced), 'no-such-source'],
      [source('x'), 'no-hash'],
      [source('d.tar.gz', { ...replaced, origin: { type: 'overlay' } }), 'no-hash'],
    ];
    for (const [one, code] of cases) {
      const error = await failure(at.fetch(upstream({ sourceFiles: [one] }), of));
      expect(error).toMatchObject({ code, exit: 2, where: { component: 'demo', line: 1 } });
      expect(error.hint).toBeDefined();
    }
  });

  it('that overlays change are fetched as upstream has them', async () => {
    await at.files('look', { 'd.tar.gz': tar });
    of = at.project({ distGitBaseUri: join(at.root, 'dg/$pkg'), lookasideBaseUri: join(at.root, 'look/$filename') });
    const changed = hashed('d.tar.gz', 'other', { ...replaced, origin: { type: 'overlay' } });
    const fetched = await at.fetch(upstream({ sourceFiles: [changed] }), of);
    expect(await readFile(join(fetched.dir, 'd.tar.gz'), 'utf8')).toBe(tar);
    expect(fetched.files).toEqual([{ filename: 'd.tar.gz', hashType: 'SHA512', hash: sha512(tar) }]);
  });

  it('without a hash report it on request', async () => {
    await at.files('origin', { x: 'ecks', 'd.tar.gz': tar });
    const one = upstream({ sourceFiles: [source('x'), hashed('d.tar.gz', tar, replaced)] });
    const fetched = await at.fetch(one, of, { allowNoHashes: true });
    expect(fetched.unhashed).toEqual(['x']);
    expect(fetched.files[1]).toEqual({ filename: 'x', hashType: 'SHA512', hash: sha512('ecks') });
    expect(await readFile(join(fetched.dir, 'x'), 'utf8')).toBe('ecks');
  });

  it('without a hash are skipped if sources are not fetched', async () => {
    const one = upstream({ sourceFiles: [source('x'), hashed('d.tar.gz', tar, replaced)] });
    const fetched = await at.fetch(one, of, { allowNoHashes: true, withLookaside: false });
    expect(fetched.files.map(({ filename }) => filename)).toEqual(['d.tar.gz']);
    expect((await failure(at.fetch(one, of, { withLookaside: false }))).code).toBe('no-hash');
  });
});

describe('a source file that a script makes', () => {
  const asked: ScriptRequest[] = [];
  let made: string;
  /** Stands in for the sandbox, whose own test runs real scripts: what matters here is when it is asked, and for what. */
  const runScript = async (request: ScriptRequest): Promise<string> => {
    asked.push(request);
    const path = join(at.root, `made${asked.length}`);
    await writeFile(path, made);
    return path;
  };
  const custom = (hash: string | undefined, inputs: readonly string[] = [], packages: string[] = []): SourceFile =>
    source('gen.tar.gz', {
      origin: { type: 'custom', script: 'gen.sh', packages, inputs },
      ...(hash === undefined ? {} : { hash, hashType: 'SHA512' }),
    });
  const one = (...files: SourceFile[]): ReturnType<typeof upstream> =>
    upstream({ sourceFiles: files, origin: { file: join(at.root, 'p/demo.toml'), line: 5 } });

  beforeEach(async () => {
    asked.length = 0;
    made = 'generated';
    await at.files('p', { 'gen.sh': 'echo\n' });
    await at.files('look', { 'd.tar.gz': tar });
    of = at.project({ distGitBaseUri: join(at.root, 'dg/$pkg'), lookasideBaseUri: join(at.root, 'look/$filename') });
  });

  it('is created once for the same script, packages and inputs', async () => {
    const gen = custom(sha512('generated'), ['d.tar.gz', 'conf'], ['cmake']);
    const fetched = await at.fetch(one(gen), of, { runScript });
    expect(asked).toMatchObject([
      { component: 'demo', filename: 'gen.tar.gz', script: join(at.root, 'p/gen.sh'), packages: ['cmake'] },
    ]);
    expect([...asked[0]!.inputs.keys()]).toEqual(['d.tar.gz', 'conf']);
    expect(await readFile(join(fetched.dir, 'gen.tar.gz'), 'utf8')).toBe('generated');
    expect(fetched.files.at(-1)).toEqual({ filename: 'gen.tar.gz', hashType: 'SHA512', hash: sha512('generated') });
    await at.fetch(one(gen), of, { runScript });
    await at.fetch(one(gen), of, { offline: true });
    expect(asked.length).toBe(1);
    await at.files('p', { 'gen.sh': 'echo 2\n' });
    await at.fetch(one(gen), of, { runScript });
    await at.files('dg', { 'demo/conf': 'changed' });
    await at.fetch(one(gen), of, { runScript });
    await at.fetch(one(custom(sha512('generated'), ['d.tar.gz', 'conf'], ['make'])), of, { runScript });
    expect(asked.length).toBe(4);
  });

  it('is checked against its hash, even if its inputs have not changed', async () => {
    await at.fetch(one(custom(sha512('generated'))), of, { runScript });
    const other = await failure(at.fetch(one(custom(sha512('another'))), of, { runScript }));
    expect(other).toMatchObject({ code: 'wrong-hash', where: { component: 'demo' } });
    expect(other.details.slice(0, 2)).toEqual([`expected ${sha512('another')}`, `got      ${sha512('generated')}`]);
    expect(other.details[2]).toContain('gen.sh');
    expect(asked.length).toBe(2);
  });

  it('can be an input of the next', async () => {
    const next = source('next.tar', {
      origin: { type: 'custom', script: 'gen.sh', packages: [], inputs: ['gen.tar.gz'] },
      hash: sha512('generated'),
      hashType: 'SHA512',
    });
    await at.fetch(one(custom(sha512('generated')), next), of, { runScript });
    expect(asked.map((request) => request.filename)).toEqual(['gen.tar.gz', 'next.tar']);
    const wrongOrder = await failure(at.fetch(one(next, custom(sha512('generated'))), of, { runScript }));
    expect(wrongOrder.code).toBe('no-input');
  });

  it('is found beside the spec of a local component', async () => {
    await at.files('c', { 'demo.spec': 'Name: demo\n', 'gen.sh': 'echo\n' });
    const local = component({
      spec: { type: 'local', path: join(at.root, 'c/demo.spec') },
      sourceFiles: [custom(sha512('generated'))],
    });
    await at.fetch(local, of, { runScript });
    expect(asked[0]?.script).toBe(join(at.root, 'c/gen.sh'));
  });

  it('reports a missing hash on request', async () => {
    const fetched = await at.fetch(one(custom(undefined)), of, { runScript, allowNoHashes: true });
    expect(fetched.unhashed).toEqual(['gen.tar.gz']);
    expect(fetched.files.at(-1)?.hash).toBe(sha512('generated'));
  });

  it('is not run for rendering', async () => {
    const fetched = await at.fetch(one(custom('f'.repeat(128))), of, { withLookaside: false });
    expect(fetched.files.at(-1)?.hash).toBe('f'.repeat(128));
  });

  it('reports what is missing', async () => {
    const hash = sha512('generated');
    expect(await failure(at.fetch(one(custom(hash)), of))).toMatchObject({ code: 'no-buildroot', exit: 2 });
    const input = await failure(at.fetch(one(custom(hash, ['nothing'])), of, { runScript }));
    expect(input).toMatchObject({ code: 'no-input', exit: 2, where: { line: 5 } });
    await symlink('/etc/passwd', join(at.root, 'p/link.sh'));
    const linked = source('x.tar', {
      origin: { type: 'custom', script: 'link.sh', packages: [], inputs: [] },
      hash,
      hashType: 'SHA512',
    });
    const script = await failure(at.fetch(one(linked), of, { runScript }));
    expect(script).toMatchObject({ code: 'link-out', exit: 2, where: { file: join(at.root, 'p/link.sh') } });
    const none = { ...linked, origin: { type: 'custom' as const, script: 'none.sh', packages: [], inputs: [] } };
    const missing = await failure(at.fetch(one(none), of, { runScript }));
    expect(missing).toMatchObject({ code: 'no-script', exit: 2, details: [`looked in ${join(at.root, 'p')}`] });
    expect(asked).toEqual([]);
  });
});
