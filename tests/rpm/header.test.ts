import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HeaderValue, headerSize, parseHeader, regions, serializeHeader } from '../../src/rpm/header.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'ü', '€', '😀', '\n', ' '), maxLength: 6 });
const integers = (type: 'int8' | 'int16' | 'int32' | 'int64', max: number): fc.Arbitrary<HeaderValue> =>
  fc.array(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 4 }).map((values) => ({ type, values }));
const value: fc.Arbitrary<HeaderValue> = fc.oneof(
  integers('int8', 0xff),
  integers('int16', 0xffff),
  integers('int32', 0xffff_ffff),
  fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 3 }).map((values) => ({ type: 'int64' as const, values })),
  text.map((single) => ({ type: 'string' as const, value: single })),
  fc
    .tuple(fc.constantFrom('strings' as const, 'i18n' as const), fc.array(text, { minLength: 1, maxLength: 4 }))
    .map(([type, values]) => ({ type, values })),
  fc
    .uint8Array({ minLength: 1, maxLength: 9 })
    .map((bytes) => ({ type: 'binary' as const, value: Buffer.from(bytes) })),
);
const header = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 100, max: 6000 }), value), { selector: ([tag]) => tag, maxLength: 8 })
  .map((entries) => new Map(entries));

describe('a header', () => {
  test('round-trips to the same bytes', () => {
    fc.assert(
      fc.property(header, (original) => {
        const bytes = serializeHeader(original, regions.main);
        expect(headerSize(bytes)).toBe(bytes.length);
        const read = parseHeader(bytes, regions.main);
        expect(new Map(read)).toEqual(original);
        expect(serializeHeader(read, regions.main)).toEqual(bytes);
      }),
    );
  });

  test('with overlapping values is rejected, as by rpm', () => {
    const whole = serializeHeader(
      new Map<number, HeaderValue>([
        [1000, { type: 'strings', values: ['a', 'b'] }],
        [1001, { type: 'strings', values: ['c', 'd'] }],
      ]),
      regions.main,
    );
    const second = 16 + 16 * 2;
    expect(whole.readUInt32BE(second)).toBe(1001);
    whole.writeUInt32BE(2, second + 8);
    expect(() => parseHeader(whole, regions.main)).toThrow(/tag 1001 overlaps the one before it/);
  });

  test('with too many values is rejected before they are read', () => {
    const values = new Array<number>(1000).fill(0);
    const whole = serializeHeader(new Map<number, HeaderValue>([[1000, { type: 'int8', values }]]), regions.main);
    const large = Buffer.concat([whole.subarray(0, 16 + 32), Buffer.alloc(9 << 20), whole.subarray(16 + 32 + 1000)]);
    large.writeUInt32BE((9 << 20) + 16, 12);
    large.writeUInt32BE(9 << 20, 16 + 8);
    large.writeUInt32BE(9 << 20, 16 + 16 + 12);
    expect(() => parseHeader(large, regions.main)).toThrow(/more than 8388608 values/);
  });

  test('has the layout that rpm documents', () => {
    const bytes = serializeHeader(
      new Map<number, HeaderValue>([
        [1001, { type: 'int32', values: [7] }],
        [1000, { type: 'string', value: 'ab' }],
      ]),
      regions.main,
    );
    expect(bytes.toString('hex')).toBe(
      [
        '8eade80100000000',
        '00000003',
        '00000018',
        '0000003f000000070000000800000010',
        '000003e8000000060000000000000001',
        '000003e9000000040000000400000001',
        '61620000',
        '00000007',
        '0000003f00000007ffffffd000000010',
      ].join(''),
    );
  });

  test('with any byte changed parses or is rejected, but never crashes the reader', () => {
    const original = new Map<number, HeaderValue>([
      [1000, { type: 'string', value: 'name' }],
      [1004, { type: 'i18n', values: ['summary'] }],
      [1030, { type: 'int16', values: [1, 2] }],
      [5008, { type: 'int64', values: [2 ** 40] }],
    ]);
    const bytes = serializeHeader(original, regions.main);
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = damaged[at]! ^ change;
        try {
          parseHeader(damaged, regions.main);
        } catch (error) {
          refused += 1;
          expect(error).toMatchObject({ code: 'bad-rpm' });
        }
      }
    }
    expect(refused).toBeGreaterThan(bytes.length);
  });

  test('with another region is rejected', () => {
    const bytes = serializeHeader(new Map(), regions.signature);
    expect(() => parseHeader(bytes, regions.main)).toThrow(/missing immutable region/);
    expect([...parseHeader(bytes, regions.signature)]).toEqual([]);
  });
});
