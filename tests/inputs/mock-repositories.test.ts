import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MockRepository } from '../../src/inputs/mock-repositories.ts';
import { problem, read } from './mock-fixture.ts';

function repositories(conf: string): readonly MockRepository[] {
  return read(`config_opts['dnf.conf'] = """${conf}"""`).repositories;
}

describe('dnf.conf', () => {
  it('has a repository for every section but [main], in order', () => {
    const config = read(`config_opts['dnf.conf'] = """
[b]
name=B
[main]
excludepkgs=x
[a-1.0:x]
"""`);
    expect(config.repositories.map(({ id }) => id)).toEqual(['b', 'a-1.0:x']);
    expect(config.main).toEqual({ excludepkgs: 'x' });
  });

  it('knows what dnf does by default', () => {
    expect(repositories('[a]')).toEqual([
      {
        id: 'a',
        baseUrls: [],
        gpgKeys: [],
        gpgCheck: true,
        repoGpgCheck: false,
        enabled: true,
        excludes: [],
        includes: [],
        skipIfUnavailable: false,
        moduleHotfixes: false,
        options: {},
        origin: { file: 'a.cfg', line: 1 },
      },
    ]);
  });

  it('lets a repository have the options of [main], or its own', () => {
    const conf =
      '[main]\ngpgcheck=0\nrepo_gpgcheck=1\nskip_if_unavailable=1\n[a]\n[b]\ngpgcheck=1\nrepo_gpgcheck=0\n[c]\npkg_gpgcheck=1';
    expect(repositories(conf)).toMatchObject([
      { gpgCheck: false, repoGpgCheck: true, skipIfUnavailable: true },
      { gpgCheck: true, repoGpgCheck: false },
      { gpgCheck: true },
    ]);
  });

  it('reads lists, continued lines, quotes and comments', () => {
    const [repository] = repositories(`[a] # first
# baseurl=https://no.example.org/
; nor this
baseurl = https://one.example.org/$releasever/
  https://two.example.org/$basearch/,https://three.example.org/
gpgkey=file:///a   file:///b
name="A # b"
mirrorlist=https://m.example.org/?a=b&c=d
module_hotfixes=On
includepkgs=x y
exclude=z
excludepkgs=w
name="C"
cost=-5
`);
    expect(repository).toMatchObject({
      baseUrls: [
        'https://one.example.org/$releasever/',
        'https://two.example.org/$basearch/',
        'https://three.example.org/',
      ],
      gpgKeys: ['file:///a', 'file:///b'],
      name: 'C',
      mirrorlist: 'https://m.example.org/?a=b&c=d',
      moduleHotfixes: true,
      includes: ['x', 'y'],
      excludes: ['w', 'z'],
      cost: -5,
    });
  });

  it('excludes what [main] excludes', () => {
    const text = '[main]\nexcludepkgs=x\n[a]\nexcludepkgs=y\n[b]\nbaseurl=z';
    expect(repositories(text).map(({ excludes }) => excludes)).toEqual([['x', 'y'], ['x']]);
  });

  it('joins sections of one name', () => {
    expect(repositories('[a]\nenabled=0\n[b]\n[a]\nbaseurl=x\nenabled=True')).toMatchObject([
      { id: 'a', enabled: true, baseUrls: ['x'] },
      { id: 'b' },
    ]);
  });

  it('may have no options at all with strange names', () => {
    const [repository] = repositories('[a]\n__proto__=x\nconstructor=y');
    expect(Object.entries(repository!.options)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it.each([
    ['a=b', '1:30 invalid dnf.conf: there is no [section] before this line'],
    ['[a]\n  b=c', '2:1 invalid dnf.conf: this line continues no option'],
    ['[a]\nb=c\n# x\n  d', '4:1 invalid dnf.conf: this line continues no option'],
    ['[a]\nb', '2:1 invalid dnf.conf: missing "=" after "b"'],
    ['[a]\n=b', '2:1 invalid dnf.conf: missing option name before "="'],
    ['[a', '1:30 invalid dnf.conf: missing "]"'],
    ['\n[]', '2:1 invalid dnf.conf: the section has no name'],
    ['[a] b', '1:30 invalid dnf.conf: unexpected text after [a]'],
    ['[a]\nenabled=maybe', '2:1 invalid dnf.conf: enabled: expected a boolean, found "maybe"'],
    ['[a]\npriority=high', '2:1 invalid dnf.conf: priority: expected a whole number, found "high"'],
    ['[main]\ngpgcheck=2\n[a]', '2:1 invalid dnf.conf: gpgcheck: expected a boolean, found "2"'],
  ])('%j is an error', (conf, message) => {
    expect(problem(`config_opts['dnf.conf'] = """${conf}"""`)).toBe(message);
  });

  it('reports lines of the original file, even after templates changed the text', () => {
    const text = `config_opts['conf'] = 'enabled=oops'
config_opts['dnf.conf'] = """
{% for n in ['a', 'b', 'c'] %}
[{{ n }}]
{% endfor %}
"""
config_opts['dnf.conf'] += """
[d]
{{ conf }}
"""`;
    expect(problem(text)).toBe('9:1 invalid dnf.conf: enabled: expected a boolean, found "oops"');
    const good = read(text.replace('oops', '1'));
    expect(good.repositories.map(({ id, origin }) => [id, origin.line])).toEqual([
      ['a', 4],
      ['b', 4],
      ['c', 4],
      ['d', 8],
    ]);
  });

  it('keeps the line of every section, however the text is put together', () => {
    const part = fc.record({ blank: fc.nat(3), escaped: fc.boolean(), added: fc.boolean() });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 20 }), (parts) => {
        let text = "config_opts['dnf.conf'] = ''\n";
        const lines: number[] = [];
        const line = () => text.split('\n').length;
        for (const [index, { blank, escaped, added }] of parts.entries()) {
          text += '\n'.repeat(blank);
          text += `config_opts['dnf.conf'] ${index === 0 && !added ? '=' : '+='} """${escaped ? '\\n' : '\n'}`;
          lines.push(line());
          text += `[r${index}]\n"""\n`;
        }
        expect(read(text).repositories.map(({ origin }) => origin.line)).toEqual(lines);
      }),
    );
  });
});
