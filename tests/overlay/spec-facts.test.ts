import { describe, expect, it } from 'vitest';
import { specFacts } from '../../src/overlay/spec-facts.ts';

const version = (...lines: string[]): string | undefined => specFacts(`${lines.join('\n')}\n`).version;

describe('the version of a spec', () => {
  it.each<[what: string, lines: readonly string[], expected: string | undefined]>([
    ['none', ['Name: x'], undefined],
    ['an epoch', ['Epoch: 2', 'Version: 1'], '2:1'],
    [
      'a part that is not set',
      ['#global prerel rc1', '%global base_version 26.2', 'Version: %{base_version}%{?prerel:~%{prerel}}'],
      '26.2',
    ],
    ['a part that is set', ['%global prerel rc1', 'Version: 1%{?prerel:~%{prerel}}'], '1~rc1'],
    ['an override', ['Version: %{?version_override}%{!?version_override:258.4}'], '258.4'],
    [
      'a branch by a conditional of the spec',
      [
        ...['%bcond_with snapshot', '%global maj 21', '%if %{with snapshot}', '%global rc pre', '%endif'],
        'Version: %{maj}.0%{?rc:~%{rc}}',
      ],
      '21.0',
    ],
    [
      'the other branch',
      ['%bcond snap 1', '%if %{without snap}', 'Version: 1', '%elif 1', 'Version: 2', '%else', 'Version: 3', '%endif'],
      '2',
    ],
    ['a branch of no other distribution', ['%if 0%{?rhel}', 'Epoch: 5', '%endif', 'Version: 1'], '1'],
    ['a branch of Fedora', ['%if %{defined fedora}', 'Epoch: 1', '%else', 'Epoch: 2', '%endif', 'Version: 1'], '1:1'],
    ['what a name is for', ['%if %{defined next} && "%{next}" == "a"', 'Epoch: 102', '%endif', 'Version: 1'], '1'],
    ['branches in branches', ['%if 0', '%if 1', 'Version: 1', '%endif', '%else', 'Version: 2', '%endif'], '2'],
    ['a macro of its own name', ['%global version 0.15.0', 'Version: %{version}'], '0.15.0'],
    ['a macro that grows', ['%global v 1', '%global v %{v}.2', 'Version: %{v}'], '1.2'],
    ['a default', ['%{!?v:%global v 7}', '%{?v:%global w 8}', 'Version: %{v}.%{w}'], '7.8'],
    ['a default that is there', ['%global v 6', '%{!?v:%global v 7}', 'Version: %{v}'], '6'],
    ['a macro that is gone', ['%global v 6', '%undefine v', 'Version: 1%{?v}'], '1'],
    [
      'the start of a commit',
      ['%global commit 0b1b233b57d5', `Version: 1^git%{sub %{commit} 1 7}.%(c=%{commit}; echo \${c:0:4})`],
      '1^git0b1b233.0b1b',
    ],
    ['what only rpm can tell', ['Version: %{lua: print(1)}'], '%{lua: print(1)}'],
    ['what only the build root can tell', ['Version: %(cat version)'], '%(cat version)'],
  ])('%s', (_what, lines, expected) => {
    expect(version(...lines)).toBe(expected);
  });

  it('multiplying macros are limited', () => {
    const grow = 'abcdefghijklmnop'
      .split('')
      .map((name, at, all) => `%define ${name} ${`%{?${all[at + 1] ?? 'none'}}`.repeat(50)}`);
    expect(version(...grow, 'Version: 1%{?a}')).toContain('1');
  });
});
