import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { changedComponents } from '../../src/history/component-changes.ts';
import type { ComponentHistory } from '../../src/history/component-state.ts';
import { componentHistories } from '../../src/history/history.ts';
import { releaseChanges } from '../../src/history/release-changes.ts';
import { loadProject } from '../../src/project/load.ts';
import { folder } from '../project/fixture.ts';
import { type ProjectRepository, projectRepository } from './project-repository.ts';

const root = `
includes = ["*/*.comp.toml", "groups.toml"]
[project]
default-distro = { name = "ours" }
rendered-specs-dir = "rendered"
[distros.ours]
default-version = "1"
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "fedora", snapshot = "2026-01-02T00:00:00Z" } }
[distros.fedora]
default-version = "43"
dist-git-base-uri = "https://example.org/rpms/$pkg.git"
[distros.fedora.versions.43]
[components.a]
[components.b]
`;
const less = (more = ''): string => `
[components.less]
${more}
[[components.less.overlays]]
type = "patch-add"
description = "why"
source = "fix.patch"
`;
const start = {
  'weir.toml': root,
  'groups.toml': '[component-groups.g]\ncomponents = ["a"]\nspecs = ["found/*/*.spec"]\n',
  'less/less.comp.toml': less(),
  'less/fix.patch': '1\n',
  'own/own.comp.toml': '[components.own]\nspec = { type = "local", path = "other-name.spec" }\n',
  'own/other-name.spec': 'Name: own\n',
  'found/one/one.spec': 'Name: one\n',
};

/** Component → subjects of the commits that changed it, oldest first; `-` where it went. */
async function told(
  repository: ProjectRepository,
  options: { readonly names?: readonly string[]; readonly cache?: string } = {},
): Promise<Record<string, string[]>> {
  const { names, ...rest } = options;
  const found = await componentHistories(await loadProject(repository.dir), {
    scratch: folder({}),
    ...rest,
    ...(names === undefined ? {} : { names: new Set(names) }),
  });
  return subjects(found!);
}

function subjects(histories: ReadonlyMap<string, ComponentHistory>): Record<string, string[]> {
  return Object.fromEntries(
    [...histories].map(([name, { states }]) => [
      name,
      states
        .filter(({ digest }, index) => digest !== states[index - 1]?.digest)
        .map(({ digest, changedBy }) => `${digest === undefined ? '-' : ''}${changedBy.message}`),
    ]),
  );
}

const begin = 'the project begins';

it('is the commits that changed the inputs of a component', async () => {
  const repository = projectRepository(start);
  repository.commit('other patch', { 'less/fix.patch': '2\n' });
  repository.commit('only a reason', { 'less/less.comp.toml': less().replace('"why"', '"because"') });
  repository.commit('a define', { 'less/less.comp.toml': less('build = { defines = { x = "1" } }') });
  repository.commit('rendered', { 'rendered/l/less/less.spec': 'Name: less\n' });
  repository.commit('own spec', { 'own/other-name.spec': 'Name: own\nVersion: 2\n' });
  repository.commit('own file', { 'own/sub/file': 'x\n' });
  repository.commit('found by a glob', { 'found/two/two.spec': 'Name: two\n', 'found/one/new.patch': 'x\n' });
  repository.commit('into the group', {
    'groups.toml': '[component-groups.g]\ncomponents = ["a", "b"]\nspecs = ["found/*/*.spec"]\n',
  });
  repository.commit('group default', {
    'groups.toml':
      '[component-groups.g]\ncomponents = ["a"]\nspecs = ["found/*/*.spec"]\ndefault-component-config = { build = { with = ["g"] } }\n',
  });
  repository.commit('out of the group', {
    'groups.toml':
      '[component-groups.g]\nspecs = ["found/*/*.spec"]\ndefault-component-config = { build = { with = ["g"] } }\n',
  });
  repository.commit('snapshot', { 'weir.toml': root.replace('2026-01-02', '2026-02-02') });
  repository.commit('gone', { 'own/own.comp.toml': null });
  repository.commit('back', { 'own/own.comp.toml': start['own/own.comp.toml'] });
  repository.commit('unrelated', { README: 'x\n', 'src/code.toml': 'x = 1\n' });
  const expected = {
    a: [begin, 'group default', 'out of the group', 'snapshot'],
    b: [begin, 'snapshot'],
    less: [begin, 'other patch', 'a define', 'snapshot'],
    own: [begin, 'own spec', 'own file', '-gone', 'back'],
    one: [begin, 'found by a glob', 'group default'],
    two: ['found by a glob', 'group default'],
  };
  expect(await told(repository)).toEqual(expected);
  // One by one, with most of the configuration left out, it is the same story.
  for (const [name, history] of Object.entries(expected)) {
    expect(await told(repository, { names: [name] })).toEqual({ [name]: history });
  }
});

