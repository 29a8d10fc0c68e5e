import { link, mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesReader, piecesReader } from '../../src/archive/read-at.ts';
import { memberReader, readMember, readTar, type TarMember } from '../../src/archive/tar.ts';
import { WeirError } from '../../src/base/errors.ts';
import { run, stream } from '../../src/base/process.ts';
import { type HandMade, handMade, pax } from './tar-maker.ts';

const long = `${'deep/'.repeat(30)}file-with-a-name-that-does-not-fit-into-a-hundred-bytes-of-a-header.txt`;
const longLink = `${'x'.repeat(150)}`;
const pages = 40;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-tar-'));
  await mkdir(join(dir, 'deep/'.repeat(30)), { recursive: true });
  await writeFile(join(dir, long), 'long', { mode: 0o640 });
  await writeFile(join(dir, 'a'), 'x'.repeat(1000));
  await writeFile(join(dir, 'ünï'), '');
  await symlink('a', join(dir, 'short'));
  await symlink(longLink, join(dir, 'long-link'));
  await mkdir(join(dir, 'sparse'));
  const thin = await open(join(dir, 'sparse/thin'), 'w');
  for (let page = 0; page < pages; page++) await thin.write(Buffer.alloc(4096, page + 1), 0, 4096, page * 65_536);
  await thin.close();
  const late = await open(join(dir, 'sparse/lastlog'), 'w');
  await late.write(Buffer.alloc(292, 'x'), 0, 292, 290_000);
  await late.close();
  const hollow = await open(join(dir, 'sparse/hollow'), 'w');
  await hollow.truncate(1 << 20);
  await hollow.close();
  await mkdir(join(dir, 'kinds'));
  await writeFile(join(dir, 'kinds/a'), 'content');
  await link(join(dir, 'kinds/a'), join(dir, 'kinds/b'));
  expect((await run(['mkfifo', join(dir, 'kinds/c')])).code).toBe(0);
});
afterAll(() => rm(dir, { recursive: true }));

async function pack(...options: string[]): Promise<Buffer> {
  const tar = stream(['tar', '-c', '--sort=name', '--mtime=@1700000000', '-C', dir, ...options]);
  const chunks: Buffer[] = [];
  for await (const chunk of tar.stdout) chunks.push(chunk as Buffer);
  expect(await tar.done).toBe(0);
  return Buffer.concat(chunks);
}

function membersOf(archive: Buffer): Map<string, TarMember> {
  return new Map([...readTar(bytesReader(archive))].map((member) => [member.path, member]));
}

function failure(...members: HandMade[]): string {
  try {
    for (const _ of readTar(bytesReader(handMade(...members))));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'bad-tar') return error.message;
    throw error;
  }
  throw new Error('expected an error');
}

describe.each(['gnu', 'posix', 'ustar'])('the %s format', (format) => {
  it('reads what tar wrote', async () => {
    // ustar cannot store the long link
    const archive = await pack(`--format=${format}`, ...(format === 'ustar' ? ['--exclude=long-link'] : []), '.');
    const read = bytesReader(archive);
    const members = membersOf(archive);
    expect(members.get('')).toMatchObject({ kind: 'directory' });
    const a = members.get('a')!;
    expect(a).toMatchObject({ kind: 'file', size: 1000, mtime: 1_700_000_000 });
    expect(readMember(read, a).toString()).toBe('x'.repeat(1000));
    const far = members.get(long)!;
    expect(far).toMatchObject({ kind: 'file', size: 4, mode: 0o640 });
    expect(readMember(read, far).toString()).toBe('long');
    expect(members.get('ünï')).toMatchObject({ kind: 'file', size: 0 });
    expect(members.get('short')).toMatchObject({ kind: 'symlink', target: 'a' });
    expect(members.get('kinds/a')).toMatchObject({ kind: 'file', size: 7 });
    expect(members.get('kinds/b')).toMatchObject({ kind: 'hardlink', target: 'kinds/a', size: 0 });
    expect(members.get('kinds/c')).toMatchObject({ kind: 'fifo', size: 0 });
    if (format !== 'ustar') expect(members.get('long-link')).toMatchObject({ kind: 'symlink', target: longLink });
  });
});

