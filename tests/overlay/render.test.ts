import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { WeirError } from '../../src/base/errors.ts';
import { runOk } from '../../src/base/process.ts';
import { applyRelease, gitHistory, usesAutorelease } from '../../src/overlay/release.ts';
import {
  checkRendered,
  macrosFile,
  orphanedFolders,
  prepareComponent,
  type RenderedComponent,
  renderComponent,
  writePrepared,
  writeRendered,
} from '../../src/overlay/render.ts';
import type { Project, ReleaseCalculation, ResolvedComponent } from '../../src/project/model.ts';
import type { FetchedSources } from '../../src/sources/fetch.ts';
import type { HistoryCommit } from '../../src/sources/git.ts';
import { parseSpec, printSpec } from '../../src/spec/parse.ts';
import { component, folder, overlay } from './fixture.ts';

const upstream = `Name:    Demo
Version: 1.2
Release: 3%{?dist}
Source0: https://example.org/%{name}-%{version}.tar.gz
Patch0:  fix.patch

%description
Demo.

%check
make check

%changelog
`;

async function fetched(files: Readonly<Record<string, string | Uint8Array>>): Promise<FetchedSources> {
  const dir = await folder(files);
  return { dir, specPath: join(dir, 'Demo.spec'), origin: { kind: 'folder', from: '/dg' }, files: [] };
}

const demoFiles = { 'Demo.spec': upstream, 'fix.patch': 'fix', 'README.md': 'not listed', '.gitignore': 'x' };
const build = component().build;
const tarball = { filename: 'Demo-1.2.tar.gz', hashType: 'SHA512', hash: 'ab'.repeat(64) } as const;

function texts(rendered: RenderedComponent): Record<string, string> {
  return Object.fromEntries([...rendered.files].map(([name, file]) => [name, Buffer.from(file.bytes).toString()]));
}

const commit = (number: number): HistoryCommit => ({
  commit: String(number).repeat(40),
  time: 1_700_000_000 + number * 86_400,
  author: 'A B',
  email: 'a@b.example',
  subject: `Change ${number}: 100%`,
});

describe('a rendered component', () => {
  const full = component({
    name: 'Demo',
    build: {
      ...build,
      with: ['tls'],
      without: ['gui'],
      defines: { _x: 'a\nb' },
      check: { skip: true, skipReason: 'needs\nnetwork' },
    },
    overlays: [overlay({ type: 'spec-set-tag', tag: 'URL', value: 'https://weir.example' })],
  });

  it('has header, macros, overlays, check.skip and the raised release', async () => {
    const sources = { ...(await fetched({ ...demoFiles, [tarball.filename]: 'tar' })), files: [tarball] };
    const rendered = await renderComponent(full, sources, { history: { commits: [commit(2), commit(1)] } });
    expect(rendered.dir).toBe('d/Demo');
    expect(texts(rendered)).toEqual({
      'Demo.spec': `# This spec file has been rendered by Weir: upstream's spec with the component's overlays and build options.
# Do not edit it: change the component and render again.

%{load:%{_sourcedir}/Demo.weir.macros}
Name:    Demo
Version: 1.2
Release: 5%{?dist}
Source0: https://example.org/%{name}-%{version}.tar.gz
Source9999: Demo.weir.macros
Patch0:  fix.patch
URL: https://weir.example

%description
Demo.

%check
# Skipped: needs network
exit 0
make check

%changelog
`,
      'Demo.weir.macros': `# Written by Weir from the build options of the component.
# Do not edit it: change the component and render again.
%_with_tls 1
%_without_gui 1
%_x a\\
b
`,
      'fix.patch': 'fix',
      sources: `SHA512 (Demo-1.2.tar.gz) = ${'ab'.repeat(64)}\n`,
    });
    expect(texts(await renderComponent(full, sources, { history: { commits: [commit(2), commit(1)] } }))).toEqual(
      texts(rendered),
    );
  });

  it.each<{ name: string; spec: string; skipFileFilter?: boolean; names: string[] }>([
    { name: 'listed files only', spec: upstream, names: ['fix.patch'] },
    {
      name: 'all without the filter',
      spec: upstream,
      skipFileFilter: true,
      names: ['.gitignore', 'README.md', 'fix.patch'],
    },
    {
      name: 'all where a name cannot be told',
      spec: `${upstream}%patchlist\n%{unknown}.patch\n`,
      names: ['.gitignore', 'README.md', 'fix.patch'],
    },
    { name: 'files that are included', spec: `%include README.md\n${upstream}`, names: ['README.md', 'fix.patch'] },
    {
      name: 'files that are loaded',
      spec: `%{load:%{_sourcedir}/README.md}\n${upstream}`,
      names: ['README.md', 'fix.patch'],
    },
    {
      name: 'loaded by number',
      spec: `%{load:%{SOURCE1}}\nSource1: README.md\n${upstream}`,
      names: ['README.md', 'fix.patch'],
    },
  ])('has $name', async ({ spec, skipFileFilter, names }) => {
    const sources = await fetched({ ...demoFiles, 'Demo.spec': spec });
    await symlink('/etc/passwd', join(sources.dir, 'link'));
    const one = component({ name: 'Demo', render: { skipFileFilter: skipFileFilter ?? false } });
    expect([...(await renderComponent(one, sources)).files.keys()]).toEqual(
      [...names, 'Demo.spec'].sort((a, b) => (a < b ? -1 : 1)),
    );
  });

  it('has the new hash of an archive that an overlay changed', async () => {
    const dir = await folder({ 'a/x': 'x' });
    await runOk(['tar', '-C', dir, '-cf', join(dir, 'a.tar'), 'a']);
    const archive = gzipSync(await readFile(join(dir, 'a.tar')));
    const sources = { ...(await fetched({ ...demoFiles, [tarball.filename]: archive })), files: [tarball] };
    const edit = overlay({
      type: 'file-search-replace',
      archive: tarball.filename,
      file: 'x',
      regex: 'x',
      replacement: 'y',
    });
    const rendered = await renderComponent(component({ name: 'Demo', overlays: [edit] }), sources);
    expect(texts(rendered).sources).toMatch(/^SHA512 \(Demo-1\.2\.tar\.gz\) = [0-9a-f]{128}\n$/);
    expect(texts(rendered).sources).not.toContain(tarball.hash);
  });

  it('is an error where check.skip has no %check', async () => {
    const sources = await fetched({ 'Demo.spec': 'Name: Demo\n' });
    const skip = component({ name: 'Demo', build: { ...build, check: { skip: true, skipReason: 'r' } } });
    await expect(renderComponent(skip, sources)).rejects.toMatchObject({ code: 'no-check', exit: 2 });
  });
});