it('follows overlay files, defaults and upstream names', async () => {
  const overlayFile = (tag: string): string => `
[metadata]
category = "azl-pruning"
upstream-status = "inapplicable"
[[overlays]]
type = "spec-set-tag"
description = "why"
tag = "${tag}"
value = "1"
[[overlays]]
type = "file-add"
description = "why"
file = "added"
source = "added"
`;
  const repository = projectRepository({
    'weir.toml': `
[distros.up]
default-version = "1"
dist-git-base-uri = "dist-git/$pkg"
[distros.up.versions.1]
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up" } }
[[default-component-config.overlays]]
type = "file-add"
description = "why"
file = "licence"
source = "shared/licence"
[components.a]
overlay-files = ["overlays/*.toml"]
[components.b]
spec = { type = "upstream", upstream-name = "upstream-b" }
`,
    'shared/licence': '1\n',
    'overlays/x.toml': overlayFile('A'),
    'overlays/added': '1\n',
    'dist-git/a/a.spec': 'Name: a\n',
    'dist-git/upstream-b/upstream-b.spec': 'Name: b\n',
  });
  repository.commit('overlay file', { 'overlays/x.toml': overlayFile('B') });
  repository.commit('its source', { 'overlays/added': '2\n' });
  repository.commit('second overlay file', { 'overlays/y.toml': overlayFile('C').replace('"added"', '"more"') });
  repository.commit('upstream of b', { 'dist-git/upstream-b/fix.patch': 'x\n' });
  repository.commit('shared', { 'shared/licence': '2\n' });
  repository.commit('fewer overlay files', { 'overlays/y.toml': null });
  expect(await told(repository)).toEqual({
    a: [begin, 'overlay file', 'its source', 'second overlay file', 'shared', 'fewer overlay files'],
    b: [begin, 'upstream of b', 'shared'],
  });
});

it('continues from the cached history', async () => {
  const repository = projectRepository(start);
  const cache = folder({});
  const file = () => join(cache, 'history', readdirSync(join(cache, 'history'))[0]!);
  const first = await told(repository, { cache });
  repository.commit('other patch', { 'less/fix.patch': '2\n' });
  const second = await told(repository, { cache });
  expect(second).toEqual(await told(repository));
  expect(second.less).toEqual([...first.less!, 'other patch']);
  // What is remembered is used, not made again.
  writeFileSync(file(), readFileSync(file(), 'utf8').replaceAll('other patch', 'remembered'));
  expect((await told(repository, { cache })).less).toEqual([begin, 'remembered']);
  expect(await told(repository, { cache, names: ['less'] })).toEqual({ less: [begin, 'remembered'] });
  // Another line of history, or a damaged file, is read anew.
  repository.git('reset', '-q', '--hard', 'HEAD~1');
  repository.commit('instead', { 'less/fix.patch': '3\n' });
  expect((await told(repository, { cache })).less).toEqual([begin, 'instead']);
  writeFileSync(file(), '{"format":');
  expect((await told(repository, { cache })).less).toEqual([begin, 'instead']);
});

