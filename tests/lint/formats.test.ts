import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { WeirError } from '../../src/base/errors.ts';
import { cpioArchive } from '../../src/image/cpio.ts';
import { vhdFooter } from '../../src/image/vhd.ts';
import { batched } from '../../src/lint/batch.ts';
import { parseDetails, parseListing } from '../../src/lint/ext4-files.ts';
import { resolvePath } from '../../src/lint/files.ts';
import { readGpt } from '../../src/lint/gpt.ts';
import { initrdFiles, initrdModules } from '../../src/lint/initrd-modules.ts';
import { checkerProblems, checkIsDisk, diskFormat } from '../../src/lint/open-disk.ts';
import { readPe, sectionText } from '../../src/lint/pe.ts';
import { datasourceList } from '../../src/lint/rules/azure.ts';
import { footerProblems } from '../../src/lint/rules/partitions.ts';
import { tarFiles } from '../../src/lint/tar-files.ts';
import { mebibyte, pe, setChecksum, uuids, writeGpt } from './good-disk.ts';
import { symlink, tar } from './tar.ts';

describe('the partition table', () => {
  const partition = fc.record({
    type: fc.uuid(),
    uuid: fc.uuid(),
    name: fc.stringMatching(/^[a-zäöü ]{0,36}$/),
    offset: fc.integer({ min: 1, max: 100 }).map((count) => count * mebibyte),
    size: fc.integer({ min: 1, max: 100 }).map((count) => count * 512),
    attributes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  });
  test('both copies read back as written', () => {
    fc.assert(
      fc.property(fc.array(partition, { minLength: 1, maxLength: 8 }), fc.uuid(), (partitions, id) => {
        const disk = Buffer.alloc(96 * 512);
        writeGpt(disk, partitions, id);
        const gpt = readGpt(bytesReader(disk), disk.length);
        const expected = partitions.map((each, index) => ({ ...each, number: index + 1 }));
        expect(gpt.partitions).toEqual(expected);
        expect(gpt.backup).toMatchObject({ partitions: expected, problems: [], diskUuid: id });
        expect(gpt.primary).toMatchObject({ problems: [], diskUuid: id });
      }),
      { numRuns: 30 },
    );
  });
  test('a change of any relevant byte is detected', () => {
    const disk = Buffer.alloc(96 * 512);
    writeGpt(disk, [{ type: uuids.root, uuid: uuids.file, name: 'x', offset: mebibyte, size: 512 }], uuids.disk);
    fc.assert(
      fc.property(fc.nat(91), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const changed = Buffer.from(disk);
        changed[512 + at]! ^= bits;
        expect(readGpt(bytesReader(changed), changed.length).primary.problems).not.toEqual([]);
      }),
    );
  });
  test('any bytes are read without a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (header) => {
        const disk = Buffer.alloc(96 * 512);
        Buffer.from(header).copy(disk, 512);
        disk.write('EFI PART', 512);
        expect(readGpt(bytesReader(disk), disk.length).primary.problems).not.toEqual([]);
      }),
    );
    expect(readGpt(bytesReader(Buffer.alloc(0)), 0).partitions).toEqual([]);
  });
});

describe("the VHD's footer", () => {
  test('of Weir is valid for every size, and invalid after any change', () => {
    const sizes = fc.integer({ min: 1, max: 1023 * 1024 }).map((count) => count * mebibyte);
    fc.assert(
      fc.property(sizes, fc.nat(511), fc.integer({ min: 1, max: 255 }), (size, at, bits) => {
        const footer = vhdFooter({ size, epoch: 1_790_000_000, uuid: uuids.disk });
        expect(footerProblems(footer, size + 512)).toEqual([]);
        expect(footerProblems(footer, size)).not.toEqual([]);
        footer[at]! ^= bits;
        expect(footerProblems(footer, size + 512)).not.toEqual([]);
      }),
    );
  });
  test('reports other disk types', () => {
    const footer = vhdFooter({ size: mebibyte, epoch: 0, uuid: uuids.disk });
    footer.writeUInt32BE(4, 60);
    setChecksum(footer);
    expect(footerProblems(footer, mebibyte + 512).join()).toContain('differencing, not fixed');
  });
});

