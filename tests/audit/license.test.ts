import { describe, expect, test } from 'vitest';
import { licenseOf } from '../../src/audit/license.ts';

describe('a licence', () => {
  test.each([
    'MIT',
    'GPL-2.0-or-later WITH GCC-exception-3.1',
    '(MIT OR Apache-2.0+) AND BSD-3-Clause',
    '((MIT))',
    'GPL-2.0+',
  ])('%s is unchanged', (text) => {
    expect(licenseOf(text)).toEqual({ text, expression: text, parsed: true, references: new Map() });
  });

  test.each([
    ['mit and gpl-2.0-only', 'MIT AND GPL-2.0-only', {}],
    ['GPLv2 and MIT', 'LicenseRef-GPLv2 AND MIT', { 'LicenseRef-GPLv2': 'GPLv2' }],
    ['(MIT or  LicenseRef-Debian-x)', '(MIT OR LicenseRef-Debian-x)', { 'LicenseRef-Debian-x': 'LicenseRef-Debian-x' }],
    ['constructor', 'LicenseRef-constructor', { 'LicenseRef-constructor': 'constructor' }],
  ])('%s becomes %s', (text, expression, references) => {
    expect(licenseOf(text)).toEqual({
      text,
      expression,
      parsed: true,
      references: new Map(Object.entries(references)),
    });
  });

  test.each(['Public Domain', 'MIT AND', 'AND', '(MIT', 'MIT)', '()', 'MIT WITH', 'MIT (BSD)', 'MIT, see COPYING'])(
    '%s is not an expression: one reference for the whole text',
    (text) => {
      const license = licenseOf(text);
      expect(license?.parsed).toBe(false);
      expect(license?.expression).toMatch(/^LicenseRef-[A-Za-z0-9.-]+$/);
      expect([...(license?.references ?? [])]).toEqual([[license?.expression, text]]);
    },
  );

  test('an unlisted exception is a reference together with its licence', () => {
    const license = licenseOf('BSD-3-Clause OR GPL-2.0-only WITH House-exception');
    expect(license?.expression).toMatch(/^BSD-3-Clause OR LicenseRef-GPL-2.0-only-WITH-House-exception-[0-9a-f]{8}$/);
  });

  test('names that differ only in characters that a reference cannot contain stay distinct', () => {
    expect(licenseOf('GPL_v2')?.expression).not.toBe(licenseOf('GPL~v2')?.expression);
  });

  test('an empty text has no licence', () => {
    expect(licenseOf(' \n')).toBeUndefined();
  });
});
