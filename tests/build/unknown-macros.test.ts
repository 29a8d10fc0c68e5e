import { describe, expect, it } from 'vitest';
import { definedIn, macroUses, unknownMark, withNames } from '../../src/build/unknown-macros.ts';
import { parseSpec } from '../../src/spec/parse.ts';

const uses = (...lines: string[]): Record<string, string> =>
  Object.fromEntries([...macroUses(parseSpec(lines.join('\n')), new Set(['beside']))].sort());

describe('macros that a spec needs from the system', () => {
  it('include those in values, in conditions and on lines of their own', () => {
    expect(
      uses(
        ...[
          'Name: a',
          'Version: %{major}.1',
          '%gometa -f',
          '%if 0%{rhel} || %{with docs}',
          'Requires: %{py3_dist x} %pkg',
          '%endif',
        ],
        ...[
          '%package -n lib%{soname}',
          '%fontpkg -a',
          '%files -f %{filelist}',
          '%global x %{inner}',
          '%patchlist',
          '%{lists}.patch',
        ],
      ),
    ).toEqual({
      filelist: 'value',
      fontpkg: 'call',
      gometa: 'call',
      inner: 'value',
      lists: 'call',
      major: 'value',
      pkg: 'value',
      py3_dist: 'value',
      rhel: 'expression',
      soname: 'value',
      with: 'expression',
    });
  });

  it('exclude those that the spec or a file beside it defines, or that it tests for', () => {
    expect(
      uses(
        ...[
          '%global one 1',
          '%define two() %three',
          '%bcond four 1',
          '%{lua:rpm.define("five 5")}',
          'Name: %one%two%four%five%beside',
        ],
        ...[
          'Release: 1%{?dist}',
          '%{!?six: %global six 6}',
          'URL: %{six}',
          '%{?seven:%seven -x}',
          'Summary: %name %{version} %%eight',
        ],
      ),
    ).toEqual({ dist: 'optional', three: 'value' });
  });

  it('exclude those in scripts, texts, comments and changelogs, but not in definitions there', () => {
    expect(
      uses(
        'Name: a',
        '# %one',
        '%dnl %two',
        '%description',
        '%three',
        '%build',
        '%four %{five}',
        '%global x %six',
        '%changelog',
        '- %seven',
      ),
    ).toEqual({ six: 'value' });
  });

  it('include those of a build system', () => {
    expect(Object.keys(uses('Name: a', 'BuildSystem: meson'))).toContain('buildsystem_meson_install');
  });
});

it('finds the macros that a file defines', () => {
  expect(definedIn('# c\n%one 1\n%two(a:) \\\n  x\n%define three 3\n %global four 4\nfive\n')).toEqual([
    'one',
    'two',
    'three',
    'four',
  ]);
});

it('a mark becomes the macro again, also next to another', () => {
  const said = `a-${unknownMark('py')}${unknownMark('py_3')} = 1`;
  expect(said).not.toContain('%');
  expect(withNames(said, ['py', 'py_3', 'other'])).toBe('a-%{py}%{py_3} = 1');
});