describe('EFI programs', () => {
  test('sections read back as written', () => {
    const content = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^\.[a-z]{1,7}$/), content, { maxKeys: 6 }), (sections) => {
        const read = readPe(pe(sections, 0xaa64))!;
        expect(read.machine).toBe('aarch64');
        expect(Object.fromEntries(read.sections.map((each) => [each.name, each.content]))).toEqual({ ...sections });
      }),
    );
  });
  test('the end of a text section is padding', () => {
    expect(sectionText(readPe(pe({ '.cmdline': 'a b\n\0\0' }, 1))!, '.cmdline')).toBe('a b');
  });
  test('a truncated file is not a program, or has fewer sections', () => {
    const whole = pe({ '.linux': 'kernel', '.initrd': 'initrd' }, 0x8664);
    for (let length = 0; length < whole.length; length++) readPe(whole.subarray(0, length));
    expect(readPe(whole.subarray(0, 100))).toBeUndefined();
    expect(readPe(Buffer.from('MZ'))).toBeUndefined();
  });
});

describe('the initrd', () => {
  const noTool = async (): Promise<Buffer> => Promise.reject(new Error('no tool is needed'));
  const archive = (path: string, content: string) =>
    cpioArchive(
      [
        { kind: 'directory', path: 'd', mode: 0o755 },
        { kind: 'file', path, mode: 0o644, content: Buffer.from(content) },
      ],
      0,
    );
  test('archives one after another, plain and compressed', async () => {
    const bytes = Buffer.concat([
      archive('early', '1'),
      Buffer.alloc(700),
      gzipSync(Buffer.concat([archive('./usr/a.ko.xz', '2'), archive('b', '3')])),
    ]);
    const files = await initrdFiles(bytes, noTool);
    expect(files.map(({ path, content }) => [path, content.toString()])).toEqual([
      ['early', '1'],
      ['usr/a.ko.xz', '2'],
      ['b', '3'],
    ]);
  });
  test('xz is decompressed by its tool', async () => {
    const packed = Buffer.concat([Buffer.from('fd377a585a00', 'hex'), Buffer.from('packed')]);
    const asked: string[] = [];
    const files = await initrdFiles(packed, async (kind, bytes) => {
      asked.push(`${kind} ${bytes.length}`);
      return archive('x', 'y');
    });
    expect([asked, files[0]?.path]).toEqual([['xz 12'], 'x']);
  });
  test('modules are identified by file name and by their own name', async () => {
    const files = [
      { path: 'modules/03-a.ko', content: Buffer.from('ELF\0name=hv_vmbus\0more') },
      { path: 'lib/sd-mod.ko.zst', content: Buffer.from('packed') },
      { path: 'init', content: Buffer.from('\0name=not_a_module\0') },
    ];
    expect([...initrdModules(files)].sort()).toEqual(['03_a', 'hv_vmbus', 'sd_mod']);
  });
  test('a truncated or empty initrd is an error', async () => {
    const whole = archive('a', 'some content');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: whole.length - 8 }), async (length) => {
        await expect(initrdFiles(whole.subarray(0, length), noTool)).rejects.toMatchObject({ code: 'unreadable' });
      }),
    );
    await expect(initrdFiles(Buffer.from('1f8b00', 'hex'), noTool)).rejects.toBeInstanceOf(WeirError);
  });

  test('that decompresses without limit or contains itself is an error', async () => {
    const bomb = gzipSync(Buffer.alloc(400 << 20), { level: 1 });
    await expect(initrdFiles(bomb, noTool)).rejects.toThrow(/decompresses to more than 402653184 bytes/);
    let nested = gzipSync(Buffer.alloc(3, 'x'));
    for (let depth = 0; depth < 5; depth++) nested = gzipSync(nested);
    await expect(initrdFiles(nested, noTool)).rejects.toThrow(/compressed more than once/);
  });
});

