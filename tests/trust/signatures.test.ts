import { expect, test } from 'vitest';
import { isValidSignature, validRpms } from '../../src/trust/gpg.ts';

const signature = (result: string): string =>
  `    Header OpenPGP V4 EdDSA/SHA512 signature, key fingerprint: 6864a8698f236cd481f4572f40ea23fdc46840c8: ${result}\n`;
const digests = '    Header SHA256 digest: OK\n    Payload SHA256 digest: OK\n';

test.each([
  ['a signature by a known key', signature('OK') + digests, true],
  ['a further one by an unknown key', signature('OK') + signature('NOKEY') + digests, true],
  ['a further one that is wrong', signature('OK') + signature('BAD') + digests, false],
  ['one by an unknown key alone', signature('NOKEY') + digests, false],
  ['one made after the key had expired', signature('NOTTRUSTED') + digests, false],
  ['none', digests, false],
  ['a wrong digest', `${signature('OK')}    Header SHA256 digest: BAD (Expected a != b)\n`, false],
  ['as rpm 4 writes it', '    Header V4 RSA/SHA256 Signature, key ID 0123abcd: OK\n    Header SHA1 digest: OK\n', true],
])('rpmkeys -Kv of a package with %s', (_, lines, valid) => {
  const others = `other.rpm:\n${signature('OK')}${digests}`;
  expect(validRpms(`a b.rpm:\n${lines}${others}`)).toEqual(valid ? ['a b.rpm', 'other.rpm'] : ['other.rpm']);
  expect(validRpms(`${others}a b.rpm:\n${lines}`)).toEqual(valid ? ['other.rpm', 'a b.rpm'] : ['other.rpm']);
});

const line = (text: string): string => `[GNUPG:] ${text}\n`;
const made = line('VALIDSIG 4C91 2025-10-16 1760604800 0 4 0 22 8 00 4C91');

test.each([
  ['a signature by a known key', line('GOODSIG 6FBA old@example.org') + made, true],
  [
    'one made before the key expired',
    line('KEYEXPIRED 1760700000') + line('EXPKEYSIG 6FBA old@example.org') + made,
    true,
  ],
  [
    'one made after the key had expired',
    line('KEYEXPIRED 1760086410') + line('EXPKEYSIG 6FBA old@example.org') + made,
    false,
  ],
  ['one by a revoked key', line('REVKEYSIG 6FBA old@example.org') + made, false],
  ['an expired one', line('EXPSIG 6FBA old@example.org') + made, false],
  ['a wrong one', line('BADSIG 6FBA old@example.org'), false],
  ['one by an unknown key', line('ERRSIG 6FBA 22 10 00 1760604800 9 4C91'), false],
  ['none', '', false],
])('gpgv with %s', (_, status, valid) => {
  expect(isValidSignature(status)).toBe(valid);
});
