import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { identifyFileSystem } from '../../src/image/filesystem-identity.ts';
import { fatBytes } from '../lint/fat.ts';

const size = 1 << 20;
const uuid = '01234567-89ab-cdef-0123-456789abcdef';
const raw = Buffer.from(uuid.replaceAll('-', ''), 'hex');

/** Identifies a partition of 1 MiB with these bytes, at offset 1 MiB of the disk. */
function identify(...parts: readonly (readonly [at: number, bytes: string | Buffer])[]) {
  const disk = Buffer.alloc(3 * size, 'x');
  disk.fill(0, size, 2 * size);
  for (const [at, bytes] of parts) Buffer.from(bytes as string, 'latin1').copy(disk, size + at);
  return identifyFileSystem(bytesReader(disk), size, size);
}

describe('FAT', () => {
  test.each([12, 16, 32] as const)('FAT%i: the label is the entry of the root folder', (bits) => {
    const label = (inBoot: string, inRoot?: string) =>
      identify([0, fatBytes({ size, bits, label: inBoot, ...(inRoot === undefined ? {} : { inRoot }) })]);
    const known = { state: 'known', type: 'vfat', uuid: '1A2B-3C4D' };
    expect(label('EFI', 'EFI')).toEqual({ ...known, label: 'EFI' });
    expect(label('OLD', 'EFI-SYSTEM')).toEqual({ ...known, label: 'EFI-SYSTEM' });
    expect(label('NO NAME', 'EFI')).toEqual({ ...known, label: 'EFI' });
    expect(label('EFI')).toEqual({ ...known, label: 'EFI' });
    expect(label('NO NAME')).toEqual({ ...known, label: '' });
  });
  test('a circular FAT32 root folder ends', () => {
    const bytes = fatBytes({ size, bits: 32, label: 'EFI' });
    bytes.writeUInt32LE(2, 32 * 512 + 2 * 4);
    expect(identify([0, bytes])).toMatchObject({ type: 'vfat', label: 'EFI' });
  });
  test('a boot sector with code but no geometry is not FAT', () => {
    expect(identify([510, '\x55\xaa'])).toMatchObject({ state: 'unknown' });
  });
});

test.each([
  ['ext4', 'ext4', [[1080, '\x53\xef'] as const, [1128, raw] as const, [1144, 'data\0'] as const]],
  ['XFS', 'xfs', [[0, 'XFSB'] as const, [32, raw] as const, [108, 'data'] as const]],
  ['Btrfs', 'btrfs', [[0x10040, '_BHRfS_M'] as const, [0x10020, raw] as const, [0x1012b, 'data'] as const]],
  ['swap', 'swap', [[4086, 'SWAPSPACE2'] as const, [1036, raw] as const, [1052, 'data'] as const]],
  ['swap of large pages', 'swap', [[65526, 'SWAPSPACE2'] as const, [1036, raw] as const, [1052, 'data'] as const]],
  ['EROFS', 'erofs', [[1024, '\xe2\xe1\xf5\xe0'] as const, [1072, raw] as const, [1088, 'data'] as const]],
  ['F2FS', 'f2fs', [[1024, '\x10\x20\xf5\xf2'] as const, [1132, raw] as const, [1148, 'd\0a\0t\0a\0'] as const]],
  ['LUKS2', 'crypto_LUKS', [[0, 'LUKS\xba\xbe\0\x02'] as const, [168, uuid] as const, [24, 'data\0'] as const]],
])('%s', (_, type, parts) => {
  expect(identify(...parts)).toEqual({ state: 'known', type, uuid, label: 'data' });
});

test('exFAT: the label is an entry of the root folder', () => {
  const bytes = Buffer.alloc(8 * 512);
  bytes.write('EXFAT   ', 3);
  bytes.writeUInt32LE(2, 80);
  bytes.writeUInt32LE(4, 88);
  bytes.writeUInt32LE(2, 96);
  bytes.writeUInt32LE(0x1a2b3c4d, 100);
  bytes[108] = 9;
  bytes[4 * 512] = 0x81;
  bytes[4 * 512 + 32] = 0x83;
  bytes[4 * 512 + 33] = 4;
  bytes.write('Data', 4 * 512 + 34, 'utf16le');
  expect(identify([0, bytes])).toEqual({ state: 'known', type: 'exfat', uuid: '1A2B-3C4D', label: 'Data' });
});

test.each([
  ['LVM', 'LVM2_member', 512, 'LABELONE'],
  ['RAID 1.2', 'linux_raid_member', 4096, '\xfc\x4e\x2b\xa9'],
  ['RAID 1.0', 'linux_raid_member', size - 8192, '\xfc\x4e\x2b\xa9'],
  ['RAID 0.90', 'linux_raid_member', size - 65536, '\xfc\x4e\x2b\xa9'],
  ['SquashFS', 'squashfs', 0, 'hsqs'],
  ['NTFS', 'ntfs', 3, 'NTFS    '],
  ['a CD', 'iso9660', 32769, 'CD001'],
])('%s', (_, type, at, magic) => {
  expect(identify([at, magic])).toMatchObject({ state: 'known', type });
});

test('the signature of a volume wins over an older one', () => {
  expect(identify([1080, '\x53\xef'], [512, 'LABELONE'])).toMatchObject({ type: 'LVM2_member' });
});

test('empty, unknown, and beyond the end of the disk', () => {
  expect(identify()).toEqual({ state: 'empty' });
  expect(identify([5000, 'what is this'])).toMatchObject({ state: 'unknown' });
  const disk = Buffer.alloc(size);
  const at = (offset: number, length: number) => identifyFileSystem(bytesReader(disk), offset, length);
  for (const beyond of [at(size - 512, 4096), at(0, 2 * size), at(2 * size, size), at(0, 0), at(0, -5), at(0, 100)]) {
    expect(beyond.state).toBe('unknown');
  }
});

test('any bytes are read without a crash', () => {
  const magics = ['EXFAT   ', 'XFSB', 'LUKS\xba\xbe', 'hsqs', '\xeb\x3c\x90'];
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 512, maxLength: 2600 }),
      fc.constantFrom(...magics),
      fc.boolean(),
      (bytes, magic, boot) => {
        const start = Buffer.from(bytes);
        start.write(magic, magic.startsWith('E') ? 3 : 0, 'latin1');
        if (boot) start.write('55aa', 510, 'hex');
        expect(['known', 'unknown']).toContain(identify([0, start]).state);
      },
    ),
    { numRuns: 300 },
  );
});
