import fc from 'fast-check';
import { PackageURL } from 'packageurl-js';
import { describe, expect, test } from 'vitest';
import { packageUrlText } from '../../src/base/package-url.ts';

const rpm = (name: string, version: string, upstream = '') =>
  packageUrlText({
    type: 'rpm',
    namespace: 'weir',
    name,
    version,
    qualifiers: { upstream, distro: 'weir-4.0', arch: 'x86_64' },
  });

describe('a package URL', () => {
  // Expected values as scanners print them: packageurl-go 0.1.7 (Trivy) and its sibling in Syft 1.57.
  test.each([
    [
      'odd++-libs',
      '2.0~rc1^git1-1.wl4',
      'odd++-2.0~rc1^git1-1.wl4.src.rpm',
      'pkg:rpm/weir/odd%2B%2B-libs@2.0~rc1%5Egit1-1.wl4?arch=x86_64&distro=weir-4.0&upstream=odd%2B%2B-2.0~rc1%5Egit1-1.wl4.src.rpm',
    ],
    [
      'ca-certificates',
      '20260816+nmu1-0',
      'ca-certificates-20260816+nmu1-0.src.rpm',
      'pkg:rpm/weir/ca-certificates@20260816%2Bnmu1-0?arch=x86_64&distro=weir-4.0&upstream=ca-certificates-20260816%2Bnmu1-0.src.rpm',
    ],
    ['a@b', '2-3', 'x y.src.rpm', 'pkg:rpm/weir/a%40b@2-3?arch=x86_64&distro=weir-4.0&upstream=x%20y.src.rpm'],
  ])('of %s %s', (name, version, upstream, url) => {
    expect(rpm(name, version, upstream)).toBe(url);
  });

  test('keeps the colon unencoded and omits a qualifier without a value', () => {
    const of = (version: string, arch: string) =>
      packageUrlText({ type: 'deb', namespace: 'debian', name: 'glibc', version, qualifiers: { arch } });
    expect(of('1:2.43-6+b1~deb13u1', 'source')).toBe('pkg:deb/debian/glibc@1:2.43-6%2Bb1~deb13u1?arch=source');
    expect(of('2.43-6', '')).toBe('pkg:deb/debian/glibc@2.43-6');
  });

  test('encodes all of ASCII except letters, digits, . - _ ~ and the colon, the same in each part', () => {
    const ascii = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
    const plain = ascii.filter((char) => /[A-Za-z0-9._~:-]/.test(char));
    expect(plain).toHaveLength(62 + 5);
    for (const char of ascii) {
      const code = char.charCodeAt(0).toString(16).toUpperCase();
      const written = plain.includes(char) ? char : `%${code}`;
      expect(rpm(`n${char}n`, `v${char}v`, `u${char}u`), char).toBe(
        `pkg:rpm/weir/n${written}n@v${written}v?arch=x86_64&distro=weir-4.0&upstream=u${written}u`,
      );
    }
  });

  test('round-trips', () => {
    const word = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text.trim() === text && text !== '');
    fc.assert(
      fc.property(word, word, word, (name, version, upstream) => {
        const url = rpm(name, version, upstream);
        expect(url).toMatch(/^pkg:rpm\/weir\/[A-Za-z0-9._~:%-]+@[A-Za-z0-9._~:%-]+\?[A-Za-z0-9._~:%&=-]+$/);
        // Not with the library's parser, which drops slashes at the end of a name.
        const [, , rest = ''] = url.split('/');
        const [path = '', query = ''] = rest.split('?');
        const [first, second] = path.split('@').map(decodeURIComponent);
        expect([first, second, decodeURIComponent(query.split('upstream=')[1]!)]).toEqual([name, version, upstream]);
      }),
    );
    const read = PackageURL.fromString(rpm('odd++-libs', '2.0~rc1^git1-1', 'odd++-2.0~rc1^git1-1.src.rpm'));
    expect(read).toMatchObject({ name: 'odd++-libs', version: '2.0~rc1^git1-1' });
    expect(read.qualifiers).toMatchObject({ upstream: 'odd++-2.0~rc1^git1-1.src.rpm' });
  });
});
