import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, link, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { run } from '../../src/base/process.ts';
import { type ApplyOptions, applyOverlays, archiveDrift, type OverlaidSources } from '../../src/overlay/apply.ts';
import {
  type ArchiveEdit,
  editArchive,
  type OpenArchive,
  openArchive,
  packArchive,
} from '../../src/overlay/archive.ts';
import { type Compression, compressionOf, decompress, store } from '../../src/overlay/compression.ts';
import { readEntry, type SourceTree } from '../../src/overlay/files.ts';
import type { SourceFile } from '../../src/project/model/component.ts';
import { component, folder, type OverlayData, overlay } from './fixture.ts';

interface Item {
  readonly name: string;
  readonly type?: string;
  readonly content?: string;
  readonly mode?: number;
  readonly target?: string;
  readonly prefix?: string;
  readonly old?: boolean;
}

/** A tar archive written here by hand: what tar itself would refuse to write is tested too. */
function tarOf(...items: readonly Item[]): Buffer {
  const parts: Buffer[] = [];
  for (const { name, type = '0', content = '', mode = 0o644, target = '', prefix = '', old = false } of items) {
    const bytes = Buffer.from(content, 'latin1');
    const head = Buffer.alloc(512);
    head.write(name, 0, 'latin1');
    head.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
    head.write('0000017\0', 108);
    head.write('0000017\0', 116);
    head.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    head.write('14371573213\0', 136);
    head.write('        ', 148);
    head.write(type, 156, 'latin1');
    head.write(target, 157, 'latin1');
    if (!old) head.write('ustar\x0000someone\0', 257, 'latin1');
    head.write(prefix, 345, 'latin1');
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    parts.push(head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function pax(...records: readonly (readonly [string, string])[]): Item {
  const content = records.map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const length = rest.length + 2 < 100 ? rest.length + 2 : rest.length + 3;
    return `${length}${rest}`;
  });
  return { name: 'x', type: 'x', content: content.join('') };
}

function inTree(bytes: Uint8Array, name = 'a.tar'): SourceTree {
  return new Map([[name, { kind: 'bytes', bytes, executable: false }]]);
}

function opened(bytes: Uint8Array, name = 'a.tar'): Promise<OpenArchive> {
  return openArchive(inTree(bytes, name), name, {});
}

async function edited(bytes: Uint8Array, ...edits: readonly ArchiveEdit[]): Promise<Buffer> {
  let archive = await opened(bytes);
  for (const edit of edits) archive = (await editArchive(archive, edit)).archive;
  return Buffer.from(packArchive(archive));
}

async function failure(work: Promise<unknown>): Promise<WeirError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WeirError) return error;
  throw new Error(`no WeirError: ${String(error)}`);
}

/** What the host's tar makes of an archive. */
async function listed(bytes: Uint8Array): Promise<string> {
  const dir = await folder({ 'x.tar': bytes });
  const { stdout, stderr } = await run(['tar', '--utc', '--numeric-owner', '-tvf', join(dir, 'x.tar')]);
  expect(stderr).toBe('');
  return stdout;
}

