import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sourceContext } from '../../src/component/sources.ts';
import { type GiveBack, type GiveBackOptions, giveBack } from '../../src/upstream/give-back.ts';
import { type Site, siteWith, spec } from './fixture.ts';

const author = { name: 'Zoë Example', email: 'zoe@example.org' };

async function give(site: Site, options: Partial<GiveBackOptions> = {}): Promise<GiveBack> {
  const workspace = await site.open();
  const component = workspace.project.components.get('a')!;
  const folder = join(site.root, 'patches');
  return giveBack(workspace, component, await sourceContext(workspace), { folder, author, ...options });
}

/** Applies the patches to a fresh clone. @returns its folder */
function applied(site: Site, { folder, patches, am }: GiveBack): string {
  const clone = join(site.root, 'clone');
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=R', '-c', 'user.email=r@example.org', ...args], {
      cwd: site.root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  git('clone', '-q', '-b', 'f1', join(site.root, 'git/a'), clone);
  git('-C', clone, 'am', '-q', ...am, ...patches.map(({ file }) => join(folder, file)));
  return clone;
}

const status = (value: string): string =>
  `metadata = { category = "weir-compatibility", upstream-status = "${value}", bugs = [{ url = "https://example.org/bug/7" }] }\n`;

const config = `
[components.a]
[[components.a.overlays]]
type = "spec-add-tag"
description = "[ours] The list of leap seconds comes with the time zones, which a minimal system does not have otherwise\\n\\nSecond part\\n--- a line of dashes"
tag = "Requires"
value = "tzdata"
${status('upstreamable')}
[[components.a.overlays]]
type = "spec-update-tag"
description = "Ours alone"
tag = "Summary"
value = "Our package"
${status('inapplicable')}
[[components.a.overlays]]
type = "patch-add"
description = "Fix the clock"
source = "fix.patch"
${status('upstreamable')}
[[components.a.overlays]]
type = "spec-search-replace"
description = "Needs the summary of overlay 2"
regex = "Our package"
replacement = "Their package"
${status('upstreamable')}
[[components.a.overlays]]
type = "file-remove"
description = "Nobody needs it"
file = "old.conf"
${status('upstreamable')}
`;
const fix = '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b \n';

async function made(body = '') {
  const site = await siteWith(config);
  await site.write({ 'fix.patch': fix });
  const git = site.distGit('a');
  git.commit({ 'a.spec': spec('a', { body }), 'old.conf': 'old\n', 'run.sh': '#!/bin/sh\n' });
  await site.lock();
  const base = git.commit({ 'a.spec': spec('a', { version: '2', body }) });
  return { site, git, base };
}

