import { describe, expect, it } from 'vitest';
import { TreePaths } from '../../../src/release/custom/tree-paths.ts';
import type { Entry } from '../../../src/tree/tree.ts';

const base = { mode: 0o755, user: 'root', group: 'root', mtime: 1, packages: ['p'] } as const;
const folder = (path: string): Entry => ({ ...base, kind: 'directory', path });
const file = (path: string, packages: readonly string[] = []): Entry => ({
  ...base,
  packages,
  kind: 'file',
  path,
  digest: '0',
  size: 0,
});
const link = (path: string, target: string): Entry => ({ ...base, kind: 'symlink', path, target });

function tree(...entries: Entry[]): TreePaths {
  return new TreePaths({ entries, packages: [] }, 7);
}

describe('entries added to a tree', () => {
  it('bring the folders that are missing above them', () => {
    const paths = tree(folder('/opt'));
    paths.put(file('/opt/a/b/c'));
    expect(paths.added.map(({ path, kind }) => [path, kind])).toEqual([
      ['/opt/a', 'directory'],
      ['/opt/a/b', 'directory'],
      ['/opt/a/b/c', 'file'],
    ]);
  });

  it('go where the links of the tree lead', () => {
    const paths = tree(folder('/usr'), folder('/usr/lib'), link('/lib', 'usr/lib'), link('/usr/lib/up', '../lib'));
    paths.put(file('/lib/x'));
    paths.put(file('/usr/lib/up/y'));
    expect(paths.added.map(({ path }) => path)).toEqual(['/usr/lib/x', '/usr/lib/y']);
    expect(paths.find('/lib/x')?.kind).toBe('file');
  });

  it('replace a link itself and keep the packages of what they replace', () => {
    const paths = tree(folder('/etc'), link('/etc/localtime', '/usr/share/zone'), file('/etc/motd', ['setup']));
    paths.put(file('/etc/localtime'));
    paths.put(file('/etc/motd'));
    expect(paths.added).toMatchObject([
      { path: '/etc/localtime', kind: 'file' },
      { path: '/etc/motd', packages: ['setup'] },
    ]);
  });

  it('leave the other names of a hard link as they are', () => {
    const first = { ...file('/usr/bin/a'), digest: '1', size: 1 } as Entry;
    const paths = tree(folder('/usr'), folder('/usr/bin'), first, {
      ...first,
      path: '/usr/bin/b',
      hardlink: '/usr/bin/a',
    } as Entry);
    paths.put(file('/usr/bin/a'));
    expect(paths.find('/usr/bin/b')).toEqual({ ...first, path: '/usr/bin/b' });
    expect(paths.added.map(({ path }) => path)).toEqual(['/usr/bin/b', '/usr/bin/a']);
  });

  it('cannot take the place of a folder, stand below a file, or follow links in a circle', () => {
    const paths = tree(folder('/a'), file('/f'), link('/x', '/y'), link('/y', '/x'));
    expect(() => paths.put(file('/a'))).toThrow('/a is a folder');
    expect(() => paths.put(folder('/f'))).toThrow('/f is not a folder');
    expect(() => paths.put(file('/f/g'))).toThrow('/f is not a folder');
    expect(() => paths.put(file('/x/g'))).toThrow('too many links');
  });
});
