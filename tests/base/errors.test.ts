import { describe, expect, test } from 'vitest';
import { closest, errorJson, formatError, WeirError, withContext } from '../../src/base/errors.ts';

describe('user-facing errors', () => {
  const error = new WeirError('unknown-key', 'unknown key "overlay"', {
    where: { file: 'weir.toml', line: 3, column: 1, component: 'less' },
    details: ['3 | overlay = []'],
    hint: 'did you mean overlays?',
    exit: 2,
  });

  test('state the place, the problem and the remedy', () => {
    expect(formatError(error)).toBe(
      'error: weir.toml:3:1, component less: unknown key "overlay"\n  3 | overlay = []\nhint: did you mean overlays?',
    );
  });

  test('escape control characters from names and logs', () => {
    const hostile = new WeirError('x', 'no \x1b[2Jimage \x9b\r', {
      details: ['\x1b[31mred\x1b[0m\tand\x07'],
      hint: 'a\x7f',
    });
    expect(formatError(hostile)).toBe('error: no \\u{1b}[2Jimage \\u{9b}\\u{d}\n  red\tand\\u{7}\nhint: a\\u{7f}');
  });

  test('have the same content as JSON', () => {
    expect(JSON.parse(JSON.stringify(errorJson(error)))).toEqual({
      error: {
        code: 'unknown-key',
        message: 'unknown key "overlay"',
        where: { file: 'weir.toml', line: 3, column: 1, component: 'less' },
        hint: 'did you mean overlays?',
        details: ['3 | overlay = []'],
      },
    });
  });

  test('take a new place or hint from a caller and keep the rest', () => {
    const other = new WeirError('b', 'also');
    const first = new WeirError('a', 'what', { hint: 'do', details: ['x'], others: [other], exit: 2 });
    const again = withContext(first, { where: { file: 'f', line: 1 } });
    expect(again).toMatchObject({ code: 'a', message: 'what', hint: 'do', details: ['x'], others: [other], exit: 2 });
    expect(again).toMatchObject({ where: { file: 'f', line: 1 }, cause: first });
    expect(withContext(again, { hint: 'else', exit: 1 })).toMatchObject({ where: { line: 1 }, hint: 'else', exit: 1 });
  });

  test('suggest close matches only', () => {
    expect(closest('overlay', ['overlays', 'build', 'spec'])).toEqual(['overlays']);
    expect(closest('zzz', ['overlays', 'build', 'spec'])).toEqual([]);
    expect(closest('PKG', ['pkg'])).toEqual(['pkg']);
  });
});
