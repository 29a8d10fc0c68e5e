import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/base/process.ts';
import { explainComponent, type FileChange } from '../../src/overlay/explain.ts';
import { inheritedFrom } from '../../src/overlay/inherited.ts';
import { prepareComponent } from '../../src/overlay/render.ts';
import type { ResolvedComponent } from '../../src/project/model/component.ts';
import type { FetchedSources } from '../../src/sources/fetch.ts';
import { specBytes } from '../../src/spec/parse.ts';
import { component, folder, overlay } from './fixture.ts';

const spec =
  'Name: demo\nVersion: 1\nRelease: 3%{?dist}\nURL: https://old.example\n\n%description\nDemo.\n\n%check\nmake check\n';

async function fetched(extra: Readonly<Record<string, string | Uint8Array>> = {}): Promise<FetchedSources> {
  const dir = await folder({ 'demo.spec': spec, 'a.conf': 'one\ntwo\n', 'pixel.png': Buffer.from([0, 1]), ...extra });
  return { dir, root: dir, specPath: join(dir, 'demo.spec'), origin: { kind: 'folder', from: '/dg' }, files: [] };
}

async function changesOf(demo: ResolvedComponent, sources?: FetchedSources): Promise<FileChange[][]> {
  const { steps, error } = await explainComponent(demo, sources ?? (await fetched()));
  expect(error).toBeUndefined();
  return steps.map((step) => [...step.changes]);
}

