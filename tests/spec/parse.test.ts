import { describe, expect, it } from 'vitest';
import { sectionNames } from '../../src/spec/header.ts';
import { parseSpec, parseTag } from '../../src/spec/parse.ts';
import { branchesAround, imbalances } from '../../src/spec/query.ts';

/** Sections as `%name package` lines, for short expectations. */
function outline(text: string): string[] {
  return parseSpec(text).sections.map(
    (section) => `${section.name} [${section.package}] ${section.start}-${section.end}`,
  );
}

describe('sections', () => {
  it('finds them in any case, with their packages; an indented header is text, as for rpm', () => {
    const text = [
      'Name: a',
      '  %package indented',
      '%package devel',
      'Summary: b',
      '%Description -l de -n other',
      '%files -f list.txt sub',
      '%post -n %{name}-libs -p <lua>',
      '%triggerin libs -- foo < 3',
      '%transfiletriggerin -P 2000000 -- /usr/lib',
      '%build -n foo',
      '%package -n %{?with_x:a b}c',
      '%packages x',
      '%preparing',
    ].join('\n');
    expect(outline(text)).toEqual([
      '%package [] 0-2',
      '%package [devel] 3-4',
      '%Description [other] 5-5',
      '%files [sub] 6-6',
      '%post [%{name}-libs] 7-7',
      '%triggerin [libs] 8-8',
      '%transfiletriggerin [] 9-9',
      '%build [] 10-10',
      '%package [%{?with_x:a b}c] 11-13',
    ]);
  });

  it('belong to the main package if a macro is not a name', () => {
    const text = [
      ...['%global text %{expand:', 'A text.}', '%global same %text', '%global more\\', 'More.', '%global name x'],
      ...[
        '%description %{text}',
        '%description %same',
        '%description %{?more}',
        '%files %{?with_y:-f list}',
        '%files %{?unset}',
      ],
      ...['%files %{name}', '%files %{unset}', '%files -n %{text}', '%files %{?with_y:sub}'],
    ].join('\n');
    expect(
      parseSpec(text)
        .sections.slice(1)
        .map((section) => section.package),
    ).toEqual(['', '', '', '', '', '%{name}', '%{unset}', '%{text}', '%{?with_y:sub}']);
  });

  it.each([...sectionNames])('knows %s', (name) => {
    expect(outline(`${name}\nx`)).toEqual(['%package [] 0-0', `${name} [] 1-2`]);
  });

  it('finds none in the body of a macro or a shell command, but in a conditional macro', () => {
    const text = [
      '%define sub() \\',
      '%package %1 \\',
      'Summary: x',
      '%(',
      '%package not',
      ')',
      '%global y %{expand:',
      '%files not',
      '}',
      '%{?with_z:',
      '%package yes',
      'Summary: z',
      '}',
    ].join('\n');
    const spec = parseSpec(text);
    expect(spec.sections.map((section) => section.package)).toEqual(['', 'yes']);
    expect(spec.joined).toEqual([false, true, true, false, true, true, false, true, true, false, true, true, true]);
    expect(spec.roles[11]).toBe('tag');
    expect(spec.roles[2]).toBe('text');
  });

  it('is not affected by an unclosed bracket', () => {
    expect(outline('# see %{foo\nName: a\n%build\nmake')).toEqual(['%package [] 0-2', '%build [] 3-4']);
  });
});

describe('conditionals', () => {
  it('finds nesting, branches and strays', () => {
    const spec = parseSpec(
      ['%if 1', ' %ifarch x86_64', 'A: b', '%else', 'C: d', ' %endif', '%endif', '%endif', '%iffy', '#%if'].join('\n'),
    );
    expect(spec.depths).toEqual([0, 1, 2, 1, 2, 1, 0, 0, 0, 0]);
    expect(spec.conditionals).toEqual([
      { open: 0, branches: [], close: 6, parent: -1 },
      { open: 1, branches: [3], close: 5, parent: 0 },
    ]);
    expect(spec.strays).toEqual([7]);
    expect(spec.roles.slice(-2)).toEqual(['text', 'comment']);
  });

  it('leaves an %if without %endif open', () => {
    expect(parseSpec('%if(1)\nx').conditionals).toEqual([{ open: 0, branches: [], close: undefined, parent: -1 }]);
  });
});

