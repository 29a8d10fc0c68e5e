import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sourceContext } from '../../src/component/sources.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { updateMarkdown } from '../../src/upstream/report.ts';
import { type UpstreamUpdate, updateFromUpstream } from '../../src/upstream/update.ts';
import { journalPath, readJournal, writeJournal } from '../../src/upstream/update-journal.ts';
import { all, type Site, siteWith, spec } from './fixture.ts';

async function update(
  site: Site,
  options: { readonly to?: string; readonly only?: string } = {},
): Promise<UpstreamUpdate> {
  const { only, ...rest } = options;
  const workspace = await site.open();
  const components = all(workspace).filter(({ name }) => only === undefined || name === only);
  const configuration = () => loadConfiguration(site.dir);
  return updateFromUpstream(workspace, components, await sourceContext(workspace), { ...rest, configuration });
}

const lockOf = async (site: Site, name: string): Promise<string> =>
  /upstream-commit = '(.*)'/.exec(await site.read(`locks/${name}.lock`))![1]!;

const overlay = `
[[components.b.overlays]]
type = "spec-search-replace"
description = "one"
regex = "--old"
replacement = "--new"
`;

/** a moves; b cannot, because of its overlay; c has nothing new. */
async function made() {
  const site = await siteWith(`[components.a]\n[components.b]${overlay}[components.c]\n`);
  const first: Record<string, string> = {};
  for (const name of ['a', 'b', 'c']) {
    first[name] = site.distGit(name).commit({ [`${name}.spec`]: spec(name, { body: '%global o --old\n' }) });
  }
  await site.lock();
  await update(site);
  const second: Record<string, string> = {};
  for (const name of ['a', 'b']) {
    const body = `%global o ${name === 'a' ? '--old' : '--other'}\n`;
    second[name] = site
      .distGit(name)
      .commit({ [`${name}.spec`]: spec(name, { version: '2', body }) }, 'Update | to 2 @all');
  }
  return { site, first, second };
}

describe('upstream update', () => {
  it('moves locks, renders, and leaves what cannot be rendered, with the reason', async () => {
    const { site, first, second } = await made();
    const report = await update(site);
    expect(report.moved.map(({ component }) => component)).toEqual(['a']);
    expect(report.left).toMatchObject([
      { component: 'b', reason: expect.stringContaining('--old'), error: { code: 'overlay-no-match' } },
    ]);
    expect(report).toMatchObject({ kept: 'locks', current: 1, skipped: 0, warnings: [] });
    expect(await lockOf(site, 'a')).toBe(second.a);
    expect(await lockOf(site, 'b')).toBe(first.b);
    expect(await site.read('specs/a/a/a.spec')).toContain('Version: 2\n');
    expect(existsSync(join(site.dir, 'specs/b/b'))).toBe(false);
    expect(await update(site)).toMatchObject({ moved: [], current: 2 });
  });

  it('moves up to a day, and keeps the other fields of the lock', async () => {
    const { site, second } = await made();
    const third = site.distGit('a').commit({ 'a.spec': spec('a', { version: '3' }) });
    const lock = await site.read('locks/a.lock');
    await site.write({ 'locks/a.lock': lock.replace('resolution', `manual-bump = 2\nresolution`) });
    const report = await update(site, { to: '2020-09-14T12:26:40Z', only: 'a' });
    expect(report.moved).toMatchObject([{ newest: { commit: second.a } }]);
    expect(await site.read('locks/a.lock')).toContain('manual-bump = 2\n');
    expect((await update(site, { only: 'a' })).moved).toMatchObject([
      { pinned: { commit: second.a }, newest: { commit: third } },
    ]);
    // It never moves back.
    expect(await update(site, { to: '2020-09-14T12:26:40Z', only: 'a' })).toMatchObject({
      moved: [],
      left: [],
      current: 1,
    });
    expect(await lockOf(site, 'a')).toBe(third);
  });

  it('moves pins, and warns that a snapshot would move them back', async () => {
    const snapshot = '2020-09-13T12:26:40Z';
    const site = await siteWith('[components.a]\n', snapshot);
    await site.write({ 'weir.toml': `includes = ["base/upstream-commits/*.toml"]\n${await site.read('weir.toml')}` });
    await site.write({ 'base/upstream-commits/.keep': '' });
    site.distGit('a').commit({ 'a.spec': spec('a') });
    await site.lock();
    const pin = await site.read('base/upstream-commits/a.toml');
    const second = site.distGit('a').commit({ 'a.spec': spec('a', { version: '2' }) });
    const report = await update(site);
    expect(report).toMatchObject({ kept: 'pins', moved: [{ component: 'a', pinned: { by: 'pin' } }], left: [] });
    expect(report.warnings).toEqual([
      `weir component update would move components back to the snapshot ${snapshot}: raise it, too`,
    ]);
    expect(await site.read('base/upstream-commits/a.toml')).toBe(pin.replace(/'[0-9a-f]{40}'/, `'${second}'`));
    expect(await site.read('specs/a/a/a.spec')).toContain('Version: 2\n');
    expect(await site.status()).toMatchObject({ a: { state: 'current' } });
  });

  it('does not touch a commit that the configuration names, and needs locks or pins', async () => {
    const site = await siteWith('[components.a]\n');
    const git = site.distGit('a');
    const first = git.commit({ 'a.spec': spec('a') });
    git.commit({ 'a.spec': spec('a', { version: '2' }) });
    await expect(update(site)).rejects.toMatchObject({ code: 'no-lock', exit: 2 });
    const config = await site.read('weir.toml');
    const own = `[components.a]\nspec = { type = "upstream", upstream-commit = "${first}" }\n`;
    await site.write({ 'weir.toml': config.replace('[components.a]\n', own) });
    await site.lock();
    expect((await update(site)).left).toMatchObject([
      { component: 'a', reason: expect.stringContaining('upstream-commit is set in the configuration') },
    ]);
    expect(await lockOf(site, 'a')).toBe(first);
  });
});

