import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cacheParts } from '../../src/base/paths.ts';
import { folder, weir } from './weir.ts';

describe('clean --out', () => {
  // Every folder here is fresh: a broken guard must find nothing else to remove.
  it('keeps a folder that no build wrote, and the cache', () => {
    const dir = folder({ 'release.json': '{}', 'repo/x': '', 'images/y': '' });
    const { code, stdout, stderr } = weir(['clean', '--out', '--cache', '--out-dir', dir]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('not an output folder of Weir');
    expect(readdirSync(dir).sort()).toEqual(['images', 'release.json', 'repo']);
  });

  it('removes only results and leftovers of killed runs', () => {
    const full = folder({
      'weir-output': '',
      'release.json': '{}',
      'repo/x': '',
      'images/y': '',
      'releases/20260101-01234567/0123456789abcdef.json': '',
      'boot/z': '',
      '.a-b-c-01234567.tmp': '',
      mine: '',
    });
    expect(weir(['clean', '--out', '--out-dir', full]).code).toBe(0);
    expect(readdirSync(full)).toEqual(['mine']);
  });
});

describe('clean --cache', () => {
  it('removes every part but the keys, and nothing else', () => {
    const parts = Object.keys(cacheParts);
    const root = folder(Object.fromEntries([...parts, 'mine'].map((part) => [`weir/${part}/x`, ''])));
    expect(weir(['clean', '--cache'], { env: { XDG_CACHE_HOME: root } }).code).toBe(0);
    expect(readdirSync(join(root, 'weir', 'keys'))).toEqual(['x']);
    expect(readdirSync(join(root, 'weir')).filter((name) => name !== 'keys' && parts.includes(name))).toEqual([]);
    expect(readdirSync(join(root, 'weir'))).toContain('mine');
  });
});

describe('build --out', () => {
  it('refuses a folder with other content', () => {
    const dir = folder({ 'images/holiday.jpg': '' });
    const { code, stderr } = weir(['build', '--out', dir]);
    expect(code).toBe(2);
    expect(stderr).toContain('it contains images, which is not from Weir');
    expect(readdirSync(dir)).toEqual(['images']);
  });
});
