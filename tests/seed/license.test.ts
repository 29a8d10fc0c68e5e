import { describe, expect, it } from 'vitest';
import { licenseExpression, unreadLicense } from '../../src/seed/license.ts';

function dep5(...licenses: string[]): string {
  const format = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';
  return [format, ...licenses.map((license) => `Files: *\nCopyright: x\nLicense: ${license}\n text\n`)].join('\n');
}

describe('the licence expression', () => {
  it.each([
    [['GPL-2+'], 'GPL-2.0-or-later'],
    [['LGPL-2.1'], 'LGPL-2.1-only'],
    [['Expat', 'BSD-3-clause', 'Expat'], 'BSD-3-Clause AND MIT'],
    [['GPL-2+ or Expat'], '(GPL-2.0-or-later OR MIT)'],
    [['GPL-3+ and GFDL-1.3+'], 'GFDL-1.3-or-later AND GPL-3.0-or-later'],
    [['0BSD', 'curl'], '0BSD AND curl'],
    [['Apache-2.0-with-LLVM-exception'], 'Apache-2.0 WITH LLVM-exception'],
    [['public-domain'], 'LicenseRef-Debian-public-domain'],
    [['GPL-2+ with OpenSSL exception'], 'LicenseRef-Debian-GPL-2-with-OpenSSL-exception'],
  ])('%j', (licenses, expected) => {
    expect(licenseExpression(dep5(...licenses))).toBe(expected);
  });

  it('leaves out the licence of the packaging', () => {
    expect(licenseExpression(`${dep5('Expat')}\nFiles: debian/*\nLicense: GPL-3+\n`)).toBe('MIT');
  });

  it('does not guess from prose', () => {
    expect(licenseExpression('This is free software.')).toBe(unreadLicense);
    expect(licenseExpression(undefined)).toBe(unreadLicense);
  });
});
