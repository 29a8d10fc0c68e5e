import { chmod, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryName } from '../../src/base/files.ts';
import { type RenderedComponent, renderedHeader } from '../../src/overlay/render.ts';
import {
  asStamped,
  checkRendered,
  type FolderStamp,
  orphanedFolders,
  removeOrphan,
  writeRendered,
} from '../../src/overlay/rendered-folder.ts';
import { folder } from './fixture.ts';

const spec = `${renderedHeader.join('\n')}\nName: Demo\n`;

function demo(files: Readonly<Record<string, string>> = {}): RenderedComponent {
  const all = { 'Demo.spec': spec, 'fix.patch': 'patch', ...files };
  return {
    name: 'Demo',
    dir: 'd/Demo',
    files: new Map(
      Object.entries(all).map(([name, text]) => [
        name,
        { bytes: Buffer.from(text), executable: name.endsWith('.patch') },
      ]),
    ),
    applied: [],
    warnings: [],
  };
}

describe('writing', () => {
  it('writes only what differs, prunes, and reports stale files', async () => {
    const rendered = demo();
    const root = await folder({ 'd/Demo/old/x': 'x', 'd/Other/Other.spec': 'Name: x\n', 'd/Demo/fix.patch': 'other' });
    const stale = [
      { path: 'd/Demo/old/x', state: 'extra' },
      { path: 'd/Demo/fix.patch', state: 'changed' },
      { path: 'd/Demo/Demo.spec', state: 'missing' },
    ];
    expect(checkRendered(root, rendered)).toMatchObject({ stale, stamp: { files: [] } });
    expect(writeRendered(root, rendered).stale).toEqual(stale);
    expect((await stat(join(root, 'd/Demo/fix.patch'))).mode & 0o777).toBe(0o755);
    await expect(stat(join(root, 'd/Demo/old'))).rejects.toThrow();
    const before = await stat(join(root, 'd/Demo/Demo.spec'));
    expect(checkRendered(root, rendered).stale).toEqual([]);
    expect(writeRendered(root, rendered).stale).toEqual([]);
    const { ino, mtimeMs, ctimeMs } = await stat(join(root, 'd/Demo/Demo.spec'));
    expect({ ino, mtimeMs, ctimeMs }).toEqual({ ino: before.ino, mtimeMs: before.mtimeMs, ctimeMs: before.ctimeMs });
  });

  it('replaces anything in the place of a file', async () => {
    const root = await folder({ 'd/Demo/fix.patch/inner': 'x', 'd/Demo/sub': 'a file', 'elsewhere.spec': spec });
    await symlink(join(root, 'elsewhere.spec'), join(root, 'd/Demo/Demo.spec'));
    await mkdir(join(root, 'd/Demo/empty'));
    writeRendered(root, demo({ 'sub/x': 'x', empty: 'no more' }));
    expect((await readdir(join(root, 'd/Demo'))).sort()).toEqual(['Demo.spec', 'empty', 'fix.patch', 'sub']);
    expect(await readFile(join(root, 'd/Demo/sub/x'), 'utf8')).toBe('x');
    expect(checkRendered(root, demo({ 'sub/x': 'x', empty: 'no more' })).stale).toEqual([]);
  });

  it('leaves the temporary files of other runs, and removes those of killed runs', async () => {
    const root = await folder({ 'd/Demo/x': '' });
    const living = temporaryName(join(root, 'd/Demo/x'));
    await writeFile(living, '');
    // Process numbers end far below this one.
    const dead = living.replace(/\.[0-9a-z]+-/, '.zzzzz-');
    await writeFile(dead, '');
    writeRendered(root, demo());
    expect((await readdir(join(root, 'd/Demo'))).sort()).toEqual([
      living.slice(living.lastIndexOf('/') + 1),
      'Demo.spec',
      'fix.patch',
    ]);
  });
});

describe('stamps', () => {
  it('match if only times change, and are then updated', async () => {
    const root = await folder({});
    const dir = join(root, 'd/Demo');
    const { stamp } = writeRendered(root, demo());
    expect(asStamped(dir, stamp)).toBe(stamp);
    expect(writeRendered(root, demo()).stamp).toEqual(stamp);
    await utimes(join(dir, 'Demo.spec'), 1, 1);
    const anew = asStamped(dir, stamp);
    expect(anew).not.toBe(stamp);
    const content = ({ files }: FolderStamp): unknown => files.map(({ name, digest }) => [name, digest]);
    expect(content(anew!)).toEqual(content(stamp));
    expect(asStamped(dir, anew!)).toBe(anew);
    // A file that came and went.
    await utimes(dir, 1, 1);
    const later = asStamped(dir, anew!);
    expect(later).toEqual({ ...anew, look: expect.not.stringMatching(`^${anew!.look}$`) });
    expect(asStamped(dir, later!)).toBe(later);
  });

  it('match for nested folders, too', async () => {
    const root = await folder({});
    const { stamp } = writeRendered(root, demo({ 'sub/x': 'x' }));
    expect(stamp.look).toBeUndefined();
    expect(asStamped(join(root, 'd/Demo'), stamp)).toBe(stamp);
    await writeFile(join(root, 'd/Demo/sub/y'), '');
    expect(asStamped(join(root, 'd/Demo'), stamp)).toBeUndefined();
  });

  it.each([
    ['an edit of the same length', (dir: string) => writeFile(join(dir, 'fix.patch'), 'patcH')],
    ['a mode', (dir: string) => chmod(join(dir, 'fix.patch'), 0o644)],
    ['a further file', (dir: string) => writeFile(join(dir, 'more'), '')],
    ['a further file in a folder', (dir: string) => mkdir(join(dir, 's')).then(() => writeFile(join(dir, 's/x'), ''))],
  ])('see %s', async (_, change) => {
    const root = await folder({});
    const dir = join(root, 'd/Demo');
    const { stamp } = writeRendered(root, demo());
    await change(dir);
    expect(asStamped(dir, stamp)).toBeUndefined();
    writeRendered(root, demo());
    expect(checkRendered(root, demo()).stale).toEqual([]);
  });
});

describe('orphans', () => {
  it('are the folders that Weir wrote for deleted components', async () => {
    const root = await folder({ 'd/Other/Other.spec': 'Name: x\n', 'd/Empty/x': '', 'long/Demo/Demo.spec': spec });
    writeRendered(root, demo());
    expect(orphanedFolders(root, new Set())).toEqual(['d/Demo']);
    expect(orphanedFolders(root, new Set(['Demo']))).toEqual([]);
    expect(orphanedFolders(join(root, 'none'), new Set())).toEqual([]);
    removeOrphan(root, 'd/Demo');
    expect((await readdir(join(root, 'd'))).sort()).toEqual(['Empty', 'Other']);
    writeRendered(root, { ...demo(), dir: 'e/Demo' });
    removeOrphan(root, 'e/Demo');
    expect((await readdir(root)).sort()).toEqual(['d', 'long']);
  });
});
