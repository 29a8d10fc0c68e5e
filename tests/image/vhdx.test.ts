import { mkdtempSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { blocksOf, crc32c, rawToVhdx, vhdxDiskSize } from '../../src/image/vhdx.ts';

const mebibyte = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), 'weir-vhdx-'));
afterAll(() => rm(folder, { recursive: true }));

const uuids = {
  uuid: '00112233-4455-6677-8899-aabbccddeeff',
  fileUuid: '10112233-4455-6677-8899-aabbccddeeff',
  dataUuid: '20112233-4455-6677-8899-aabbccddeeff',
};

test('the checksum is that of the standard', () => {
  // RFC 3720, B.4.
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test('blocks of extents, each once', () => {
  const extents = [
    { start: 100, length: 100 },
    { start: 4096, length: mebibyte },
    { start: 5 * mebibyte, length: 2 * mebibyte },
  ];
  expect([...blocksOf(extents)]).toEqual([0, 1, 5, 6]);
});

test('holds the blocks with data, and nothing of the others', async () => {
  const disk = Buffer.alloc(5 * mebibyte);
  disk.write('first', 10, 'latin1');
  disk.write('last', disk.length - 4, 'latin1');
  const [raw, out, again] = ['disk.raw', 'disk.vhdx', 'again.vhdx'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(raw, disk);
  await rawToVhdx(raw, out, [{ start: 0, length: disk.length }], uuids);
  const bytes = await readFile(out);
  // Header, log, metadata, allocation table, two blocks.
  expect(bytes.length).toBe(6 * mebibyte);
  const table = Array.from({ length: 5 }, (_, index) => bytes.readBigUInt64LE(3 * mebibyte + 8 * index));
  expect(table).toEqual([BigInt(4 * mebibyte + 6), 0n, 0n, 0n, BigInt(5 * mebibyte + 6)]);
  expect(bytes.subarray(4 * mebibyte, 5 * mebibyte).equals(disk.subarray(0, mebibyte))).toBe(true);
  expect(bytes.subarray(5 * mebibyte).equals(disk.subarray(4 * mebibyte))).toBe(true);
  const handle = await open(out);
  expect(await vhdxDiskSize(handle)).toBe(disk.length);
  await handle.close();
  await rawToVhdx(raw, again, [{ start: 0, length: disk.length }], uuids);
  expect((await readFile(again)).equals(bytes)).toBe(true);
});

test('a disk that is no multiple of 1 MiB is refused', async () => {
  const raw = join(folder, 'odd.raw');
  await writeFile(raw, Buffer.alloc(1000));
  await expect(rawToVhdx(raw, join(folder, 'odd.vhdx'), [], uuids)).rejects.toThrow(
    expect.objectContaining({ code: 'bad-size' }),
  );
});
