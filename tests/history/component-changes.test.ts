import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  type ChangedReport,
  changedComponents,
  changedText,
  describePart,
} from '../../src/history/component-changes.ts';
import { componentHistories } from '../../src/history/history.ts';
import { loadProject } from '../../src/project/load.ts';
import type { Selection } from '../../src/project/select.ts';
import { failure } from '../base/failure.ts';
import { folder } from '../project/fixture.ts';
import { type ProjectRepository, projectRepository } from './project-repository.ts';

const everything: Selection = { names: [], patterns: [], groups: [], all: true };
const root = `
includes = ["*/*.comp.toml"]
[project]
default-distro = { name = "ours" }
rendered-specs-dir = "rendered"
[distros.ours]
default-version = "1"
[distros.ours.versions.1]
release-ver = "1"
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "fedora", snapshot = "2026-01-02T00:00:00Z" } }
[distros.fedora]
default-version = "43"
dist-git-base-uri = "https://example.org/rpms/$pkg.git"
[distros.fedora.versions.43]
dist-git-branch = "f43"
[components.a]
[components.b]
`;
const less = `
[components.less]
spec = { type = "upstream", upstream-commit = "${'a'.repeat(40)}" }
[components.less.build]
defines = { with_foo = "0" }
[[components.less.overlays]]
type = "patch-add"
description = "why"
source = "fix.patch"
`;
const start = {
  'weir.toml': root,
  'less/less.comp.toml': less,
  'less/fix.patch': 'one\n',
  'own/own.comp.toml': '[components.own]\nspec = { type = "local", path = "own.spec" }\n',
  'own/own.spec': 'Name: own\n',
  'rendered/l/less/sources': 'SHA512 (less.tar.gz) = 00\n',
};

async function changed(
  repository: ProjectRepository,
  from: string,
  to = 'HEAD',
  options: { readonly selection?: Partial<Selection>; readonly unchanged?: boolean } = {},
): Promise<ChangedReport> {
  const selection = options.selection === undefined ? everything : { ...everything, all: false, ...options.selection };
  const project = await loadProject(repository.dir);
  return changedComponents(project, folder({}), { ...options, selection, from, to });
}

function told(report: ChangedReport): Record<string, string[]> {
  return Object.fromEntries(
    report.components.map(({ component, change, parts }) => [component, [change, ...parts.map(describePart)]]),
  );
}

it('reports which components changed, and in which part', async () => {
  const repository = projectRepository(start);
  const next = repository.commit('many things', {
    'less/less.comp.toml': `${less.replace('a'.repeat(40), 'b'.repeat(40)).replace('"0"', '"1"')}
[[components.less.overlays]]
type = "spec-search-replace"
description = "why"
regex = "x"
replacement = "y"
`,
    'less/fix.patch': 'two\n',
    'own/own.comp.toml': null,
    'own/own.spec': null,
    'new/new.comp.toml': '[components.new]\n',
    'weir.toml': `${root}\n# a comment changes nothing\n`,
  });
  const report = await changed(repository, 'HEAD~1');
  expect(report.to).toBe(next);
  expect(told(report)).toEqual({
    less: [
      'changed',
      'changed define with_foo: 0 → 1 [less/less.comp.toml:5]',
      `changed upstream commit: ${'a'.repeat(40)} → ${'b'.repeat(40)} [less/less.comp.toml:3]`,
      'changed overlay 1 (patch-add): fix.patch (2c8b08da5ce6) → fix.patch (27dd8ed44a83) [less/less.comp.toml:6]',
      'added overlay 2 (spec-search-replace): /x/ → y [less/less.comp.toml:11]',
    ],
    new: ['added'],
    own: ['removed'],
  });
  // The other way round.
  const back = told(await changed(repository, 'HEAD', 'HEAD~1'));
  expect(back.less?.at(-1)).toBe('removed overlay 2 (spec-search-replace): /x/ → y [less/less.comp.toml:11]');
  expect(back).toMatchObject({ new: ['removed'], own: ['added'] });
});

it('includes inherited values', async () => {
  const repository = projectRepository(start);
  repository.commit('move on', { 'weir.toml': root.replace('2026-01-02', '2026-02-03') });
  const change = 'changed upstream snapshot: 2026-01-02T00:00:00Z → 2026-02-03T00:00:00Z [weir.toml:11]';
  // less has a commit of its own, and own is local.
  const report = await changed(repository, 'HEAD~1');
  expect(told(report)).toEqual({ a: ['changed', change], b: ['changed', change] });
  // Those with the same story are told of once.
  expect(changedText(report)).toBe(`a, b: changed\n  ${change}`);
  const many = Array.from({ length: 7 }, (_, index) => ({ ...report.components[0]!, component: `c${index}` }));
  expect(changedText({ ...report, components: many })).toBe(`c0, c1, c2 and 4 more components: changed\n  ${change}`);
  expect(changedText({ ...report, components: [] })).toBe('no component changed');
});