describe.each([
  ['GNU headers', ['--format=gnu']],
  ['pax 0.0', ['--format=posix', '--sparse-version=0.0']],
  ['pax 0.1', ['--format=posix', '--sparse-version=0.1']],
  ['pax 1.0', ['--format=posix', '--sparse-version=1.0']],
])('sparse files of %s', (_what, options) => {
  it('are regular files under their own names, with their holes', async () => {
    const archive = await pack('--sparse', ...options, 'sparse');
    const read = bytesReader(archive);
    const members = membersOf(archive);
    expect([...members.keys()].sort()).toEqual(['sparse', 'sparse/hollow', 'sparse/lastlog', 'sparse/thin']);
    const thin = members.get('sparse/thin')!;
    const size = (pages - 1) * 65_536 + 4096;
    expect(thin).toMatchObject({ kind: 'file', size });
    expect(thin.extents!.length).toBeGreaterThan(25);
    const expected = Buffer.alloc(size);
    for (let page = 0; page < pages; page++) expected.fill(page + 1, page * 65_536, page * 65_536 + 4096);
    expect(readMember(read, thin).equals(expected)).toBe(true);
    const at = memberReader(read, thin);
    for (const [from, length] of [
      [65_530, 20],
      [4090, 70_000],
      [size - 3, 10],
      [size, 10],
      [5000, 100],
    ] as const) {
      expect(at(from, length).equals(expected.subarray(from, from + length))).toBe(true);
    }
    const lastlog = readMember(read, members.get('sparse/lastlog')!);
    expect(lastlog.equals(Buffer.concat([Buffer.alloc(290_000), Buffer.alloc(292, 'x')]))).toBe(true);
    expect(readMember(read, members.get('sparse/hollow')!).equals(Buffer.alloc(1 << 20))).toBe(true);
  });
});

describe('pax', () => {
  it('stores attributes, owners, times, sizes and links; an empty value removes one', () => {
    const archive = handMade(
      pax(
        [
          ['mtime', '5'],
          ['comment', 'x'],
        ],
        'g',
      ),
      pax([
        ['SCHILY.xattr.security.capability', '\x01\0\0\x02'],
        ['SCHILY.xattr.user.a%3Db', 'c=d'],
        ['LIBARCHIVE.xattr.user.other', 'aGk='],
        ['RHT.security.selinux', 'system_u:object_r:bin_t:s0\0'],
        ['uid', '70000'],
        ['gname', 'größe'.normalize()],
        ['size', '3'],
      ]),
      { name: 'usr/a', content: 'abc', size: '00000000000' },
      pax([['mtime', '1700000000.9']]),
      { name: 'b' },
      pax([
        ['path', 'one'],
        ['linkpath', 'two'],
      ]),
      pax([['path', '']]),
      { name: 'c', type: '2', link: 'd' },
    );
    const [a, b, c] = [...readTar(bytesReader(archive))];
    expect(a).toMatchObject({ path: 'usr/a', size: 3, uid: 70_000, gid: 0, mtime: 5 });
    expect([...a!.xattrs!].map(([name, value]) => [name, value.toString('latin1')])).toEqual([
      ['security.capability', '\x01\0\0\x02'],
      ['user.a=b', 'c=d'],
      ['user.other', 'hi'],
      ['security.selinux', 'system_u:object_r:bin_t:s0\0'],
    ]);
    expect(b).toMatchObject({ path: 'b', mtime: 1_700_000_000, uid: 0 });
    expect(b!.xattrs).toBeUndefined();
    expect(c).toMatchObject({ path: 'c', target: 'two' });
  });

  it.each([
    ['no length', 'x path=a\n', /at byte 512 has no length/],
    ['a length beyond the end', '99 path=a\n', /longer than its header/],
    ['no value', '5 pa\n', /is not KEY=VALUE/],
    ['no line end', '9 path=abc', /is not KEY=VALUE/],
    ['a length of 0', '0 path=a\n', /is not KEY=VALUE|has no length/],
  ])('a record with %s is an error', (_what, content, message) => {
    expect(failure({ type: 'x', content }, {})).toMatch(message);
  });

  it('rejects global records that only make sense for one member', () => {
    for (const key of ['path', 'linkpath', 'size', 'GNU.sparse.name']) {
      expect(failure(pax([[key, '1']], 'g'), {})).toMatch(/in the global header at byte 0/);
    }
  });
});

