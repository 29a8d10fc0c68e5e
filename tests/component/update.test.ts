import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgress } from '../../src/base/progress.ts';
import { sourceContext } from '../../src/component/sources.ts';
import { type UpdateOptions, type UpdateReport, updateComponents } from '../../src/component/update.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { selectComponents } from '../../src/project/select.ts';
import { openProjectWorkspace } from '../../src/workspace/workspace.ts';
import { failure } from '../base/failure.ts';
import { type Bench, bench } from '../sources/fixture.ts';
import { type GitServer, serveGit } from '../sources/git-server.ts';

let at: Bench;
let server: GitServer;
let commits: Record<'a' | 'b', string[]>;

/** Project with the components a and b of a dist-git over HTTP, and c with a spec of its own. */
const config = (snapshot: string): string => `
[project]
description = "p"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1"${snapshot} } }
[distros.up]
dist-git-base-uri = "${server.url}/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
[components.a]
[components.b]
[components.c]
spec = { type = "local", path = "c/c.spec" }
`;
const day = (number: number): string => `, snapshot = "2020-09-${13 + number}T12:26:40Z"`;

beforeEach(async () => {
  at = await bench();
  vi.stubEnv('XDG_CACHE_HOME', join(at.root, 'home'));
  server = await serveGit(join(at.root, 'git'));
  commits = { a: [], b: [] };
  for (const version of [1, 2, 3]) {
    for (const name of ['a', 'b'] as const) {
      commits[name].push(await at.commit(`git/${name}`, { [`${name}.spec`]: `Name: ${name}\nVersion: ${version}\n` }));
    }
  }
  await at.files('p', { 'weir.toml': config(day(2)), 'c/c.spec': 'Name: c\n' });
  return () => vi.unstubAllEnvs();
});

async function update(names: readonly string[], options: UpdateOptions = {}): Promise<UpdateReport> {
  const progress = createProgress('quiet', false, () => {});
  const workspace = await openProjectWorkspace({ directory: join(at.root, 'p'), progress });
  const all = names.length === 0;
  const components = selectComponents(workspace.project, { names, patterns: [], groups: [], all });
  const context = { ...(await sourceContext(workspace)), attempts: 1 };
  return updateComponents(workspace, components, context, { prune: all, ...options });
}

const locks = (): Promise<Record<string, string>> => filesIn('locks');
async function filesIn(folder: string): Promise<Record<string, string>> {
  const dir = join(at.root, 'p', folder);
  const names = await readdir(dir).catch(() => []);
  return Object.fromEntries(
    await Promise.all(names.sort().map(async (name) => [name, await readFile(join(dir, name), 'utf8')] as const)),
  );
}
const states = (report: UpdateReport): Record<string, string> =>
  Object.fromEntries(report.components.map(({ component, state }) => [component, state]));

