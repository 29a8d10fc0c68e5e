import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesReader } from '../../../src/archive/read-at.ts';
import { checkFatPath, ext4Path } from '../../../src/release/custom/inject-paths.ts';
import { fatVolume } from '../../lint/fat.ts';

describe('a path on FAT', () => {
  const volume = fatVolume(16, Buffer.from('x'));
  const check = (path: string): void => checkFatPath(bytesReader(volume), 0, volume.length, path);

  it('may be a file, or new', () => {
    check('/EFI/small.txt');
    check('/EFI/new/file.efi');
  });

  it('is neither a folder nor below a file, in any letter case', () => {
    for (const path of ['/EFI', '/efi']) expect(() => check(path)).toThrow('is a folder');
    expect(() => check('/EFI/SMALL.TXT/x')).toThrow('/EFI/SMALL.TXT is not a folder');
  });
});

const hasDebugfs = spawnSync('debugfs', ['-V']).status === 0 && spawnSync('mke2fs', ['-V']).status !== null;

describe.runIf(hasDebugfs)('a path on ext4', () => {
  let dir: string;
  const long = 'deep'.repeat(20);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-ext4-'));
    execFileSync('mke2fs', ['-q', '-t', 'ext4', join(dir, 'e.img'), '4M'], { stdio: 'ignore' });
    const commands = [
      ...['mkdir /usr', 'mkdir /usr/lib', `mkdir /${long}`, `write ${import.meta.filename} /usr/lib/file`],
      ...['symlink /lib usr/lib', 'symlink /usr/up ../lib', `symlink /long /${long}`],
      ...['symlink /x y', 'symlink /y x', 'symlink /usr/lib/link file', 'symlink /gone nowhere/at/all'],
    ];
    execFileSync('debugfs', ['-w', '-f', '-', join(dir, 'e.img')], { input: commands.join('\n'), stdio: 'pipe' });
  });

  afterAll(() => rm(dir, { recursive: true }));

  const find = (path: string) =>
    ext4Path(async (command) => {
      const { stdout } = spawnSync('debugfs', ['-R', command, join(dir, 'e.img')], { encoding: 'utf8' });
      return stdout;
    }, path);

  it.each([
    ['/lib/file', '/usr/lib/file'],
    ['/lib/new', '/usr/lib/new'],
    ['/usr/up/new', '/usr/lib/new'],
    ['/long/new', `/${long}/new`],
    ['/gone/new', '/nowhere/at/all/new'],
    ['/a/b', '/a/b'],
  ])('goes where the links lead: %s', async (path, real) => {
    const found = await find(path);
    expect(found.path).toBe(real);
    expect(found.before?.type).toBe(path === '/lib/file' ? 'regular' : undefined);
  });

  it.each([
    ['/lib/file/new', 'is not a folder'],
    ['/usr/lib', 'is a directory'],
    ['/lib/link', 'is a symlink'],
    ['/x/new', 'circle'],
  ])('is that of a file: %s is refused', async (path, said) => {
    await expect(find(path)).rejects.toMatchObject({ code: 'bad-path', message: expect.stringContaining(said) });
  });
});
