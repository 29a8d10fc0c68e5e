import { createHash } from 'node:crypto';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deflateAsGo, gzipAsGo } from '../../src/archive/deflate.ts';

const bytes = (size: number, at: (index: number) => number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, i) => at(i)));

describe('gzip', () => {
  // The SHA-256 of what Go 1.26's compress/gzip makes of the same at its best level, without name and time.
  it.each<[what: string, input: Buffer, digest: string]>([
    ['nothing', Buffer.alloc(0), '10c2221846da8b4250e556aa520c86d6674614d7c5874d8b9cb7f26d62835036'],
    ['a letter', Buffer.from('a'), 'fcb0c6c17cdb5fae5e897d85bbdc9f3559f638823824b62791d08fd5d0f73488'],
    ['zeros', Buffer.alloc(200_000), 'c63ad924abc2c7d71c6f039cc886492df2f126fd2093ff3c75a7d1dd2befd9dc'],
    [
      'text, over several windows',
      Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${i} ${(i * 7919) % 1009}\n`).join('')),
      '46efec3e7f73bfc1565ae8e7abac990eadf3ba6aa80f5a778c8288ae27ec27dd',
    ],
    [
      'bytes that hardly repeat',
      bytes(150_000, (i) => (Math.imul(i, 2654435761) >>> 13) & 0xff),
      '86b9f66e277ec12ef0785b6f891a216263e39e056c44b4246e79fa9ae562f7bc',
    ],
  ])('of %s is that of Go', (_what, input, digest) => {
    const packed = gzipAsGo(input);
    expect(gunzipSync(packed).equals(input)).toBe(true);
    expect(createHash('sha256').update(packed).digest('hex')).toBe(digest);
  });
});

describe('deflate', () => {
  it('decompresses to the original', () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(3), fc.nat(400)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
      fc.constantFrom(...['abcabcabd', 'the same again and again '].map((text) => new TextEncoder().encode(text))),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        const input = Buffer.concat(parts);
        expect(inflateRawSync(deflateAsGo(input)).equals(input)).toBe(true);
      }),
    );
  });

  it('takes what cannot be compressed as it is', () => {
    const input = bytes(60_000, (i) => createHash('sha256').update(String(i)).digest()[0]!);
    expect(deflateAsGo(input).length).toBeLessThan(input.length + 40);
  });
});
