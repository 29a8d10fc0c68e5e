import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Folder, openFolder } from '../../src/archive/folder.ts';
import { bytesReader } from '../../src/archive/read-at.ts';
import { readTar } from '../../src/archive/tar.ts';
import { type HandMade, handMade, pax } from './tar-maker.ts';

interface Place {
  readonly root: string;
  readonly outside: string;
  readonly folder: Folder;
  readonly unpack: (...members: HandMade[]) => void;
}

/** A root beside a folder that no archive may reach. */
function place(): Place {
  const above = mkdtempSync(join(tmpdir(), 'weir-folder-'));
  onTestFinished(() => rmSync(above, { recursive: true }));
  const [root, outside] = [join(above, 'root'), join(above, 'outside')];
  mkdirSync(root);
  mkdirSync(outside);
  const folder = openFolder(root);
  const unpack = (...members: HandMade[]): void => {
    const read = bytesReader(handMade(...members));
    for (const member of readTar(read)) folder.place(read, member);
  };
  return { root, outside, folder, unpack };
}

describe('a folder', () => {
  it('has the content of all archives, later ones over earlier', () => {
    const { root, folder, unpack } = place();
    folder.directory('usr/bin');
    folder.symlink('bin', 'usr/bin');
    unpack(
      { name: './', type: '5' },
      { name: './bin/', type: '5' },
      { name: './bin/tool', content: 'one' },
      { name: './bin/same', type: '1', link: './bin/tool' },
      { name: './bin/short', type: '2', link: 'tool' },
      { name: './a/b/c', content: 'deep' },
    );
    expect(lstatSync(join(root, 'bin')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(root, 'usr/bin/tool'), 'utf8')).toBe('one');
    expect(statSync(join(root, 'usr/bin/same')).ino).toBe(statSync(join(root, 'usr/bin/tool')).ino);
    unpack({ name: 'usr/bin/tool', content: 'two' }, { name: 'usr/bin/short', content: 'three' });
    expect(readFileSync(join(root, 'usr/bin/same'), 'utf8')).toBe('one');
    expect(readFileSync(join(root, 'usr/bin/tool'), 'utf8')).toBe('two');
    expect(readFileSync(join(root, 'usr/bin/short'), 'utf8')).toBe('three');
    expect(readFileSync(join(root, 'a/b/c'), 'utf8')).toBe('deep');
    folder.symlink('etc', 'usr/none');
    folder.file('a/text', 'x');
    expect(['bin', 'bin/tool', 'etc', 'none', 'a/text'].map(folder.kindOf)).toEqual([
      'directory',
      'file',
      undefined,
      undefined,
      'file',
    ]);
  });

  it.each([
    ['an absolute link', (outside: string) => outside],
    ['a link upwards', () => '../outside'],
    ['a link far upwards', (outside: string) => `../../../../../../../../../..${outside}`],
  ])('cannot be escaped through %s of an earlier archive', (_what, target) => {
    const { root, outside, unpack } = place();
    unpack({ name: 'usr/share/x', type: '2', link: target(outside) });
    unpack({ name: 'usr/share/x/evil', content: 'evil' }, { name: 'usr/share/x/deep/evil', content: 'evil' });
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync(root)).toBe(true);
  });

  it('cannot be escaped by writing through a link or hard-linking from outside', () => {
    const { root, outside, folder, unpack } = place();
    unpack({ name: 'passwd', type: '2', link: join(outside, 'passwd') });
    folder.file('passwd', 'ours');
    expect(readdirSync(outside)).toEqual([]);
    expect(readFileSync(join(root, 'passwd'), 'utf8')).toBe('ours');
    unpack({ name: 'dir', type: '2', link: join(outside, 'dir') }, { name: 'dir/', type: '5' }, { name: 'dir/a' });
    expect(readdirSync(outside)).toEqual([]);
    unpack({ name: 'l', type: '2', link: '/etc/passwd' });
    expect(() => unpack({ name: 'h', type: '1', link: 'l' })).toThrow(/h is a hard link to l, which is not a file/);
    expect(() => unpack({ name: 'h', type: '1', link: '/etc/passwd' })).toThrow(/bad-member|is below|not a file/);
  });

  it.each<[string, HandMade[], RegExp]>([
    ['goes up', [{ name: 'a/../../evil' }], /a\/\.\.\/\.\.\/evil is not a valid file name/],
    ['goes up in pax', [pax([['path', '../evil']]), {}], /\.\.\/evil is not a valid file name/],
    ['is a device', [{ name: 'null', type: '3' }], /null is an unsupported character-device/],
    ['is a pipe', [{ name: 'pipe', type: '6' }], /pipe is an unsupported fifo/],
    ['has an unknown type', [{ name: 'part', type: 'M' }], /part has the unknown type "M"/],
    ['has no name', [{ name: './' }, { name: '.' }], /a member without a name/],
    ['is below a file', [{ name: 'a' }, { name: 'a/b' }], /a\/b is below something that is not a folder/],
    [
      'would replace a folder',
      [{ name: 'a/b' }, { name: 'a', type: '2', link: 'b' }],
      /a would replace a folder that is not empty/,
    ],
    [
      'is a link loop',
      [{ name: 'a', type: '2', link: 'b' }, { name: 'b', type: '2', link: 'a' }, { name: 'a/x' }],
      /too many links/,
    ],
  ])('rejects a member that %s', (_what, members, message) => {
    const { root, outside, unpack } = place();
    expect(() => unpack(...members)).toThrow(message);
    expect(readdirSync(outside)).toEqual([]);
    expect(readdirSync(join(root, '..')).sort()).toEqual(['outside', 'root']);
  });

  it('has sparse files with their holes, and timestamps', () => {
    const { root, unpack } = place();
    const records: [string, string][] = [
      ['GNU.sparse.size', '3000000'],
      ['GNU.sparse.map', '2000000,3'],
    ];
    unpack(pax(records), { name: 's', content: 'abc' });
    const bytes = readFileSync(join(root, 's'));
    expect([bytes.length, bytes.toString('latin1', 1_999_999, 2_000_004)]).toEqual([3_000_000, '\0abc\0']);
    expect(statSync(join(root, 's')).mtimeMs).toBe(0o14371573213 * 1000);
    unpack({ name: 'l', type: '2', link: 'nowhere' });
    expect(readlinkSync(join(root, 'l'))).toBe('nowhere');
  });
});
