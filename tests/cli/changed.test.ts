import { expect, it } from 'vitest';
import { projectRepository } from '../history/project-repository.ts';
import { weir } from './weir.ts';

const toml = (value: string): string => `
[components.a]
spec = { type = "local", path = "a.spec" }
build = { defines = { x = "${value}" } }
[components.b]
spec = { type = "local", path = "b/b.spec" }
`;

function made() {
  const repository = projectRepository({
    'weir.toml': toml('0'),
    'a.spec': 'Name: a\n',
    'b/b.spec': 'Name: b\n',
    'specs/b/b/sources': 'SHA512 (b.tar.gz) = 00\n',
  });
  const run = (...argv: string[]) => weir(['component', ...argv], { cwd: repository.dir });
  return { ...repository, run };
}

it('component changed lists the changed parts, as text and as JSON', () => {
  const { commit, run } = made();
  commit('Raise x', { 'weir.toml': toml('1') });
  expect(run('changed', '--from', 'HEAD~1')).toEqual({
    code: 0,
    stdout: 'a: changed\n  changed define x: 0 → 1 [weir.toml:4]\n',
    stderr: '',
  });
  expect(run('changed', '--from', 'HEAD', '--to', '.').stdout).toBe('no component changed\n');
  const { code, stdout } = run('changed', '--from', 'HEAD~1', '--include-unchanged', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    from: expect.stringMatching(/^[0-9a-f]{40}$/),
    to: expect.stringMatching(/^[0-9a-f]{40}$/),
    components: [
      {
        component: 'a',
        change: 'changed',
        parts: [{ part: 'define x', change: 'changed', before: '0', after: '1', where: 'weir.toml:4' }],
        sourcesChanged: false,
        drifted: false,
        before: expect.stringMatching(/^[0-9a-f]{64}$/),
        after: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      expect.objectContaining({ component: 'b', change: 'unchanged' }),
    ],
  });
});

it('component changed fails if rendered sources drifted', () => {
  const { commit, run } = made();
  commit('By hand', { 'specs/b/b/sources': 'SHA512 (b.tar.gz) = 11\n' });
  const { code, stdout, stderr } = run('changed', '--from', 'HEAD~1');
  expect({ code, stdout }).toEqual({ code: 1, stdout: 'b: unchanged, rendered sources drifted\n' });
  expect(stderr).toBe(`error: the rendered sources of 1 component changed without a change of their inputs
  b
hint: they may have been edited by hand: run weir component render and commit the result
`);
  const json = run('changed', '--from', 'HEAD~1', '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout).components).toMatchObject([{ component: 'b', drifted: true }]);
});

it('component changed requires a commit to compare with', () => {
  const { run } = made();
  expect(run('changed').code).toBe(2);
  const { code, stdout, stderr } = run('changed', '--from', 'v1');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain("error: the project's git has no commit v1\nhint: ");
});

it('component history prints commits for one component, a table for several', () => {
  const { commit, run } = made();
  const raised = commit('Raise x\n\nfor a reason', { 'weir.toml': toml('1') });
  const begun = made().git('rev-parse', 'HEAD').slice(0, 12);
  expect(run('history', 'a').stdout).toBe(`${raised.slice(0, 12)} 2026-01-05 Ann Author: Raise x
  changed define x: 0 → 1 [weir.toml:4]
${begun} 2026-01-05 Ann Author: the project begins
  added
`);
  expect(run('history').stdout).toBe(`COMPONENT  CHANGES  CUSTOMIZATIONS  TOML COMMITS  LAST
a          2        1               2 (shared)    2026-01-05
`);
  expect(run('history', '--include-bare').stdout).toContain('\nb  ');
  const rows = JSON.parse(run('history', '--json', '-p', '*').stdout);
  expect(rows).toMatchObject([
    { component: 'a', changes: 2, tomlShared: true, customizations: [{ name: 'define x' }] },
  ]);
});
