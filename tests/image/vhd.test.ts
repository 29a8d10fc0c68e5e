import { describe, expect, test } from 'vitest';
import { vhdFooter, vhdGeometry } from '../../src/image/vhd.ts';

const mebibyte = 1 << 20;
const uuid = '00112233-4455-6677-8899-aabbccddeeff';

describe('vhdFooter', () => {
  // Written by `qemu-img convert -O vpc -o subformat=fixed,force_size` for 5 GiB, except for the random UUID, the time, and
  // the geometry 65535/16/255.
  test('every field is at its specified offset', () => {
    const footer = vhdFooter({ size: 5 * 1024 * mebibyte, epoch: 946_684_800 + 0x01020304, uuid });
    expect(footer.subarray(0, 64).toString('hex')).toBe(
      [
        '636f6e6563746978', // conectix
        '00000002',
        '00010000',
        'ffffffffffffffff',
        '01020304',
        '71656d32', // qem2
        '00050003',
        '5769326b', // Wi2k
        '0000000140000000',
        '0000000140000000',
        '28a2103f', // 10402 cylinders, 16 heads, 63 sectors
        '00000002',
      ].join(''),
    );
    expect(footer.subarray(68, 84).toString('hex')).toBe(uuid.replaceAll('-', ''));
    expect(footer.subarray(84).every((byte) => byte === 0)).toBe(true);
    expect(footer).toHaveLength(512);
  });

  test('the checksum is the complement of the sum of the other bytes', () => {
    const footer = vhdFooter({ size: mebibyte, epoch: 1_790_000_000, uuid });
    const sum = footer.reduce((total, byte, at) => (at >= 64 && at < 68 ? total : total + byte), 0);
    expect(footer.readUInt32BE(64) + sum).toBe(0xffffffff);
  });

  test.each([0, 1, mebibyte + 512, -mebibyte])('a size of %d bytes is rejected', (size) => {
    expect(() => vhdFooter({ size, epoch: 0, uuid })).toThrow(expect.objectContaining({ code: 'bad-size' }));
  });
});

// Geometries of qemu-img without force_size, for sizes that it does not round.
test.each([
  [8_228, 121, 4, 17],
  [131_104, 964, 8, 17],
  [1_030_176, 1022, 16, 63],
  [1_032_192, 1024, 16, 63],
  [62_916_096, 62_416, 16, 63],
  [266_338_320, 65_279, 16, 255],
  [2_145_386_496, 65_535, 16, 255],
])('%d sectors', (total, cylinders, heads, sectors) => {
  expect(vhdGeometry(total * 512)).toEqual({ cylinders, heads, sectors });
});
