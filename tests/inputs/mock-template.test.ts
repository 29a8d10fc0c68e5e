import { describe, expect, it } from 'vitest';
import { problem, read } from './mock-fixture.ts';

const options = `
config_opts['yes'] = True
config_opts['no'] = False
config_opts['version'] = '42'
config_opts['names'] = ['a', 'b']
config_opts['table'] = {'key': 'value'}
config_opts['outer'] = '<{{ inner }}>'
config_opts['inner'] = '[{{ version }}]'
`;

function expanded(template: string): string | undefined {
  return read(`${options}config_opts['root'] = """${template}"""`).root;
}

describe('templates', () => {
  it.each([
    ['{{ version }}', '42'],
    ['{{version}}-{{ target_arch }}', '42-x86_64'],
    ['{{ outer }}', '<[42]>'],
    ['{{ nothing }}|', '|'],
    ['{{ "a" }}{{ \'b\' }}', 'ab'],
    ['{{ not yes }} {{ none }} {{ 1 + 2 }}', 'False None 3'],
    ["{{ table.key }} {{ table['key'] }} {{ table.other }}", 'value value '],
    ['{{ names[1] }}', 'b'],
    ['{{ version|int + 1 }}', '43'],
    ['{{ "x"|int }} {{ "x"|int(7) }} {{ "4.9"|int }} {{ "1e2"|int }}', '0 7 4 100'],
    ['{{ nothing|default("d") }} {{ version|default("d") }}', 'd 42'],
    ['{{ "aB"|lower }}{{ "aB"|upper }}', 'abAB'],
    ['{{ version ~ "-" ~ 1 }}', '42-1'],
    ['{{ "a" if yes else "b" }}{{ "c" if no }}', 'a'],
    ['{% if yes %}a{% else %}b{% endif %}', 'a'],
    ['{% if no %}a{% elif version == "42" %}b{% else %}c{% endif %}', 'b'],
    ['{% if no %}a{% elif no %}b{% else %}c{% endif %}', 'c'],
    ['{% if nothing %}a{% endif %}', ''],
    ['{% if nothing == "x" %}a{% endif %}{% if nothing != "x" %}b{% endif %}', 'b'],
    ['{% if nothing is defined %}a{% endif %}{% if nothing is not defined %}b{% endif %}', 'b'],
    ["{% if target_arch in ['x86_64', 'aarch64'] %}a{% endif %}", 'a'],
    ['{% if version|int >= 40 and not no %}a{% endif %}', 'a'],
    ['{% for n in names %}{{ n }},{% endfor %}', 'a,b,'],
    ['{% for n in range(3, 5) %}{{ n }}{% endfor %}{% for n in range(2) %}{{ n }}{% endfor %}', '3401'],
    ['{% for n in nothing %}x{% else %}none{% endfor %}', 'none'],
    ['{% for n in names %}{% for m in names %}{{ n }}{{ m }} {% endfor %}{% endfor %}', 'aa ab ba bb '],
    ['{% set x = version + "!" %}{% if yes %}{% set x = x + "?" %}{% endif %}{{ x }}', '42!?'],
    ['{% set x = 1 %}{% for n in names %}{% set x = 2 %}{% endfor %}{{ x }}', '1'],
    ['{% macro m(a, b) %}<{{ a }}{{ b }}{{ version }}>{% endmacro %}{{ m(1, "x") }}{{ m(2) }}', '<1x42><242>'],
    ['{% macro m() %}a{% endmacro m %}{{ m() }}', 'a'],
    ['a{# {{ comment }} #}b', 'ab'],
    ['a \n {{- " b" }}', 'a b'],
    ['{{ "a" -}} \n b', 'ab'],
    ['a\n{%- if yes -%}\n b \n{%- endif -%}\n c', 'abc'],
    ['a\n {#- x -#} \n b', 'ab'],
    ['{%+ if yes +%} a{% endif %}', ' a'],
    ['{{ {"}}": "x"}["}}"] }}', 'x'],
    ['{{ names == ["a", "b"] }}', 'True'],
    ['%{?dist} $(x) {', '%{?dist} $(x) {'],
    ['a\n{% if yes %}\nb\n{% endif %}\n', 'a\n\nb\n\n'],
  ])('%j gives %j', (template, expected) => {
    expect(expanded(template)).toBe(expected);
  });

  it('see other options unexpanded, and are expanded again', () => {
    const text = `config_opts['a'] = '{{ "{{ b }}" }}'\nconfig_opts['b'] = 'x'\nconfig_opts['root'] = '{{ a }}{% if b == "x" %}!{% endif %}'`;
    expect(read(text).root).toBe('x!');
    // 'inner' holds a template of its own when it is compared.
    expect(expanded('{% if inner == "[42]" %}expanded{% else %}raw{% endif %}')).toBe('raw');
  });

  it('are expanded wherever they stand', () => {
    const text = `config_opts['module_enable'] = ['a:{{ releasever }}']
config_opts['dnf_vars'] = {'x': '{{ releasever }}'}
config_opts['legal_host_arches'] = ('{{ target_arch }}',)
config_opts['releasever'] = 9`;
    expect(read(text)).toMatchObject({ moduleEnable: ['a:9'], dnfVars: { x: '9' }, legalHostArches: ['x86_64'] });
  });

  const lines = options.split('\n').length;
  const column = `config_opts['root'] = """`.length + 1;
  it.each([
    ['{{ version', 2, 'the template has no }}'],
    ['{% if yes %}a', 0, '{% if %} has no {% endif %}'],
    ['{% if yes %}a{% endfor %}', 13, 'unexpected {% endfor %}'],
    ['{% endif %}', 0, 'unexpected {% endif %}'],
    ['{% for n in names %}', 0, '{% for %} has no {% endfor %}'],
    ['{% macro m() %}', 0, '{% macro %} has no {% endmacro %}'],
    ['{% if yes %}{% else %}{% else %}{% endif %}', 22, 'unexpected {% else %}'],
    ['{# x', 0, 'the comment has no #}'],
    ['{% include "x" %}', 0, 'unsupported Jinja statement: include'],
    ['{% raw %}{% endraw %}', 0, 'unsupported Jinja statement: raw'],
    ['{% 1 %}', 3, 'expected a Jinja statement, found "1"'],
    ['{% set 1 = 2 %}', 7, 'expected a name, found "1"'],
    ['{% set x %}', 9, 'expected "=", found the end of the tag'],
    ['{% if %}', 6, 'expected a value, found the end of the tag'],
    ['{{ version version }}', 11, 'expected the end of the tag, found "version"'],
    ['{{ version|replace("a", "b") }}', 10, 'unsupported Jinja filter: replace'],
    ['{{ version is odd }}', 11, 'unsupported Jinja test: odd'],
    ['{{ version.x }}', 10, 'unsupported: .x on a string'],
    ['{{ nothing.x }}', 10, 'unsupported: .x on not set: nothing'],
    ['{{ nothing() }}', 10, 'unsupported call: this is not set'],
    ['{{ names }}', 0, 'expected a string, found a list'],
    ['{{ range("x") }}', 8, 'range() of a string'],
    ['{{ range(1, 99999) }}', 8, 'unsupported range()'],
    ['{% for n in 1 %}{% endfor %}', 0, 'cannot loop over a number'],
    ['{% for n names %}{% endfor %}', 9, 'expected "in", found "names"'],
    ['{% macro m() %}{% endmacro %}{{ m(1) }}', 33, 'm() takes 0 values, not 1'],
    ['{{ nothing|int }}', 10, 'nothing is not set'],
    ['{{ version|int if chrootuid }}', 18, 'chrootuid is known to mock alone'],
    ['{% for n in names if n %}{% endfor %}', 18, 'unsupported: a loop with a condition'],
    ['{% if yes if no %}{% endif %}', 10, 'expected the end of the tag, found "if"'],
    ["{{ 'x }}", 3, 'the string has no end'],
    ['{{ version >= 40 }}', 14, 'cannot compare a string with a number'],
  ])('%s is an error', (template, offset, message) => {
    expect(problem(`${options}config_opts['root'] = """${template}"""`)).toBe(`${lines}:${column + offset} ${message}`);
  });

  it('that name each other in a circle are an error', () => {
    const text = "config_opts['a'] = '{{ b }}x'\nconfig_opts['b'] = '{{ a }}'\nconfig_opts['root'] = '{{ a }}'";
    expect(problem(text)).toBe('3:24 the template still changes after 5 rounds of expansion');
  });

  it('may not ask for endless work', () => {
    const loops = Array.from({ length: 8 }, (_, index) => `{% for n${index} in range(1000) %}`).join('');
    expect(problem(`config_opts['root'] = '${loops}x${'{% endfor %}'.repeat(8)}'`)).toMatch(/too much work/);
    const recursive = '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}';
    expect(problem(`config_opts['root'] = '${recursive}'`)).toMatch(/nested more than/);
    const twice = '{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}';
    expect(problem(`config_opts['root'] = '${twice}'`)).toMatch(/nested more than/);
    const blocks = (depth: number) =>
      `config_opts['root'] = '${'{% if 1 %}'.repeat(depth)}x${'{% endif %}'.repeat(depth)}'`;
    expect(read(blocks(40)).root).toBe('x');
    expect(problem(blocks(2_000))).toMatch(/nested more than 50 levels deep/);
    const big = `config_opts['a'] = '${'a'.repeat(100_000)}'\nconfig_opts['root'] = '${'{{ a }}'.repeat(1000)}'`;
    expect(problem(big)).toMatch(/too much work/);
  });
});
