import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BoltBucket, boltFile } from '../../../src/advisory/export/bolt.ts';
import { readBolt } from './read-bolt.ts';

/** Compares without regard to the order of keys. */
function plain(bucket: BoltBucket): unknown {
  return Object.fromEntries(
    [...bucket].map(([key, value]) => [`key ${key}`, typeof value === 'string' ? value : plain(value)]),
  );
}

test('an empty database has a root without buckets', () => {
  expect(plain(readBolt(boltFile(new Map())))).toEqual({});
});

test('small buckets are kept in the page of their parent, larger ones have pages of their own', () => {
  const small = new Map([['a', new Map([['key', 'value']])]]);
  const large = new Map([['a', new Map([['key', 'v'.repeat(1000)]])]]);
  expect(boltFile(small)).toHaveLength(4 * 4096);
  expect(boltFile(large)).toHaveLength(5 * 4096);
  expect(plain(readBolt(boltFile(large)))).toEqual(plain(large));
});

test('a value longer than a page takes several', () => {
  const root = new Map([
    [
      'a',
      new Map([
        ['long', 'x'.repeat(20_000)],
        ['short', 'y'],
      ]),
    ],
  ]);
  expect(plain(readBolt(boltFile(root)))).toEqual(plain(root));
});

test('many keys take branches of several levels', () => {
  const bucket = new Map(
    Array.from({ length: 20_000 }, (_, index) => [`package-${index}-with-a-long-name`, `${index}`]),
  );
  const root = new Map([['a', bucket]]);
  expect(plain(readBolt(boltFile(root)))).toEqual(plain(root));
});

test('keys are sorted by their bytes, not as texts of JavaScript', () => {
  // U+FFFD comes before U+1F600 in UTF-8, but after its surrogates.
  const root = new Map([
    [
      'a',
      new Map([
        ['\u{1f600}', '1'],
        ['\ufffd', '2'],
      ]),
    ],
  ]);
  const [[, bucket]] = [...readBolt(boltFile(root))] as [[string, BoltBucket]];
  expect([...bucket.keys()]).toEqual(['\ufffd', '\u{1f600}']);
});

test('any tree of buckets reads back, whatever the order of its keys', () => {
  const key = fc.string({ minLength: 1, maxLength: 40 });
  const value = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.nat(9000).map((length) => 'z'.repeat(length)),
  );
  const { bucket } = fc.letrec<{ bucket: BoltBucket }>((tie) => ({
    bucket: fc
      .array(fc.tuple(key, fc.oneof({ depthSize: 'small' }, value, tie('bucket'))), { maxLength: 60 })
      .map((entries) => new Map(entries) as BoltBucket),
  }));
  fc.assert(
    fc.property(bucket, (root) => {
      const file = boltFile(root);
      expect(plain(readBolt(file))).toEqual(plain(root));
      expect(boltFile(new Map([...root].reverse())).equals(file)).toBe(true);
    }),
    { numRuns: 150 },
  );
});
