import { chmod, copyFile, mkdir, open, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exists } from '../../src/base/files.ts';
import { runOk } from '../../src/base/process.ts';
import { launch, program } from '../../src/engine/launcher.ts';
import { readRpm } from '../../src/rpm/read.ts';
import { readLock } from '../../src/toolbox/toolbox-lock.ts';
import { type Harm, harmfulMirror } from './mirror.ts';
import {
  buildsAny,
  cloneCache,
  expectError,
  filesBelow,
  forget,
  hostMirror,
  imageRecord,
  isRoot,
  newFolder,
  shared,
  tools,
  weir,
  weirOk,
} from './weir.ts';

// Hosts that lack something, and inputs that arrive damaged.

/** Makes user namespaces of their own where the tests' user may not do the like outside of one. */
const unshare = ['unshare', ...(isRoot ? [] : ['--map-root-user'])];

describe('no network', () => {
  const offline = [...unshare, '--net'];

  test('with a full cache everything builds', async () => {
    const out = join(await newFolder('offline'), 'out');
    const built = await weirOk(['-C', shared.project, 'build', '--image', 'container-base', '--out', out], {
      within: offline,
    });
    expect(built.images.map((image) => image.cached)).toEqual([false]);
    expect((await imageRecord('container-base', out)).files).toEqual((await imageRecord('container-base')).files);
  });

  test('with an empty cache the error names what is missing', async () => {
    const out = join(await newFolder('offline'), 'out');
    const env = { XDG_CACHE_HOME: await newFolder('empty-cache') };
    const result = await weir(['-C', shared.project, 'build', '--out', out], { within: offline, env });
    expectError(result, { exit: 1, says: /cannot reach the mirror/, hint: /network/ });
    expect(await filesBelow(out)).toEqual([]);
  });
});

describe('no space left', () => {
  /** Runs with a small file system at a folder; what is left there afterwards is printed as lines `left: …`. */
  const small = (size: string, at: string): string[] => {
    const script =
      'mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99; at=$2; shift 2; "$@"; code=$?; find "$at" -type f -o -type l | sed "s/^/left: /"; exit $code';
    return [...unshare, '--mount', 'sh', '-c', script, 'sh', size, at];
  };
  const left = (stdout: string): string[] => stdout.split('\n').filter((line) => line.startsWith('left: '));

  test('for the cache', async () => {
    const cache = await newFolder('small-cache');
    const out = join(await newFolder('small'), 'out');
    const result = await weir(['-C', shared.project, 'build', '--out', out], {
      within: small('16m', cache),
      env: { XDG_CACHE_HOME: cache },
    });
    expectError(result, { exit: 1, says: /no space left/, hint: /XDG_CACHE_HOME/ });
    expect(await filesBelow(out)).toEqual([]);
  });

  test('for the output: leaves no part of a repository', async () => {
    const disk = await newFolder('small-out');
    const result = await weir(['-C', shared.project, 'build', '--out', join(disk, 'out')], {
      within: small('64m', disk),
    });
    expectError(result, { exit: 1, says: /no space left/, hint: /space/ });
    // That the folder is Weir's is said before anything is written into it.
    expect(left(result.stdout)).toEqual([`left: ${join(disk, 'out', 'weir-output')}`]);
  });
});

describe('sandboxes', () => {
  test('an ordinary user without user namespaces gets a hint how to allow them', async () => {
    const { jail } = await tools();
    const words = ['--unshare-user', '--uid', '1000', '--gid', '1000', '--disable-userns', '--bind', '/', '/'];
    const within = launch(jail.launcher, [...program('bwrap'), ...words, '--dev-bind', '/dev', '/dev', '--']);
    const out = join(await newFolder('no-namespaces'), 'out');
    const result = await weir(['-C', shared.project, 'build', '--out', out], { within });
    expectError(result, { exit: 1, says: /user namespaces/, hint: /sysctl/ });
    expect(await filesBelow(out)).toEqual([]);
  });

  test.runIf(isRoot)(
    'with WEIR_JAIL=chroot, root builds the same bytes and is warned that it is no boundary',
    async () => {
      const cache = await cloneCache();
      let resolved = 0;
      const forgotten = await forget(cache, (action) => {
        // A few of the resolutions: each copies the toolbox, and all are alike.
        if (action.kind === 'resolve-packages') return resolved++ % 5 === 0;
        return action.kind === 'finalise-tree' || buildsAny(['hostname'])(action);
      });
      expect(forgotten).toBeGreaterThan(2);
      const out = join(await newFolder('chroot'), 'out');
      const env = { XDG_CACHE_HOME: cache, WEIR_JAIL: 'chroot' };
      const result = await weir(['-C', shared.project, 'build', '--image', 'container-base', '--out', out], { env });
      expect(result.code, result.stderr).toBe(0);
      expect(result.stderr).toMatch(/WEIR_JAIL=chroot: no security boundary.*network/);
      expect((await imageRecord('container-base', out)).files).toEqual((await imageRecord('container-base')).files);
    },
  );
});

