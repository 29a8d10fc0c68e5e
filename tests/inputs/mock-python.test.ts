import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { problem, read } from './mock-fixture.ts';

/** The text that a Python expression of a string gives. */
function text(expression: string): string | undefined {
  return read(`config_opts['root'] = ${expression}`).root;
}

/** What a macro gets from an expression. */
function shown(expression: string): string | undefined {
  return read(`config_opts['macros']['x'] = ${expression}`).macros.x;
}

describe('strings', () => {
  it.each([
    [`'a"b'`, 'a"b'],
    [`"a'b"`, "a'b"],
    [`'''a'b\n"c'''`, `a'b\n"c`],
    [`"""a\n""b"""`, 'a\n""b'],
    ["''", ''],
    ["u'a'", 'a'],
    [String.raw`r'\d\n\''`, String.raw`\d\n\'`],
    [String.raw`'\n\t\\\'\"\x41\u00e9\U0001F600\101\0'`, `\n\t\\'"Aé😀A\0`],
    [String.raw`'\d\%'`, String.raw`\d\%`],
    ["'a\\\nb'", 'ab'],
    [`'a' "b" '''c'''`, 'abc'],
    [`('a'\n  # why\n  'b')`, 'ab'],
    ["'a' \\\n  'b'", 'ab'],
    ["'a#b' # comment", 'a#b'],
    ["'a\r\n'", 'the string has no end'],
  ])('%j', (expression, expected) => {
    if (expected.includes('no end')) expect(problem(`config_opts['root'] = ${expression}`)).toBe(`1:23 ${expected}`);
    else expect(text(expression)).toBe(expected);
  });

  it('keep every character that is quoted', () => {
    const quoted = (value: string) =>
      `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab\\\'"\n\r\t{}%#é😀\0 ') }), (value) => {
        fc.pre(!/\{[{%#]/.test(value));
        expect(text(quoted(value))).toBe(value);
      }),
    );
  });

  it.each([
    ["f'{x}'", 'unsupported: f-string'],
    ["b'x'", 'unsupported: bytes literal'],
    ["'x", 'the string has no end'],
    ["'x\ny'", 'the string has no end'],
    ["'''x", 'the string has no end'],
    ["q'x'", 'unexpected string after "q"'],
  ])('%s is an error', (expression, message) => {
    expect(problem(`config_opts['root'] = ${expression}`)).toBe(`1:23 ${message}`);
  });

  it('with an invalid escape are an error at the escape', () => {
    expect(problem(String.raw`config_opts['root'] = 'ab\x4'`)).toBe(String.raw`1:26 invalid escape \x in the string`);
    expect(problem(`config_opts['root'] = """a\n b\\U99999999"""`)).toMatch(/^2:3 invalid escape/);
    expect(problem(String.raw`config_opts['root'] = '\N{DASH}'`)).toMatch(/^1:24 invalid escape/);
  });
});

describe('values', () => {
  it.each([
    ['42', '42'],
    ['-1_000', '-1000'],
    ['0x1F', '31'],
    ['0', '0'],
    ['True', 'True'],
    ['not True', 'False'],
    ['None', 'None'],
    ['1 + 2 - 3 * 4', '-9'],
    ['- - 1', '1'],
    ["int('41') >= 41", 'True'],
    ["int(' 7 ')", '7'],
    ['1 < 2 < 2', 'False'],
    ['1 < 2 <= 2', 'True'],
    ['True == 1', 'True'],
    ["'a' < 'b'", 'True'],
    ["'\u{1f600}' > '\uffee'", 'True'],
    ["'a' == 1", 'False'],
    ["[1, 'a'] == (1, 'a')", 'True'],
    ["{'a': 1} != {'a': 2}", 'True'],
    ["{'a': 1} == {'b': 1}", 'False'],
    ["'el' in 'rhel'", 'True'],
    ["'a' not in ['b']", 'True'],
    ["'x' in {'x': 1}", 'True'],
    ["'dnf.conf' in config_opts", 'True'],
    ["'yum.conf' in config_opts", 'True'],
    ["'nothing' not in config_opts", 'True'],
    ["'a' or 'b'", 'a'],
    ["'' or 'b'", 'b'],
    ["'a' and 'b'", 'b'],
    ["None and 'b'", 'None'],
    ["'yes' if 1 > 2 else 'no'", 'no'],
    ["config_opts['target_arch'] + '-x'", 'x86_64-x'],
    ["['a', 'b'][-1]", 'b'],
    ["{'a': {'b': 'c'}}['a']['b']", 'c'],
    ["'ab' 'c' in ('abc',)", 'True'],
  ])('%s is %s', (expression, expected) => {
    expect(shown(expression)).toBe(expected);
  });

  const at = "config_opts['x'] = ".length + 1;
  it.each([
    ["'a' % 'b'", 4, 'unsupported operator: %'],
    ["'a'.format(1)", 3, 'unsupported: the method or attribute .format'],
    ["os.path.join('a')", 0, 'unsupported: the name os'],
    ["open('x')", 0, 'unsupported: the name open'],
    ['[x for x in y]', 3, 'unsupported: comprehension'],
    ["{x: 1 for x in 'y'}", 6, 'unsupported: comprehension'],
    ['{**a}', 1, 'unsupported: unpacking with * or **'],
    ['lambda: 1', 0, 'unsupported: "lambda" here'],
    ['1.5', 0, 'unsupported number: 1.5'],
    ['12abc', 0, 'unsupported number: 12abc'],
    ['0755', 0, 'invalid number: 0755'],
    ['99999999999999999999', 0, 'invalid number: 99999999999999999999'],
    ['(1', 2, 'expected "," or ")", found the end of the line'],
    ['', 0, 'expected a value, found the end of the line'],
    ['[1, 2', 5, 'expected "," or "]", found the end of the line'],
    ["{'a' 1}", 5, 'expected ":", found "1"'],
    ['$', 0, 'unexpected character "$"'],
    ["'a' + 1", 6, 'unsupported: a string + a number'],
    ["'a' < 1", 6, 'cannot compare a string with a number'],
    ["int('x')", 3, 'int() of "x": not a whole number'],
    ["int('1e2')", 3, 'int() of "1e2": not a whole number'],
    ["int('1.5')", 3, 'int() of "1.5": not a whole number'],
    ["config_opts['nothing']", 11, '"nothing" is not set'],
    ['[1][2]', 3, 'the list has no item 2'],
    ["'a'['b']", 3, 'unsupported: [...] on a string'],
    ["{1: 'a'}", 1, 'a key is a string, found a number'],
    ['1 in 1', 5, 'cannot look for a number in a number'],
    ["'a'('b')", 3, 'unsupported call: this is a string'],
    ['9007199254740991 + 1', 19, 'the number is too large'],
    ["'a' if 1", 8, 'expected "else", found the end of the line'],
  ])('%s is an error', (expression, column, message) => {
    expect(problem(`config_opts['x'] = ${expression}`)).toBe(`1:${at + column} ${message}`);
  });

  it('may not nest without end', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['(', ')'],
      ["{'a':", '}'],
    ] as const) {
      const nested = (depth: number) => `config_opts['x'] = ${open.repeat(depth)}'a'${close.repeat(depth)}`;
      expect(read(nested(40)).targetArch).toBe('x86_64');
      expect(problem(nested(2_000))).toMatch(/^1:\d+ nested more than 50 levels deep$/);
    }
    expect(problem(`config_opts['x'] = ''${'[0]'.repeat(1000)}`)).toMatch(/nested more than 50/);
  });

  it('may be long', () => {
    const many = (word: string, operator: string) => Array.from({ length: 5_000 }, () => word).join(operator);
    expect(text(many("'a'", ' + '))).toHaveLength(5_000);
    expect(text(many("'a'", ' '))).toHaveLength(5_000);
    expect(shown(many('not not True', ' and '))).toBe('True');
    expect(shown(`${'not '.repeat(5_000)}True`)).toBe('True');
    expect(shown(`${'-'.repeat(5_001)}1`)).toBe('-1');
  });
});

describe('statements', () => {
  it('assign, extend and change options', () => {
    const config = read(`"""A configuration"""
config_opts['module_enable'] = 'a', 'b'; config_opts['module_enable'] += ['c']
config_opts['module_enable'].append('d')
config_opts['module_enable'].extend(('e', 'f'),)
config_opts['dnf_vars'].update({'x': 'y'})
config_opts['dnf_vars']['z'] = 'å'
config_opts['extra_chroot_dirs'] = config_opts['module_enable'] + ['/g']
pass
`);
    expect(config.moduleEnable).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(config.extraChrootDirs).toEqual(['a', 'b', 'c', 'd', 'e', 'f', '/g']);
    expect(config.dnfVars).toEqual({ x: 'y', z: 'å' });
  });

  it('may stand in a file with CRLF and a byte order mark', () => {
    expect(read("\ufeffconfig_opts['root'] = 'a'\r\n# x\r\nconfig_opts['releasever'] = 9\r\n")).toMatchObject({
      root: 'a',
      releasever: '9',
    });
  });

  it.each([
    ["if True:\n  config_opts['a'] = 1", '1:1 unsupported Python: if statement'],
    ['import os', '1:1 unsupported Python: import'],
    ['from os import path', '1:1 unsupported Python: import'],
    ['def f():\n  pass', '1:1 unsupported Python: function definition'],
    ['for x in y: pass', '1:1 unsupported Python: loop'],
    ["del config_opts['x']", '1:1 unsupported Python: del statement'],
    ["os.system('true')", '1:1 unsupported Python: the call os.system(...)'],
    ["print('x')", '1:1 unsupported Python: the call print(...)'],
    ["version = '9'", '1:1 unsupported Python: the variable version'],
    ['version', '1:1 unsupported Python: version'],
    ['42', '1:1 expected config_opts or include, found "42"'],
    ["\n  config_opts['a'] = 1", '2:3 unexpected indentation'],
    ["config_opts = {'a': 1}", '1:13 unsupported: config_opts as a whole'],
    ["config_opts['a']", '1:17 expected = or +=, found the end of the line'],
    ["config_opts['a'] -= 1", '1:18 expected = or +=, found "-="'],
    ["config_opts['a'] = config_opts['b'] = 1", '1:31 "b" is not set'],
    ["config_opts['a'] = 'b' = 1", '1:24 unsupported: an assignment to several names'],
    ["config_opts['a'] = 'b' 1", '1:24 expected the end of the line, found "1"'],
    ["config_opts['a'] += 'b'", '1:18 config_opts has no "a" here'],
    ["config_opts['macros'] += 'b'", '1:23 unsupported: a dictionary + a string'],
    ["config_opts['root']['a'] = 1", '1:21 config_opts has no "root" here'],
    ["config_opts['package_manager']['a'] = 1", '1:37 cannot set "a": this is a string'],
    ["config_opts['plugins'][0] = 1", '1:27 cannot set 0: this is a list'],
    ["config_opts['plugins'].sort(1)", '1:24 unsupported: sort(...) of a list with a number'],
    ["config_opts['plugins'].clear()", '1:30 expected a value, found ")"'],
    ["config_opts.update({'a': 1})", '1:12 unsupported: config_opts as a whole'],
    ["config_opts['files'].setdefault('a')", '1:22 unsupported: setdefault(...) of a dictionary with a string'],
    ["include('x.tpl')", '1:9 the included file x.tpl was not found'],
    ['include(1)', '1:9 a key is a string, found a number'],
    ["config_opts['a'] = '''\n include('x')\n'''", '2:1 unsupported: include(...) inside a string'],
    ["config_opts['a'] = 'b' \\\n", '1:24 the file ends after a backslash'],
    ["include('x' % 1)", '1:13 expected ")", found "%"'],
  ])('%j is an error', (statement, message) => {
    expect(problem(statement)).toBe(message);
  });

  it('may be many', () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => `config_opts['root'] += '${index % 10}'\n`);
    expect(read(`config_opts['root'] = ''\n${lines.join('')}`).root).toHaveLength(5_000);
  });

  it('may not ask for endless work', () => {
    const double = (name: string, start: string) =>
      `config_opts['${name}'] = ${start}\n${`config_opts['${name}'] += config_opts['${name}']\n`.repeat(60)}`;
    expect(problem(double('root', "'ab'"))).toMatch(/the text is too long|too much work/);
    expect(problem(double('root', "['ab']"))).toMatch(/too much work/);
    const shared = `config_opts['a'] = ['a']\n${"config_opts['a'] = [config_opts['a'], config_opts['a']]\n".repeat(40)}`;
    expect(problem(`${shared}config_opts['b'] = config_opts['a'] == config_opts['a']`)).toMatch(/too much work/);
    expect(problem(`${shared}config_opts['module_enable'] = config_opts['a']`)).toMatch(/too much work/);
  });
});
