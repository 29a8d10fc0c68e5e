import { mkdir, readdir, realpath, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/base/process.ts';
import { openApt } from '../../src/toolbox/apt.ts';
import { copyProjectTo } from './project-copy.ts';
import { cloneCache, expectError, forget, imageRecord, newFolder, projectWith, weir, weirOk } from './weir.ts';

/** All that some parser of paths gives a meaning: dnf5, mtools, qemu-img, debugfs, apt, shells, URLs, overlay mounts. */
const odd = 'a b,c:d;e%20f#g?h\\i"j\'k$l&m(n)[o]*=@@é';

test('cache, project and results may be in folders with special characters', async () => {
  const cacheHome = join(await newFolder('odd'), odd);
  await rename(await cloneCache(), cacheHome);
  // What tools do with a path of the cache is done again: resolving, trees, the repository of the seed.
  await forget(cacheHome, ({ kind }) => ['resolve-packages', 'finalise-tree', 'query-spec'].includes(kind));
  const folder = join(await newFolder('odd'), odd);
  await mkdir(folder);
  const project = await copyProjectTo(join(folder, odd));
  const out = join(folder, `${odd} out`);
  const image = 'distroless-minimal';
  const built = await weirOk(['-C', project, 'build', '--image', image, '--out', out], {
    env: { XDG_CACHE_HOME: cacheHome },
    cwd: folder,
  });
  expect(built.images.map(({ name, cached }) => [name, cached])).toEqual([[image, false]]);
  expect(await imageRecord(image, out)).toEqual(await imageRecord(image));

  const query = ['repo', 'query', '--out', out, '--', 'repoquery', '--qf', '%{name}\\n', 'bash'];
  const { code, stdout, stderr } = await weir(['-C', project, ...query], { env: { XDG_CACHE_HOME: cacheHome } });
  expect([code, stdout.trim()], stderr).toEqual([0, 'bash']);

  // In a folder above the cache, as a user's home folder is, a tool finds the cache's folder empty and cannot write to it.
  const at = join(cacheHome, 'weir');
  const script = 'ls -A "$1" && ! touch "$1/x" 2>/dev/null && touch "$2"';
  const words = ['toolbox', 'run', '--', 'sh', '-c', script, 'sh', at, 'beside'];
  const seen = await weir(['-C', project, ...words], { env: { XDG_CACHE_HOME: cacheHome }, cwd: cacheHome });
  expect([seen.code, seen.stdout], seen.stderr).toEqual([0, '']);
  expect(await readdir(cacheHome)).toContain('beside');
});

test('apt works in a folder with such a name', async () => {
  const dir = join(await newFolder('odd'), odd);
  const mirror = 'http://mirror.invalid/debian';
  const apt = await openApt(dir, { suite: 'forky', sourceSuite: 'trixie', mirror, allowExpired: true, arch: 'amd64' });
  const env = { PATH: process.env.PATH!, LC_ALL: 'C', APT_CONFIG: apt.config };
  const { stdout, stderr } = await run(['apt-config', 'shell', 'LISTS', 'Dir::State::lists/d'], { env });
  const lists = /^LISTS='([\w/.-]+)'$/.exec(stdout.trim())?.[1];
  expect(lists, stdout + stderr).toBeDefined();
  expect(await realpath(lists!)).toBe(await realpath(join(dir, 'state/lists')));
});

test('a line break in a path is an error at the start, with a hint', async () => {
  const cacheHome = join(await newFolder('odd'), 'a\nb');
  const refused = await weir(['-C', await projectWith({}), 'build'], { env: { XDG_CACHE_HOME: cacheHome } });
  expectError(refused, { exit: 2, says: /the cache's folder has a line break in its path/, hint: /XDG_CACHE_HOME/ });
  const out = join(await newFolder('odd'), 'a\nb');
  const also = await weir(['-C', await projectWith({}), 'build', '--out', out]);
  expectError(also, { exit: 2, says: /the output folder has a line break in its path/, hint: /--out/ });
});
