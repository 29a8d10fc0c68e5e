import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { createProgress } from '../../../src/base/progress.ts';
import { type RenderReport, type RenderSettings, renderComponents } from '../../../src/component/render/render.ts';
import { formatLock } from '../../../src/sources/component-lock.ts';
import { openProjectWorkspace } from '../../../src/workspace/workspace.ts';
import { type Bench, bench } from '../../sources/fixture.ts';

let at: Bench;
let commits: string[];

const config = (a = ''): string => `
[project]
description = "p"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[distros.up]
dist-git-base-uri = "${join(at.root, 'git')}/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
[components.a]
${a}
[components.b]
`;

beforeEach(async () => {
  at = await bench();
  vi.stubEnv('XDG_CACHE_HOME', join(at.root, 'home'));
  commits = [];
  for (const version of [1, 2]) {
    commits.push(await at.commit('git/a', { 'a.spec': `Name: a\nVersion: ${version}\nRelease: 1\n` }));
  }
  await at.commit('git/b', { 'b.spec': 'Name: b\nVersion: 1\nRelease: 1\n' });
  await at.files('p', { 'weir.toml': config() });
  return () => vi.unstubAllEnvs();
});

async function render(settings: RenderSettings = {}): Promise<RenderReport> {
  const progress = createProgress('quiet', false, () => {});
  const workspace = await openProjectWorkspace({ directory: join(at.root, 'p'), progress });
  return renderComponents(workspace, [...workspace.project.components.values()], { all: true, ...settings });
}

const lock = (commit: string): string => formatLock({ manualBump: 0, upstreamCommit: commit });
const version = async (): Promise<string | undefined> =>
  /^Version: (.*)$/m.exec(await readFile(join(at.root, 'p/specs/a/a/a.spec'), 'utf8'))?.[1];
const failures = (report: RenderReport): string[] =>
  report.failed.map(({ component, error }) => `${component}: ${error.code}`);

it('a project without locks is rendered from its upstream, one with locks from theirs', async () => {
  expect(failures(await render())).toEqual([]);
  expect(await version()).toBe('2');
  await at.files('p/locks', { 'a.lock': lock(commits[0]!) });
  expect(failures(await render()), 'a component without a lock fails alone').toEqual(['b: no-lock']);
  expect(await version()).toBe('1');
  await at.commit('git/a', { 'a.spec': 'Name: a\nVersion: 3\nRelease: 1\n' });
  expect(failures(await render({ skipLockValidation: true }))).toEqual([]);
  expect(await version()).toBe('1');
});

it('a lock that contradicts the configuration is reported, although nothing else has changed', async () => {
  const b = await at.git('git/b', ['rev-parse', 'HEAD']);
  await at.files('p/locks', { 'a.lock': lock(commits[0]!), 'b.lock': lock(b) });
  expect(failures(await render())).toEqual([]);
  expect((await render()).unchanged).toBe(2);
  const pinned = `spec = { type = "upstream", upstream-commit = "${commits[1]}" }`;
  await at.files('p', { 'weir.toml': config(pinned) });
  const report = await render();
  expect(failures(report)).toEqual(['a: stale-lock']);
  expect(report.unchanged).toBe(1);
  expect(failures(await render({ skipLockValidation: true }))).toEqual([]);
  expect(await version()).toBe('1');
});
