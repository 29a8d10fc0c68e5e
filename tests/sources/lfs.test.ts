import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { lfsPointer } from '../../src/sources/lfs.ts';
import { failure } from '../base/failure.ts';
import { component } from '../overlay/fixture.ts';
import { type Bench, bench, branchF1, sha512, upstream } from './fixture.ts';
import { serveGit } from './git-server.ts';
import { serveFiles } from './server.ts';

const content = 'the archive itself\n';
const oid = createHash('sha256').update(content).digest('hex');
const pointer = (size = content.length): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`;

let at: Bench;
beforeEach(async () => {
  at = await bench();
});

describe('a pointer', () => {
  it.each([
    ['as git lfs writes it', pointer()],
    ['with an extension', pointer().replace('oid', `ext-0-foo sha256:${oid}\noid`)],
    ['of the time when it was called hawser', pointer().replace('git-lfs', 'hawser')],
    ['with carriage returns', pointer().replaceAll('\n', '\r\n')],
  ])('is known %s', (_, text) => {
    expect(lfsPointer(Buffer.from(text))).toEqual({ oid, size: content.length });
  });

  it('is recognised even if its hash is unsupported', () => {
    expect(lfsPointer(Buffer.from('version https://git-lfs.github.com/spec/v1\noid md5:1\n'))).toEqual({});
  });

  it.each([
    ['nothing', ''],
    ['the beginning of one', 'version https://'],
    ['a text about one', `Like this:\n${pointer()}`],
    ['another version', pointer().replace('git-lfs.github.com/spec/v1', 'example.org/spec/v1')],
    ['a longer file', pointer() + '#\n'.repeat(512)],
    ['bytes', '\xff\xfe\0'],
  ])('is not %s', (_, text) => {
    expect(lfsPointer(Buffer.from(text, 'latin1'))).toBeUndefined();
  });
});

const files = { 'demo.spec': 'Name: demo\nSource0: demo-1.tar.gz\n', 'demo-1.tar.gz': pointer() };

/** Puts something into the LFS store of a repository, as `git lfs fetch` does. */
async function store(dir: string, text = content): Promise<void> {
  const folder = join(at.root, dir, '.git/lfs/objects', oid.slice(0, 2), oid.slice(2, 4));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, oid), text);
}

const told = { code: 'lfs-pointer', message: expect.stringContaining('demo-1.tar.gz is a Git LFS pointer') };

describe('in a dist-git', () => {
  const distGit = () => at.project({ ...branchF1, distGitBaseUri: join(at.root, 'dg/$pkg') });

  it('is replaced by the content of the LFS store, checked by oid and size', async () => {
    await at.commit('dg/demo', files);
    expect(await failure(at.fetch(upstream(), distGit()))).toMatchObject({ ...told, where: { component: 'demo' } });
    // Rendering takes files of dist-git too.
    expect(await failure(at.fetch(upstream(), distGit(), { withLookaside: false }))).toMatchObject(told);
    for (const wrong of ['shorter', content.replace('the', 'not')]) {
      await store('dg/demo', wrong);
      expect(await failure(at.fetch(upstream(), distGit()))).toMatchObject(told);
    }
    await store('dg/demo');
    const { dir } = await at.fetch(upstream(), distGit());
    expect(await readFile(join(dir, 'demo-1.tar.gz'), 'utf8')).toBe(content);
  });

  it('is found from an additional work tree, and in lfs.storage', async () => {
    await at.commit('dg/other', files);
    await store('dg/other');
    await at.git('dg/other', ['branch', 'f2']);
    await at.git('dg/other', ['worktree', 'add', '-q', '../demo', 'f2']);
    const { dir } = await at.fetch(upstream(), distGit());
    expect(await readFile(join(dir, 'demo-1.tar.gz'), 'utf8')).toBe(content);
    await at.git('dg/other', ['config', 'lfs.storage', join(at.root, 'elsewhere')]);
    expect(await failure(at.fetch(upstream(), distGit()))).toMatchObject(told);
    await at.files(`elsewhere/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}`, { [oid]: content });
    expect(await readFile(join((await at.fetch(upstream(), distGit())).dir, 'demo-1.tar.gz'), 'utf8')).toBe(content);
  });

  it('on a server is an error, unless the lookaside or an origin has the file', async () => {
    await at.commit('git/demo', files);
    const server = await serveGit(join(at.root, 'git'));
    const of = at.project({ ...branchF1, distGitBaseUri: `${server.url}/$pkg` });
    expect(await failure(at.fetch(upstream(), of))).toMatchObject(told);
    await at.files('', { 'real.tar.gz': content });
    const sourceFiles = [
      {
        filename: 'demo-1.tar.gz',
        hash: sha512(content),
        hashType: 'SHA512' as const,
        replaceUpstream: false,
        origin: { type: 'download' as const, uri: join(at.root, 'real.tar.gz') },
      },
    ];
    const { dir } = await at.fetch(upstream({ sourceFiles }), of);
    expect(await readFile(join(dir, 'demo-1.tar.gz'), 'utf8')).toBe(content);
    const rendering = await at.fetch(upstream({ sourceFiles }), of, { withLookaside: false });
    await expect(stat(join(rendering.dir, 'demo-1.tar.gz'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('can be the spec, or the sources file', async () => {
    await at.commit('dg/demo', { 'demo.spec': pointer() });
    expect(await failure(at.fetch(upstream(), distGit()))).toMatchObject({
      ...told,
      message: expect.stringContaining('demo.spec is'),
    });
    await at.commit('dg/demo', { 'demo.spec': 'Name: demo\n', sources: pointer() });
    expect(await failure(at.fetch(upstream(), distGit()))).toMatchObject({
      ...told,
      message: expect.stringContaining('sources is'),
    });
  });
});

it('in a plain folder or beside a local spec is looked for in the repository around it', async () => {
  const local = component({ name: 'demo', spec: { type: 'local', path: join(at.root, 'p/c/demo.spec') } });
  await at.files('p/c', files);
  expect(await failure(at.fetch(local, at.project({})))).toMatchObject(told);
  await at.commit('p', { README: '' });
  expect(await failure(at.fetch(local, at.project({})))).toMatchObject(told);
  await store('p');
  expect(await readFile(join((await at.fetch(local, at.project({}))).dir, 'demo-1.tar.gz'), 'utf8')).toBe(content);
  const folder = at.project({ distGitBaseUri: join(at.root, 'plain/$pkg') });
  await at.files('plain/demo', { ...files, 'sub/data': pointer() });
  expect(await failure(at.fetch(upstream(), folder))).toMatchObject({ code: 'lfs-pointer' });
});

it('from a server is rejected, with or without a hash', async () => {
  const { url } = await serveFiles({ '/demo-1.tar.gz': pointer() });
  const source = (hash?: string) => ({
    filename: 'demo-1.tar.gz',
    ...(hash === undefined ? {} : { hash, hashType: 'SHA512' as const }),
    replaceUpstream: false,
    origin: { type: 'download' as const, uri: `${url}/demo-1.tar.gz` },
  });
  await at.files('c', { 'demo.spec': 'Name: demo\n' });
  const local = (hash?: string) =>
    component({ spec: { type: 'local', path: join(at.root, 'c/demo.spec') }, sourceFiles: [source(hash)] });
  expect(await failure(at.fetch(local(sha512(pointer())), at.project({})))).toMatchObject(told);
  expect(await failure(at.fetch(local(), at.project({}), { allowNoHashes: true }))).toMatchObject(told);
});