describe('upstream give-back', () => {
  it('writes upstreamable overlays as patches that apply to the newest commit', async () => {
    const { site, base } = await made();
    const result = await give(site);
    expect(result).toMatchObject({ component: 'a', branch: 'f1', base, am: [] });
    expect(result.patches.map(({ overlay, file }) => ({ overlay, file }))).toEqual([
      { overlay: 1, file: expect.stringMatching(/^0001-The-list-of-leap-seconds/) },
      { overlay: 3, file: '0002-Fix-the-clock.patch' },
      { overlay: 5, file: '0003-Nobody-needs-it.patch' },
    ]);
    expect(result.kept).toMatchObject([
      {
        overlay: 4,
        place: 'weir.toml:33',
        reason: expect.stringContaining('may need an overlay that is not in the series'),
      },
    ]);
    const clone = applied(site, result);
    const text = readFileSync(join(clone, 'a.spec'), 'utf8');
    expect(text).toMatch(/Version: 2\n(?:.*\n)*Requires: tzdata\n/);
    expect(text).toContain('Patch0: fix.patch\n');
    expect(text).toContain('Summary: A package\n');
    expect(readFileSync(join(clone, 'fix.patch'), 'utf8')).toBe(fix);
    expect(existsSync(join(clone, 'old.conf'))).toBe(false);
    const log = execFileSync('git', ['-C', clone, 'log', '-3', '--reverse', '--format=%an <%ae>%n%B'], {
      encoding: 'utf8',
    });
    expect(log).toContain(
      'Zoë Example <zoe@example.org>\nThe list of leap seconds comes with the time zones, which a minimal…\n',
    );
    expect(log).toContain('Second part\n ');
    expect(log).toContain('Bug: https://example.org/bug/7');
  });

  it('checks that upstream with the patches has the effect of the overlays', async () => {
    const { site } = await made();
    // Overlay 4 fails without overlay 2, and is applied with it.
    expect((await give(site)).effect).toEqual({ state: 'same' });
    const pairs = await give(site, { overlays: [2, 4], folder: join(site.root, 'two') });
    expect(pairs).toMatchObject({ kept: [], effect: { state: 'same' } });
    // Overlay 2 alone: overlay 4 then replaces what upstream has, with the same result.
    expect((await give(site, { overlays: [2], folder: join(site.root, 'one') })).effect).toEqual({ state: 'same' });
  });

  it('shows the difference if a later overlay depends on the order', async () => {
    const lines = (number: number): string => `
[[components.a.overlays]]
type = "spec-append-lines"
description = "Line ${number}"
section = "%prep"
lines = ["echo ${number}"]
${status(number === 2 ? 'upstreamable' : 'inapplicable')}`;
    const site = await siteWith(`[components.a]${lines(1)}${lines(2)}`);
    site.distGit('a').commit({ 'a.spec': spec('a') });
    const { effect } = await give(site);
    expect(effect).toMatchObject({ state: 'differs', diff: expect.stringContaining('-echo 1') });
  });

  it('keeps carriage returns, modes and other bytes', async () => {
    const site = await siteWith(`
[components.a]
[[components.a.overlays]]
type = "spec-add-tag"
description = "Windows"
tag = "Requires"
value = "tzdata"
${status('upstreamable')}
[[components.a.overlays]]
type = "file-add"
description = "A program"
file = "bin.sh"
source = "bin.sh"
${status('upstreamable')}`);
    await site.write({ 'bin.sh': '' });
    writeFileSync(join(site.dir, 'bin.sh'), Buffer.from([0, 1, 2, 255, 13, 10]), { mode: 0o755 });
    execFileSync('chmod', ['755', join(site.dir, 'bin.sh')]);
    site.distGit('a').commit({ 'a.spec': spec('a').replaceAll('\n', '\r\n').replace('A package.', 'caf\xe9') });
    const result = await give(site);
    expect(result).toMatchObject({ am: ['--keep-cr'], effect: { state: 'same' } });
    const clone = applied(site, result);
    expect(readFileSync(join(clone, 'a.spec'), 'latin1')).toContain('Requires: tzdata\r\n');
    expect(readFileSync(join(clone, 'bin.sh'))).toEqual(Buffer.from([0, 1, 2, 255, 13, 10]));
    expect(execFileSync('git', ['-C', clone, 'ls-files', '-s', 'bin.sh'], { encoding: 'utf8' })).toMatch(/^100755/);
  });

  it('is the same in each run, whatever git is configured to do', async () => {
    const { site } = await made();
    const texts = (result: GiveBack): string[] =>
      result.patches.map(({ file }) => readFileSync(join(result.folder, file), 'utf8'));
    process.env.SOURCE_DATE_EPOCH = '1700000000';
    const first = texts(await give(site));
    mkdirSync(join(site.root, 'config/git'), { recursive: true });
    const settings = '[format]\n\tsubjectPrefix = MINE\n\tsignOff = true\n[diff]\n\tnoprefix = true\n';
    writeFileSync(join(site.root, 'config/git/config'), settings);
    process.env.XDG_CONFIG_HOME = join(site.root, 'config');
    try {
      expect(texts(await give(site, { folder: join(site.root, 'again') }))).toEqual(first);
    } finally {
      delete process.env.SOURCE_DATE_EPOCH;
      delete process.env.XDG_CONFIG_HOME;
    }
    expect(first[0]).toContain('Date: Tue, 14 Nov 2023 22:13:20 +0000');
  });

  it('says what is missing', async () => {
    const { site } = await made();
    await expect(give(site, { overlays: [6] })).rejects.toMatchObject({ code: 'no-overlay', exit: 2 });
    await expect(give(site, { overlays: [4] })).rejects.toMatchObject({
      code: 'nothing-to-give',
      details: [expect.stringContaining('overlay 4')],
    });
    await site.write({ 'full/x': 'x' });
    await expect(give(site, { folder: join(site.dir, 'full') })).rejects.toMatchObject({ code: 'not-empty' });
    const own = await siteWith('[components.a]\n');
    own.distGit('a').commit({ 'a.spec': spec('a') });
    await expect(give(own)).rejects.toMatchObject({ code: 'nothing-to-give', exit: 2 });
  });
});

it('says the first line of a description once', async () => {
  const site = await siteWith(`[components.a]
[[components.a.overlays]]
type = "spec-update-tag"
description = "Name it\\n\\nIt had no name"
tag = "Summary"
value = "Ours"
${status('upstreamable')}`);
  site.distGit('a').commit({ 'a.spec': spec('a') });
  await site.lock();
  const { folder, patches } = await give(site);
  const text = readFileSync(join(folder, patches[0]!.file), 'utf8');
  expect(text.match(/Name it/g)).toHaveLength(1);
  expect(text).toContain('Subject: [PATCH] Name it\n\nIt had no name\n');
});