describe('a commit set by hand in a project with pins', () => {
  it('is no pin, although the pin repeats it', async () => {
    const site = await siteWith('[components.a]\n');
    const git = site.distGit('a');
    const first = git.commit({ 'a.spec': spec('a') });
    git.commit({ 'a.spec': spec('a', { version: '2' }) });
    const own = `[components.a]\nspec = { type = "upstream", upstream-commit = "${first}" }\n`;
    const config = (await site.read('weir.toml')).replace('[components.a]\n', own);
    await site.write({
      'weir.toml': `includes = ["base/upstream-commits/*.toml"]\n${config}`,
      'base/upstream-commits/.keep': '',
    });
    await site.lock();
    const pin = await site.read('base/upstream-commits/a.toml');
    expect(pin).toContain(first);
    const configuration = () => loadConfiguration(site.dir);
    expect(await site.status({ configuration })).toMatchObject({ a: { pinned: { by: 'configuration' } } });
    const report = await update(site);
    expect(report.moved).toEqual([]);
    const line = `includes\n${config}`.split('\n').indexOf('[components.a]');
    expect(report.left).toMatchObject([{ component: 'a', reason: expect.stringContaining('(weir.toml:') }]);
    expect(report.left[0]!.reason).toContain(`set in the configuration: change it there (weir.toml:${line + 1})`);
    expect(await site.read('base/upstream-commits/a.toml')).toBe(pin);
  });
});

describe('a killed update', () => {
  it('leaves whole files, and the next one finishes and reports all that was begun', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `p${String(index).padStart(2, '0')}`);
    const site = await siteWith(names.map((name) => `[components.${name}]\n`).join(''));
    for (const name of names) site.distGit(name).commit({ [`${name}.spec`]: spec(name) });
    await site.lock();
    const workspace = await site.open();
    const { renderComponents } = await import('../../src/component/render/render.ts');
    await renderComponents(workspace, all(workspace), {});
    for (const name of names) site.distGit(name).commit({ [`${name}.spec`]: spec(name, { version: '2' }) });
    const launcher = join(import.meta.dirname, '../../weir');
    const argv = ['-C', site.dir, '-q', 'upstream', 'update', '-a'];
    const env = { ...process.env, XDG_CACHE_HOME: join(site.root, 'home') };
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/cli/main.ts'), ...argv], {
      env,
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const moved = (): Promise<string[]> =>
      Promise.all(names.map((name) => site.read(`locks/${name}.lock`))).then((texts) =>
        names.filter((_, index) => {
          const [, imported, pinned] = /import-commit = '(.*)'\nupstream-commit = '(.*)'/.exec(texts[index]!)!;
          return imported !== pinned;
        }),
      );
    while ((await moved()).length === 0 && child.exitCode === null) await new Promise((done) => setTimeout(done, 1));
    child.kill('SIGKILL');
    await ended;
    const before = await moved();
    // As a kill between the lock and the folder leaves it.
    const half = before.at(-1)!;
    await site.write({ [`specs/p/${half}/${half}.spec`]: 'half\n' });
    // A lock comes right before its folder, so that a kill can only come between those being written.
    const torn: string[] = [];
    for (const name of names.filter((one) => one !== half)) {
      const version = /Version: (.*)/.exec(await site.read(`specs/p/${name}/${name}.spec`))?.[1];
      if (before.includes(name) && version === '1') torn.push(name);
      else expect({ name, version }).toEqual({ name, version: before.includes(name) ? '2' : '1' });
    }
    expect(torn.length).toBeLessThanOrEqual(availableParallelism());
    const answer = execFileSync(launcher, ['-C', site.dir, '--json', 'upstream', 'update', names[0]!, '-a'], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const report = JSON.parse(answer) as UpstreamUpdate;
    expect(report.moved.map(({ component }) => component)).toEqual(names);
    expect(report.left).toEqual([]);
    for (const name of names) expect(await site.read(`specs/p/${name}/${name}.spec`)).toContain('Version: 2\n');
    expect(await moved()).toEqual(names);
    expect(readdirSync(join(site.root, 'home/weir/upstream')).filter((name) => name.endsWith('.json'))).toEqual([]);
  });
});