it('reports the place of each change, in any file', async () => {
  const repository = projectRepository(start);
  repository.commit('many places', {
    'weir.toml':
      `${root.replace('release-ver = "1"', 'release-ver = "2"').replace('"f43"', '"f44"').replace('example.org', 'example.net')}
[default-component-config.build]
with = [
  "tls",
]
[component-groups.g]
components = ["a"]
default-component-config = { release = { calculation = "manual" }, build = { without = ["x"] } }
[components.a.build]
check = { skip = true, skip_reason = "why" }
[[components.a.source-files]]
filename = "more.txt"
hash = "${'0'.repeat(64)}"
hash-type = "SHA256"
origin = { type = "download", uri = "https://example.org/more.txt" }
`.replace('[components.a]\n', ''),
  });
  const { components } = await changed(repository, 'HEAD~1', 'HEAD', { selection: { names: ['a'] } });
  expect(Object.fromEntries(components[0]!.parts.map(({ part, where }) => [part, where]))).toEqual({
    'check.skip': 'weir.toml:27',
    'dist-git': 'weir.toml:14',
    'dist-git branch': 'weir.toml:16',
    'distro version': 'weir.toml:9',
    'release.calculation': 'weir.toml:25',
    'source file more.txt': 'weir.toml:28',
    'with tls': 'weir.toml:20',
    'without x': 'weir.toml:25',
  });
});

it('finds configuration files of any name', async () => {
  const overlay = (tag: string): string => `
[metadata]
category = "azl-pruning"
upstream-status = "inapplicable"
[[overlays]]
type = "spec-remove-tag"
description = "why"
tag = "${tag}"
`;
  const repository = projectRepository({
    'weir.toml': 'includes = ["parts/*.conf"]\n',
    'parts/a.conf': '[components.a]\nspec = { type = "local", path = "a/a.spec" }\noverlay-files = ["a*.overlay"]\n',
    'parts/a/a.spec': 'Name: a\n',
    'parts/a.overlay': overlay('Epoch'),
    'parts/other.overlay': 'this is no TOML',
  });
  expect(told(await changed(repository, 'HEAD', '.'))).toEqual({});
  repository.commit('overlay', { 'parts/a.overlay': overlay('URL') });
  expect(told(await changed(repository, 'HEAD~1'))).toEqual({
    a: ['changed', 'changed overlay 1 (spec-remove-tag): Epoch → URL [parts/a.overlay:5]'],
  });
  const histories = await componentHistories(await loadProject(repository.dir), { scratch: folder({}) });
  expect(histories?.get('a')?.states.map(({ changedBy }) => changedBy.message)).toEqual([
    'the project begins',
    'overlay',
  ]);
  repository.commit('another kind', {
    'parts/a.conf': '[components.a]\nspec = { type = "local", path = "a/a.spec" }\noverlay-files = ["a.patchwork"]\n',
    'parts/a.patchwork': overlay('Vendor'),
  });
  repository.commit('and changed', { 'parts/a.patchwork': overlay('Group') });
  const later = await componentHistories(await loadProject(repository.dir), { scratch: folder({}) });
  expect(
    later
      ?.get('a')
      ?.states.map(({ changedBy }) => changedBy.message)
      .slice(2),
  ).toEqual(['another kind', 'and changed']);
});

it('compares with the working tree, untracked files too', async () => {
  const repository = projectRepository(start);
  expect(told(await changed(repository, 'HEAD', '.'))).toEqual({});
  repository.write({ 'own/own.spec': 'Name: own\nVersion: 2\n', 'own/new.patch': 'x\n' });
  expect(told(await changed(repository, 'HEAD', '.'))).toEqual({
    own: [
      'changed',
      expect.stringMatching(/^changed spec file: [0-9a-f]{12} → [0-9a-f]{12}$/),
      expect.stringMatching(/^added spec folder new.patch: /),
    ],
  });
  expect((await changed(repository, 'HEAD', 'HEAD')).components).toEqual([]);
});

it('reads old sources of every kind: links, executables, other folders', async () => {
  const overlay = (source: string) => `
[[components.less.overlays]]
type = "file-add"
description = "why"
file = "${source.replaceAll(/\W/g, '-')}"
source = "${source}"
`;
  const sources = ['tool', '../shared/data', 'link'];
  const repository = projectRepository(
    {
      'weir.toml': root.replace('*/*.comp.toml', 'less/*.comp.toml'),
      'less/less.comp.toml': ['[components.less]', ...sources.map(overlay)].join('\n'),
      'less/tool': '#!/bin/sh\n',
      'shared/data': '1\n',
      'seed/extra.toml': 'x = 1\n',
    },
    'below/distro',
  );
  execFileSync('ln', ['-s', '../shared/data', join(repository.dir, 'less/link')]);
  execFileSync('chmod', ['+x', join(repository.dir, 'less/tool')]);
  repository.commit('a link and a tool', {});
  // The working tree and git tell the same digests.
  expect(told(await changed(repository, 'HEAD', '.'))).toEqual({});
  repository.commit('other data', { 'shared/data': '2\n' });
  const numbers = (await changed(repository, 'HEAD~1')).components[0]?.parts.map(({ part }) => part);
  expect(numbers).toEqual(['overlay 2 (file-add)', 'overlay 3 (file-add)']);
  execFileSync('chmod', ['-x', join(repository.dir, 'less/tool')]);
  expect((await changed(repository, 'HEAD', '.')).components[0]?.parts.map(({ part }) => part)).toEqual([
    'overlay 1 (file-add)',
  ]);
});