describe('stacked files', () => {
  test('a path is resolved as in the kernel, and never outside the root', () => {
    const files = tarFiles([
      bytesReader(
        tar({
          '/usr/lib/os-release': 'x',
          '/bin': symlink('usr/bin'),
          '/usr/bin/sh': symlink('bash'),
          '/usr/bin/bash': 'x',
          '/etc/os-release': symlink('../../../usr/lib/os-release'),
          '/etc/abs': symlink('/bin/sh'),
          '/loop': symlink('loop'),
          '/broken': symlink('nothing'),
        }),
      ),
    ]);
    const resolve = (path: string) => resolvePath(files, path);
    expect(['/bin/sh', '/etc/os-release', '/etc/abs', '/', '/usr/./bin/../lib'].map(resolve)).toEqual([
      '/usr/bin/bash',
      '/usr/lib/os-release',
      '/usr/bin/bash',
      '/',
      '/usr/lib',
    ]);
    expect(['/loop', '/broken', '/none/at/all'].map(resolve)).toEqual([undefined, undefined, undefined]);
  });
  test('a hard link has the content of its target', async () => {
    const files = tarFiles([bytesReader(tar({ '/a': 'content', '/b': { type: '1', link: 'a' } }))]);
    expect((await files.read('/b')).toString()).toBe('content');
  });
});

describe("debugfs's output", () => {
  const listing = [
    'debugfs 1.47.4',
    'debugfs: ls -p <2>',
    '/2/040755/0/0/.//',
    '/2/040755/0/0/..//',
    '/13/120777/0/0/bin/7/',
    '/17/040750/0/5/etc//',
    '/0/000000/0/0/gone//',
    'debugfs: ls -p <17>',
    '/17/040750/0/5/.//',
    '/2/040755/0/0/..//',
    '/18/104755/0/0/a file/1234/',
    '/19/020600/0/0/null//',
  ];
  test('a listing of several folders', () => {
    const found = parseListing(listing.join('\n'));
    expect(found.map(({ inode, path, node }) => [inode, path, node.kind, node.mode, node.gid, node.size])).toEqual([
      [2, '/', 'directory', 0o755, 0, 0],
      [13, '/bin', 'symlink', 0o777, 0, 0],
      [17, '/etc', 'directory', 0o750, 5, 0],
      [18, '/etc/a file', 'file', 0o4755, 0, 1234],
      [19, '/etc/null', 'other', 0o600, 0, 0],
    ]);
  });
  test.each([
    ['a name with a line break', '/20/100644/0/0/a\nb/5/'],
    ['a name with a line break that looks like a command', '/20/100644/0/0/a\ndebugfs: ls -p <17>\n/5/'],
    ['no name', '/20/100644/0/0//5/'],
    ['a folder that is in two places', '/17/040750/0/5/again//'],
    ['a folder that holds the root', '/2/040755/0/0/again//'],
    ['words of another program', 'ls: something is wrong'],
    ['a folder that no other has', 'debugfs: ls -p <99>'],
  ])('%s is an error, and hides no file', (_, line) => {
    expect(() => parseListing([...listing, line].join('\n'))).toThrow(expect.objectContaining({ code: 'unreadable' }));
  });
  test('an empty listing is an error', () => {
    for (const none of ['', 'debugfs 1.47.4\ndebugfs: ls -p <2>\n']) {
      expect(() => parseListing(none)).toThrow(expect.objectContaining({ code: 'unreadable' }));
    }
  });
  test("the checker's exit code: remaining errors, and a checker that failed", () => {
    const output =
      'e2fsck 1.47.4\nPass 1: Checking\nFree blocks count wrong\n/dev/x: 11/64 files (0.0% non-contiguous)\n';
    expect(checkerProblems(0, output)).toEqual([]);
    expect(checkerProblems(4, output)).toEqual(['Free blocks count wrong']);
    expect(checkerProblems(4, '')).toEqual(['e2fsck failed with exit code 4']);
    expect(() => checkerProblems(8, 'e2fsck: Bad magic number')).toThrow(/Bad magic number/);
    expect(() => checkerProblems(152, '')).toThrow(expect.objectContaining({ code: 'unreadable' }));
  });
  test('contexts and targets', () => {
    const output = [
      'Inode: 104   Type: symlink    Mode:  0777   Flags: 0x0',
      'Extended attributes:',
      '  security.selinux (27) = "system_u:object_r:etc_t:s0\\000"',
      'Fast link dest: "../usr/lib/os-release"',
      'Inode: 105   Type: directory    Mode:  0755   Flags: 0x80000',
      '  security.selinux (41)',
      'Inode: 106   Type: directory    Mode:  0755   Flags: 0x80000',
    ].join('\n');
    expect([...parseDetails(output)]).toEqual([
      [104, { labelled: true, target: '../usr/lib/os-release' }],
      [105, { labelled: true }],
      [106, { labelled: false }],
    ]);
  });
});

