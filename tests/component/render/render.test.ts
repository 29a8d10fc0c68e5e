import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { writeRepository } from '../../../bench/distgit.ts';
import { runOk } from '../../../src/base/process.ts';
import { createProgress } from '../../../src/base/progress.ts';
import {
  diffComponent,
  type RenderReport,
  type RenderSettings,
  renderComponents,
} from '../../../src/component/render/render.ts';
import { removeTree } from '../../../src/engine/scratch.ts';
import { type Selection, selectComponents } from '../../../src/project/select.ts';
import { openProjectWorkspace } from '../../../src/workspace/workspace.ts';
import { repositoryAt } from '../../sources/git-repository.ts';
import { serveFiles } from '../../sources/server.ts';

/** Enough that they are rendered on threads. */
const many = Array.from({ length: 20 }, (_, index) => `c${String(index).padStart(2, '0')}`);
/** Few enough that they are not. */
const names = many.slice(0, 10);
const everything: Selection = { names: [], patterns: [], groups: [], all: true };

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-test-'));
  onTestFinished(() => removeTree(root));
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'home'));
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of many) upstream(name);
  await put({ 'p/weir.toml': project(names), 'p/ours.conf': 'ours', 'p/more.toml': '' });
});

const withThreads = (): Promise<void> => put({ 'p/weir.toml': project(many) });

function upstream(
  name: string,
  text = `Name: ${name}\nVersion: 1\nRelease: 1\nPatch0: ${name}.patch\nPatch1: run.sh\n`,
  more: Readonly<Record<string, string>> = {},
): void {
  const file = (path: string, content: string, executable = false): Parameters<typeof writeRepository>[2][number] => ({
    name: path,
    bytes: Buffer.from(content),
    executable,
  });
  writeRepository(join(root, 'git', name), 'f1', [
    file(`${name}.spec`, text),
    file(`${name}.patch`, `patch of ${name}\n`),
    file('run.sh', '#!/bin/sh\n', true),
    file('unlisted', 'x'),
    ...Object.entries(more).map(([path, content]) => file(path, content)),
  ]);
}

function project(components: readonly string[]): string {
  return `
includes = ["more.toml"]
[project]
description = "p"
rendered-specs-dir = "../specs"
default-distro = { name = "ours", version = "1" }
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1", snapshot = "2026-01-01T00:00:00Z" } }
[distros.up]
dist-git-base-uri = "../git/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
${components.map((name) => `[components.${name}]\n`).join('')}
[[components.c00.overlays]]
type = "file-add"
description = "a file of ours"
file = "ours.conf"
source = "ours.conf"
[[components.c00.overlays]]
type = "spec-insert-tag"
description = "and it is listed"
tag = "Source"
value = "ours.conf"
`;
}

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

async function render(settings: RenderSettings = {}, selection: Selection = everything): Promise<RenderReport> {
  const progress = createProgress('quiet', false, () => {});
  const workspace = await openProjectWorkspace({ directory: join(root, 'p'), progress });
  const chosen = selectComponents(workspace.project, selection);
  return renderComponents(workspace, chosen, { all: selection.all, ...settings });
}

