import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { removeSection, removeSubpackage } from '../../src/overlay/section-edits.ts';
import { parseSpec, printSpec } from '../../src/spec/parse.ts';

const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('');

function without(packageName: string, ...text: string[]): string[] {
  return printSpec(removeSubpackage(parseSpec(lines(...text)), packageName))
    .split('\n')
    .slice(0, -1);
}

function refusal(packageName: string, ...text: string[]): string {
  try {
    without(packageName, ...text);
  } catch (error) {
    if (error instanceof WeirError) return [error.code, error.message, ...error.details].join('\n');
    throw error;
  }
  throw new Error('the package was removed');
}

describe('a package is removed', () => {
  it.each<[string, string[], string[]]>([
    ['written with -n', ['%package -n b', 'Summary: b', '%files', 'x', '%files -n b', 'y'], ['%files', 'x']],
    [
      'up to the end of the file',
      ['%files', 'x', '', '%package b', 'Summary: b', '%files b', 'y'],
      ['%files', 'x', ''],
    ],
    [
      'with a conditional of its own and what its branches hold',
      ['%package b', '%ifarch x86_64', 'Requires: c', '%else', 'Requires: d', '%endif', '%files'],
      ['%files'],
    ],
    [
      'without the guards around it, nested or not',
      ['%if A', '%if B', '%files b', 'x', '%endif', '%endif', '', '%files'],
      ['%if A', '%if B', '%endif', '%endif', '', '%files'],
    ],
    [
      'without guards of the next section, and their comments',
      ['%files b', 'x', '', '%if A', '# c', '%if B', '%files c', 'y', '%endif', '%endif'],
      ['%if A', '# c', '%if B', '%files c', 'y', '%endif', '%endif'],
    ],
    [
      'between the end of its guard and the begin of the next',
      ['%if A', '%files b', 'x', '%endif', '%if B', '%files c', 'y', '%endif'],
      ['%if A', '%endif', '%if B', '%files c', 'y', '%endif'],
    ],
    [
      'from one branch, with another package in the other',
      ['%if A', '%files b', 'x', '%else', '%files c', 'y', '%endif'],
      ['%if A', '%else', '%files c', 'y', '%endif'],
    ],
    [
      'from both branches, with what follows them',
      [
        '%files',
        '%if A',
        '%package b',
        'Summary: b',
        '%else',
        '%package -n b',
        'Summary: B',
        '%endif',
        'Requires: c',
        '%build',
      ],
      ['%files', '%if A', '%else', '%endif', '%build'],
    ],
    [
      'from three branches but not from a fourth',
      ['%if A', '%files b', '%elif B', '%files b', 'x', '%elif C', '%files c', 'y', '%else', '%files b', '%endif'],
      ['%if A', '%elif B', '%elif C', '%files c', 'y', '%else', '%endif'],
    ],
    [
      'around a branch that another one begins in',
      ['%files b', 'x', '%if A', 'y', '%files c', 'z', '%else', 'w', '%endif', '%build'],
      ['%if A', '%files c', 'z', '%else', '%endif', '%build'],
    ],
    [
      'and leaves the other branch, which goes on with the section before',
      ['%files', 'x', '%if A', '%files b', 'y', '%else', 'z', '%endif', '%build'],
      ['%files', 'x', '%if A', '%else', 'z', '%endif', '%build'],
    ],
    [
      'and leaves blank lines and comments of which it cannot be told whose they are',
      ['%if A', '%files b', 'x', '%endif', '', '# c', '%build'],
      ['%if A', '%endif', '', '# c', '%build'],
    ],
    [
      'with a conditional macro in braces of its own, but not one around it',
      ['%{?x:', '%package b', 'Summary: b', '%{?y:', 'Requires: c', '}', '}', '%build'],
      // The inner braces do not stand alone: they are cut from nothing.
      ['%{?x:', '}', '%build'],
    ],
    ['with braces around a part of it', ['%files b', '%{?x:', 'y', '}', 'z', '%build'], ['%build']],
    ['with a macro over several lines', ['%files b', '%{lua:', 'print("x")', '}', 'a \\', '  b', '%build'], ['%build']],
    [
      'but not the macros that others use, nor those that these use',
      [
        '%package b',
        '%global one 1',
        '%global two %{one}',
        '%define three() \\',
        '  x',
        '%global four 4',
        '%build',
        'echo %two %{?three}',
      ],
      ['%global one 1', '%global two %{one}', '%define three() \\', '  x', '%build', 'echo %two %{?three}'],
    ],
    [
      'but not macros in a conditional, with that',
      [
        '%package b',
        'Summary: b',
        '%if A',
        '%global one 1',
        'Requires: c',
        '%else',
        '%global one 2',
        '%endif',
        '%build',
        '%{one}',
      ],
      ['%if A', '%global one 1', '%else', '%global one 2', '%endif', '%build', '%{one}'],
    ],
    [
      'but not build conditions that others ask for, nor settings of rpm',
      [
        '%package b',
        '%bcond docs 1',
        '%bcond_with tests',
        '%global __requires_exclude x',
        '%global debug_package %{nil}',
        '%if %{with docs}',
        '%files',
        '%endif',
      ],
      [
        '%bcond docs 1',
        '%global __requires_exclude x',
        '%global debug_package %{nil}',
        '%if %{with docs}',
        '%files',
        '%endif',
      ],
    ],
    [
      'with calls that make its sections and nothing else',
      ['%description b', 'x', '%ldconfig_scriptlets b', '%ldconfig_scriptlets', '', '%build'],
      ['%ldconfig_scriptlets', '%build'],
    ],
    [
      'that only a call makes',
      ['%description', 'x', '%pyproject_extras_subpkg -n b extra', '%pyproject_extras_subpkg -n b other', '%build'],
      ['%description', 'x', '%pyproject_extras_subpkg -n b other', '%build'],
    ],
  ])('%s', (_what, text, expected) => {
    const packageName = text.some((line) => line.includes('subpkg')) ? 'b+extra' : 'b';
    expect(without(packageName, 'Name: a', ...text)).toEqual(['Name: a', ...expected]);
  });
});

