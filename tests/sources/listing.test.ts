import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { formatSourcesFile, type LookasideFile, parseSourcesFile } from '../../src/sources/listing.ts';

it('reads both formats', () => {
  const text = `SHA512 (a-1.tar.gz) = ${'A1'.repeat(64)}\n\n${'b'.repeat(32)}  b.tar.gz\r\nMD5 (c (1) d) = ${'c'.repeat(32)}\n${'d'.repeat(32)} *e f\n`;
  expect(parseSourcesFile(text, 'sources')).toEqual([
    { filename: 'a-1.tar.gz', hashType: 'SHA512', hash: 'a1'.repeat(64) },
    { filename: 'b.tar.gz', hashType: 'MD5', hash: 'b'.repeat(32) },
    { filename: 'c (1) d', hashType: 'MD5', hash: 'c'.repeat(32) },
    { filename: 'e f', hashType: 'MD5', hash: 'd'.repeat(32) },
  ]);
});

it.each([
  ['nonsense', 'invalid line in a sources file', 1],
  ['SHA512 (a) =', 'invalid line in a sources file', 1],
  [`SHA1 (a) = ${'a'.repeat(40)}`, 'SHA1 is not a hash', 1],
  [`sha512 (a) = ${'a'.repeat(128)}`, 'sha512 is not a hash', 1],
  [`SHA256 (a) = ${'a'.repeat(63)}`, '64 hex digits, not 63', 14],
  [`  SHA256 (a) = ${'a'.repeat(63)}`, '64 hex digits, not 63', 16],
  [`SHA256 (a) = ${'a'.repeat(60)}gaaa`, '"g" is not a hex digit', 74],
  [`SHA256 (a) = ${'a'.repeat(64)} # ours`, '" " is not a hex digit', 78],
  [`SHA256 (../a) = ${'a'.repeat(64)}`, 'not a plain file name', 9],
  [`SHA256 (..) = ${'a'.repeat(64)}`, 'not a plain file name', 9],
  [`SHA256 () = ${'a'.repeat(64)}`, 'not a plain file name', 9],
  [`${'a'.repeat(31)}  a`, '32 hex digits, not 31', 1],
  [`${'a'.repeat(64)}  a`, '32 hex digits, not 64', 1],
  [`${'a'.repeat(32)}  a/b`, 'not a plain file name', 35],
])('refuses %s', (text, says, column) => {
  const error = thrown(`# c\n${text}`);
  expect(error.message).toContain(says);
  expect(error).toMatchObject({ code: 'bad-sources', exit: 2, where: { file: 'sources', line: 2, column } });
});

it('reports where a file was listed before', () => {
  const error = thrown(`MD5 (a) = ${'a'.repeat(32)}\n\n${'b'.repeat(32)}  a`);
  expect(error.message).toBe('a is listed twice, first in line 1');
  expect(error.where).toEqual({ file: 'sources', line: 3, column: 35 });
});

function thrown(text: string): WeirError {
  try {
    parseSourcesFile(text, 'sources');
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('the text is taken, although it must not be');
}

it('reads what it writes', () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 ._+~-]{0,20}[a-z]$/);
  const file: fc.Arbitrary<LookasideFile> = fc.oneof(
    fc.record({ filename: name, hashType: fc.constant('MD5' as const), hash: hex(32) }),
    fc.record({ filename: name, hashType: fc.constant('SHA256' as const), hash: hex(64) }),
    fc.record({ filename: name, hashType: fc.constant('SHA512' as const), hash: hex(128) }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(file, { selector: (one) => one.filename, maxLength: 8 }), (files) => {
      expect(parseSourcesFile(formatSourcesFile(files), 'sources')).toEqual(files);
    }),
  );
});

it('returns files or throws a WeirError for any text', () => {
  const hex = 'a'.repeat(32);
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('MD5', 'SHA256', ' (', ') = ', hex, hex + hex, '  ', '*', '\n', '\r\n', '#', '..', 'a.tgz'),
  );
  const text = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, (each) => {
      try {
        const files = parseSourcesFile(each, 'sources');
        expect(parseSourcesFile(formatSourcesFile(files), 'sources')).toEqual(files);
      } catch (error) {
        expect(error).toBeInstanceOf(WeirError);
      }
    }),
    { numRuns: 1000 },
  );
});
