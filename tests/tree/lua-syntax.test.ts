import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { readLua } from '../../src/tree/lua-syntax.ts';

const problem = (script: string) => readLua(script).problem;

describe('the syntax of Lua', () => {
  it.each([
    '',
    '#!/usr/bin/lua\nreturn',
    'local a <const>, b = 1, 0x1p4; a.b[c]:d "x" {1, [2] = 3, e = 4; 5}',
    'for i = 1, 10, 2 do if i > 2 then break elseif not i then goto out else return i, -1 end end ::out::',
    'for k, v in pairs(t) do t[k], t.x = f{...}, nil end',
    'while a ~= b do repeat local function g(...) return ... end until a // b << 3 .. "x" end',
    'function a.b:c(d, e, ...) end (f or g)("x")',
    'x = [==[ a ]] b ]==] --[[ c\n ]] y = "a\\"b\\\nc" -- d',
    'local t = {}; t = function() end; do ; end',
  ])('%j is valid', (script) => {
    expect(problem(script)).toBeUndefined();
  });

  it.each([
    ['x = = 1', 'unexpected "=" in line 1'],
    ['f(\n', 'unexpected end of the script in line 2'],
    ['f() = 1', 'unexpected "=" in line 1'],
    ['a', 'unexpected end of the script in line 1'],
    ['end', 'unexpected "end" in line 1'],
    ['x = [[ a', 'unfinished string in line 1'],
    ['--[[ a', 'unfinished comment in line 1'],
    ['x = 3y', 'malformed number in line 1'],
    ['x = {1 2}', 'unexpected "2" in line 1'],
    ['return 1\nf()', 'unexpected "f" in line 2'],
    ['if a then else elseif b then end', 'unexpected "elseif" in line 1'],
    [`x = ${'('.repeat(10_000)}`, 'nested too deeply in line 1'],
  ])('%j is not', (script, expected) => {
    expect(problem(script)).toBe(expected);
  });

  test('any text has an answer', () => {
    const parts = fc.constantFrom(
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      '=',
      'a',
      '.',
      ':',
      ',',
      '"',
      'if',
      'end',
      'function',
      'do',
      '--',
      '\n',
      '1',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 40 }), (text) => {
        expect(readLua(text.join(' ')).tokens).toBeInstanceOf(Array);
      }),
    );
  });
});