describe('a package is not removed, with the reason', () => {
  it.each<[string, string[], string[]]>([
    [
      'where a line is of it under one condition and of another section under the other',
      ['%if A', '%files b', 'x', '%endif', 'y', '%build'],
      ['overlay-interleaved', 'depends on a conditional', 'line 6: y'],
    ],
    [
      'where branches end in different sections',
      ['%if A', '%package b', '%else', '%package c', '%endif', 'Requires: d', '%build'],
      ['overlay-interleaved', 'line 7: Requires: d'],
    ],
    [
      'where it goes on in a conditional of its own behind its guard',
      ['%if A', '%files b', 'x', '%endif', '%if B', 'y', '%endif', '%build'],
      ['overlay-interleaved', 'line 7: y'],
    ],
    ['where an %if has no %endif', ['%files b', '%if A', 'x'], ['%if without %endif', 'line 3: %if A']],
    ['where an %endif has no %if', ['%endif', '%files b'], ['%endif without %if', 'line 2: %endif']],
    ['where there are two %else', ['%files b', '%if A', '%else', '%else', '%endif'], ['%else after %else', 'line 5']],
    [
      'where a macro is cut',
      ['%files b', '%{?x:y', '%build', 'z}'],
      ['overlay-interleaved', 'the section ends inside a macro'],
    ],
    [
      'where braces and a conditional cut each other',
      ['%{?x:', '%if A', '%files b', '}', '%endif', '%build'],
      ['overlay-interleaved', 'a conditional and a macro in braces overlap'],
    ],
    [
      'where a macro of the spec makes it',
      ['%define sub() %package %1', '%sub b', 'Summary: b', '%files b'],
      ['overlay-macro-made', 'package b', 'generated by the macro %sub in line 3', 'line 3: %sub b'],
    ],
    [
      'where a call makes it and others',
      ['%pyproject_extras_subpkg -n b x,y', '%build'],
      ['overlay-macro-made', '%pyproject_extras_subpkg in line 2', '%package -n b+x'],
    ],
    [
      'where a macro may make it',
      ['%gopkg', '', '%build', '%gopkgfiles'],
      ['overlay-macro-made', 'may be generated by the macro %gopkg in line 2', 'it generates %package -n *-b'],
    ],
    [
      'where a condition makes it',
      ['%{?fedora:%package b}', 'Summary: b'],
      ['overlay-macro-made', 'may be generated by the macro %{?fedora:…} in line 2'],
    ],
    [
      'where only rpm can tell',
      ['%{lua: print("%package " .. x)}', '%include more.inc'],
      [
        'overlay-no-match',
        'line 2: %{lua: print("%package " .. x)} generates sections of packages that only rpm knows',
        'line 3: %include more.inc includes a file',
      ],
    ],
  ])('%s', (_what, text, says) => {
    const packageName = text.some((line) => line.startsWith('%pyproject'))
      ? 'b+x'
      : text[0] === '%gopkg'
        ? 'devel'
        : 'b';
    const said = refusal(packageName, 'Name: a', ...text);
    for (const part of says) expect(said).toContain(part.replace('*-b', '*-devel'));
  });
});

