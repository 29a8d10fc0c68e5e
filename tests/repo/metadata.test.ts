import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nevra, packagePath, parseNevra } from '../../src/repo/metadata.ts';

const part = fc.stringMatching(/^[A-Za-z0-9._+~^]{1,8}$/);

test('a NEVRA round-trips', () => {
  const anyPackage = fc.record({
    name: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('-')),
    epoch: fc.nat(12),
    version: part,
    release: part,
    arch: fc.constantFrom('x86_64', 'noarch', 'src'),
  });
  fc.assert(
    fc.property(anyPackage, (pkg) => {
      expect(parseNevra(nevra(pkg))).toEqual(pkg);
    }),
  );
});

test.each(['bash', 'bash-5.3', 'bash-5.3-1', ''])('%j is not a NEVRA', (text) =>
  expect(parseNevra(text)).toBeUndefined(),
);

test('the path of a package is within the repository, or an error', () => {
  const pkg = { name: 'Foo', version: '1', release: '2', arch: 'x86_64' };
  expect(packagePath(pkg)).toBe('Packages/f/Foo-1-2.x86_64.rpm');
  for (const evil of ['../../x', '..', '.', '', '/etc/x', 'a/b', 'a\0b', 'a\nb', '-x', 'a'.repeat(300)]) {
    for (const key of ['name', 'version', 'release', 'arch']) {
      expect(() => packagePath({ ...pkg, [key]: evil })).toThrow(/is not allowed in the file name of a package/);
    }
  }
});
