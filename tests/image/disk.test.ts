import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diskLayout, partitionTypes, sfdiskScript } from '../../src/image/disk.ts';
import { parentFolders, sectorsPerCluster } from '../../src/image/esp.ts';
import { ext4Size } from '../../src/image/ext4.ts';
import { seededUuid } from '../../src/image/uuid.ts';
import type { Entry } from '../../src/tree/tree.ts';

const mebibyte = 1 << 20;

test('a disk is aligned and ordered, with room for both partition tables and no gaps', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 * 1024 * mebibyte }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(sizes, fc.nat({ max: 100 * 1024 * mebibyte }), (wanted, atLeast) => {
      const { size, parts } = diskLayout(wanted, atLeast);
      expect(size % mebibyte).toBe(0);
      expect(size).toBeGreaterThanOrEqual(atLeast);
      let end = mebibyte;
      for (const [index, part] of parts.entries()) {
        expect(part.offset).toBe(end);
        expect(part.size % mebibyte).toBe(0);
        expect(part.size).toBeGreaterThanOrEqual(wanted[index]!);
        end = part.offset + part.size;
      }
      expect(end).toBe(size - mebibyte);
    }),
  );
});

test('the script for sfdisk', () => {
  const partitions = [
    { name: 'esp', type: partitionTypes.esp, uuid: 'u1', size: 200 * mebibyte, fill: async () => {} },
    { name: 'root', type: partitionTypes.rootX86_64, uuid: 'u2', size: mebibyte, fill: async () => {} },
  ];
  const layout = diskLayout([200 * mebibyte, mebibyte], 512 * mebibyte);
  expect(sfdiskScript('u0', layout, partitions)).toBe(
    [
      'label: gpt',
      'label-id: u0',
      'unit: sectors',
      '',
      'start=2048, size=409600, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=u1, name="esp"',
      'start=411648, size=634880, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid=u2, name="root"',
      '',
    ].join('\n'),
  );
});

describe('the EFI system partition', () => {
  test('has enough clusters to be FAT32 for every driver', () => {
    for (let size = 34; size <= 2048; size++) {
      const perCluster = sectorsPerCluster(size * mebibyte);
      // Reserved by mkfs.vfat: 32 sectors and two tables of 4 bytes per cluster.
      const clusters = ((size * mebibyte) / 512 - 32) / (perCluster + 8 / 512);
      expect(Math.floor(clusters)).toBeGreaterThanOrEqual(65_525);
    }
  });
  test('that is too small is an error', () => {
    expect(() => sectorsPerCluster(16 * mebibyte)).toThrow(expect.objectContaining({ code: 'esp-too-small', exit: 2 }));
  });
  test('creates each folder once, parents first', () => {
    expect(parentFolders(['EFI/BOOT/A', 'EFI/Linux/B', 'loader/c', 'd'])).toEqual([
      'EFI',
      'EFI/BOOT',
      'EFI/Linux',
      'loader',
    ]);
  });
});

describe('seededUuid', () => {
  test('is a version 8 UUID of RFC 9562', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (seed, purpose) => {
        expect(seededUuid(seed, purpose)).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
      }),
    );
  });
  test('depends only on seed and purpose', () => {
    expect(seededUuid('a', 'b')).toBe(seededUuid('a', 'b'));
    expect(new Set([seededUuid('a', 'b'), seededUuid('b', 'a'), seededUuid('a', 'c'), seededUuid('ab', '')]).size).toBe(
      4,
    );
    expect(seededUuid('seed', 'disk').slice(0, 8)).toBe(
      createHash('sha256').update('disk\0seed').digest('hex').slice(0, 8),
    );
  });
});

test('an ext4 root has room for its content and free space', () => {
  const base = { mode: 0o755, user: 'root', group: 'root', mtime: 0, packages: [] };
  const entries: Entry[] = [{ ...base, kind: 'directory', path: '/' }];
  const digest = '0'.repeat(64);
  for (let i = 0; i < 1000; i++) entries.push({ ...base, kind: 'file', path: `/f${i}`, digest, size: 4097 });
  const tree = { entries, packages: [] };
  expect(ext4Size(tree)).toBeGreaterThan(1000 * 8192 + 64 * mebibyte);
  expect(ext4Size(tree) % mebibyte).toBe(0);
  // Enough inodes for many empty files.
  const many = Array.from(
    { length: 100_000 },
    (_, i): Entry => ({ ...base, kind: 'file', path: `/g${i}`, digest, size: 0 }),
  );
  expect(ext4Size({ entries: [...entries, ...many], packages: [] }) / 16_384).toBeGreaterThan(101_000);
});