async function unpacked(bytes: Uint8Array): Promise<string> {
  const dir = await folder({ 'x.tar': bytes });
  const { stderr, code } = await run(['tar', '-C', dir, '-xf', join(dir, 'x.tar')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return dir;
}

const removeAll: ArchiveEdit = { type: 'file-remove', file: '**' };
const sample = tarOf(
  { name: 'pkg-1.0/', type: '5', mode: 0o755 },
  { name: 'pkg-1.0/README', content: 'bad\n' },
  { name: 'pkg-1.0/vendor/', type: '5', mode: 0o750 },
  { name: 'pkg-1.0/vendor/v.c', content: 'v' },
  { name: 'pkg-1.0/vendor/sub/w.c', content: 'w' },
  { name: 'pkg-1.0/lib/vendor/x.c', content: 'x' },
  { name: 'pkg-1.0/configure', content: '#!/bin/sh\n', mode: 0o755 },
);

describe('files that a glob matches inside an archive', () => {
  it.each<[glob: string, gone: readonly string[]]>([
    ['README', ['README']],
    ['vendor/*', ['vendor/v.c']],
    ['vendor/**', ['vendor/sub/w.c', 'vendor/v.c']],
    ['*/v.c', ['vendor/v.c']],
    ['**/vendor/**', ['lib/vendor/x.c', 'vendor/sub/w.c', 'vendor/v.c']],
    ['**/vendor/*', ['lib/vendor/x.c', 'vendor/v.c']],
    ['**/*.c', ['lib/vendor/x.c', 'vendor/sub/w.c', 'vendor/v.c']],
    ['{README,configure}', ['README', 'configure']],
    ['vendor/[!w].c', ['vendor/v.c']],
    ['vendor/**/w.c', ['vendor/sub/w.c']],
    ['./README', ['README']],
    ['*', ['README', 'configure']],
  ])('%s', async (glob, gone) => {
    const before = await opened(sample);
    const { archive, names } = await editArchive(before, { type: 'file-remove', file: glob });
    expect([...names].sort()).toEqual(gone);
    expect([...before.tree.keys()].filter((name) => !archive.tree.has(name)).sort()).toEqual(gone);
  });

  it.each([
    ['vendor', 'overlay-no-match'],
    ['vendor/', 'overlay-no-match'],
    ['pkg-1.0/README', 'overlay-no-match'],
    ['../README', 'overlay-no-match'],
    ['[a', 'invalid-glob'],
    ['{a', 'invalid-glob'],
    ['a}', 'invalid-glob'],
    ['[z-a]', 'invalid-glob'],
    ['a\\', 'invalid-glob'],
    [`${'{a,b}'.repeat(12)}`, 'overlay-no-match'],
    ['*.spec', 'overlay-invalid'],
  ])('%s is an error: %s', async (file, code) => {
    const archive = await opened(sample);
    const error = await failure(editArchive(archive, { type: 'file-remove', file }));
    expect([error.code, error.exit]).toEqual([code, 2]);
  });

  it('specs and git files in it stay, and links are not followed', async () => {
    const bytes = tarOf(
      { name: 'p/a.spec', content: 'a' },
      { name: 'p/.git/config', content: 'a' },
      { name: 'p/link', type: '2', target: 'real' },
      { name: 'p/real', content: 'a' },
    );
    const { archive, names } = await editArchive(await opened(bytes), removeAll);
    expect(names).toEqual(['link', 'real']);
    expect(await listed(packArchive(archive))).not.toContain('link');
    const alone = await editArchive(await opened(bytes), { type: 'file-remove', file: 'link' });
    expect([...alone.archive.tree.keys()]).toEqual(['a.spec', '.git/config', 'real']);
    const within: ArchiveEdit = { type: 'file-search-replace', file: 'link', regex: 'a', replacement: 'b' };
    expect((await failure(editArchive(await opened(bytes), within))).code).toBe('overlay-invalid');
    for (const file of ['.git/config', 'a.spe[c]']) {
      expect((await failure(editArchive(await opened(bytes), { type: 'file-remove', file }))).code).toBe(
        'overlay-invalid',
      );
    }
  });

  it('the error names the archive, the pattern and the closest name', async () => {
    const archive = await opened(sample, 'pkg.tar');
    const gone = await failure(editArchive(archive, { type: 'file-remove', file: 'vendr/v.c' }));
    expect(gone.message).toBe('no file of pkg.tar matches vendr/v.c');
    expect(gone.details).toEqual(['closest: vendor/v.c']);
    const search: ArchiveEdit = { type: 'file-search-replace', file: '*', regex: '^bat$', replacement: '' };
    const same = await failure(editArchive(archive, search));
    expect(same.message).toContain('README, configure of pkg.tar by replacing /^bat$/');
  });
});

describe('the root of an archive', () => {
  it.each<[what: string, items: readonly Item[], names: readonly string[]]>([
    ['one top folder', [{ name: 'p/a' }, { name: 'p/b' }], ['a', 'b']],
    ['one top folder with an entry', [{ name: 'p/', type: '5' }, { name: 'p/a' }], ['a']],
    ['one top folder behind ./', [{ name: './', type: '5' }, { name: './p/a' }], ['a']],
    ['several tops', [{ name: 'p/a' }, { name: 'q/a' }], ['p/a', 'q/a']],
    ['a file beside the folder', [{ name: 'p/a' }, { name: 'README' }], ['p/a', 'README']],
    ['one file', [{ name: 'a' }], ['a']],
  ])('%s', async (_what, items, names) => {
    const archive = await opened(tarOf(...items));
    expect([...archive.tree.keys()].sort()).toEqual([...names].sort());
  });
});

describe('packing again', () => {
  it('is sorted, owned by root, with time 0; modes and empty folders stay', async () => {
    const packed = await edited(sample, { type: 'file-remove', file: 'vendor/**' });
    expect((await listed(packed)).trim().split('\n')).toEqual([
      'drwxr-xr-x 0/0               0 1970-01-01 00:00 pkg-1.0/',
      '-rw-r--r-- 0/0               4 1970-01-01 00:00 pkg-1.0/README',
      '-rwxr-xr-x 0/0              10 1970-01-01 00:00 pkg-1.0/configure',
      'drwxr-xr-x 0/0               0 1970-01-01 00:00 pkg-1.0/lib/',
      'drwxr-xr-x 0/0               0 1970-01-01 00:00 pkg-1.0/lib/vendor/',
      '-rw-r--r-- 0/0               1 1970-01-01 00:00 pkg-1.0/lib/vendor/x.c',
      'drwxr-x--- 0/0               0 1970-01-01 00:00 pkg-1.0/vendor/',
    ]);
  });

  // The hash of a packed archive is committed: these must never change, whatever Weir and Node are. The first two are those of
  // what azldev packs; the second of each pair is what Weir packed before.
  it.each<[Compression, string, string]>([
    [
      'none',
      'c98dc0a02188e1a64f5c26d68edb6cc16e010a0bd63ceb34d408ad2b9ecf5af2',
      '6609a6c12a10f76e213b87f6ce119b2d9d085ce5e3e686d3f5cff2e08da7f966',
    ],
    [
      'gzip',
      '4feb6961487ef123096601dcdcafed9908d60f23455857ef5ed363241ece95ef',
      'eed915ce6475ec3d23cf883fdbc40cf6e5363cfce0c29371c7b604697bd64a54',
    ],
    [
      'xz',
      'd83ddba99da05ac7e4ba7ea5b150dc76b926a96afc1dd82bc7947a60300e13bd',
      'd569ac318c1fb2a7118ece25e930806047bac84ff660d4d3e14a6d1c9af55aef',
    ],
    [
      'zstd',
      'f8bb74a4f10b0f69a4b4b2c2cd9451e3bcbf7ed5c48ccbf23208374c4d886992',
      '35351de2fd7c41c56ca0ab2442ac7c317e2c7f373196b71cf39741aa61553661',
    ],
  ])('gives the very same bytes for ever: %s', async (compression, digest, former) => {
    const { archive } = await editArchive(
      { ...(await opened(sample)), compression },
      { type: 'file-search-replace', file: 'README', regex: 'bad', replacement: 'good' },
    );
    const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    expect(hash(packArchive(archive))).toBe(digest);
    expect(hash(packArchive(archive, (bytes) => hash(bytes) === former))).toBe(former);
    expect(hash(packArchive(archive, () => false))).toBe(digest);
  });

  it('does not depend on order, times and owners of the input', async () => {
    const items: Item[] = [{ name: 'p/b', content: 'b' }, { name: 'p/a', content: 'a' }, { name: 'p/c' }];
    const edit: ArchiveEdit = { type: 'file-remove', file: 'c' };
    const dir = await folder({ 'p/a': 'a', 'p/b': 'b', 'p/c': '' });
    for (const name of ['a', 'b', 'c']) await chmod(join(dir, 'p', name), 0o644);
    await run(['tar', '-C', dir, '-cf', join(dir, 'x.tar'), 'p/a', 'p/b', 'p/c']);
    const bySystem = await edited(await readFile(join(dir, 'x.tar')), edit);
    expect(await edited(tarOf(...items), edit)).toEqual(bySystem);
    expect(await edited(tarOf(...items.toReversed()), edit)).toEqual(bySystem);
  });

  it('is deterministic and idempotent, and tar reads the intended files', { timeout: 180_000 }, async () => {
    const name = fc
      .array(
        fc.stringMatching(/^[a-zé.+ -]{1,40}$/).filter((part) => !/^\.{1,2}$/.test(part)),
        {
          minLength: 1,
          maxLength: 5,
        },
      )
      .map((parts) => parts.join('/'));
    const file = fc.record({
      content: fc.string({ maxLength: 1500, unit: 'binary-ascii' }),
      mode: fc.constantFrom(0o644, 0o755, 0o600),
    });
    const tree = fc.dictionary(name, file, { minKeys: 1, maxKeys: 8 }).filter((files) => {
      const names = Object.keys(files);
      return names.every((one) => names.every((other) => !other.startsWith(`${one}/`)));
    });
    await fc.assert(
      fc.asyncProperty(tree, fc.constantFrom<Compression>('none', 'gzip', 'zstd'), async (files, compression) => {
        const bytes = tarOf(
          ...Object.entries(files).flatMap(([path, { content, mode }]): Item[] => {
            const raw = Buffer.from(`top/${path}`, 'utf8').toString('latin1');
            const long: Item[] = raw.length > 100 ? [pax(['path', raw])] : [];
            return [...long, { name: raw.slice(0, 100), content, mode }];
          }),
          { name: 'top/zz-gone' },
        );
        const edit: ArchiveEdit = { type: 'file-remove', file: 'zz-gone' };
        const archive = { ...(await editArchive(await opened(bytes), edit)).archive, compression };
        const first = packArchive(archive);
        expect(packArchive(archive)).toEqual(first);
        const again = await opened(first);
        expect(again.compression).toBe(compression);
        expect(packArchive(again)).toEqual(first);
        const found = await Promise.all(
          [...again.tree].map(async ([path, entry]) => [path, Buffer.from(await readEntry(entry)).toString('latin1')]),
        );
        // With one file alone at the top there is no top folder any more to leave out.
        const prefix = again.tree.has(Object.keys(files)[0]!) ? '' : 'top/';
        expect(Object.fromEntries(found)).toEqual(
          Object.fromEntries(Object.entries(files).map(([path, one]) => [prefix + path, one.content])),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('content of archives', () => {
  const deep = `${'deep/'.repeat(30)}file`;

  it('long names and link targets, of tar with pax and with GNU headers', async () => {
    const dir = await folder({ [`top/${deep}`]: 'l', 'top/gone': '' });
    await symlink(deep, join(dir, 'top/link'));
    const results: Buffer[] = [];
    for (const format of ['pax', 'gnu']) {
      const path = join(dir, `${format}.tar`);
      expect((await run(['tar', '-C', dir, '-cf', path, `--format=${format}`, 'top'])).code).toBe(0);
      results.push(await edited(await readFile(path), { type: 'file-remove', file: 'gone' }));
    }
    expect(results[0]).toEqual(results[1]);
    const list = await listed(results[0]!);
    expect(list).toContain(` top/${deep}\n`);
    expect(list).toContain(`top/link -> ${deep}\n`);
  });

  it('names of ustar in two parts', async () => {
    const archive = await opened(tarOf({ name: 'c', prefix: 'p/a/b' }, { name: 'd', prefix: 'p' }));
    expect([...archive.tree.keys()]).toEqual(['a/b/c', 'd']);
  });

  it('UTF-8 names match, others stay unchanged', async () => {
    const bytes = tarOf(
      { name: Buffer.from('p/é.txt').toString('latin1'), content: 'a' },
      { name: 'p/\xe9.bin', content: 'a' },
    );
    const { archive, names } = await editArchive(await opened(bytes), { type: 'file-remove', file: '?.txt' });
    expect(names).toEqual(['é.txt']);
    expect(packArchive(archive).subarray(512, 520)).toEqual(Buffer.from('p/\xe9.bin\0', 'latin1'));
  });

  it('links that lead anywhere are kept and never followed', async () => {
    const bytes = tarOf(
      { name: 'p/a', content: 'a' },
      { name: 'p/abs', type: '2', target: '/etc/passwd' },
      { name: 'p/out', type: '2', target: '../../etc' },
    );
    const list = await listed(await edited(bytes, { type: 'file-remove', file: 'a' }));
    expect(list).toContain('p/abs -> /etc/passwd');
    expect(list).toContain('p/out -> ../../etc');
  });

  it('a later entry of the same name replaces the earlier one, as when unpacking', async () => {
    const bytes = tarOf(
      { name: 'p/a', content: 'old' },
      { name: 'p/b' },
      { name: './p//a', content: 'new', mode: 0o755 },
    );
    const dir = await unpacked(await edited(bytes, { type: 'file-remove', file: 'b' }));
    expect(await readFile(join(dir, 'p/a'), 'utf8')).toBe('new');
  });

  it.each<[what: string, items: readonly Item[], names: readonly string[]]>([
    ['a global pax header', [{ name: 'g', type: 'g', content: '14 comment=ab\n' }, { name: 'p/a' }], ['a']],
    ['times and owners of pax', [pax(['mtime', '1.5'], ['uname', 'x']), { name: 'p/a' }], ['a']],
    ['a size in pax', [pax(['size', '3']), { name: 'p/a', content: 'abc' }], ['a']],
    ['a contiguous file', [{ name: 'p/a', type: '7' }], ['a']],
    [
      'the old format',
      [
        { name: 'p/', type: '\0', old: true },
        { name: 'p/a', type: '\0', old: true },
      ],
      ['a'],
    ],
    ['setuid, which is dropped', [{ name: 'p/a', mode: 0o4755 }], ['a']],
  ])('%s', async (_what, items, names) => {
    const archive = await opened(tarOf(...items));
    expect([...archive.tree.keys()]).toEqual(names);
    expect(await listed(packArchive(archive))).toMatch(/^-rw[x-]r-[x-]r-[x-] .*p\/a$/m);
  });

  it.each<[what: string, bytes: () => Buffer | Promise<Buffer>, message: string]>([
    ['a hard link', () => tarOf({ name: 'p/a' }, { name: 'p/b', type: '1', target: 'p/a' }), 'p/b is a hard link'],
    ['a device', () => tarOf({ name: 'p/null', type: '3' }), 'p/null is a device'],
    ['a block device', () => tarOf({ name: 'p/sda', type: '4' }), 'p/sda is a device'],
    ['a named pipe', () => tarOf({ name: 'p/pipe', type: '6' }), 'p/pipe is a named pipe'],
    ['a sparse file of GNU', () => tarOf({ name: 'p/s', type: 'S' }), 'p/s is a sparse file'],
    ['a sparse file of pax', () => tarOf(pax(['GNU.sparse.size', '9']), { name: 'p/s' }), 'p/s is a sparse file'],
    ['a volume label', () => tarOf({ name: 'vol', type: 'V' }), 'vol is a volume label'],
    ['an unknown type', () => tarOf({ name: 'p/q', type: 'Q' }), 'p/q is an entry of type "Q"'],
    ['an absolute name', () => tarOf({ name: '/etc/passwd' }), '/etc/passwd is outside of it'],
    ['a name that leads out', () => tarOf({ name: 'p/../../x' }), 'p/../../x is outside of it'],
    ['a long name that leads out', () => tarOf(pax(['path', '../x']), { name: 'x' }), '../x is outside of it'],
    [
      'a file below a link',
      () => tarOf({ name: 'p/l', type: '2', target: '/etc' }, { name: 'p/l/passwd' }),
      'p/l/passwd is below a symbolic link',
    ],
    ['a file below a file', () => tarOf({ name: 'p/f' }, { name: 'p/f/x' }), 'p/f/x is below a file'],
    [
      'a file that is a folder too',
      () => tarOf({ name: 'p/d', type: '5' }, { name: 'p/d' }),
      'both a folder and a file',
    ],
    [
      'a header with a wrong sum',
      () => Buffer.from(sample).fill('X', 600, 601).fill('Y', 512, 513),
      'wrong checksum in the header at byte 512',
    ],
    ['an end that is missing', () => sample.subarray(0, 700), 'truncated header at byte 512'],
    ['half a header', () => sample.subarray(0, 100), 'invalid tar archive'],
    ['nothing', () => Buffer.alloc(0), 'it is empty'],
    ['zeros', () => Buffer.alloc(10_240), 'it is empty'],
    ['text', () => Buffer.from('hello\n'.repeat(200)), 'invalid tar archive'],
    ['half of a gzip stream', () => gzipSync(sample).subarray(0, 60), 'cannot be unpacked'],
    ['gzip that is changed', () => gzipSync(sample).fill(0xff, 30, 60), 'cannot be unpacked'],
    ['half of a zstd stream', () => zstdCompressSync(sample).subarray(0, 60), 'cannot be unpacked'],
    [
      'zstd with something behind',
      () => Buffer.concat([zstdCompressSync(sample), Buffer.from('x')]),
      'cannot be unpacked',
    ],
  ])('refuses %s', async (_what, bytes, message) => {
    const error = await failure(opened(await bytes()));
    expect([error.code, error.exit]).toEqual(['bad-archive', 2]);
    expect(error.message).toContain(message);
  });

  it('a real hard link of tar', async () => {
    const dir = await folder({ 'p/a': 'a' });
    await link(join(dir, 'p/a'), join(dir, 'p/b'));
    await run(['tar', '-C', dir, '-cf', join(dir, 'x.tar'), 'p']);
    expect((await failure(opened(await readFile(join(dir, 'x.tar'))))).message).toMatch(/p\/[ab] is a hard link/);
  });

  it('a real sparse file of tar', async () => {
    const dir = await folder({ 'p/a': 'a' });
    await run(['truncate', '-s', '1M', join(dir, 'p/a')]);
    for (const format of ['gnu', 'pax']) {
      await run(['tar', '-C', dir, '-S', `--format=${format}`, '-cf', join(dir, 'x.tar'), 'p']);
      const error = await failure(opened(await readFile(join(dir, 'x.tar'))));
      expect(error.message).toContain('is a sparse file');
    }
  });

  it('a damaged archive throws only a WeirError', async () => {
    const change = fc.tuple(fc.nat(sample.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 20 }), fc.nat(sample.length), async (changes, length) => {
        const bytes = Buffer.from(sample.subarray(0, length));
        for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
        try {
          packArchive((await editArchive(await opened(bytes), removeAll)).archive);
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('compression', () => {
  it.each<[what: string, bytes: Uint8Array, is: Compression]>([
    ['plain tar', sample, 'none'],
    ['gzip', gzipSync(sample), 'gzip'],
    ['zstd', zstdCompressSync(sample), 'zstd'],
    ['xz', store(sample, 'xz'), 'xz'],
    ['nothing', new Uint8Array(), 'none'],
    ['less than a magic number', Buffer.from([0x1f]), 'none'],
  ])('%s is told by its bytes', (_what, bytes, is) => {
    expect(compressionOf(bytes, 'x.tar.xz')).toBe(is);
  });

  it.each([
    ['bzip2', Buffer.from('BZh91AY')],
    ['lzip', Buffer.from('LZIP\x01')],
    ['zip', Buffer.from('PK\x03\x04')],
    ['7z', Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c])],
  ])('%s is refused by its name', async (name, bytes) => {
    const error = await failure(opened(bytes));
    expect([error.code, error.message.includes(name)]).toEqual(['not-supported-yet', true]);
  });

  it.each<[name: string, pack: (bytes: Uint8Array) => Uint8Array, is: Compression]>([
    ['a.tar.gz', (bytes) => bytes, 'none'],
    ['a.txz', (bytes) => gzipSync(bytes), 'gzip'],
    ['a.tar', (bytes) => zstdCompressSync(bytes), 'zstd'],
    ['a.tar.zst', (bytes) => gzipSync(bytes), 'gzip'],
  ])('of %s is kept although the name says otherwise', async (name, pack, is) => {
    const { archive } = await editArchive(await opened(pack(sample), name), { type: 'file-remove', file: 'README' });
    expect(compressionOf(packArchive(archive), name)).toBe(is);
  });

  it('several members and frames are all read', async () => {
    const [one, two] = [sample.subarray(0, 1024), sample.subarray(1024)];
    for (const bytes of [
      Buffer.concat([gzipSync(one), gzipSync(two)]),
      Buffer.concat([zstdCompressSync(one), zstdCompressSync(two)]),
    ]) {
      expect((await opened(bytes)).tree.size).toBe(5);
    }
  });

  it.each([0, 1, 2, 3, 511, 65_535, 65_536, 65_537, 131_072, 262_145])('%i stored bytes come back', async (size) => {
    const bytes = Buffer.from(Array.from({ length: size }, (_, index) => (index * 7919) >> 3));
    expect(gunzipSync(store(bytes, 'gzip')).equals(bytes)).toBe(true);
    expect(zstdDecompressSync(store(bytes, 'zstd')).equals(bytes)).toBe(true);
    expect(bytes.equals(await decompress(store(bytes, 'zstd'), 'zstd', 'x', {}))).toBe(true);
  });

  describe.each(['gzip', 'xz', 'zstd'] as const)('stored as %s', (kind) => {
    const isHere = spawnSync(kind, ['--version']).status === 0;
    it.skipIf(!isHere)('can be read by the tool', async () => {
      const bytes = Buffer.alloc(200_001, 'weir');
      const dir = await folder({ packed: store(bytes, kind) });
      const result = await run(['sh', '-c', `${kind} -dc < "$1" > "$2"`, 'sh', join(dir, 'packed'), join(dir, 'out')]);
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect((await readFile(join(dir, 'out'))).equals(bytes)).toBe(true);
    });
  });

  it('xz needs the tool to unpack', async () => {
    const packed = store(sample, 'xz');
    let asked = 0;
    const tools = {
      unxz: (bytes: Uint8Array) => {
        asked++;
        expect(bytes).toEqual(packed);
        return Promise.resolve(sample);
      },
    };
    await openArchive(inTree(gzipSync(sample)), 'a.tar', tools);
    expect(asked).toBe(0);
    const archive = await openArchive(inTree(packed), 'a.tar', tools);
    expect([asked, compressionOf(packArchive(archive), 'a.tar')]).toEqual([1, 'xz']);
    expect((await failure(opened(packed))).message).toContain('toolbox');
  });
});

describe('overlays into archives', () => {
  const remove: OverlayData = { type: 'file-remove', file: 'vendor/**', archive: 'a.tar.gz' };
  const replace: OverlayData = {
    type: 'file-search-replace',
    file: 'README',
    regex: 'bad',
    replacement: '$1',
    archive: 'a.tar.gz',
  };

  async function apply(overlays: readonly OverlayData[], options: ApplyOptions = {}): Promise<OverlaidSources> {
    const dir = await folder({
      'demo.spec': 'Name: demo\n',
      'a.tar.gz': gzipSync(sample),
      'b.tar.zst': zstdCompressSync(sample),
      'c.conf': 'bad\n',
    });
    await symlink('a.tar.gz', join(dir, 'link.tar'));
    const demo = component({ overlays: overlays.map(overlay) });
    return applyOverlays({ component: demo, filesDir: dir, specPath: join(dir, 'demo.spec') }, options);
  }

  async function fileIn(sources: OverlaidSources, name: string, archive = 'a.tar.gz'): Promise<string | undefined> {
    const { tree } = await openArchive(sources.files, archive, {});
    const entry = tree.get(name);
    return entry === undefined ? undefined : Buffer.from(await readEntry(entry)).toString();
  }

  it('several change one archive in their order', async () => {
    const second: OverlayData = { ...replace, regex: '\\$1', replacement: 'better' };
    const result = await apply([remove, replace, second]);
    expect([await fileIn(result, 'README'), await fileIn(result, 'vendor/v.c')]).toEqual(['better\n', undefined]);
    expect(result.applied.map(({ number, files }) => [number, files])).toEqual([
      [1, ['a.tar.gz']],
      [2, ['a.tar.gz']],
      [3, ['a.tar.gz']],
    ]);
  });

  it('come first, and leave plain files of the same name alone', async () => {
    const loose: OverlayData = { type: 'file-search-replace', file: 'c.conf', regex: 'bad', replacement: 'ok' };
    const other: OverlayData = { type: 'file-remove', file: 'README', archive: 'b.tar.zst' };
    const result = await apply([loose, replace, other]);
    expect(result.applied.map(({ number }) => number)).toEqual([2, 3, 1]);
    expect(await fileIn(result, 'README', 'b.tar.zst')).toBeUndefined();
    expect(await fileIn(result, 'README')).toBe('$1\n');
  });

  it('report the content before and after', async () => {
    const seen: unknown[] = [];
    await apply([remove, replace], {
      observe: ({ number, inside }) => seen.push([number, inside?.archive, inside?.before.size, inside?.after.size]),
    });
    expect(seen).toEqual([
      [1, 'a.tar.gz', 5, 3],
      [2, 'a.tar.gz', 3, 3],
    ]);
  });

  it.each<[what: string, overlays: readonly OverlayData[], code: string, message: string]>([
    ['an archive that is not there', [{ ...remove, archive: 'a.tar.g' }], 'overlay-no-match', 'no archive a.tar.g'],
    ['a link to an archive', [{ ...remove, archive: 'link.tar' }], 'bad-archive', 'link.tar is a symbolic link'],
    ['a file that is none', [{ ...remove, archive: 'c.conf' }], 'bad-archive', 'invalid tar archive'],
    ['an archive elsewhere', [{ ...remove, archive: '../a.tar.gz' }], 'overlay-invalid', 'not a file name'],
    ['a file that an earlier one removed', [remove, remove], 'overlay-no-match', 'no file of a.tar.gz matches'],
    ['an invalid pattern', [{ ...replace, regex: '(' } as OverlayData], 'bad-regex', 'not valid RE2'],
    [
      'also removing the archive',
      [remove, { type: 'file-remove', file: '*.gz' }],
      'overlay-invalid',
      'a.tar.gz has files that another overlay changes',
    ],
    [
      'also renaming the archive',
      [{ type: 'file-rename', file: 'a.tar.gz', replacement: 'x.tar.gz' }, remove],
      'overlay-invalid',
      'a.tar.gz has files that another overlay changes',
    ],
  ])('fail on %s', async (_what, overlays, code, message) => {
    const error = await failure(apply(overlays));
    expect([error.code, error.exit]).toEqual([code, 2]);
    expect(error.message).toContain(message);
    expect(error.where).toMatchObject({ component: 'demo', file: '/p/demo.toml', line: 7 });
  });

  it('report a hash that differs from that of the project', async () => {
    const source = (hash?: string): SourceFile => ({
      filename: 'a.tar.gz',
      origin: { type: 'overlay' },
      replaceUpstream: true,
      ...(hash === undefined ? {} : { hash, hashType: 'SHA256' as const }),
    });
    const { files } = await apply([remove]);
    const drift = (hash?: string): Promise<string | undefined> =>
      archiveDrift(component({ sourceFiles: [source(hash)] }), 'a.tar.gz', files);
    const bytes = await readEntry(files.get('a.tar.gz')!);
    const hash = createHash('sha256').update(bytes).digest('hex');
    expect([await drift(), await drift(hash.toUpperCase())]).toEqual([undefined, undefined]);
    expect(await drift('0'.repeat(64))).toBe(
      `a.tar.gz has the SHA256 ${hash} after its overlays, which differs from its source-files entry`,
    );
  });
});
