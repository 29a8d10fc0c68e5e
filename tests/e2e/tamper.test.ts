import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isNoticed, randomFrom, type Tampered, tamperCache, tamperOutput } from '../../bench/tampering.ts';
import { runOk } from '../../src/base/process.ts';
import { cloneCache, newFolder, shared, weir } from './weir.ts';

// A small part of `npm run tamper`, which tells of each of over a hundred changes who noticed it.

async function named(args: readonly string[], cacheHome: string): Promise<Set<string>> {
  const { stdout, stderr } = await weir([...args, '--json'], { env: { XDG_CACHE_HOME: cacheHome } });
  const { faults } = JSON.parse(stdout) as { faults?: { path: string }[] };
  expect(faults, stderr).toBeDefined();
  return new Set(faults!.map(({ path }) => path));
}

function missed(tampered: readonly Tampered[], faults: ReadonlySet<string>): string[] {
  const unseen = tampered.filter((each) => each.harmless !== true && !isNoticed(each, faults));
  return unseen.map(({ kind, where, paths }) => `${kind} ${where} ${paths[0]}`);
}

describe('manipulation', () => {
  let cacheHome: string;
  let out: string;

  beforeAll(async () => {
    cacheHome = await cloneCache(['actions', 'store', 'hashes', 'keys', 'repos', 'roots', 'stamps', 'apt']);
    out = join(await newFolder('tampered'), 'out');
    await mkdir(out);
    await runOk(['cp', '-al', `${shared.out}/.`, out]);
  });

  test('of a cache is detected, and a build gives the same release', async () => {
    const before = await readFile(join(shared.out, 'release.json'), 'utf8');
    const tampered = await tamperCache(join(cacheHome, 'weir'), 1, randomFrom(1));
    expect(tampered.length).toBeGreaterThan(40);
    expect(missed(tampered, await named(['cache', 'verify'], cacheHome))).toEqual([]);
    const again = join(await newFolder('again'), 'out');
    const built = await weir(['-C', shared.project, 'build', '--out', again], { env: { XDG_CACHE_HOME: cacheHome } });
    expect(built.code, built.stderr).toBe(0);
    expect(await readFile(join(again, 'release.json'), 'utf8')).toBe(before);
    await weir(['cache', 'verify', '--repair'], { env: { XDG_CACHE_HOME: cacheHome } });
    expect(await named(['cache', 'verify'], cacheHome)).toEqual(new Set());
  });

  test('of an output folder is detected, and the next build repairs it', async () => {
    const tampered = await tamperOutput(out, 1, randomFrom(1));
    expect(tampered.length).toBeGreaterThan(20);
    const verify = ['-C', shared.project, 'release', 'verify', '--out', out];
    expect(missed(tampered, await named(verify, shared.cacheHome))).toEqual([]);
    const built = await weir(['-C', shared.project, 'build', '--out', out]);
    expect(built.code, built.stderr).toBe(0);
    expect(await named(verify, shared.cacheHome)).toEqual(new Set());
  });

  test('a snapshot and images of another cache are reused if they verify', async () => {
    const other = await cloneCache(['actions', 'store', 'hashes', 'keys', 'repos']);
    const copy = join(await newFolder('taken-over'), 'out');
    await runOk(['cp', '-a', '--sparse=always', shared.out, copy]);
    const built = await weir(['-C', shared.project, 'build', '--json', '--out', copy], {
      env: { XDG_CACHE_HOME: other },
    });
    expect(built.code, built.stderr).toBe(0);
    const { images } = JSON.parse(built.stdout) as { images: { name: string; cached: boolean }[] };
    expect(images.filter(({ cached }) => !cached)).toEqual([]);
    expect(built.stderr).toContain('matches its signed release: reusing it');
  });
});
