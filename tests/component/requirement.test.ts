import { describe, expect, test } from 'vitest';
import { likelyPackages, requiredNames } from '../../src/component/requirement.ts';

describe('names in a requirement', () => {
  test.each([
    ['gcc', ['gcc']],
    ['zlib-devel >= 1.2', ['zlib-devel']],
    ['zlib-devel>=1.2', ['zlib-devel']],
    ['pkgconfig(zlib) = 1', ['pkgconfig(zlib)']],
    ['/usr/bin/python3', ['/usr/bin/python3']],
    ['(a or b)', ['a', 'b']],
    ['(python3dist(x) >= 1 with python3dist(x) < 2)', ['python3dist(x)']],
    ['((a and b(c)) if d >= 2:1-1 else e)', ['a', 'b(c)', 'd', 'e']],
    ['crate(serde/default) >= 1.0.0~', ['crate(serde/default)']],
  ])('%s', (requirement, names) => {
    expect(requiredNames(requirement)).toEqual(names);
  });
});

describe('package names by Fedora conventions', () => {
  test.each([
    ['python3dist(jaraco.text)', 'python3-jaraco-text'],
    ['python3.14dist(build[virtualenv])', 'python3-build'],
    ['perl(Test::More)', 'perl-Test-More'],
    ['rubygem(rake)', 'rubygem-rake'],
    ['crate(serde/default)', 'rust-serde+default-devel'],
    ['pkgconfig(gtk4-3.0)', 'libgtk4-3.0-devel'],
    ['cmake(ECM)', 'ecm-devel'],
    ['zlib-devel(x86-64)', 'zlib-devel'],
    ['/usr/bin/gperf', 'gperf'],
  ])('%s', (name, expected) => {
    expect(likelyPackages(name)).toContain(expected);
  });

  test('a plain name has no other', () => {
    expect(likelyPackages('gcc')).toEqual([]);
    expect(likelyPackages('/etc/passwd')).toEqual([]);
  });
});
