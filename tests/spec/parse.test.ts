import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sectionNames } from '../../src/spec/header.ts';
import { parseSpec, printSpec, specBytes } from '../../src/spec/parse.ts';

/** Sections as `%name package` lines, for short expectations. */
function outline(text: string): string[] {
  return parseSpec(text).sections.map(
    (section) => `${section.name} [${section.package}] ${section.start}-${section.end}`,
  );
}

describe('sections', () => {
  it('finds them indented, in any case, with their packages', () => {
    const text = [
      'Name: a',
      '  %package devel',
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
      '%package [] 0-1',
      '%package [devel] 2-3',
      '%Description [other] 4-4',
      '%files [sub] 5-5',
      '%post [%{name}-libs] 6-6',
      '%triggerin [libs] 7-7',
      '%transfiletriggerin [] 8-8',
      '%build [] 9-9',
      '%package [%{?with_x:a b}c] 10-12',
    ]);
  });

  it.each([...sectionNames])('knows %s', (name) => {
    expect(outline(`${name}\nx`)).toEqual(['%package [] 0-0', `${name} [] 1-2`]);
  });

  it('sees none in the body of a macro or a shell command, but in a conditional macro', () => {
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

  it('lets a bracket that is never closed hide nothing', () => {
    expect(outline('# see %{foo\nName: a\n%build\nmake')).toEqual(['%package [] 0-2', '%build [] 3-4']);
  });
});

describe('conditionals', () => {
  it('gives nesting, branches and strays', () => {
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
  it('tells comments, %dnl, tags and the rest', () => {
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

const piece = fc.oneof(
  fc.constantFrom(
    ...[
      '%if 1',
      '%else',
      '%elif 0',
      '%endif',
      '%package a',
      ' %files -n b',
      '%build',
      '%description',
      '%{lua:',
      '}',
      '%(',
    ],
    ...[
      ')',
      '%define x \\',
      'Name: a',
      'Patch0: b',
      '%{?x:',
      '\\',
      '%%',
      '%[',
      '# %{',
      '%dnl',
      '',
      '\ufeffName: x',
      '\r',
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const anySpec = fc
  .array(fc.tuple(piece, fc.constantFrom('\n', '\r\n', '')), { maxLength: 60 })
  .map((parts) => parts.map(([text, end]) => text + end).join(''));

describe('parse and print', () => {
  it('give every text back', () => {
    fc.assert(fc.property(anySpec, (text) => printSpec(parseSpec(text)) === text));
  });

  it('give every byte back, valid UTF-8 or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(Buffer.from(specBytes(parseSpec(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('tile the file with sections', () => {
    fc.assert(
      fc.property(anySpec, (text) => {
        const spec = parseSpec(text);
        let next = 0;
        for (const section of spec.sections) {
          expect(section.start).toBe(section.header < 0 ? 0 : next + 1);
          next = section.end;
        }
        expect(next).toBe(spec.lines.length);
        for (const list of [spec.roles, spec.joined, spec.depths]) expect(list.length).toBe(spec.lines.length);
      }),
    );
  });

  it('take time in proportion to the file, however many brackets are open', () => {
    const spec = parseSpec('%{ %( %[ \\\n%if\n'.repeat(50_000));
    expect(spec.lines.length).toBe(100_000);
  });
});