describe('component update', () => {
  it('writes the commit of the snapshot once, and then does not ask upstream', async () => {
    expect(states(await update([]))).toEqual({ a: 'new', b: 'new', c: 'skipped' });
    const first = await locks();
    expect(Object.keys(first)).toEqual(['a.lock', 'b.lock']);
    expect(first['a.lock']).toMatch(
      new RegExp(
        "^# Managed by azldev component update. Do not edit manually.\nversion = 1\nimport-commit = '(.*)'\n" +
          "upstream-commit = '\\1'\nresolution-input-hash = 'sha256:[0-9a-f]{64}'\n$",
      ),
    );
    const asked = server.asked.length;
    const again = await update([]);
    expect(states(again)).toEqual({ a: 'unchanged', b: 'unchanged', c: 'skipped' });
    expect(again.stale).toBe(false);
    expect(server.asked.length).toBe(asked);
    expect(await locks()).toEqual(first);
  });

  it('follows the snapshot, and keeps the import commit, the fields of azldev and the bump', async () => {
    await update(['a']);
    const before = (await locks())['a.lock']!;
    const theirs = `manual-bump = 2\ninput-fingerprint = 'sha256:${'9'.repeat(64)}'\nresolution`;
    await writeFile(join(at.root, 'p/locks/a.lock'), before.replace('resolution', theirs));
    await at.files('p', { 'weir.toml': config(day(4)) });
    const report = await update(['a']);
    expect(report.components).toMatchObject([{ state: 'changed' }]);
    const { commit, previous } = report.components[0]!;
    expect(commits.a.indexOf(commit!)).toBeGreaterThan(commits.a.indexOf(previous!));
    const after = (await locks())['a.lock']!;
    expect(after).toContain(`import-commit = '${previous}'\nupstream-commit = '${commit}'\nmanual-bump = 2\n`);
    expect(after).toContain(`input-fingerprint = 'sha256:${'9'.repeat(64)}'\n`);
    expect(after.split('\n').at(-2)).not.toBe(before.split('\n').at(-2));
  });

  it('follows a branch that has no snapshot, and a commit that is configured', async () => {
    await at.files('p', { 'weir.toml': config('') });
    expect((await update(['a', 'b'])).components.map(({ commit }) => commit)).toEqual([commits.a[2], commits.b[2]]);
    const next = await at.commit('git/a', { 'a.spec': 'Name: a\nVersion: 4\n' });
    expect((await update(['a'])).components).toMatchObject([
      { state: 'changed', commit: next, previous: commits.a[2] },
    ]);
    const pinned = `${config('')}`.replace(
      '[components.b]',
      `[components.b]\nspec = { type = "upstream", upstream-commit = "${commits.b[0]!.slice(0, 10)}" }`,
    );
    await at.files('p', { 'weir.toml': pinned });
    expect((await update(['b'])).components).toMatchObject([{ state: 'changed', commit: commits.b[0] }]);
  });

  it('asks upstream again with force, although the snapshot is known', async () => {
    await update(['a']);
    const asked = server.asked.length;
    // What never happens to a good upstream: a history that is another one than it was.
    await rm(join(at.root, 'git/a'), { recursive: true });
    await cp(join(at.root, 'git/b'), join(at.root, 'git/a'), { recursive: true });
    expect((await update(['a'])).components).toMatchObject([{ state: 'unchanged' }]);
    expect(server.asked.length).toBe(asked);
    const report = await update(['a'], { force: true });
    expect(report.components).toMatchObject([{ state: 'changed' }]);
    expect(commits.b).toContain(report.components[0]!.commit);
  });

  it('only reports with checkOnly', async () => {
    const fresh = await update([], { checkOnly: true });
    expect(states(fresh)).toEqual({ a: 'new', b: 'new', c: 'skipped' });
    expect(fresh.stale).toBe(true);
    expect(await locks()).toEqual({});
    await update([]);
    const before = await locks();
    await at.files('p', { 'weir.toml': config(day(4)), 'locks/gone.lock': before['a.lock']! });
    const report = await update([], { checkOnly: true });
    expect(report).toMatchObject({ stale: true, orphans: ['gone'] });
    expect(states(report)).toMatchObject({ a: 'changed', b: 'changed' });
    expect(await locks()).toEqual({ ...before, 'gone.lock': before['a.lock'] });
  });

  it('removes locks of deleted components, but no other files, and none after a failure', async () => {
    await update([]);
    const lock = (await locks())['a.lock']!;
    await at.files('p/locks', { 'gone.lock': lock, 'Cargo.lock': '[[package]]\nname = "x"\n' });
    expect((await update(['a'])).orphans).toEqual([]);
    await rm(join(at.root, 'git/b'), { recursive: true });
    const failing = await update([], { force: true });
    expect(states(failing)).toEqual({ a: 'unchanged', b: 'failed', c: 'skipped' });
    expect(Object.keys(await locks())).toContain('gone.lock');
    expect((await update([])).orphans).toEqual(['gone']);
    expect(Object.keys(await locks())).toEqual(['Cargo.lock', 'a.lock', 'b.lock']);
  });

  it('continues after a failure, and reports it', async () => {
    await rm(join(at.root, 'git/a'), { recursive: true });
    const report = await update([]);
    expect(states(report)).toEqual({ a: 'failed', b: 'new', c: 'skipped' });
    expect(report.components[0]!.error).toMatchObject({ code: 'git-failed', where: { component: 'a' } });
    expect(Object.keys(await locks())).toEqual(['b.lock']);
  });

  it('rejects an unreadable lock, and leaves it unchanged', async () => {
    await at.files('p', { 'locks/a.lock': 'version = 7\n' });
    const report = await update(['a', 'b']);
    expect(report.components[0]!.error).toMatchObject({ code: 'lock-version', where: { component: 'a', line: 1 } });
    expect((await locks())['a.lock']).toBe('version = 7\n');
  });

  it('removes the upstream from the lock of a component whose spec is now local', async () => {
    await mkdir(join(at.root, 'p/locks'));
    await update(['a']);
    const own = config(day(2)).replace(
      '[components.a]',
      '[components.a]\nspec = { type = "local", path = "c/c.spec" }',
    );
    await at.files('p', { 'weir.toml': own });
    expect((await update(['a'])).components).toMatchObject([{ state: 'removed' }]);
    expect((await locks())['a.lock']).not.toMatch(/commit =|hash =/);
    expect((await update(['a'])).components).toMatchObject([{ state: 'skipped' }]);
  });

  it('leaves an equivalent lock unchanged', async () => {
    await update(['a']);
    const other = `${(await locks())['a.lock']!.replaceAll("'", '"')}\n# mine\n`;
    await at.files('p', { 'locks/a.lock': other });
    await update(['a'], { force: true });
    expect((await locks())['a.lock']).toBe(other);
  });
});

describe('component update --bump', () => {
  it('increments without asking upstream, for local components too', async () => {
    await update(['a']);
    const asked = server.asked.length;
    for (const count of [1, 2]) {
      const report = await update(['a', 'c'], { bump: true });
      expect(report.components).toMatchObject([
        { component: 'a', state: 'bumped', manualBump: count },
        { component: 'c', state: 'bumped', manualBump: count },
      ]);
    }
    expect(server.asked.length).toBe(asked);
    expect((await locks())['a.lock']).toMatch(/upstream-commit = '.*'\nmanual-bump = 2\n/);
    expect((await locks())['c.lock']).toMatch(/version = 1\nmanual-bump = 2\n$/);
  });

  it('needs a lock for an upstream component', async () => {
    const report = await update(['b'], { bump: true });
    expect(report.components[0]!.error).toMatchObject({ code: 'no-lock', exit: 2 });
  });
});