test("cloud-init's list, in both YAML forms", () => {
  expect(datasourceList('datasource_list: [ Azure ]')).toEqual(['Azure']);
  expect(datasourceList('a: 1\ndatasource_list: ["Azure", \'None\']\nb: [2]\n')).toEqual(['Azure', 'None']);
  expect(datasourceList('datasource_list:\n- Azure\n-  NoCloud\nb:\n- c\n')).toEqual(['Azure', 'NoCloud']);
  expect(datasourceList('datasource_list: [\n  Azure,\n  None\n]\n')).toEqual(['Azure', 'None']);
  expect(datasourceList('# datasource_list: [ Azure ]\n')).toBeUndefined();
  expect(datasourceList('  datasource_list: [ Azure ]\n')).toBeUndefined();
});

test('formats are identified by their bytes, by name only as a last resort', () => {
  const none = Buffer.alloc(512);
  const starting = (magic: string) => Buffer.concat([Buffer.from(magic, 'latin1'), none]);
  expect(diskFormat('a.raw', starting('QFI\xfb'), none)).toEqual({ format: 'qcow2', qemu: 'qcow2' });
  expect(diskFormat('a', starting('conectix'), none)).toEqual({ format: 'vhd', qemu: 'vpc' });
  expect(diskFormat('a', none, starting('conectix'))).toEqual({ format: 'vhd', qemu: undefined });
  expect(diskFormat('a.VHD', none, none)).toEqual({ format: 'vhd', qemu: undefined });
  expect(diskFormat('a.img', none, none)).toEqual({ format: 'raw', qemu: undefined });
  expect(diskFormat('a', starting('vhdxfile'), none)).toEqual({ format: 'vhdx', qemu: 'vhdx' });
});

test('a disk has a boot sector or a partition table; other files are rejected', () => {
  const disk = (change: (bytes: Buffer) => void, size = 4096) => {
    const bytes = Buffer.alloc(size, 'text ');
    change(bytes);
    return () => checkIsDisk('some.raw', bytesReader(bytes), bytes.length);
  };
  expect(disk((bytes) => bytes.write('55aa', 510, 'hex'))).not.toThrow();
  expect(disk((bytes) => bytes.write('EFI PART', 512))).not.toThrow();
  expect(disk((bytes) => bytes.write('EFI PART', 4096 - 512))).not.toThrow();
  for (const none of [disk(() => {}), disk((bytes) => bytes.fill(0)), disk(() => {}, 20), disk(() => {}, 0)]) {
    expect(none).toThrow(
      expect.objectContaining({
        code: 'unknown-format',
        exit: 2,
        where: { file: 'some.raw' },
        hint: expect.stringContaining('OCI'),
      }),
    );
  }
});

describe('batched', () => {
  test('concurrent requests go into one call, in order', async () => {
    const calls: number[][] = [];
    const ask = batched(async (questions: readonly number[]) => {
      calls.push([...questions]);
      return questions.map((question) => question * 2);
    });
    expect(await Promise.all([1, 2, 3].map(ask))).toEqual([2, 4, 6]);
    expect(await ask(4)).toBe(8);
    expect(calls).toEqual([[1, 2, 3], [4]]);
  });
  test('a failure applies to all requests', async () => {
    const ask = batched(async (): Promise<number[]> => Promise.reject(new Error('no')));
    const settled = await Promise.allSettled([ask(1), ask(2)]);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
