import { readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { runOk } from '../../src/base/process.ts';
import {
  macrosFile,
  prepareComponent,
  type RenderedComponent,
  renderComponent,
  writePrepared,
} from '../../src/overlay/render.ts';
import type { ProjectChange } from '../../src/overlay/upstream-history.ts';
import type { FetchedSources } from '../../src/sources/fetch.ts';
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
  return { dir, root: dir, specPath: join(dir, 'Demo.spec'), origin: { kind: 'folder', from: '/dg' }, files: [] };
}

const demoFiles = { 'Demo.spec': upstream, 'fix.patch': 'fix', 'README.md': 'not listed', '.gitignore': 'x' };
const build = component().build;
const tarball = { filename: 'Demo-1.2.tar.gz', hashType: 'SHA512', hash: 'ab'.repeat(64) } as const;

function texts(rendered: RenderedComponent): Record<string, string> {
  return Object.fromEntries([...rendered.files].map(([name, file]) => [name, Buffer.from(file.bytes).toString()]));
}

const commit = (number: number): ProjectChange => ({
  commit: String(number).repeat(40),
  time: 1_700_000_000 + number * 86_400,
  author: 'A B',
  email: 'a@b.example',
  message: `Change ${number}: 100%`,
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
* Thu Nov 16 2023 A B <a@b.example> - 1.2-5
- Change 2: 100%%

* Wed Nov 15 2023 A B <a@b.example> - 1.2-4
- Change 1: 100%%

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

  it.each<{ name: string; spec: string; skipFileFilter?: boolean; files?: Record<string, string>; names: string[] }>([
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
    {
      name: 'what each branch of a condition lists',
      spec: `%if 0%{?x}\n%global doc README.md\n%else\n%global doc .gitignore\n%endif\nSource1: %{doc}\n${upstream}`,
      files: { other: '' },
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
    {
      name: 'a patch whose number stands apart',
      spec: `Patch 7: README.md\n${upstream}`,
      names: ['README.md', 'fix.patch'],
    },
    {
      name: 'what a file lists that is included',
      spec: `Source1: list\n%include %{SOURCE1}\n${upstream}`,
      files: {
        list: '# Patch9: no.patch\nPatch1: README.md\n%include %{_sourcedir}/more\n',
        more: 'Source8: .gitignore\n',
      },
      names: ['.gitignore', 'README.md', 'fix.patch', 'list', 'more'],
    },
    ...[
      ['a file to include that is not there', '%include %{SOURCE0}\n'],
      ['a file that includes itself', 'Source1: list\n%include list\n', { list: '%include list\n' }],
      ['patches that lua makes', "%{lua:for i=1,3 do\n  print(string.format('Patch%u: x-%u.patch\\n', i, i))\nend}\n"],
      ['sources that a shell makes', '%(for i in 1 2; do echo "Source$i: x-$i"; done)\n'],
    ].map(([name, text, files = {}]) => ({
      name: `all where there is ${name as string}`,
      spec: `${text as string}${upstream}`,
      files: files as Record<string, string>,
      names: ['.gitignore', 'README.md', 'fix.patch', ...Object.keys(files)],
    })),
    {
      name: 'listed files only, whatever texts say',
      spec: `${upstream}- Patch1: dropped\n%description -n x\nSource1: README.md\n%prep\n%include /usr/lib/rpm/x\n# Source%d: x\n`,
      names: ['fix.patch'],
    },
  ])('has $name', async ({ spec, skipFileFilter, files, names }) => {
    const sources = await fetched({ ...demoFiles, ...files, 'Demo.spec': spec });
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

  it("has upstream's own sources file if it lists the same files, else a generated one", async () => {
    const old = `# by hand\n${'0'.repeat(32)}  d.tgz\n`;
    const listed = { filename: 'd.tgz', hashType: 'MD5', hash: '0'.repeat(32) } as const;
    const rendered = async (sources: string | undefined, files: FetchedSources['files']): Promise<unknown> => {
      const from = await fetched({ ...demoFiles, ...(sources === undefined ? {} : { sources }) });
      return texts(await renderComponent(component({ name: 'Demo' }), { ...from, files })).sources;
    };
    expect(await rendered(old, [listed])).toBe(old);
    expect(await rendered('', [])).toBe('');
    expect(await rendered(undefined, [])).toBeUndefined();
    expect(await rendered(undefined, [listed])).toBe(`MD5 (d.tgz) = ${'0'.repeat(32)}\n`);
    expect(await rendered(old, [listed, tarball])).toBe(
      `MD5 (d.tgz) = ${'0'.repeat(32)}\nSHA512 (${tarball.filename}) = ${tarball.hash}\n`,
    );
  });

  it('is an error if check.skip is set without a %check', async () => {
    const sources = await fetched({ 'Demo.spec': 'Name: Demo\n' });
    const skip = component({ name: 'Demo', build: { ...build, check: { skip: true, skipReason: 'r' } } });
    await expect(renderComponent(skip, sources)).rejects.toMatchObject({ code: 'no-check', exit: 2 });
  });
});

describe('a prepared component', () => {
  it('is written completely, with the files of the lookaside', async () => {
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