describe('lines', () => {
  it('distinguishes comments, %dnl, tags and the rest', () => {
    const spec = parseSpec(
      [
        '# c',
        '%dnl Name: no',
        'Name: a',
        '%dnlx',
        '',
        '%{?x:Name: b}',
        'Requires: a, \\',
        ' b: c',
        '%prep',
        'X: y',
      ].join('\n'),
    );
    expect(spec.roles).toEqual(['comment', 'dnl', 'tag', 'text', 'blank', 'text', 'tag', 'text', 'header', 'text']);
  });
});

describe('the model of conditionals', () => {
  const spec = parseSpec(
    [
      ...[
        '%if A',
        'a',
        '%ifarch x86_64 %{arm}',
        'b',
        '%elifarch i686',
        'c',
        '%else',
        'd',
        '%endif',
        '%elif B',
        'e',
        '%endif',
      ],
      ...['f', '%ifos linux', 'g', '%endif'],
    ].join('\n'),
  );
  it('is a tree', () => {
    expect(spec.conditionals).toEqual([
      { open: 0, branches: [9], close: 11, parent: -1 },
      { open: 2, branches: [4, 6], close: 8, parent: 0 },
      { open: 13, branches: [], close: 15, parent: -1 },
    ]);
  });

  it.each<[number, string[]]>([
    [0, []],
    [1, ['if A']],
    [2, ['if A']],
    [3, ['if A', 'ifarch x86_64 %{arm}']],
    [4, ['if A']],
    [5, ['if A', 'elifarch i686']],
    [7, ['if A', 'else']],
    [8, ['if A']],
    [10, ['elif B']],
    [12, []],
    [14, ['ifos linux']],
  ])('says what is around line %i', (line, expected) => {
    expect(branchesAround(spec, line).map(({ word, expression }) => `${word} ${expression}`.trim())).toEqual(expected);
  });

  it('lists unbalanced conditionals by line', () => {
    const broken = parseSpec(
      ['%endif', '%if A', '%else', '%elif B', '%else', '%endif', '%else', '%ifarch x', 'text'].join('\n'),
    );
    expect(imbalances(broken)).toEqual([
      { line: 0, problem: '%endif without %if' },
      { line: 3, problem: '%elif after %else' },
      { line: 4, problem: '%else after %else' },
      { line: 6, problem: '%else without %if' },
      { line: 7, problem: '%ifarch without %endif' },
    ]);
    expect(imbalances(spec)).toEqual([]);
  });
});

describe('tags', () => {
  it.each<[string, string | undefined, string | undefined]>([
    ['Requires(post,preun): a', 'Requires(post,preun)', 'a'],
    ['Requires( post , preun ): a', 'Requires( post , preun )', 'a'],
    ['Summary(de):  Hallo : Welt  ', 'Summary(de)', 'Hallo : Welt'],
    ['  BuildRequires : a', 'BuildRequires', 'a'],
    ['Source0:', 'Source0', ''],
    ['Recommends:\ta', 'Recommends', 'a'],
    ['X-Vendor-Tag: 1', 'X-Vendor-Tag', '1'],
    ['%{?x:Name: y}', undefined, undefined],
    ['Name y', undefined, undefined],
    [': y', undefined, undefined],
    ['1Name: y', undefined, undefined],
    ['a b: c', undefined, undefined],
  ])('%j', (text, name, value) => {
    expect(parseTag(text)).toEqual(name === undefined ? undefined : { name, value });
  });
});
