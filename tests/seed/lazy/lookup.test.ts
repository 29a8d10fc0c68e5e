import { describe, expect, test } from 'vitest';
import { parseRequirement } from '../../../src/rpm/requirement.ts';
import { debianNames } from '../../../src/seed/lazy/fedora-names.ts';
import { lookUp } from '../../../src/seed/lazy/lookup.ts';
import { toObtain, type Wanted } from '../../../src/seed/lazy/obtain.ts';
import { context, readIndex } from './fixture.ts';

const found = async (text: string) => {
  let wanted: Wanted | undefined;
  await toObtain(
    parseRequirement(text)!,
    () => false,
    async (each) => {
      wanted = each;
      return true;
    },
  );
  const result = await lookUp(context(), wanted!);
  return 'tried' in result ? result.tried : `${result.debs.join(' ')}${result.alias ? ' (alias)' : ''}`;
};

describe('lookUp', () => {
  test.each([
    // names
    ['cmake', 'cmake'],
    ['foo-devel', 'libfoo-dev (alias)'],
    ['libfoo-devel', 'libfoo-dev'],
    ['libfoo-devel(x86-64)', 'libfoo-dev'],
    ['foo-devel(x86-64)', 'libfoo-dev (alias)'],
    ['foo-dev-virtual', 'libfoo-dev'],
    ['glib2-devel', 'libglib2.0-dev (alias)'],
    ['perl-Test-Deep', 'libtest-deep-perl (alias)'],
    ['python3-attrs', 'python3-attr (alias)'],
    ['xmllint', 'libxml2-utils (alias)'],
    ['libfoo', 'libfoo1 (alias)'],
    ['foo', 'libfoo1 (alias)'],
    ['crate(foo_bar) >= 2', 'librust-foo-bar-dev (alias)'],
    ['(crate(foo_bar/std) >= 2.0.0 with crate(foo_bar/std) < 3.0.0~)', 'librust-foo-bar-dev (alias)'],
    ['(crate(foo_bar/default) >= 0.3 with crate(foo_bar/default) < 0.4.0~)', 'librust-foo-bar-0.3-dev (alias)'],
    // the table
    ['gettext-devel', 'gettext autopoint (alias)'],
    ['langpack-de', 'autopoint (alias)'],
    ['pkgconfig(libcurl)', 'libcurl4-openssl-dev (alias)'],
    // files
    ['pkgconfig(foo) >= 1', 'libfoo-dev'],
    ['pkgconfig(in-seed)', 'gettext (alias)'],
    ['perl(Test::Deep)', 'libtest-deep-perl'],
    ['python3dist(attrs) >= 26', 'python3-attr'],
    ['python3.14dist(attrs)', 'python3-attr'],
    ['python3dist(Attrs[tests])', 'python3-attr (alias)'],
    ['cmake(absl)', 'libabsl-dev'],
    ['cmake(Low)', 'libfoo-dev (alias)'],
    ['libevent-2.1.so.7()(64bit)', 'libevent-2.1-7'],
    ['/usr/bin/xmllint', 'libxml2-utils'],
    ['/bin/git', 'git (alias)'],
    ['/usr/share/dict/words', 'wdictionary'],
  ])('%s: %s', async (text, expected) => {
    expect(await found(text)).toBe(expected);
  });

  test.each([
    ['git >= 2.50', 'git'],
    ['git >= 3', "Debian's git has version 1:2.53.0-1"],
    ['git >= 9:2.50', 'git'],
    ['git < 2', "Debian's git has version 1:2.53.0-1"],
    ['python3dist(attrs) >= 27', 'python3-attr has 26.1.0'],
    [
      '(crate(foo_bar/std) >= 1.0.0 with crate(foo_bar/std) < 2.0.0~)',
      "Debian's librust-foo-bar-dev has version 2.1.0-1",
    ],
    ['gettext-devel >= 99', "Debian's gettext has version 0.26-1"],
  ])('the version must be right, epochs apart: %s: %s', async (text, expected) => {
    expect(await found(text)).toBe(expected);
  });

  test.each([
    ['no-such-package', 'no package of Debian has this name, or the one that its rules give it'],
    ['debconf', 'no package of Debian has this name, or the one that its rules give it'],
    ['crate(foo-bar/nope)', 'no package of Debian has this name, or the one that its rules give it'],
    ['pkgconfig(nope)', 'no package of Debian has the file of pkgconfig(nope)'],
    ['/usr/bin/nope', 'no package of Debian has /usr/bin/nope'],
  ])('%s: %s', async (text, expected) => {
    expect(await found(text)).toBe(expected);
  });
});

test('names that do not exist are no guesses', () => {
  expect(debianNames('nothing-devel', readIndex())).toEqual([]);
});
