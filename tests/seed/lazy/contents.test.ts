import { describe, expect, test } from 'vitest';
import { ContentsIndex, ContentsReader, capabilityOf, PathFinder } from '../../../src/seed/lazy/contents.ts';
import { contentsText, readContents } from './fixture.ts';

test.each([
  ['usr/bin/cmake', '/usr/bin/cmake'],
  ['sbin/init', '/usr/sbin/init'],
  ['usr/share/pkgconfig/x.pc', 'pkgconfig(x)'],
  ['usr/lib/perl5/Wrong.pm', undefined],
  ['usr/lib/x86_64-linux-gnu/perl5/5.42/A/B.pm', 'perl(A::B)'],
  ['usr/lib/python3/dist-packages/Foo_Bar.baz-1.0-py3.14.egg-info/PKG-INFO', 'python3dist(foo-bar-baz)'],
  ['usr/lib/python3/dist-packages/foo.egg-info', undefined],
  ['usr/share/cmake/Foo/FooConfig.cmake', 'cmake(Foo)'],
  ['usr/lib/aarch64-linux-gnu/cmake/Foo/FooConfig.cmake', undefined],
  ['usr/lib/x86_64-linux-gnu/libz.so.1', 'soname libz.so.1'],
  ['usr/lib/x86_64-linux-gnu/plugin/libz.so.1', undefined],
  ['usr/share/rubygems-integration/all/specifications/a-b-1.2.gemspec', 'rubygem(a-b)'],
  ['usr/share/gocode/src/github.com/a/b/c.go', 'golang(github.com/a/b)'],
  ['usr/share/gocode/src/github.com/a/b/LICENSE', undefined],
  ['usr/bin/folder/x', undefined],
])('%s provides %s', (path, key) => {
  expect(capabilityOf(path, 'x86_64-linux-gnu')?.key).toBe(key);
});

describe('the index', () => {
  test('finds every key of it, and no other', () => {
    const reader = new ContentsReader('x86_64-linux-gnu');
    reader.add(contentsText);
    const lines = reader.text().split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(8);
    const index = new ContentsIndex(reader.text());
    for (const line of lines) {
      const [key, owners] = line.split('\t');
      expect(index.owners(key!).length, key).toBe(owners!.split(',').length);
    }
    for (const key of ['', '/usr/bin/a', 'zzz', 'pkgconfig(arm)', 'perl(Not::This)', '/usr/games/never']) {
      expect(index.owners(key), key).toEqual([]);
    }
    expect(new ContentsIndex('').owners('a')).toEqual([]);
  });

  test('has all owners, and the version of a Python distribution', () => {
    const index = readContents();
    expect(index.owners('pkgconfig(libcurl)')).toEqual([
      { name: 'libcurl4-gnutls-dev' },
      { name: 'libcurl4-openssl-dev' },
    ]);
    expect(index.owners('python3dist(attrs)')).toEqual([{ name: 'python3-attr', version: '26.1.0' }]);
    expect(index.owners('/usr/bin/git')).toEqual([{ name: 'git' }]);
  });
});

test('any other path is found in the lists, also where Debian lists it without /usr', () => {
  const owners = (path: string): string[] => {
    const finder = new PathFinder(path);
    finder.add(contentsText);
    return finder.owners();
  };
  expect(owners('/usr/share/dict/words with blank')).toEqual(['wdictionary']);
  expect(owners('/usr/share/dict/words')).toEqual([]);
  expect(owners('/usr/bin/git')).toEqual(['git']);
  expect(owners('/usr/lib/x86_64-linux-gnu/pkgconfig/libcurl.pc')).toHaveLength(2);
});