describe('a prepared component', () => {
  it('is written whole, with what the lookaside gave', async () => {
    const sources = { ...(await fetched({ ...demoFiles, [tarball.filename]: 'tar', 'sub/x': 'x' })), files: [tarball] };
    const edit = overlay({ type: 'file-search-replace', file: 'sub/x', regex: 'x', replacement: 'y' });
    const prepared = await prepareComponent(component({ name: 'Demo', overlays: [edit] }), sources);
    const dir = join(await folder({}), 'out');
    await writePrepared(prepared, dir);
    expect((await readdir(dir)).sort()).toEqual(
      ['.gitignore', 'Demo-1.2.tar.gz', 'Demo.spec', 'README.md', 'fix.patch', 'sub'].sort(),
    );
    expect(await readFile(join(dir, 'sub/x'), 'utf8')).toBe('y');
    expect(await readFile(join(sources.dir, 'sub/x'), 'utf8')).toBe('x');
    expect(await readFile(join(dir, 'Demo-1.2.tar.gz'), 'utf8')).toBe('tar');
  });
});

describe('macros', () => {
  it('are sorted; defines win, undefines drop', () => {
    const text = macrosFile({ ...build, with: ['b', 'a'], defines: { _with_b: '2', z: '3' }, undefines: ['z'] });
    expect(text?.split('\n').slice(2)).toEqual(['%_with_a 1', '%_with_b 2', '']);
    expect(macrosFile({ ...build, undefines: ['x'] })).toBeUndefined();
  });
});

describe('writing', () => {
  it('touches only what differs, prunes, and tells what is stale', async () => {
    const sources = await fetched(demoFiles);
    await chmod(join(sources.dir, 'fix.patch'), 0o755);
    const rendered = await renderComponent(component({ name: 'Demo' }), sources);
    const root = await folder({ 'd/Demo/old/x': 'x', 'd/Other/Other.spec': 'Name: x\n', 'd/Demo/fix.patch': 'other' });
    expect(await checkRendered(root, rendered)).toEqual([
      { path: 'd/Demo/old/x', state: 'extra' },
      { path: 'd/Demo/fix.patch', state: 'changed' },
      { path: 'd/Demo/Demo.spec', state: 'missing' },
    ]);
    expect(await writeRendered(root, rendered)).toEqual({
      written: ['d/Demo/fix.patch', 'd/Demo/Demo.spec'],
      removed: ['d/Demo/old/x'],
    });
    expect((await stat(join(root, 'd/Demo/fix.patch'))).mode & 0o777).toBe(0o755);
    await expect(stat(join(root, 'd/Demo/old'))).rejects.toThrow();
    expect(await checkRendered(root, rendered)).toEqual([]);
    expect(await writeRendered(root, rendered)).toEqual({ written: [], removed: [] });
    expect(await orphanedFolders(root, new Set())).toEqual(['d/Demo']);
    expect(await orphanedFolders(root, new Set(['Demo']))).toEqual([]);
    expect(await orphanedFolders(join(root, 'none'), new Set())).toEqual([]);
  });
});

