import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import { removeTree } from '../../src/engine/scratch.ts';
import { copyProjectTo } from './project-copy.ts';
import { buildsAny, forget, imageRecord, isRoot, shared, weirOk } from './weir.ts';

describe('an ordinary user', () => {
  const nobody = 65_534;
  let home: string | undefined;

  afterAll(async () => {
    if (home !== undefined) await removeTree(home);
  });

  test('builds the same bytes as root', async ({ skip }) => {
    skip(!isRoot, 'who runs these tests is an ordinary user, so every other test shows this');
    home = await mkdtemp(join(tmpdir(), 'weir-user-'));
    const cache = join(home, 'cache/weir');
    await runOk(['mkdir', '-p', cache]);
    // Real copies: as links they would change hands in the shared cache too. Toolbox and roots are made anew.
    for (const part of ['store', 'actions', 'hashes', 'keys']) {
      await runOk(['cp', '-a', join(shared.cacheHome, 'weir', part), join(cache, part)]);
    }
    const kinds = ['finalise-tree', 'resolve-packages'];
    await forget(join(home, 'cache'), (action, index) => {
      if (kinds.includes(action.kind) || buildsAny(['hostname'])(action)) return true;
      if (['seed-set', 'sign-rpms'].includes(action.kind)) return true;
      return ['seed-convert', 'sign-rpm'].includes(action.kind) && index % 10 === 0;
    });
    await copyProjectTo(join(home, 'project'));
    await runOk(['chown', '-R', `${nobody}:${nobody}`, home]);
    const out = join(home, 'out');
    const built = await weirOk(
      ['-C', join(home, 'project/distro'), 'build', '--image', 'container-base', '--out', out],
      {
        within: ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs'],
        env: { XDG_CACHE_HOME: join(home, 'cache'), HOME: home },
        cwd: home,
      },
    );
    expect(built.components.filter((component) => !component.cached).map((component) => component.name)).toEqual([
      'hostname',
    ]);
    expect((await imageRecord('container-base', out)).files).toEqual((await imageRecord('container-base')).files);
  });
});