describe('component update with pins', () => {
  const pinFolder = 'base/upstream-commits';

  it('is chosen by the folder, updates pins, and removes those without a component', async () => {
    await mkdir(join(at.root, 'p', pinFolder), { recursive: true });
    await at.files('p', { 'weir.toml': `includes = ["${pinFolder}/*.toml"]\n${config(day(2))}` });
    const report = await update([]);
    expect(report).toMatchObject({ kept: 'pins', folder: join(at.root, 'p', pinFolder) });
    expect(states(report)).toEqual({ a: 'new', b: 'new', c: 'skipped' });
    expect(await locks()).toEqual({});
    const pins = await filesIn(pinFolder);
    expect(pins['a.toml']).toContain(`[components.a.spec]\nupstream-commit = '${report.components[0]!.commit}'\n`);
    // A pin is a part of the configuration now: the next snapshot moves it all the same.
    await at.files('p', { 'weir.toml': `includes = ["${pinFolder}/*.toml"]\n${config(day(4))}` });
    expect(states(await update([]))).toEqual({ a: 'changed', b: 'changed', c: 'skipped' });
    const later = await filesIn(pinFolder);
    await at.files('p', { [`${pinFolder}/gone.toml`]: later['a.toml']!.replaceAll('.a', '.gone') });
    const last = await update([]);
    expect(states(last)).toEqual({ a: 'unchanged', b: 'unchanged', c: 'skipped', gone: 'skipped' });
    expect(last.orphans).toEqual(['gone']);
    expect(await filesIn(pinFolder)).toEqual(later);
  });

  it("says a commit that the component's own file sets, which wins", async () => {
    await mkdir(join(at.root, 'p', pinFolder), { recursive: true });
    const own = `includes = ["${pinFolder}/*.toml"]\n${config(day(2))}`.replace(
      '[components.a]',
      `[components.a]\nspec = { upstream-commit = "${commits.a[0]}" }`,
    );
    await at.files('p', { 'weir.toml': own });
    const configuration = () => loadConfiguration(join(at.root, 'p'));
    for (const state of ['new', 'unchanged']) {
      const report = await update([], { configuration });
      expect(states(report)).toMatchObject({ a: state, b: state });
      expect(report.components[0]!.commit).toBe(commits.a[0]);
    }
    // The pin of the other one still follows the snapshot.
    await at.files('p', { 'weir.toml': own.replace(day(2), day(4)) });
    expect(states(await update([], { configuration }))).toMatchObject({ a: 'unchanged', b: 'changed' });
  });

  it('is only checked, all of it, when nothing may be written', async () => {
    await mkdir(join(at.root, 'p', pinFolder), { recursive: true });
    await at.files('p', { 'weir.toml': `includes = ["${pinFolder}/*.toml"]\n${config(day(2))}` });
    await update([]);
    expect(await update([], { checkOnly: true })).toMatchObject({ stale: false, orphans: [] });
    const before = await filesIn(pinFolder);
    await at.files('p', { 'weir.toml': `includes = ["${pinFolder}/*.toml"]\n${config(day(4))}` });
    const moved = await update([], { checkOnly: true });
    expect(moved.stale).toBe(true);
    expect(states(moved)).toMatchObject({ a: 'changed', b: 'changed' });
    expect(await filesIn(pinFolder)).toEqual(before);
  });

  it('keeps pins without a component while one component fails', async () => {
    await mkdir(join(at.root, 'p', pinFolder), { recursive: true });
    await at.files('p', { 'weir.toml': `includes = ["${pinFolder}/*.toml"]\n${config(day(2))}[components.nowhere]\n` });
    const first = await update([]);
    expect(states(first)).toMatchObject({ a: 'new', b: 'new', nowhere: 'failed' });
    const pins = await filesIn(pinFolder);
    await at.files('p', { [`${pinFolder}/gone.toml`]: pins['a.toml']!.replaceAll('.a', '.gone') });
    expect(await update([])).toMatchObject({ orphans: ['gone'] });
    expect(Object.keys(await filesIn(pinFolder))).toContain('gone.toml');
  });

  it('can be requested, and has no counter', async () => {
    expect((await update(['a'], { pinFolder: 'pins' })).folder).toBe(join(at.root, 'p/pins'));
    expect(Object.keys(await filesIn('pins'))).toEqual(['a.toml']);
    expect((await failure(update(['a'], { pinFolder: 'pins', bump: true }))).code).toBe('no-lock');
    await at.files('p/pins', {
      'gone.toml': (await filesIn('pins'))['a.toml']!.replaceAll('.a', '.gone'),
      'x.toml': 'y = 1\n',
    });
    expect((await update([], { pinFolder: 'pins' })).orphans).toEqual(['gone']);
    expect(Object.keys(await filesIn('pins'))).toEqual(['a.toml', 'b.toml', 'x.toml']);
  });
});
