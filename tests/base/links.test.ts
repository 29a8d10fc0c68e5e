import { mkdir, mkdtemp, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { behindLinks } from '../../src/base/links.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { failure } from './failure.ts';

let top: string;
let root: string;

beforeEach(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), 'weir-test-')));
  onTestFinished(() => removeTree(top));
  root = join(top, 'p');
  await mkdir(join(root, 'a/sub'), { recursive: true });
  await writeFile(join(root, 'a/file'), '');
  await mkdir(join(top, 'p-secret'));
  await writeFile(join(top, 'p-secret/key'), '');
});

it.each([
  ['a/sub/link', '../file'],
  ['a/link', 'file'],
  ['a/to-link', 'link'],
  ['absolute', '{root}/a/file'],
])('%s to %s stays within', async (name, target) => {
  await symlink('file', join(root, 'a/link')).catch(() => {});
  const path = join(root, name);
  await symlink(target.replace('{root}', root), path).catch(() => {});
  expect(await behindLinks(path, root)).toBe(join(root, 'a/file'));
});

it('links to folders resolve, also if the project itself is one', async () => {
  await symlink('../a', join(root, 'a/sub/up'));
  await symlink('a', join(root, 'b'));
  expect(await behindLinks(join(root, 'b/file'), root)).toBe(join(root, 'a/file'));
  await symlink('p', join(top, 'alias'));
  expect(await behindLinks(join(top, 'alias/b/file'), join(top, 'alias'))).toBe(join(root, 'a/file'));
  expect(await behindLinks(root, root)).toBe(root);
});

it.each([
  ['an absolute link', { 'a/leak': '/etc/passwd' }, 'a/leak'],
  ['a relative link', { 'a/leak': '../../p-secret/key' }, 'a/leak'],
  ['a chain of links', { 'a/leak': 'next', 'a/next': '/etc/passwd' }, 'a/leak'],
  ['a folder that is a link', { 'a/dir': '../../p-secret' }, 'a/dir/key'],
  ['a dangling link', { 'a/leak': '/nowhere/secret' }, 'a/leak'],
  ['a link through a folder that is a link', { dir: '../p-secret', 'a/leak': '../dir/none' }, 'a/leak'],
  ['a link to the parent folder', { 'a/leak': '../..' }, 'a/leak'],
] as const)('%s out of the project is refused', async (_, links, name) => {
  for (const [link, target] of Object.entries(links)) await symlink(target, join(root, link));
  const path = join(root, name);
  expect(await failure(behindLinks(path, root))).toMatchObject({ code: 'link-out', exit: 2, where: { file: path } });
});

it('a file outside of the project must stay in its own folder', async () => {
  const path = join(top, 'p-secret/key');
  expect(await behindLinks(path, root)).toBe(path);
  await symlink('../p/a/file', join(top, 'p-secret/out'));
  expect((await failure(behindLinks(join(top, 'p-secret/out'), root))).code).toBe('link-out');
});

it('missing targets and loops keep their system error', async () => {
  await symlink('circle', join(root, 'circle'));
  await symlink('none', join(root, 'broken'));
  for (const [name, code] of [
    ['nothing', 'ENOENT'],
    ['a/file/x', 'ENOTDIR'],
    ['circle', 'ELOOP'],
    ['broken', 'ENOENT'],
  ] as const) {
    await expect(behindLinks(join(root, name), root)).rejects.toMatchObject({ code });
  }
});
