import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createProgress } from '../../src/base/progress.ts';
import { type HistoryRow, historyReport, storyText } from '../../src/history/history-report.ts';
import { selectComponents } from '../../src/project/select.ts';
import { openProjectWorkspace } from '../../src/workspace/workspace.ts';
import { failure } from '../base/failure.ts';
import { folder } from '../project/fixture.ts';
import { projectRepository } from './project-repository.ts';

const root = `
includes = ["own.toml"]
[components.a]
spec = { type = "local", path = "a/a.spec" }
[components.b]
spec = { type = "local", path = "b/b.spec" }
`;
const own = (define: string): string => `
[components.own]
spec = { type = "local", path = "own/own.spec" }
build = { with = ["tls"], defines = { x = "${define}" } }
`;

async function report(dir: string, names: readonly string[]): Promise<HistoryRow[]> {
  vi.stubEnv('XDG_CACHE_HOME', folder({}));
  const progress = createProgress('quiet', false, () => {});
  const workspace = await openProjectWorkspace({ directory: dir, progress });
  const selection = { names, patterns: [], groups: [], all: names.length === 0 };
  return historyReport(workspace, selectComponents(workspace.project, selection));
}

const files = {
  'weir.toml': root,
  'own.toml': own('1'),
  'a/a.spec': 'Name: a\n',
  'b/b.spec': 'Name: b\n',
  'own/own.spec': 'Name: own\n',
};

it('ranks components by how often they were changed', async () => {
  const repository = projectRepository(files);
  repository.commit('define\n\nand why', { 'own.toml': own('2') });
  repository.commit('spec of b', { 'b/b.spec': 'Name: b\nVersion: 2\n' });
  repository.commit('define again', { 'own.toml': own('3') });
  repository.commit('a comment', { 'own.toml': `${own('3')}# nothing\n` });
  const rows = await report(repository.dir, []);
  expect(
    rows.map(({ component, changes, tomlCommits, tomlShared }) => [component, changes, tomlCommits, tomlShared]),
  ).toEqual([
    ['own', 3, 4, false],
    ['b', 2, 1, true],
    ['a', 1, 1, true],
  ]);
  expect(rows[0]).toMatchObject({
    customizations: [{ name: 'define x', value: '3' }, { name: 'with tls' }],
    last: '2026-01-05T15:00:00Z',
  });
  expect(rows[2]?.customizations).toEqual([]);
  expect(rows.every((row) => row.commits === undefined)).toBe(true);
});

it('lists for one component what each commit changed, and uncommitted changes', async () => {
  const repository = projectRepository(files);
  const define = repository.commit('define\n\nand why', { 'own.toml': own('2') });
  repository.commit('away', { 'own.toml': '' });
  repository.commit('back', { 'own.toml': own('2') });
  repository.write({ 'own.toml': own('3') });
  const [row] = await report(repository.dir, ['own']);
  expect(row?.commits?.map(({ subject, change, parts }) => [subject, change, parts.map(({ part }) => part)])).toEqual([
    [undefined, 'changed', ['define x']],
    ['back', 'added', []],
    ['away', 'removed', []],
    ['define', 'changed', ['define x']],
    ['the project begins', 'added', []],
  ]);
  expect(row?.commits?.[3]).toMatchObject({
    commit: define,
    date: '2026-01-05T13:00:00Z',
    author: 'Ann Author',
    email: 'ann@example.org',
    parts: [{ part: 'define x', change: 'changed', before: '1', after: '2' }],
  });
  expect(storyText(row!, row!.commits!).split('\n').slice(0, 8)).toEqual([
    'not committed yet: changed',
    '  changed define x: 2 → 3',
    expect.stringMatching(/^[0-9a-f]{12} 2026-01-05 Ann Author: back$/),
    '  added',
    expect.stringMatching(/ away$/),
    '  removed',
    expect.stringMatching(/ define$/),
    '  changed define x: 1 → 2 [own.toml:4]',
  ]);
});

it('reports that a shallow clone hides earlier changes', async () => {
  const repository = projectRepository(files);
  repository.commit('define', { 'own.toml': own('2') });
  repository.commit('new', {
    'weir.toml': `${root}[components.c]\nspec = { type = "local", path = "c/c.spec" }\n`,
    'c/c.spec': 'Name: c\n',
  });
  const dir = join(folder({}), 'shallow');
  execFileSync('git', ['clone', '-q', '--depth', '2', `file://${repository.dir}`, dir]);
  const rows = await report(dir, []);
  expect(Object.fromEntries(rows.map(({ component, cutOff }) => [component, cutOff]))).toEqual({
    a: true,
    b: true,
    c: false,
    own: true,
  });
  const [row] = await report(dir, ['own']);
  expect(storyText(row!, row!.commits!).split('\n').at(-1)).toMatch(/^earlier changes are unknown/);
});

it('needs a history', async () => {
  expect(await failure(report(folder(files), ['a']))).toMatchObject({ code: 'no-git', exit: 2 });
});