describe('explaining', () => {
  it('gives each overlay its reason, metadata, place and diff', async () => {
    const metadata = {
      category: 'azl-branding-policy',
      upstreamStatus: 'inapplicable',
      commits: ['https://git.example/c/1'],
      bugs: ['https://bugs.example/2'],
    } as const;
    const demo = component({
      overlays: [{ ...overlay({ type: 'spec-set-tag', tag: 'URL', value: 'https://new.example' }), metadata }],
    });
    const { steps, warnings, component: name } = await explainComponent(demo, await fetched());
    expect([name, warnings]).toEqual(['demo', []]);
    expect(steps).toEqual([
      {
        kind: 'overlay',
        number: 1,
        type: 'spec-set-tag',
        description: 'because',
        metadata,
        origin: { file: '/p/demo.toml', line: 7 },
        changes: [
          {
            path: 'demo.spec',
            change: 'changed',
            diff: [
              '--- a/demo.spec',
              '+++ b/demo.spec',
              '@@ -1,7 +1,7 @@',
              ' Name: demo',
              ' Version: 1',
              ' Release: 3%{?dist}',
              '-URL: https://old.example',
              '+URL: https://new.example',
              ' ',
              ' %description',
              ' Demo.',
              '',
            ].join('\n'),
          },
        ],
      },
    ]);
  });

  it('shows changed, added, removed and renamed files, and files that are not text', async () => {
    const source = join(await folder({ x: 'new\n' }), 'x');
    const demo = component({
      overlays: [
        overlay({ type: 'file-add', source, file: 'new.conf' }),
        overlay({ type: 'file-search-replace', file: '*.conf', regex: 'o|n', replacement: '0' }),
        overlay({ type: 'file-rename', file: 'a.conf', replacement: 'b.conf' }),
        overlay({ type: 'file-remove', file: '{b.conf,*.png}' }),
        overlay({ type: 'patch-add', source, file: 'fix.patch' }),
      ],
    });
    const steps = await changesOf(demo, await fetched({ 'demo.spec': `${spec}\n%prep\n%autosetup\n` }));
    const shape = steps.map((changes) => changes.map(({ path, change, from, diff }) => [path, change, from, diff]));
    expect(shape).toEqual([
      [['new.conf', 'added', undefined, '--- /dev/null\n+++ b/new.conf\n@@ -0,0 +1 @@\n+new\n']],
      [
        ['a.conf', 'changed', undefined, '--- a/a.conf\n+++ b/a.conf\n@@ -1,2 +1,2 @@\n-one\n-two\n+00e\n+tw0\n'],
        ['new.conf', 'changed', undefined, '--- a/new.conf\n+++ b/new.conf\n@@ -1 +1 @@\n-new\n+0ew\n'],
      ],
      [['b.conf', 'renamed', 'a.conf', '']],
      [
        ['b.conf', 'removed', undefined, '--- a/b.conf\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-00e\n-tw0\n'],
        ['pixel.png', 'removed', undefined, ''],
      ],
      [
        ['demo.spec', 'changed', undefined, expect.stringContaining('\n+Patch0: fix.patch\n')],
        ['fix.patch', 'added', undefined, expect.stringContaining('\n+new\n')],
      ],
    ]);
  });

  it('looks into archives', async () => {
    const dir = await folder({ 'p/keep': 'bad\n', 'p/gone': 'x\n' });
    const { code } = await run(['tar', '-C', dir, '-cf', join(dir, 'x.tar'), 'p']);
    expect(code).toBe(0);
    const tar = await readFile(join(dir, 'x.tar'));
    const demo = component({
      overlays: [
        overlay({ type: 'file-remove', file: 'gone', archive: 'a.tar.gz' }),
        overlay({ type: 'file-search-replace', file: '*', regex: 'bad', replacement: 'good', archive: 'a.tar.gz' }),
      ],
    });
    const source = {
      filename: 'a.tar.gz',
      origin: { type: 'overlay' },
      replaceUpstream: true,
      hash: '0'.repeat(64),
      hashType: 'SHA256',
    } as const;
    const sources = await fetched({ 'a.tar.gz': gzipSync(tar) });
    const { warnings } = await explainComponent({ ...demo, sourceFiles: [source] }, sources);
    expect(warnings).toEqual([
      expect.stringMatching(/^demo: a\.tar\.gz has the SHA256 [0-9a-f]{64} after its overlays/),
    ]);
    expect(await changesOf(demo, sources)).toEqual([
      [
        {
          path: 'gone',
          archive: 'a.tar.gz',
          change: 'removed',
          diff: '--- a/a.tar.gz/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n',
        },
      ],
      [
        {
          path: 'keep',
          archive: 'a.tar.gz',
          change: 'changed',
          diff: '--- a/a.tar.gz/keep\n+++ b/a.tar.gz/keep\n@@ -1 +1 @@\n-bad\n+good\n',
        },
      ],
    ]);
  });

  it('lists build options, a skipped %check and the release as separate steps', async () => {
    const { build } = component();
    const demo = component({
      build: { ...build, with: ['tls'], check: { skip: true, skipReason: 'needs network' } },
      release: { calculation: 'static' },
    });
    const commits = [{ commit: 'a'.repeat(40), time: 0, author: 'A', email: 'a@b.example', message: 's' }];
    const { steps } = await explainComponent(demo, await fetched(), { history: { commits } });
    expect(steps.map(({ kind, description, changes }) => [kind, description, changes.map(({ path }) => path)])).toEqual(
      [
        ['macros', 'build options, as macros in demo.weir.macros', ['demo.spec', 'demo.weir.macros']],
        ['check-skip', 'no %check: needs network', ['demo.spec']],
        ['release', 'release 3%{?dist} becomes 4%{?dist}', ['demo.spec']],
      ],
    );
  });

  it('shows the overlays before one that fails, and then the error', async () => {
    const demo = component({
      overlays: [
        overlay({ type: 'spec-remove-tag', tag: 'URL' }),
        overlay({ type: 'spec-update-tag', tag: 'Vershun', value: '2' }),
        overlay({ type: 'spec-add-tag', tag: 'Requires', value: 'x' }),
      ],
    });
    const { steps, error } = await explainComponent(demo, await fetched());
    expect(steps.map(({ number }) => number)).toEqual([1]);
    expect(error).toMatchObject({
      code: 'overlay-no-match',
      where: { overlay: '2 (spec-update-tag: because)', component: 'demo', line: 7 },
      details: ['closest: line 2: Version: 1'],
    });
  });

  it('an overlay without effect changes nothing', async () => {
    const demo = component({ overlays: [overlay({ type: 'spec-set-tag', tag: 'Version', value: '1' })] });
    expect(await changesOf(demo)).toEqual([[]]);
  });

  it('all diffs together turn the upstream spec into the rendered one', async () => {
    const sources = await fetched();
    const demo = component({
      overlays: [
        overlay({ type: 'spec-remove-tag', tag: 'URL' }),
        overlay({ type: 'spec-append-lines', section: '%description', lines: ['More.'] }),
        overlay({ type: 'spec-search-replace', regex: 'make', replacement: '%make_build' }),
        overlay({ type: 'file-search-replace', file: 'a.conf', regex: 'two', replacement: 'three' }),
      ],
    });
    const steps = await changesOf(demo, sources);
    const prepared = await prepareComponent(demo, sources);
    const dir = await folder({ 'demo.spec': spec, 'a.conf': 'one\ntwo\n' });
    await run(['git', 'init', '-q', dir]);
    for (const { diff } of steps.flat()) {
      expect((await run(['git', 'apply', '-'], { cwd: dir, input: diff })).stderr).toBe('');
    }
    const result = await run(['cat', 'demo.spec', 'a.conf'], { cwd: dir });
    const rendered = Buffer.from(specBytes(prepared.spec)).toString().split('\n').slice(3).join('\n');
    expect(result.stdout).toBe(`${rendered}one\nthree\n`);
  });
});

describe('the origin of an inherited overlay', () => {
  it.each<[toml: string, line: number, from: string | undefined]>([
    ['[components.a]\noverlays = [\n  { type = "x" },\n]', 3, undefined],
    ['[[components."a b".overlays]]\ntype = "x"', 1, undefined],
    ['[metadata]\ncategory = "x"\n[[overlays]]\ntype = "x"', 3, undefined],
    ['[[default-component-config.overlays]]\ntype = "x"', 1, "the project's default-component-config"],
    ['[default-component-config]\noverlays = [{ type = "x" }] # y', 2, "the project's default-component-config"],
    ['[[component-groups.core.default-component-config.overlays]]', 1, 'component group core'],
    ['[component-groups."a.b".default-component-config]\noverlays = [\n{}]', 3, 'component group a.b'],
    ['[[distros.fedora.versions."44".default-component-config.overlays]] # why', 1, 'distro fedora 44'],
    ['', 1, undefined],
  ])('%j line %i', (toml, line, from) => {
    expect(inheritedFrom(toml, { line })).toBe(from);
  });
});