describe('kinds of members', () => {
  it('are recognised; an unknown one keeps its letter', () => {
    const device = { 329: '0000010\0', 337: '0000003\0' };
    const archive = handMade(
      { name: 'tty', type: '3', patch: device },
      { name: 'sda', type: '4', patch: device },
      { name: 'pipe', type: '6' },
      { name: 'old/', type: '\0', magic: '' },
      { name: 'dump/', type: 'D', magic: 'ustar  \0', content: 'Ya\0\0' },
      { name: 'near', type: '7', content: 'c' },
      { name: 'part', type: 'M', content: 'of a file' },
      { name: 'label', type: 'V' },
      { name: 'no map', type: 'S', content: 'x' },
      { name: 'last' },
    );
    const found = [...readTar(bytesReader(archive))].map(({ path, kind, type, device: numbers }) => ({
      ...{ path, kind, type },
      ...(numbers === undefined ? {} : { numbers }),
    }));
    const numbers = { major: 8, minor: 3 };
    expect(found).toEqual([
      { path: 'tty', kind: 'character-device', type: '3', numbers },
      { path: 'sda', kind: 'block-device', type: '4', numbers },
      { path: 'pipe', kind: 'fifo', type: '6' },
      { path: 'old', kind: 'directory', type: '\0' },
      { path: 'dump', kind: 'directory', type: 'D' },
      { path: 'near', kind: 'file', type: '7' },
      { path: 'part', kind: 'unknown', type: 'M' },
      { path: 'label', kind: 'unknown', type: 'V' },
      { path: 'no map', kind: 'unknown', type: 'S' },
      { path: 'last', kind: 'file', type: '0' },
    ]);
  });

  it('links and folders have no content, whatever their size field', () => {
    const archive = handMade({ name: 'l', type: '1', link: './a', size: '00000001000' }, { name: 'b' });
    expect([...readTar(bytesReader(archive))].map(({ path, target }) => [path, target])).toEqual([
      ['l', 'a'],
      ['b', ''],
    ]);
  });

  it.each([
    ['./', ''],
    ['.', ''],
    ['/', ''],
    ['.//./a//', 'a'],
    ['/etc/x', 'etc/x'],
    ['.hidden', '.hidden'],
    ['..', '..'],
    ['\xe9', 'é'],
    ['\xc3\xa9', 'é'],
  ])('the name %s is the path %s', (name, path) => {
    const [member] = [...readTar(bytesReader(handMade({ name, type: '5' })))];
    expect(member).toMatchObject({ path, rawName: name });
  });
});

describe('sizes', () => {
  const base256 = (value: bigint): string =>
    Buffer.from(
      `${(value < 0n ? (1n << 96n) + value : (1n << 95n) | value).toString(16).padStart(24, '0')}`,
      'hex',
    ).toString('latin1');

  it('in base 256 are read', () => {
    const [member] = [...readTar(bytesReader(handMade({ content: 'abc', size: base256(3n) })))];
    expect(member).toMatchObject({ size: 3 });
  });

  it.each<[string, HandMade[], RegExp]>([
    ['negative in base 256', [{ size: base256(-1536n) }], /negative size \(-1536\) in the header at byte 0/],
    ['too large in base 256', [{ size: base256(1n << 70n) }], /invalid size in the header at byte 0/],
    ['no digits', [{}, { size: 'abcdefghijk' }], /invalid size in the header at byte 512/],
    ['negative in octal', [{ size: '-0000001000' }], /invalid size/],
    ['beyond the end', [{ size: '77777777777' }], /truncated content of 8589934591 bytes for the member at byte 0/],
    ['negative in pax', [pax([['size', '-1536']]), {}], /invalid size in pax "-1536", for the header at byte 1024/],
    ['a fraction in pax', [pax([['size', '1.5']]), {}], /invalid size in pax "1.5"/],
    ['NaN in pax', [pax([['size', 'NaN']]), {}], /invalid size in pax "NaN"/],
    ['with an exponent in pax', [pax([['size', '1e3']]), {}], /invalid size in pax "1e3"/],
    ['huge in pax', [pax([['size', '99999999999999999999']]), {}], /invalid size in pax/],
    ['beyond the end in pax', [pax([['size', '9007199254740991']]), {}], /truncated content of 9007199254740991 bytes/],
    ['of a name', [{ type: 'L', size: '77777777777' }, {}], /extended header at byte 0 has 8589934591 bytes/],
    ['of a truncated header', [{ type: 'x', size: '00000010000' }], /truncated extended header at byte 0/],
    ['the owner in pax', [pax([['uid', 'x']]), {}], /invalid uid "x"/],
    ['the time in pax', [pax([['mtime', 'soon']]), {}], /invalid mtime "soon"/],
  ])('%s are an error', (_what, members, message) => {
    expect(failure(...members)).toMatch(message);
  });

  it('of names are limited', () => {
    expect(failure(pax([['path', 'a/'.repeat(20_000)]]), {})).toMatch(/name longer than/);
  });

  it('of a sparse file are limited when it is read into memory', () => {
    const records: [string, string][] = [
      ['GNU.sparse.size', '9007199254740991'],
      ['GNU.sparse.map', '9007199254740990,1'],
    ];
    const archive = bytesReader(handMade(pax(records), { name: 'bomb', content: 'x' }));
    const [bomb] = [...readTar(archive)];
    expect(() => readMember(archive, bomb!)).toThrow(/bomb has 9007199254740991 bytes; the limit is 268435456/);
    expect(memberReader(archive, bomb!)(9_007_199_254_740_987, 100).toString('latin1')).toBe('\0\0\0x');
  });
});