describe('damaged downloads', () => {
  let cache: string;
  let deb: { readonly name: string; readonly path: string };
  let blob: string;
  let kept: string;
  beforeAll(async () => {
    cache = await cloneCache();
    const locked = await readLock(join(shared.project, '..', 'toolbox.lock'), 'core');
    deb = [...locked!.packages].sort((a, b) => a.size - b.size)[3]!;
    const { sha256 } = deb as { sha256: string } & typeof deb;
    blob = join(cache, 'weir/store', sha256.slice(0, 2), sha256);
    kept = join(await newFolder('kept'), 'deb');
    await rename(blob, kept);
  });

  const build = async (
    harm: Harm | undefined,
  ): Promise<Awaited<ReturnType<typeof weir>> & { readonly harmed: number }> => {
    const mirror = await harmfulMirror(await hostMirror(), (path) =>
      decodeURIComponent(path).endsWith(decodeURIComponent(deb.path)) ? harm : undefined,
    );
    try {
      const env = { XDG_CACHE_HOME: cache, WEIR_MIRROR: mirror.url };
      const out = join(await newFolder('damaged'), 'out');
      return {
        ...(await weir(['-C', shared.project, 'build', '--no-images', '--out', out], { env })),
        harmed: mirror.harmed.length,
      };
    } finally {
      mirror.close();
    }
  };

  test('a tampered package is rejected and not kept', async () => {
    const result = await build('flip');
    expect(result.harmed).toBeGreaterThan(0);
    expectError(result, {
      exit: 1,
      says: /does not match the signed lists|does not match the lock/,
      hint: /discarded/,
    });
    expect(await exists(blob)).toBe(false);
  });

  test('a truncated package is rejected and not kept', async () => {
    const result = await build('cut');
    expect(result.harmed).toBeGreaterThan(0);
    expectError(result, { exit: 1, says: /could not be downloaded/, hint: /./ });
    expect(await exists(blob)).toBe(false);
  });

  test('the next run continues when the mirror is intact again', async () => {
    const result = await build(undefined);
    expect(result.code, result.stderr).toBe(0);
    expect((await readFile(blob)).equals(await readFile(kept))).toBe(true);
  });
});

describe('a damaged package in the cache', () => {
  const damaged = async (
    harm: (file: string, payload: number) => Promise<void>,
  ): Promise<Awaited<ReturnType<typeof weir>> & { readonly out: string }> => {
    const cache = await cloneCache();
    const pkg = (await imageRecord('container-base')).packages.find((each) => each.name === 'bash')!;
    const blob = join(cache, 'weir/store', pkg.rpm.slice(0, 2), pkg.rpm);
    const copy = `${blob}.copy`;
    await copyFile(blob, copy);
    await chmod(copy, 0o644);
    await harm(copy, (await readRpm(copy)).payloadOffset);
    await rename(copy, blob);
    const unpackedIt = (value: unknown): boolean =>
      (value as { package?: { rpm?: string } } | null)?.package?.rpm === pkg.rpm;
    expect(await forget(cache, ({ kind, value }) => kind === 'unpack-rpm' && unpackedIt(value))).toBeGreaterThan(0);
    const out = join(await newFolder('damaged-rpm'), 'out');
    await mkdir(out);
    for (const part of ['repo', 'weir-output']) await runOk(['cp', '-al', join(shared.out, part), join(out, part)]);
    return {
      ...(await weir(['-C', shared.project, 'build', '--image', 'container-base', '--out', out], {
        env: { XDG_CACHE_HOME: cache },
      })),
      out,
    };
  };

  test.each([
    ['truncated', async (file: string) => truncate(file, Math.floor((await stat(file)).size / 2))],
    [
      'altered',
      async (file: string, payload: number) => {
        const handle = await open(file, 'r+');
        await handle.write(Buffer.from('damage'), 0, 6, payload + 5000);
        await handle.close();
      },
    ],
  ])('%s: it is reported and rebuilt before it is used', async (_, harm) => {
    const result = await damaged(harm);
    expect(result.code, result.stderr).toBe(0);
    const pkg = (await imageRecord('container-base')).packages.find((each) => each.name === 'bash')!;
    // By whoever reads its bytes, or by its size as soon as the result that names it is asked for.
    expect(result.stderr).toMatch(new RegExp(`${pkg.rpm}|names a blob of another size: running the action again`));
    expect((await imageRecord('container-base', result.out)).files).toEqual(
      (await imageRecord('container-base')).files,
    );
    await rm(result.out, { recursive: true });
  });
});