describe('release', () => {
  const calculate = (
    text: string,
    calculation: ReleaseCalculation,
    commits: number,
    upstreamCommits?: number,
  ): string =>
    printSpec(
      applyRelease(parseSpec(text), component({ release: { calculation } }), {
        commits: Array.from({ length: commits }, (_, index) => commit(commits - index)),
        ...(upstreamCommits === undefined ? {} : { upstreamCommits }),
      }),
    );

  it.each<[string, ReleaseCalculation, number, string]>([
    ['Release: 3%{?dist}\n', 'auto', 2, 'Release: 5%{?dist}\n'],
    ['Release: 3\n', 'static', 1, 'Release: 4\n'],
    ['Release: 3.1%{?dist}\n', 'static', 0, 'Release: 3.1%{?dist}\n'],
    ['Release: 3.1%{?dist}\n', 'manual', 2, 'Release: 3.1%{?dist}\n'],
    ['Release: 3%{?dist}\n', 'autorelease', 2, 'Release: 3%{?dist}\n'],
    ['Name: no-release\n', 'auto', 2, 'Name: no-release\n'],
    ['# %autorelease\nRelease: 1\n', 'auto', 1, '# %autorelease\nRelease: 2\n'],
  ])('of %j by %s and %i commits', (text, calculation, commits, expected) => {
    expect(calculate(text, calculation, commits)).toBe(expected);
  });

  it.each<[string, ReleaseCalculation]>([
    ['Release: 3.1%{?dist}\n', 'auto'],
    ['Release: %{rel}\n', 'static'],
    ['Release: %autorelease\n', 'static'],
    ['%if 0\nRelease: 1\n%else\nRelease: 2\n%endif\n', 'auto'],
  ])('of %j by %s is an error', (text, calculation) => {
    try {
      calculate(text, calculation, 1);
      expect.unreachable();
    } catch (error) {
      expect((error as WeirError).code).toBe('release-form');
      expect(error).toBeInstanceOf(WeirError);
    }
  });

  it('counts upstream and project for %autorelease, and writes %autochangelog', () => {
    const text = 'Release: %autorelease -b 3\n%changelog\n%autochangelog\n';
    expect(
      calculate(text, 'auto', 2, 4),
    ).toBe(`%define autorelease(e:s:pb:n) %{?-p:0.}%[6 + %{?-b*}%{!?-b:1} - 1]%{?-e:.%{-e*}}%{?-s:.%{-s*}}%{!?-n:%{?dist}}
Release: %autorelease -b 3
%changelog
* Thu Nov 16 2023 A B <a@b.example>
- Change 2: 100%%

* Wed Nov 15 2023 A B <a@b.example>
- Change 1: 100%%
`);
  });

  it.each([
    ['%autorelease', true],
    ['%{autorelease}', true],
    ['%{autorelease -e asan}', true],
    ['%{?autorelease}', true],
    ['%autoreleases', false],
    ['1%{?dist}', false],
  ])('knows %s', (value, expected) => {
    expect(usesAutorelease(value)).toBe(expected);
  });

  it('counts the commits of what belongs to the component alone', async () => {
    const root = await folder({});
    const git = (...args: string[]): Promise<unknown> =>
      runOk(['git', '-c', 'user.name=A', '-c', 'user.email=a@b.example', '-C', root, ...args]);
    const change = async (name: string): Promise<void> => {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), sha256(String(Math.random())));
      await git('add', '-A');
      await git('commit', '-q', '-m', name);
    };
    await git('init', '-q');
    for (const name of ['own.toml', 'shared.toml', 'p/a.patch', 'spec/a.spec', 'other/x', 'own.toml'])
      await change(name);
    const origin = (file: string): { file: string; line: number } => ({ file: join(root, file), line: 1 });
    const own: ResolvedComponent = component({
      name: 'own',
      origin: origin('own.toml'),
      spec: { type: 'local', path: join(root, 'spec/a.spec') },
      overlays: [
        {
          ...overlay({ type: 'patch-add', source: join(root, 'p/a.patch'), file: 'a.patch' }),
          origin: origin('own.toml'),
        },
      ],
    });
    const project = {
      root,
      file: join(root, 'weir.toml'),
      components: new Map([
        ['own', own],
        ['b', component({ name: 'b', origin: origin('shared.toml') })],
        ['c', component({ name: 'c', origin: origin('shared.toml') })],
      ]),
    } as unknown as Project;
    const history = await gitHistory(project);
    expect((await history(own)).map((one) => one.subject)).toEqual([
      'own.toml',
      'spec/a.spec',
      'p/a.patch',
      'own.toml',
    ]);
    expect(await history(project.components.get('b')!)).toEqual([]);
    const nowhere = await gitHistory({ ...project, root: join(root, 'none') });
    expect(await nowhere(own)).toEqual([]);
  });
});