describe('a map of a sparse file', () => {
  const gnu = (entries: readonly (readonly [number, number])[], realSize: number, content: string): HandMade => {
    const octal = (value: number) => `${value.toString(8).padStart(11, '0')}\0`;
    const map = entries.map(([start, size]) => octal(start) + octal(size)).join('');
    return { type: 'S', magic: 'ustar  \0', content, patch: { 386: map, 483: octal(realSize) } };
  };
  it.each<[string, HandMade[], RegExp]>([
    [
      'overlaps',
      [
        gnu(
          [
            [0, 5],
            [4, 5],
          ],
          100,
          'x'.repeat(10),
        ),
      ],
      /5 bytes at 4/,
    ],
    [
      'goes back',
      [
        gnu(
          [
            [50, 5],
            [0, 5],
          ],
          100,
          'x'.repeat(10),
        ),
      ],
      /5 bytes at 0/,
    ],
    ['goes beyond the end', [gnu([[98, 5]], 100, 'x'.repeat(5))], /5 bytes at 98/],
    ['covers more than is stored', [gnu([[0, 50]], 100, 'x'.repeat(5))], /covers 50 bytes, but 5 are stored/],
    ['covers less than is stored', [gnu([[0, 3]], 100, 'x'.repeat(5))], /covers 3 bytes, but 5 are stored/],
    [
      'has another version',
      [
        pax([
          ['GNU.sparse.major', '2'],
          ['GNU.sparse.minor', '0'],
        ]),
        {},
      ],
      /version 2\.0/,
    ],
    [
      'has no end',
      [
        pax([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '5'],
        ]),
        { content: '3\n0\n' },
      ],
      /unterminated/,
    ],
    [
      'has no valid numbers',
      [
        pax([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '5'],
        ]),
        { content: `-1\n${'\0'.repeat(600)}` },
      ],
      /"-1"/,
    ],
    [
      'has too many',
      [
        pax([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '5'],
        ]),
        { content: `9000000\n${'\0'.repeat(600)}` },
      ],
      /more than 1000000 extents/,
    ],
    [
      'has an incomplete extent',
      [
        pax([
          ['GNU.sparse.size', '5'],
          ['GNU.sparse.map', '1,2,3'],
        ]),
        { content: 'xx' },
      ],
      /incomplete extent/,
    ],
    [
      'has two offsets in a row',
      [
        pax([
          ['GNU.sparse.size', '5'],
          ['GNU.sparse.offset', '1'],
          ['GNU.sparse.offset', '1'],
        ]),
        {},
      ],
      /incomplete extent/,
    ],
    ['has no size', [pax([['GNU.sparse.map', '1,2']]), { content: 'xx' }], /invalid GNU.sparse.size ""/],
  ])('that %s is an error', (_what, members, message) => {
    expect(failure(...members)).toMatch(message);
  });

  it('that continues after the end of the archive is an error', () => {
    const archive = handMade({ ...gnu([], 0, ''), patch: { 482: '\x01' } }).subarray(0, 512);
    expect(() => [...readTar(bytesReader(archive))]).toThrow(/truncated sparse map at byte 512/);
  });

  it('may have no extents', () => {
    const [member] = [...readTar(bytesReader(handMade(gnu([], 700, ''))))];
    expect(member).toMatchObject({ kind: 'file', size: 700, extents: [] });
  });
});

describe('an archive', () => {
  it('is rejected if a header is corrupt or truncated', async () => {
    const archive = await pack('.');
    const wrong = Buffer.from(archive);
    wrong[0] = wrong[0]! ^ 1;
    expect(() => [...readTar(bytesReader(wrong))]).toThrow(/checksum/);
    expect(() => [...readTar(bytesReader(archive.subarray(0, 700)))]).toThrow(/truncated header at byte 512/);
  });

  it('is rejected if it ends with an extended header', () => {
    expect(failure({ type: 'L', content: 'a' })).toMatch(/no member follows the extended header at byte 0/);
  });

  it('may have no members', () => {
    expect([...readTar(bytesReader(Buffer.alloc(1024)))]).toEqual([]);
    expect([...readTar(bytesReader(Buffer.alloc(0)))]).toEqual([]);
  });
});

describe('pieces in memory', () => {
  it('read as if concatenated', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 5 })), fc.nat(40), fc.nat(40), (parts, offset, length) => {
        const pieces = parts.map((part) => Buffer.from(part));
        const whole = bytesReader(Buffer.concat(pieces));
        expect(piecesReader(pieces)(offset, length)).toEqual(whole(offset, length));
      }),
    );
    expect(piecesReader([])(0, 10)).toEqual(Buffer.alloc(0));
    expect(piecesReader([Buffer.from('a')])(-1, 10)).toEqual(Buffer.alloc(0));
  });
});
