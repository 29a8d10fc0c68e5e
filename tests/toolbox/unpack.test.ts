import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openFolder } from '../../src/archive/folder.ts';
import { placeDebs } from '../../src/toolbox/unpack.ts';
import { failure } from '../base/failure.ts';

const isHere = spawnSync('dpkg-deb', ['--version']).status === 0;

function workplace(): { readonly root: string; readonly outside: string; readonly at: (path: string) => string } {
  const above = mkdtempSync(join(tmpdir(), 'weir-debs-'));
  onTestFinished(() => rmSync(above, { recursive: true }));
  const at = (path: string): string => join(above, path);
  for (const path of ['root', 'outside', 'scratch']) mkdirSync(at(path));
  return { root: at('root'), outside: at('outside'), at };
}

/** A package built by dpkg-deb itself. @param files content by path; a value that begins with `->` makes a link */
function deb(at: (path: string) => string, name: string, files: Readonly<Record<string, string>>): string {
  const folder = at(`build-${name}`);
  const all = {
    ...files,
    'DEBIAN/control': `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n`,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(folder, path));
    else writeFileSync(join(folder, path), text);
  }
  const file = at(`${name}.deb`);
  const built = spawnSync('dpkg-deb', ['--root-owner-group', '--build', folder, file], { encoding: 'utf8' });
  expect(built.stderr).toBe('');
  return file;
}

describe.skipIf(!isHere)('the packages of a toolbox', () => {
  it.each([
    ['in memory', undefined],
    ['through a file', 1],
  ])('are placed in order, without unused files: %s', async (_how, inMemory) => {
    const { root, at } = workplace();
    const folder = openFolder(root);
    folder.directory('usr/bin');
    folder.symlink('bin', 'usr/bin');
    const debs = [
      deb(at, 'a', { 'bin/tool': 'one', 'usr/share/doc/a/x': 'no', 'usr/lib/big': 'x'.repeat(3_000_000) }),
      deb(at, 'b', { 'usr/bin/tool': 'two', 'usr/share/man/x': 'no', 'etc/b': '->/usr/bin/tool' }),
    ];
    const seen: number[] = [];
    await placeDebs(debs, folder, at('scratch'), (count) => seen.push(count), inMemory);
    expect(seen).toEqual([1, 2]);
    expect(readFileSync(join(root, 'usr/bin/tool'), 'utf8')).toBe('two');
    expect(readFileSync(join(root, 'usr/lib/big'), 'utf8')).toBe('x'.repeat(3_000_000));
    expect(existsSync(join(root, 'usr/share/doc/a'))).toBe(false);
    expect(existsSync(join(root, 'usr/share/man/x'))).toBe(false);
    expect(folder.kindOf('etc/b')).toBe('file');
    expect(readdirSync(at('scratch'))).toEqual([]);
  });

  it('cannot leave the folder through a link of an earlier package', async () => {
    const { root, outside, at } = workplace();
    const debs = [
      deb(at, 'a', {
        'usr/lib/far': `->${outside}`,
        'usr/lib/up': '->../../../outside',
        'usr/lib/last': `->${outside}/last`,
      }),
      deb(at, 'b', { 'usr/lib/far/evil': 'evil', 'usr/lib/up/evil': 'evil', 'usr/lib/last': 'ours' }),
    ];
    await placeDebs(debs, openFolder(root), at('scratch'), () => {});
    expect(readdirSync(outside)).toEqual([]);
    expect(readFileSync(join(root, 'usr/lib/last'), 'utf8')).toBe('ours');
  });

  it('are reported by name if invalid or truncated', async () => {
    const { root, at } = workplace();
    const whole = deb(at, 'a', { 'usr/lib/big': 'x'.repeat(100_000) });
    writeFileSync(at('cut.deb'), readFileSync(whole).subarray(0, 500));
    writeFileSync(at('text.deb'), 'no package');
    for (const path of [at('cut.deb'), at('text.deb'), at('none.deb')]) {
      const error = await failure(placeDebs([path], openFolder(root), at('scratch'), () => {}));
      expect(error).toMatchObject({ code: 'bad-deb', where: { file: path } });
    }
  });
});
