import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expansions, macroChoices } from '../../src/spec/choices.ts';
import { parseSpec } from '../../src/spec/parse.ts';
import { expandPlain } from '../../src/spec/query.ts';

const of = (text: string, value: string): readonly string[] | undefined =>
  expansions(value, macroChoices(parseSpec(text)));

describe('the possible values', () => {
  it.each([
    ['one value', 'Name: a\n%global v 1\n', '%{name}-%{v}', ['a-1']],
    ['the same value twice', '%global v 1\n%define v 1\n', '%v', ['1']],
    [
      'another in each branch',
      '%if 0%{?rhel}\n%global v 1\n%else\n%global v 2\n%endif\n',
      'x-%{v}',
      ['x-1', 'x-2', 'x-%{v}'],
    ],
    ['one that is set before and changed in a branch', '%global v 1\n%if x\n%global v 2\n%endif\n', '%{v}', ['1', '2']],
    ['one that only a branch sets', '%if x\n%global pre rc1\n%endif\n', 'x%{?pre}', ['xrc1', 'x']],
    ['one that is taken back', '%global v 1\n%undefine v\n', '%{?v}.', ['1.', '.']],
    [
      'one through another',
      '%if x\n%global a 1\n%else\n%global a 2\n%endif\n%global b %{?a}b\n',
      '%b',
      ['1b', '2b', 'b'],
    ],
    ['a tag in two branches', '%if x\nVersion: 1\n%else\nVersion: 2\n%endif\n', '%{version}', ['1', '2', '%{version}']],
    ['one that the spec does not know', 'Name: a\n', '%{dist}%{?x}', ['%{dist}%{?x}']],
  ])('%s', (_, text, value, expected) => {
    expect(of(text, value)).toEqual(expected);
  });

  it('stops at macros that refer to each other, and at too many combinations', () => {
    expect(of('%global a %{b}\n%global b %{a}\n', '%{a}')).toHaveLength(1);
    const many = [0, 1, 2, 3, 4, 5, 6].map((n) => `%if x\n%global m${n} 1\n%endif\n`).join('');
    expect(of(many, '%{?m0}%{?m1}%{?m2}%{?m3}%{?m4}%{?m5}%{?m6}')).toBeUndefined();
  });

  it('contains the expansion by the last values', () => {
    const line = fc.constantFrom(
      '%if x',
      '%else',
      '%endif',
      '%global a 1',
      '%global a %{?b}2',
      '%define b 3',
      '%undefine b',
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.constantFrom('%{?a}', '%{?b}x', '%{?a}-%{?b}'),
        (lines, value) => {
          const choices = macroChoices(parseSpec(lines.join('\n')));
          const found = expansions(value, choices);
          if (found !== undefined) expect(found).toContain(expandPlain(value, choices.plain));
        },
      ),
    );
  });
});