// What follows is the meaning of a removal: decide every condition, and the sections that are left are the same ones as
// without the removal, line by line, less the removed ones.

type Node =
  | string
  | { readonly condition: number; readonly then: readonly Node[]; readonly else: readonly Node[] | undefined };

const plain = fc.constantFrom(
  'x',
  'y',
  'z',
  '',
  '# c',
  '%files',
  '%files b',
  '%package b',
  '%package c',
  '%description b',
  '%build',
);
const nodes: fc.Arbitrary<Node[]> = fc.letrec<{ list: Node[]; node: Node }>((tie) => ({
  list: fc.array(tie('node'), { maxLength: 6 }),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain,
    fc.record({
      condition: fc.nat(2),
      // biome-ignore lint/suspicious/noThenProperty: the data of a test, never awaited
      then: tie('list'),
      else: fc.option(tie('list'), { nil: undefined }),
    }),
  ),
})).list;

function print(list: readonly Node[]): string[] {
  return list.flatMap((node) =>
    typeof node === 'string'
      ? [node]
      : [
          `%if ${node.condition}`,
          ...print(node.then),
          ...(node.else === undefined ? [] : ['%else', ...print(node.else)]),
          '%endif',
        ],
  );
}

/** The content of each section when the conditions have these values, by a reading of its own: only lines. */
function decided(text: readonly string[], truth: readonly boolean[]): [string, string][] {
  const found: [string, string][] = [];
  const taken: boolean[] = [];
  let section = '';
  for (const line of text) {
    if (line.startsWith('%if')) taken.push(truth[Number(line.slice(4))]!);
    else if (line === '%else') taken.push(!taken.pop()!);
    else if (line === '%endif') taken.pop();
    else if (taken.every(Boolean)) {
      if (/^%(files|package|description|build)/.test(line)) section = line;
      if (line !== '' && line !== '# c') found.push([section, line]);
    }
  }
  return found;
}

describe('under every condition', () => {
  it('the rest stays the same without the removed package', () => {
    let removed = 0;
    fc.assert(
      fc.property(nodes, (list) => {
        const text = ['Name: a', ...print(list)];
        let after: string[];
        try {
          after = without('b', ...text);
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
          return;
        }
        removed++;
        for (let bits = 0; bits < 8; bits++) {
          const truth = [1, 2, 4].map((bit) => (bits & bit) !== 0);
          const expected = decided(text, truth).filter(([section]) => !/ b$/.test(section));
          expect(decided(after, truth)).toEqual(expected);
        }
      }),
      { numRuns: 2000 },
    );
    expect(removed).toBeGreaterThan(100);
  });

  it('the same for one kind of section', () => {
    fc.assert(
      fc.property(nodes, (list) => {
        const text = ['Name: a', ...print(list)];
        let after: string[];
        try {
          after = printSpec(removeSection(parseSpec(lines(...text)), '%files'))
            .split('\n')
            .slice(0, -1);
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
          return;
        }
        for (let bits = 0; bits < 8; bits++) {
          const truth = [1, 2, 4].map((bit) => (bits & bit) !== 0);
          expect(decided(after, truth)).toEqual(decided(text, truth).filter(([section]) => section !== '%files'));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
