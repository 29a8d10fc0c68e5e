import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileDigest, sha256 } from '../../src/base/digest.ts';
import { hashSparse } from '../../src/image/digest.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-digest-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const mebibyte = 1 << 20;

test('the digest of a sparse file covers all its bytes, holes included', async () => {
  const pieces = fc.array(
    fc.record({ hole: fc.nat({ max: 3 * mebibyte }), data: fc.uint8Array({ minLength: 1, maxLength: 5000 }) }),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat({ max: 3 * mebibyte }), async (parts, end) => {
      const path = join(dir, 'disk.raw');
      const handle = await open(path, 'w');
      const extents: { start: number; length: number }[] = [];
      let at = 0;
      for (const { hole, data } of parts) {
        at += hole;
        await handle.write(data, 0, data.length, at);
        extents.push({ start: at, length: data.length });
        at += data.length;
      }
      await handle.truncate(at + end);
      await handle.close();
      const whole = await fileDigest(path);
      expect((await hashSparse(path, extents)).digest('hex')).toBe(whole);
    }),
    { numRuns: 30 },
  );
});

test('the digest of a file larger than the buffer', async () => {
  for (const size of [0, 1, mebibyte - 1, mebibyte, 3 * mebibyte + 7]) {
    const bytes = Buffer.alloc(size, 'weir');
    const path = join(dir, 'file');
    const handle = await open(path, 'w');
    await handle.writeFile(bytes);
    await handle.close();
    expect(await fileDigest(path)).toBe(sha256(bytes));
  }
});