it('a commit whose project does not load counts with the next that does', async () => {
  const repository = projectRepository(start);
  repository.commit('broken', { 'less/fix.patch': '2\n', 'less/less.comp.toml': '[components.less]\nbulid = {}\n' });
  const cache = folder({});
  expect((await told({ ...repository, dir: checkout(repository, 'HEAD~1') }, { cache })).less).toEqual([begin]);
  repository.commit('mended', { 'less/less.comp.toml': less() });
  repository.commit('no TOML at all', { 'less/less.comp.toml': 'what is this' });
  repository.commit('mended again', { 'less/less.comp.toml': less('build = { with = ["x"] }') });
  expect((await told(repository)).less).toEqual([begin, 'mended', 'mended again']);
  expect((await told(repository, { names: ['less'] })).less).toEqual([begin, 'mended', 'mended again']);
});

function checkout(repository: ProjectRepository, ref: string): string {
  const dir = join(folder({}), 'clone');
  execFileSync('git', ['clone', '-q', repository.dir, dir]);
  execFileSync('git', ['-C', dir, 'checkout', '-q', repository.git('rev-parse', ref)]);
  return dir;
}

it('follows the first parent: a merged branch counts once', async () => {
  const repository = projectRepository(start);
  repository.git('checkout', '-q', '-b', 'side');
  repository.commit('one', { 'less/fix.patch': '2\n' });
  repository.commit('two', { 'less/fix.patch': '3\n' });
  repository.git('checkout', '-q', 'main');
  repository.commit('meanwhile', { 'own/other-name.spec': 'Name: own\n# x\n' });
  repository.git('merge', '-q', '--no-ff', '-m', 'merged', 'side');
  expect(await told(repository)).toMatchObject({ less: [begin, 'merged'], own: [begin, 'meanwhile'] });
});

it('agrees with a comparison of two commits', async () => {
  const change = fc.constantFrom<Readonly<Record<string, string | null>>>(
    { 'less/fix.patch': '2\n' },
    { 'less/fix.patch': '1\n' },
    { 'less/less.comp.toml': less('build = { with = ["x"] }') },
    { 'less/less.comp.toml': less() },
    { 'weir.toml': root.replace('2026-01-02', '2026-03-03') },
    { 'weir.toml': root },
    { 'weir.toml': root.replace('[components.b]', '[components.b]\nbuild = { defines = { y = "1" } }') },
    { 'own/other-name.spec': 'Name: own\n# 2\n' },
    {
      'groups.toml':
        '[component-groups.g]\ncomponents = ["b"]\ndefault-component-config = { build = { without = ["z"] } }\n',
    },
    { 'groups.toml': start['groups.toml'] },
    { 'new/new.comp.toml': '[components.new]\n' },
    { 'locks/less.lock': `version = 1\nupstream-commit = '${'a'.repeat(40)}'\n` },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (steps) => {
      const repository = projectRepository(start);
      for (const [index, files] of steps.entries()) repository.commit(`step ${index}`, files);
      const history = await told(repository);
      const project = await loadProject(repository.dir);
      for (let index = 0; index < steps.length; index++) {
        const back = steps.length - index;
        const { components } = await changedComponents(project, folder({}), {
          from: `HEAD~${back}`,
          to: `HEAD~${back - 1}`,
          selection: { names: [], patterns: [], groups: [], all: true },
        });
        const names = Object.keys(history).filter((name) =>
          history[name]!.some((one) => one.endsWith(`step ${index}`)),
        );
        expect(names.sort()).toEqual(components.map(({ component }) => component));
      }
    }),
    { numRuns: 8 },
  );
});

const lock = (commit: string, more = ''): string => `version = 1\nupstream-commit = '${commit.repeat(40)}'\n${more}`;

async function counted(repository: ProjectRepository) {
  const project = await loadProject(repository.dir);
  const { changes, warning } = await releaseChanges(project, project.components.values(), { scratch: folder({}) });
  const messages = Object.fromEntries([...changes].map(([name, list]) => [name, list.map(({ message }) => message)]));
  return { messages, warning, changes };
}