it('uses the commits of locks', async () => {
  const lock = (commit: string, more = '') => `version = 1\nupstream-commit = '${commit}'\n${more}`;
  const repository = projectRepository({ ...start, 'locks/a.lock': lock('c'.repeat(40)) });
  repository.commit('update', { 'locks/a.lock': lock('d'.repeat(40)) });
  // A lock that only says more of azldev's own digests is no change.
  repository.commit('again', {
    'locks/a.lock': lock('d'.repeat(40), `input-fingerprint = 'sha256:${'0'.repeat(64)}'\n`),
  });
  repository.commit('rebuild', { 'locks/a.lock': lock('d'.repeat(40), 'manual-bump = 1\n') });
  expect(told(await changed(repository, 'HEAD~3', 'HEAD~2'))).toEqual({
    a: ['changed', `changed upstream commit: ${'c'.repeat(40)} → ${'d'.repeat(40)} [locks/a.lock]`],
  });
  expect(told(await changed(repository, 'HEAD~2', 'HEAD~1'))).toEqual({});
  expect(told(await changed(repository, 'HEAD~1', '.'))).toEqual({
    a: ['changed', 'added manual bump: 1 [locks/a.lock]'],
  });
});

it('distinguishes rendered sources that changed with their component from drifted ones', async () => {
  const repository = projectRepository(start);
  const rendered = { 'rendered/l/less/sources': 'SHA512 (less.tar.gz) = 11\n' };
  repository.commit('a new release', {
    ...rendered,
    'less/less.comp.toml': less.replace('a'.repeat(40), 'b'.repeat(40)),
  });
  const [good] = (await changed(repository, 'HEAD~1')).components;
  expect(good).toMatchObject({ component: 'less', change: 'changed', sourcesChanged: true, drifted: false });
  repository.commit('by hand', { 'rendered/l/less/sources': 'SHA512 (less.tar.gz) = 22\n' });
  const [bad] = (await changed(repository, 'HEAD~1')).components;
  expect(bad).toMatchObject({ component: 'less', change: 'unchanged', sourcesChanged: true, drifted: true });
  repository.write({ 'rendered/l/less/sources': 'SHA512 (less.tar.gz) = 33\n' });
  expect((await changed(repository, 'HEAD', '.')).components).toMatchObject([{ component: 'less', drifted: true }]);
  expect((await changed(repository, 'HEAD', '.', { selection: { names: ['a'] } })).components).toMatchObject([
    { component: 'a', change: 'unchanged', drifted: false },
  ]);
});

it('reports only the requested components', async () => {
  const repository = projectRepository(start);
  repository.commit('gone', { 'own/own.comp.toml': null, 'own/own.spec': null });
  const names = async (options: Parameters<typeof changed>[3]) =>
    (await changed(repository, 'HEAD~1', 'HEAD', options)).components.map(
      ({ component, change }) => `${component} ${change}`,
    );
  expect(await names({ selection: { names: ['own'] } })).toEqual(['own removed']);
  // Who names a component gets an answer; a glob is a search.
  expect(await names({ selection: { names: ['less'] } })).toEqual(['less unchanged']);
  expect(await names({ selection: { patterns: ['*'] } })).toEqual(['own removed']);
  expect(await names({ selection: { patterns: ['?'] }, unchanged: true })).toEqual(['a unchanged', 'b unchanged']);
  const error = await failure(names({ selection: { names: ['les'] } }));
  expect(error).toMatchObject({ code: 'unknown-component', hint: 'did you mean less?', exit: 2 });
});

it('reports what is wrong with a commit', async () => {
  const repository = projectRepository({ README: 'nothing yet\n' });
  repository.commit('broken', { ...start, 'less/less.comp.toml': '[components.less]\nbulid = {}\n' });
  repository.commit('whole', start);
  expect(await failure(changed(repository, 'nonsense'))).toMatchObject({ code: 'unknown-ref', exit: 2 });
  expect(await failure(changed(repository, '--output=x'))).toMatchObject({ code: 'unknown-ref' });
  expect(await failure(changed(repository, 'HEAD~2'))).toMatchObject({ code: 'no-project-at', exit: 2 });
  expect(await failure(changed(repository, 'HEAD~1'))).toMatchObject({
    code: 'project-at',
    exit: 2,
    message: expect.stringContaining('the project at HEAD~1 does not load: '),
    where: { file: 'HEAD~1:less/less.comp.toml', line: 2 },
  });
  const plain = await loadProject(folder(start));
  const error = await failure(changedComponents(plain, folder({}), { from: 'HEAD', to: '.', selection: everything }));
  expect(error).toMatchObject({ code: 'no-git', exit: 2 });
});
