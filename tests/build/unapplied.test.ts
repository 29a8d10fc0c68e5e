import { expect, it } from 'vitest';
import { unappliedPatches } from '../../src/build/specquery.ts';

/** Output of `rpmspec -P` of rpm 6.1 for a spec with this %prep. */
const printed = (prep: string): string => `Name: demo
Version: 1
Source0: x.tar.gz
Patch0: one.patch
Patch1: two.patch
Patch2: CVE-2000-0001.nopatch
%description
d
%prep
cd '/root/rpmbuild/BUILD/demo-1-build'
/usr/bin/rpmuncompress -x '/tmp/sources/x.tar.gz'
${prep}
%files
%changelog
* Mon Jan 05 2026 A <a@b> - 1-1
- two.patch
`;
const applying = (name: string, number: number): string =>
  `echo "Patch #${number} (${name}):"\n/usr/bin/patch --no-backup-if-mismatch -f -p1  --fuzz=0 < /tmp/sources/${name}\n`;

it.each([
  ['none', '', ['Patch0 (one.patch)', 'Patch1 (two.patch)']],
  ['one of two', applying('one.patch', 0), ['Patch1 (two.patch)']],
  ['all', applying('one.patch', 0) + applying('two.patch', 1), []],
  ['one by its file name', 'git am /tmp/sources/two.patch', ['Patch0 (one.patch)']],
  ['some by a pattern', 'cat /tmp/sources/*.patch | patch -p1', []],
  ['some by the shell', 'for p in one two; do patch < /tmp/sources/$p.patch; done', []],
  ['the whole folder', 'cp -r /tmp/sources .', []],
  ['one by an unknown macro', '%apply_all_of_them', []],
])('a spec that applies %s', (_, prep, expected) => {
  expect(unappliedPatches(printed(prep))).toEqual(expected);
});