/** Every file below the rendered specs' folder: content, mode, inode and times. */
async function look(): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const entry of await readdir(join(root, 'specs'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { ino, mode, mtimeMs, ctimeMs } = await stat(path);
    found.set(path.slice(root.length + 1), { text: await readFile(path, 'utf8'), ino, mode, mtimeMs, ctimeMs });
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function texts(): Promise<Map<string, unknown>> {
  const pick = (file: unknown): unknown => {
    const { text, mode } = file as { text: string; mode: number };
    return { text, mode };
  };
  return new Map([...(await look())].map(([path, file]) => [path, pick(file)]));
}

async function records(): Promise<string> {
  const dir = join(root, 'home/weir/rendered');
  const [name] = await readdir(dir);
  return join(dir, name!);
}

describe('the result of rendering', () => {
  it('is the same with worker threads as without', async () => {
    await withThreads();
    const report = await render();
    expect(report).toMatchObject({ components: 20, unchanged: 0, failed: [], warnings: [] });
    const onThreads = await texts();
    expect([...onThreads.keys()].filter((path) => path.includes('/c00/'))).toEqual([
      'specs/c/c00/c00.patch',
      'specs/c/c00/c00.spec',
      'specs/c/c00/ours.conf',
      'specs/c/c00/run.sh',
    ]);
    expect(onThreads.get('specs/c/c01/run.sh')).toEqual({ text: '#!/bin/sh\n', mode: 0o100755 });
    await rm(join(root, 'specs'), { recursive: true });
    await rm(join(root, 'home'), { recursive: true });
    for (const part of [many.slice(0, 11), many.slice(11)])
      await render({}, { ...everything, names: part, all: false });
    expect(await texts()).toEqual(onThreads);
  });

  it('is neither rendered again nor touched while nothing changes', async () => {
    const first = await render();
    expect(first.changed.length).toBe((await look()).size);
    const before = await look();
    const journal = await readFile(await records(), 'utf8');
    expect(await render()).toMatchObject({ components: 10, unchanged: 10, changed: [], failed: [] });
    expect(await render({ check: true })).toMatchObject({ unchanged: 10, changed: [] });
    expect(await look()).toEqual(before);
    expect(await readFile(await records(), 'utf8')).toBe(journal);
  });

  it('is only what changed', async () => {
    await render();
    const changedBy = async (change: () => unknown): Promise<string[]> => {
      await change();
      const report = await render();
      expect(report.failed).toEqual([]);
      expect(report.components - report.unchanged).toBe(new Set(report.changed.map(({ path }) => dirname(path))).size);
      return report.changed.map(({ path }) => path);
    };
    expect(await changedBy(() => put({ 'p/ours.conf': 'OURS' }))).toEqual(['c/c00/ours.conf']);
    expect(await changedBy(() => put({ 'p/more.toml': '[components.c03.build]\ndefines = { x = "1" }\n' }))).toEqual([
      'c/c03/c03.spec',
      'c/c03/c03.weir.macros',
    ]);
    expect(await changedBy(() => put({ 'p/more.toml': '' }))).toEqual(['c/c03/c03.spec', 'c/c03/c03.weir.macros']);
    expect(await changedBy(() => upstream('c05', 'Name: c05\nVersion: 2\nRelease: 1\n'))).toEqual([
      'c/c05/c05.patch',
      'c/c05/c05.spec',
      'c/c05/run.sh',
    ]);
    expect(await changedBy(() => {})).toEqual([]);
  });

  it('has the hashes of archives that overlays change, and fetches only those', async () => {
    await withThreads();
    await put({ 'tree/a-1/keep': 'keep', 'tree/a-1/drop': 'drop' });
    await runOk(['tar', '-C', join(root, 'tree'), '-czf', join(root, 'a-1.tar.gz'), 'a-1']);
    const archive = await readFile(join(root, 'a-1.tar.gz'));
    const server = await serveFiles({ '/a-1.tar.gz': archive });
    const listed = (bytes: Buffer): string =>
      `SHA512 (a-1.tar.gz) = ${createHash('sha512').update(bytes).digest('hex')}\n`;
    for (const name of ['c01', 'c02']) {
      upstream(name, `Name: ${name}\nVersion: 1\nSource0: a-1.tar.gz\n`, { sources: listed(archive) });
    }
    const configured = (hash: string): Promise<void> =>
      put({
        'p/more.toml': `
[distros.up]
lookaside-base-uri = "${server.url}/$filename"
[[components.c01.source-files]]
filename = "a-1.tar.gz"
hash = "${hash}"
hash-type = "SHA512"
origin = { type = "overlay" }
replace-upstream = true
replace-reason = "smaller"
[[components.c01.overlays]]
type = "file-remove"
description = "not wanted"
archive = "a-1.tar.gz"
file = "drop"
`,
      });
    await configured('0'.repeat(128));
    const [wrong] = (await render()).failed;
    expect(wrong).toMatchObject({ component: 'c01', error: { code: 'wrong-hash' } });
    const [, got = ''] = /^got +([0-9a-f]{128})$/.exec(wrong!.error.details[1]!) ?? [];
    expect(server.asked.map(({ path }) => path)).toEqual(['/a-1.tar.gz']);
    await configured(got);
    expect((await render()).changed.map(({ path }) => path)).toEqual(['c/c01/c01.spec', 'c/c01/sources']);
    expect(await readFile(join(root, 'specs/c/c01/sources'), 'utf8')).toBe(`SHA512 (a-1.tar.gz) = ${got}\n`);
    expect(await readFile(join(root, 'specs/c/c02/sources'), 'utf8')).toBe(listed(archive));
    expect(await render()).toMatchObject({ unchanged: 20, changed: [] });
    expect(server.asked.length).toBe(1);
  });

  it('of a local component follows the files of its folder', async () => {
    await put({
      'p/local/demo.spec': 'Name: demo\nVersion: 1\nSource0: a.txt\n',
      'p/local/a.txt': 'a',
      'p/more.toml': '[components.demo]\nspec = { type = "local", path = "local/demo.spec" }\n',
    });
    const one = { ...everything, all: false, names: ['demo'] };
    expect((await render({}, one)).changed.map(({ path }) => path)).toEqual(['d/demo/a.txt', 'd/demo/demo.spec']);
    expect(await render({}, one)).toMatchObject({ unchanged: 1, changed: [] });
    await put({ 'p/local/a.txt': 'b' });
    expect((await render({}, one)).changed).toEqual([{ path: 'd/demo/a.txt', state: 'changed' }]);
  });
});

describe('the folder', () => {
  it('is restored after an edit by hand, a removed file and an added one', async () => {
    await render();
    const before = await texts();
    await put({ 'specs/c/c01/c01.patch': 'PATCH of c01\n', 'specs/c/c02/more': 'x' });
    await rm(join(root, 'specs/c/c03/c03.spec'));
    const stale = [
      { path: 'c/c01/c01.patch', state: 'changed' },
      { path: 'c/c02/more', state: 'extra' },
      { path: 'c/c03/c03.spec', state: 'missing' },
    ];
    expect(await render({ check: true })).toMatchObject({ unchanged: 7, changed: stale });
    expect(await render()).toMatchObject({ unchanged: 7, changed: stale });
    expect(await texts()).toEqual(before);
    expect(await render()).toMatchObject({ unchanged: 10, changed: [] });
  });

  it('is compared by content, not rendered, after a copy or checkout', async () => {
    await render();
    const before = await texts();
    for (const path of before.keys()) {
      const text = await readFile(join(root, path));
      const { mode } = await stat(join(root, path));
      await rm(join(root, path));
      await writeFile(join(root, path), text, { mode });
    }
    await rm(join(root, 'git'), { recursive: true });
    for (const name of names) upstream(name);
    await rm(join(root, 'git/c00/objects'), { recursive: true });
    const report = await render();
    // The repositories are new ones, which only git can tell: one of them is not even whole.
    expect(report.failed.map(({ component }) => component)).toEqual(['c00']);
    expect(report.changed).toEqual([]);
    expect(await texts()).toEqual(before);
  });

  it('loses orphans only with --clean, and only when all are rendered', async () => {
    await render();
    await put({ 'p/weir.toml': project(names.slice(0, -1)), 'specs/z/zz/zz.spec': 'Name: not by Weir\n' });
    const path = 'c/c09';
    expect((await render()).changed).toEqual([]);
    expect((await render({ check: true })).changed).toEqual([{ path, state: 'orphan' }]);
    const some = { ...everything, all: false, names: ['c01'] };
    expect((await render({ clean: true }, some)).changed).toEqual([]);
    expect((await render({ clean: true })).changed).toEqual([{ path, state: 'orphan' }]);
    expect(await readdir(join(root, 'specs/c'))).toEqual(names.slice(0, -1));
    expect(await readdir(join(root, 'specs/z'))).toEqual(['zz']);
  });

  it('is correct after two concurrent runs, and after a killed one', async () => {
    await withThreads();
    const script = `
      import { openProjectWorkspace } from ${JSON.stringify(join(import.meta.dirname, '../../../src/workspace/workspace.ts'))};
      import { renderComponents } from ${JSON.stringify(join(import.meta.dirname, '../../../src/component/render/render.ts'))};
      import { createProgress } from ${JSON.stringify(join(import.meta.dirname, '../../../src/base/progress.ts'))};
      const progress = createProgress('quiet', false, () => {});
      const workspace = await openProjectWorkspace({ directory: ${JSON.stringify(join(root, 'p'))}, progress });
      await renderComponents(workspace, [...workspace.project.components.values()], { all: true });
    `;
    const run = (): ReturnType<typeof spawn> =>
      spawn(process.execPath, [join(root, 'run.mjs')], { stdio: ['ignore', 'ignore', 'inherit'], env: process.env });
    await put({ 'run.mjs': script });
    const both = [run(), run()].map(async (child) => (await once(child, 'close'))[0]);
    expect(await Promise.all(both)).toEqual([0, 0]);
    const right = await texts();
    expect(right.size).toBe(61);
    expect(await render()).toMatchObject({ unchanged: 20, changed: [] });
    for (const part of ['specs', 'home']) await rm(join(root, part), { recursive: true });
    const killed = run();
    while ((await readdir(join(root, 'specs/c')).catch(() => [])).length < 3)
      await new Promise((done) => setTimeout(done, 2));
    killed.kill('SIGKILL');
    await once(killed, 'close');
    expect((await render()).failed).toEqual([]);
    expect(await texts()).toEqual(right);
    expect(await render()).toMatchObject({ unchanged: 20, changed: [] });
  });
});

describe('a component that fails', () => {
  it('is reported and does not stop the others', async () => {
    await withThreads();
    await rm(join(root, 'git/c07'), { recursive: true });
    await put({
      'p/more.toml': `
[[components.c09.overlays]]
type = "spec-remove-tag"
description = "it has none"
tag = "Epoch"
`,
    });
    const report = await render();
    expect(report.failed.map(({ component, error }) => [component, error.code, error.exit])).toEqual([
      ['c07', 'no-dist-git', 2],
      ['c09', 'overlay-no-match', 2],
    ]);
    expect(report.failed[1]!.error.where).toMatchObject({ component: 'c09', file: join(root, 'p/more.toml'), line: 2 });
    expect(await readdir(join(root, 'specs/c'))).toEqual(many.filter((name) => name !== 'c07' && name !== 'c09'));
    const again = await render();
    expect(again).toMatchObject({ unchanged: 18, changed: [] });
    expect(again.failed.map(({ error }) => ({ ...error }))).toEqual(report.failed.map(({ error }) => ({ ...error })));
    // What an error tells is where things stand now.
    await put({ 'p/more.toml': `# one line more\n${await readFile(join(root, 'p/more.toml'), 'utf8')}` });
    expect((await render()).failed[1]!.error.where).toMatchObject({ component: 'c09', line: 3 });
    upstream('c07');
    expect((await render()).failed.map(({ component }) => component)).toEqual(['c09']);
  });

  it('leaves what was rendered of it before', async () => {
    await render();
    const before = await texts();
    await rm(join(root, 'git/c07'), { recursive: true });
    expect((await render()).failed.map(({ component }) => component)).toEqual(['c07']);
    expect(await texts()).toEqual(before);
  });
});

describe('the records', () => {
  it.each([
    ['gone', (path: string) => rm(path)],
    ['cut off in a line', async (path: string) => writeFile(path, (await readFile(path, 'utf8')).slice(0, -100))],
    ['followed by what is no record', (path: string) => appendFile(path, 'null\n{"component":1}\nnonsense\n{"a":')],
    ['of bytes', (path: string) => writeFile(path, Buffer.from([0, 255, 10, 13, 0, 10]))],
  ])('do no harm when they are %s', async (_, damage) => {
    await render();
    const before = await look();
    await damage(await records());
    expect(await render()).toMatchObject({ components: 10, changed: [], failed: [] });
    expect(await look()).toEqual(before);
    expect(await render()).toMatchObject({ unchanged: 10, changed: [] });
  });

  it('do not grow without limit', async () => {
    await render();
    const path = await records();
    const { size } = await stat(path);
    const line = (await readFile(path, 'utf8')).split('\n')[0]!;
    await appendFile(path, `${line}\n`.repeat(1000));
    await render();
    expect((await stat(path)).size).toBe(size);
    expect(await render()).toMatchObject({ unchanged: 10 });
  });
});

describe('a dist-git without a snapshot', () => {
  it('is followed as its branch moves', async () => {
    const moving = repositoryAt(join(root, 'git/moving'));
    moving.commit({ 'moving.spec': 'Name: moving\nVersion: 1\nRelease: %autorelease\n' });
    await put({
      'p/more.toml': `
[distros.head]
dist-git-base-uri = "../git/$pkg"
[distros.head.versions.1]
dist-git-branch = "f1"
[components.moving]
spec = { type = "upstream", upstream-distro = { name = "head", version = "1" } }
`,
      'p/weir.toml': project(names).replace(/, snapshot = "[^"]*"/, ''),
    });
    const one = { ...everything, all: false, names: ['moving'] };
    expect((await render({}, one)).changed.length).toBe(1);
    expect(await render({}, one)).toMatchObject({ unchanged: 1 });
    moving.commit({ 'moving.spec': 'Name: moving\nVersion: 2\nRelease: %autorelease\n' });
    expect(await render({}, one)).toMatchObject({ unchanged: 0, changed: [{ path: 'm/moving/moving.spec' }] });
  });
});

it('reports the changes of a component as a diff', async () => {
  const progress = createProgress('quiet', false, () => {});
  const workspace = await openProjectWorkspace({ directory: join(root, 'p'), progress });
  const [component] = selectComponents(workspace.project, { ...everything, all: false, names: ['c00'] });
  const text = await diffComponent(workspace, component!);
  expect(text).toContain('--- upstream/c00.spec\n+++ rendered/c00.spec\n');
  expect(text).toContain('\n+Source: ours.conf\n');
  expect(text).toContain('--- /dev/null\n+++ rendered/ours.conf\n@@ -0,0 +1 @@\n+ours\n');
  expect(text).not.toContain('c00.patch\n+++');
});
