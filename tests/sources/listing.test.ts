import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { formatSourcesFile, type LookasideFile, parseSourcesFile } from '../../src/sources/listing.ts';

it('reads both formats', () => {
  const text = `SHA512 (a-1.tar.gz) = ${'A1'.repeat(64)}\n\n${'b'.repeat(32)}  b.tar.gz\r\nMD5 (c d) = ${'c'.repeat(32)}\n`;
  expect(parseSourcesFile(text, 'sources')).toEqual([
    { filename: 'a-1.tar.gz', hashType: 'SHA512', hash: 'a1'.repeat(64) },
    { filename: 'b.tar.gz', hashType: 'MD5', hash: 'b'.repeat(32) },
    { filename: 'c d', hashType: 'MD5', hash: 'c'.repeat(32) },
  ]);
});

it.each([
  ['nonsense', 'no line of a sources file'],
  [`SHA1 (a) = ${'a'.repeat(40)}`, 'SHA1 is not a hash'],
  [`SHA256 (a) = ${'a'.repeat(63)}`, '64 hex digits'],
  [`SHA256 (../a) = ${'a'.repeat(64)}`, 'not a plain file name'],
  [`SHA256 (..) = ${'a'.repeat(64)}`, 'not a plain file name'],
  [`MD5 (a) = ${'a'.repeat(32)}\n${'b'.repeat(32)}  a`, 'listed twice'],
])('refuses %s', (text, says) => {
  try {
    parseSourcesFile(`# c\n${text}`, 'sources');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(WeirError);
    expect((error as WeirError).message).toContain(says);
    expect((error as WeirError).where).toMatchObject({ file: 'sources' });
  }
});

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

it('never throws anything but a WeirError', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      try {
        parseSourcesFile(text, 'sources');
      } catch (error) {
        expect(error).toBeInstanceOf(WeirError);
      }
    }),
  );
});
