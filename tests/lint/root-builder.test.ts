import { describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import {
  below,
  type FileNode,
  type Files,
  readSuspect,
  readText,
  resolvePath,
  unseenBelow,
} from '../../src/lint/files.ts';
import { RootBuilder } from '../../src/lint/root-builder.ts';
import { tarFiles } from '../../src/lint/tar-files.ts';
import { type Content, symlink, tar } from './tar.ts';

const layers = (...all: readonly Record<string, Content>[]): Files =>
  tarFiles(
    all.map((each) => bytesReader(tar(each, { parents: false }))),
    { whiteouts: true },
  );
const paths = ({ nodes }: Files): string[] => [...nodes.keys()];
const text = (content: string): { readonly node: FileNode; readonly read: () => Buffer } => ({
  node: { kind: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length },
  read: () => Buffer.from(content),
});

describe('layers', () => {
  test('missing parent folders are created', async () => {
    const files = layers({ '/usr/lib/os-release': 'x' });
    expect(paths(files)).toEqual(['/', '/usr', '/usr/lib', '/usr/lib/os-release']);
    expect(files.nodes.get('/usr/lib')).toMatchObject({ kind: 'directory', mode: 0o755, uid: 0 });
  });
  test('a path below a symlink of a lower layer is placed at its target', async () => {
    const files = layers(
      { '/usr/lib/': '', '/lib': symlink('usr/lib'), '/data': symlink('/srv/deep/data') },
      { '/lib/os-release': 'ID=x', '/data/a': '1', '/etc/os-release': symlink('../usr/lib/os-release') },
    );
    expect(await readText(files, '/etc/os-release')).toBe('ID=x');
    expect(paths(files)).toContain('/usr/lib/os-release');
    // A dangling symlink is followed, too.
    expect(await readText(files, '/srv/deep/data/a')).toBe('1');
    expect(files.nodes.get('/lib')?.kind).toBe('symlink');
  });
  test('a folder replaces a symlink, and a symlink a folder with its content', async () => {
    const files = layers(
      { '/usr/lib/a': '1', '/lib': symlink('usr/lib'), '/var/log/x': '1' },
      { '/lib/': '', '/lib/b': '2', '/var/log': symlink('/dev/null') },
    );
    expect(paths(files)).toEqual(['/', '/lib', '/lib/b', '/usr', '/usr/lib', '/usr/lib/a', '/var', '/var/log']);
  });
  test('no path and no symlink leads out of the root', async () => {
    const files = layers(
      { '/up': symlink('../../../..'), '/abs': symlink('/../../etc') },
      { '/up/etc/a': '1', '/abs/b': '2', '/x/../../../c': '3' },
    );
    expect(paths(files)).toEqual(['/', '/abs', '/c', '/etc', '/etc/a', '/etc/b', '/up']);
  });
  test('a whiteout removes a file from lower layers, not from its own', async () => {
    const lower = { '/etc/a': '1', '/etc/b/c': '1', '/lib': symlink('etc/b') };
    expect(paths(layers(lower, { '/etc/.wh.a': '', '/etc/.wh.b': '' }))).toEqual(['/', '/etc', '/lib']);
    // In any order in the archive.
    const own = layers(lower, { '/etc/.wh.b': '', '/etc/b/d': '2', '/etc/.wh.x': '', '/etc/x': '2' });
    expect(below(own, '/etc').map(([path]) => path)).toEqual(['/etc/a', '/etc/b', '/etc/b/d', '/etc/x']);
    expect(paths(layers(lower, { '/lib/.wh.c': '' }))).not.toContain('/etc/b/c');
    expect(paths(layers(lower, { '/.wh..wh.plnk': '', '/.wh..wh.aufs': '' }))).toEqual(paths(layers(lower)));
  });
  test('an opaque folder shows only its own layer, in any marker position', async () => {
    const lower = { '/opt/old': '1', '/opt/deep/old': '1' };
    for (const name of ['/opt/.wh..wh..opq', '/opt/']) {
      const files = layers(lower, { [name]: '', '/opt/.wh..wh..opq': '', '/opt/deep/new': '2', '/opt/new': '2' });
      expect(below(files, '/opt').map(([path]) => path)).toEqual(['/opt/deep', '/opt/deep/new', '/opt/new']);
    }
  });
  test('outside of layers, whiteout names are normal files', () => {
    const files = tarFiles([bytesReader(tar({ '/a': '1', '/.wh.a': '', '/b/.wh..wh..opq': '' }))]);
    expect(paths(files)).toEqual(['/', '/.wh.a', '/a', '/b', '/b/.wh..wh..opq']);
  });
  test('hard links resolve through symlinks to existing files only', async () => {
    const hard = (link: string): Content => ({ type: '1', link });
    const files = layers({ '/usr/bin/a': '1', '/bin': symlink('usr/bin') }, { '/b': hard('bin/a'), '/c': hard('/b') });
    expect(await readText(files, '/c')).toBe('1');
    for (const target of ['nothing', 'usr', 'usr/bin/a/b']) {
      expect(() => layers({ '/usr/bin/a': '1' }, { '/x': hard(target) })).toThrow(
        expect.objectContaining({ code: 'unreadable' }),
      );
    }
  });
  test('a path through a file or a symlink loop, or too long or deep, is an error', () => {
    const wrong: readonly Record<string, Content>[][] = [
      [{ '/a': '1' }, { '/a/b': '2' }],
      [{ '/a': symlink('b'), '/b': symlink('a') }, { '/a/c': '2' }],
    ];
    for (const each of wrong) {
      expect(() => layers(...each)).toThrow(expect.objectContaining({ code: 'unreadable' }));
    }
    const builder = new RootBuilder();
    expect(() => builder.place('/a'.repeat(3000), text(''))).toThrow(expect.objectContaining({ code: 'unreadable' }));
    const link = { ...text(''), node: { ...text('').node, kind: 'symlink', target: 'd/'.repeat(1500) } } as const;
    builder.place('/a', link);
    builder.place('/a/a', link);
    expect(() => builder.place('/a/a/x', text(''))).toThrow(/nested folders/);
  });
  test('a member of unknown type is unreadable; a volume label is not a file', async () => {
    const files = layers({ '/etc/shadow': { type: 'Y' }, '/label': { type: 'V' }, '/etc/passwd': 'x' });
    expect(paths(files)).not.toContain('/label');
    await expect(readSuspect(files, '/etc/shadow')).rejects.toMatchObject({ code: 'unreadable' });
    expect(await readSuspect(files, '/etc/passwd')).toBe('x');
    expect(unseenBelow(files, '/').map(({ where }) => where)).toEqual(['/etc/shadow']);
  });
});

describe('mounts', () => {
  const inner = tarFiles([bytesReader(tar({ '/log/messages': 'a log' }))]);
  test('cover existing content, and are visible through symlinks', async () => {
    const builder = new RootBuilder();
    builder.place('/var/log/old', text('1'));
    builder.place('/alias', { ...text(''), node: { ...text('').node, kind: 'symlink', target: 'var' } });
    builder.mount('/alias', inner);
    const files = builder.files();
    expect(below(files, '/var').map(([path]) => path)).toEqual(['/var/log', '/var/log/messages']);
    expect(await readText(files, '/alias/log/messages')).toBe('a log');
  });
  test('an unreadable place is an error only for accesses to it', async () => {
    const builder = new RootBuilder();
    builder.place('/etc/passwd', text('x'));
    builder.place('/link', { ...text(''), node: { ...text('').node, kind: 'symlink', target: 'var/x' } });
    builder.hide('/var', 'it is XFS');
    const files = builder.files();
    for (const path of ['/var/log', '/var/log/x', '/link', '/link/y']) {
      expect(() => resolvePath(files, path)).toThrow(
        expect.objectContaining({ message: expect.stringMatching(/XFS/) }),
      );
      expect(unseenBelow(files, path)).toMatchObject([{ unchecked: true, where: path }]);
    }
    expect(() => below(files, '/var')).toThrow(expect.objectContaining({ code: 'unreadable' }));
    expect(resolvePath(files, '/var')).toBe('/var');
    expect(unseenBelow(files, '/etc')).toEqual([]);
    expect(await readText(files, '/etc/passwd')).toBe('x');
    const outer = new RootBuilder();
    outer.mount('/sysroot', files);
    expect([...outer.files().unseen.keys()]).toEqual(['/sysroot/var']);
  });
});

test('readSuspect: a missing file is absent, an unreadable one is an error', async () => {
  const files = tarFiles([
    bytesReader(
      tar({
        '/etc/a': symlink('../run/a'),
        '/etc/b': symlink('/data/b'),
        '/etc/c/x': '',
        '/etc/d': { type: '3' },
        '/etc/e': symlink('e'),
        '/etc/f': symlink('g'),
        '/etc/g': 'text',
        '/bin': symlink('usr/bin'),
        '/usr/bin/sh': 'sh',
      }),
    ),
  ]);
  expect(await readSuspect(files, '/etc/none')).toBeUndefined();
  // The symlink has a target, but the file does not exist.
  expect(await readSuspect(files, '/bin/.ssh/authorized_keys')).toBeUndefined();
  expect(unseenBelow(files, '/bin/.ssh')).toEqual([]);
  expect(await readSuspect(files, '/etc/a')).toBeUndefined();
  expect(await readSuspect(files, '/etc/f')).toBe('text');
  for (const path of ['/etc/b', '/etc/c', '/etc/d', '/etc/e']) {
    await expect(readSuspect(files, path)).rejects.toMatchObject({ code: 'unreadable' });
  }
});
