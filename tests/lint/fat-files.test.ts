import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesReader } from '../../src/archive/read-at.ts';
import { WeirError } from '../../src/base/errors.ts';
import { fatFiles } from '../../src/lint/fat-files.ts';
import { fatBytes, fatVolume } from './fat.ts';

const content = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251));
const volumes = { 12: fatVolume(12, content), 16: fatVolume(16, content), 32: fatVolume(32, content) };
const open = (bytes: Buffer) => fatFiles(bytesReader(bytes), 0, bytes.length);

describe.each([12, 16, 32] as const)('FAT%i', (bits) => {
  test('folders, long names, lower case, and contents in any cluster order', async () => {
    const files = open(volumes[bits]);
    expect([...files.nodes].map(([path, { kind, size }]) => [path, kind, size])).toEqual([
      ['/', 'directory', 0],
      ['/EFI', 'directory', 0],
      ['/EFI/a long name.efi', 'file', 3000],
      ['/EFI/small.txt', 'file', 0],
    ]);
    expect(await files.read('/EFI/a long name.efi')).toEqual(content);
    expect(await files.read('/EFI/small.txt')).toHaveLength(0);
  });

  test('with any damage, reading ends with a result or a WeirError, and reads each byte only a few times', async () => {
    const whole = volumes[bits];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(512, 40_000, whole.length),
        async (changes, area) => {
          const damaged = Buffer.from(whole);
          for (const [at, byte] of changes) damaged[at % area] = byte;
          let bytes = 0;
          const read = bytesReader(damaged);
          const counted = (offset: number, length: number): Buffer => {
            const part = read(offset, length);
            bytes += part.length;
            return part;
          };
          try {
            const files = fatFiles(counted, 0, damaged.length);
            for (const [path, { kind }] of files.nodes) if (kind === 'file') await files.read(path);
          } catch (error) {
            expect(error).toBeInstanceOf(WeirError);
            expect((error as WeirError).code).toBe('unreadable');
          }
          expect(bytes).toBeLessThan(20 * whole.length + (8 << 20));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a damaged table', () => {
  const damaged = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(volumes[16]);
    change(bytes);
    return bytes;
  };
  const folder = (1 + Math.ceil((5002 * 16) / 8 / 512) + 32 + 1) * 512;
  test('a folder that contains itself', () => {
    const bytes = damaged((all) => {
      all.write('AGAIN      ', folder + 192);
      all[folder + 192 + 11] = 0x10;
      all.writeUInt16LE(3, folder + 192 + 26);
    });
    expect(() => open(bytes)).toThrow(/in two places/);
  });
  test('a circular folder', () => {
    const bytes = damaged((all) => {
      all.writeUInt16LE(3, 512 + 3 * 2);
      all.fill(0xe5, folder, folder + 512);
    });
    expect(() => open(bytes)).toThrow(/exceeds the maximum size of a folder/);
  });
  test('a truncated file, one with clusters out of range, one of four gigabytes', async () => {
    const size = (value: number) => damaged((all) => all.writeUInt32LE(value, folder + 128 + 28));
    const path = '/EFI/a long name.efi';
    await expect(open(size(4000)).read(path)).rejects.toMatchObject({ code: 'unreadable' });
    await expect(open(size(0xffff_ffff)).read(path)).rejects.toMatchObject({ code: 'unreadable' });
    const away = damaged((all) => all.writeUInt16LE(0x9999, 512 + 15 * 2));
    await expect(open(away).read(path)).rejects.toThrow(/does not exist/);
  });
  test('no file system, and a missing table', () => {
    expect(() => open(Buffer.alloc(4096))).toThrow(/boot sector/);
    expect(() => open(fatBytes({ size: 1 << 30, label: 'X', bits: 32 }).subarray(0, 2048))).toThrow(/ends beyond/);
  });
});