describe('the rest of a killed update', () => {
  /** As a kill between the lock and the folder leaves it. */
  async function torn(name: 'a' | 'b') {
    const { site, first, second } = await made();
    const workspace = await site.open();
    await site.write({
      [`locks/${name}.lock`]: (await site.read(`locks/${name}.lock`)).replace(
        `upstream-commit = '${first[name]}'`,
        `upstream-commit = '${second[name]}'`,
      ),
    });
    const journal = journalPath(workspace.cache, workspace.project.root);
    await writeJournal(journal, [{ component: name, from: first[name]!, to: second[name]! }]);
    return { site, first, second, journal };
  }

  it('goes back where it cannot be rendered any more', async () => {
    const { site, first, journal } = await torn('b');
    expect(await update(site)).toMatchObject({ left: [{ component: 'b', error: { code: 'overlay-no-match' } }] });
    expect(await lockOf(site, 'b')).toBe(first.b);
    expect(await site.read('specs/b/b/b.spec')).toContain('Version: 1\n');
    expect(await readJournal(journal)).toEqual([]);
  });

  it('is kept for the next run where upstream cannot be read', async () => {
    const { site, first, second, journal } = await torn('a');
    renameSync(join(site.root, 'git/a'), join(site.root, 'git/away'));
    const report = await update(site);
    expect(report).toMatchObject({ failed: 1, moved: [] });
    expect(report.left.find(({ component }) => component === 'a')!.reason).toMatch(/run the command again$/);
    expect(await readJournal(journal)).toEqual([{ component: 'a', from: first.a, to: second.a }]);
    renameSync(join(site.root, 'git/away'), join(site.root, 'git/a'));
    expect(await update(site)).toMatchObject({
      failed: 0,
      moved: [{ component: 'a', pinned: { commit: first.a }, newest: { commit: second.a } }],
    });
    expect(await site.read('specs/a/a/a.spec')).toContain('Version: 2\n');
    expect(await readJournal(journal)).toEqual([]);
  });
});

describe('the rendered folder of one component', () => {
  it('stops no other one if a file is in its place', async () => {
    const { site } = await made();
    await site.write({ 'specs/c': 'a file\n', 'specs/b': 'a file\n' });
    site.distGit('c').commit({ 'c.spec': spec('c', { version: '2' }) });
    const report = await update(site);
    expect(report.moved.map(({ component }) => component)).toEqual(['a']);
    expect(report.left).toMatchObject([{ component: 'b' }, { component: 'c', error: { code: 'not-a-folder' } }]);
  });
});

describe('the report', () => {
  it('shows no folder of this machine, and counts what could not be compared', async () => {
    const { site } = await made();
    const report = await update(site, { to: '2001-01-01T00:00:00Z' });
    expect(report).toMatchObject({ failed: 3, moved: [] });
    const text = updateMarkdown(report);
    expect(text).toContain('3 components could not be compared with upstream. 0 are current.');
    expect(text).toContain('the dist-git of a');
    expect(text).not.toContain(site.root);
  });

  it('hides no component behind a large one, and takes warnings as text', async () => {
    const { site } = await made();
    const report = await update(site);
    const [one] = report.moved;
    const commits = Array.from({ length: 30 }, () => ({ ...one!.between!.commits[0]!, subject: 'x'.repeat(5000) }));
    const files = { added: Array.from({ length: 5000 }, (_, at) => `file-${at}`), removed: [], changed: [] };
    const large = { ...one!, component: 'large', between: { ...one!.between!, commits, files } };
    const text = updateMarkdown({ ...report, moved: [large, one!], warnings: ['from @all'] }, 6000);
    expect(text).toContain('<details><summary>a: ');
    expect(text).toContain('> `from @all`');
    expect(updateMarkdown({ ...report, moved: [large, one!] })).toContain('more changes');
  });

  it('has everything, and foreign text as code', async () => {
    const { site } = await made();
    const text = updateMarkdown(await update(site));
    expect(text).toContain('1 component moved to newer commits of upstream. 1 component with news could not be moved.');
    expect(text).toContain('| `a` | `1 → 2` | 1 |  |');
    expect(text).toContain(
      '| `b` | `overlay 1 (spec-search-replace: one): nothing changes in the spec by replacing /--old/',
    );
    expect(text).not.toContain(site.root);
    expect(text).toMatch(/- `[0-9a-f]{12} 2020-09-14 Update \| to 2 @all`/);
    expect(text.replace(/`[^`]*`/g, '')).not.toContain('@all');
  });

  it('is cut at the limit', async () => {
    const { site } = await made();
    const report = await update(site);
    const many = { ...report, moved: Array.from({ length: 3000 }, () => report.moved[0]!) };
    const text = updateMarkdown(many);
    expect(text.length).toBeLessThanOrEqual(60_000);
    expect(text.length).toBeGreaterThan(50_000);
    expect(text).toContain('more: see the JSON output of the command.');
    expect(text).toContain('## Left as they were');
    for (const limit of [300, 500, 800, 1500])
      expect(updateMarkdown(many, limit).length).toBeLessThanOrEqual(limit + 250);
  });
});