it('release numbers count from the first lock on', async () => {
  const repository = projectRepository(start);
  repository.commit('before', { 'less/fix.patch': '2\n' });
  expect((await counted(repository)).messages).toEqual({});
  repository.commit('lock', { 'locks/less.lock': lock('a') });
  repository.commit('patch', { 'less/fix.patch': '3\n' });
  repository.commit('update', { 'locks/less.lock': lock('b') });
  repository.commit('fingerprint only', {
    'locks/less.lock': lock('b', `input-fingerprint = 'sha256:${'0'.repeat(64)}'\n`),
  });
  repository.commit('bump', { 'locks/less.lock': lock('b', 'manual-bump = 1\n') });
  const { messages, changes } = await counted(repository);
  expect(messages).toEqual({ less: ['bump', 'update', 'patch', 'lock'] });
  expect(changes.get('less')?.map(({ upstream }) => upstream?.commit?.[0])).toEqual(['b', 'b', 'a', 'a']);
  expect(changes.get('less')?.[0]).toMatchObject({
    commit: repository.git('rev-parse', 'HEAD'),
    author: 'Ann Author',
    email: 'ann@example.org',
    time: Number(repository.git('show', '-s', '--format=%ct', 'HEAD')),
  });
  // The same commits give the same numbers, wherever and whenever.
  const clone = checkout(repository, 'HEAD');
  expect((await counted({ ...repository, dir: clone })).changes).toEqual(changes);
});

it('release numbers of manual components are not counted, nor those of removed ones', async () => {
  const repository = projectRepository({ ...start, 'locks/less.lock': lock('a'), 'locks/own.lock': 'version = 1\n' });
  repository.commit('by hand', { 'less/less.comp.toml': less('release = { calculation = "manual" }') });
  repository.commit('gone', { 'own/own.comp.toml': null });
  expect((await counted(repository)).messages).toEqual({});
  // Who comes back has a higher number than before.
  repository.commit('back', { 'own/own.comp.toml': start['own/own.comp.toml'] });
  expect((await counted(repository)).messages).toEqual({ own: ['back', begin] });
});

it('uncommitted changes are one more commit, without its own time', async () => {
  const repository = projectRepository({ ...start, 'locks/less.lock': lock('a') });
  repository.write({ 'less/fix.patch': '2\n', 'locks/own.lock': 'version = 1\n' });
  const { messages, changes } = await counted(repository);
  expect(messages).toEqual({
    less: ['Changes that are not committed yet', begin],
    own: ['Changes that are not committed yet'],
  });
  expect(changes.get('less')?.[0]?.time).toBe(changes.get('less')?.[1]?.time);
  repository.commit('now it is', {});
  expect((await counted(repository)).messages).toEqual({ less: ['now it is', begin], own: ['now it is'] });
});

it('without git, or in a shallow clone, nothing is miscounted', async () => {
  const files = { ...start, 'locks/less.lock': lock('a') };
  const plain = await loadProject(folder(files));
  const { changes, warning } = await releaseChanges(plain, plain.components.values(), { scratch: folder({}) });
  expect(changes.size).toBe(0);
  expect(warning).toContain('not in a git repository');
  const repository = projectRepository(files);
  repository.commit('patch', { 'less/fix.patch': '2\n' });
  repository.commit('new', { 'new/new.comp.toml': '[components.new]\n', 'locks/new.lock': lock('c') });
  const dir = join(folder({}), 'shallow');
  execFileSync('git', ['clone', '-q', '--depth', '2', `file://${repository.dir}`, dir]);
  const shallow = await loadProject(dir);
  const count = (names: readonly string[]) =>
    releaseChanges(
      shallow,
      names.map((name) => shallow.components.get(name)!),
      { scratch: folder({}) },
    );
  expect((await count(['less', 'new'])).failed.get('less')).toMatchObject({
    code: 'shallow-history',
    exit: 2,
    hint: expect.stringContaining('git fetch --unshallow'),
    where: { component: 'less' },
  });
  // What began behind the cut can be counted, whatever else is asked for.
  expect((await count(['less', 'new'])).changes.get('new')).toHaveLength(1);
});
