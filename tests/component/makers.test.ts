import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { namesInSpec, openMakers } from '../../src/component/makers.ts';
import { loadProject } from '../../src/project/load.ts';
import type { ProjectWorkspace } from '../../src/workspace/workspace.ts';

describe('names in a spec', () => {
  test('packages and provides, with macros that the text defines', () => {
    const spec = `%global major 3
Name: python%{major}-foo
Provides: foo = %{version}, python%{major}-%{unknown}
%description
%package doc
%package -n foo-tools
Provides: /usr/bin/foo
%files
`;
    expect(namesInSpec(spec, 'foo').names).toEqual([
      '/usr/bin/foo',
      'foo',
      'foo-tools',
      'python3-foo',
      'python3-foo-doc',
    ]);
  });

  test('the branches of conditionals count all', () => {
    expect(namesInSpec('Name: a\n%if 0\n%package x\n%else\n%package y\n%endif\n', 'a').names).toEqual([
      'a',
      'a-x',
      'a-y',
    ]);
  });
});

test('names with macros of Fedora', () => {
  const spec =
    'Name: %{goname}%{?suffix}\n%package devel\n%package -n python%{python3_pkgversion}-x\n%package -n a-%{unknown}\n';
  expect(namesInSpec(spec, 'golang-x').names).toEqual(['golang-x', 'golang-x-devel', 'python3-x']);
});

test('paths of files, without wildcards and unknown macros', () => {
  const spec = `%global own %{_datadir}/own
Name: isa
%files
# /usr/share/comment
%license COPYING
%doc %{_docdir}/isa/README
%{_datadir}/isa/
%attr(0755, root, root) %config(noreplace) %{_sysconfdir}/isa.conf
%if 0
%dir "%{own}"
%else
%exclude %{_bindir}/excluded
%{_bindir}/{a,b}
%{_libdir}/*.so.1
%endif
%files tools
%{_bindir}/%{name}-tool
%{_sbindir}/%{unknown}
%{_bindir}/one %{_bindir}/two
%changelog
/usr/bin/three
`;
  expect(namesInSpec(spec, 'isa').paths).toEqual([
    '/usr/share/isa',
    '/etc/isa.conf',
    '/usr/share/own',
    '/usr/bin/isa-tool',
    '/usr/bin/one',
    '/usr/bin/two',
  ]);
});

describe('the makers of a project', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'weir-makers-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };

  const open = async () => {
    const project = await loadProject(root);
    return openMakers({ project, cache: join(root, 'cache') } as Pick<ProjectWorkspace, 'project' | 'cache'>).makersOf;
  };

  test('are found by component name, by rendered spec, and by local spec', async () => {
    await write(
      'weir.toml',
      `[distros.up]
default-version = "1"
dist-git-base-uri = "${root}/git/$pkg"
[distros.up.versions.1]
release-ver = "1"
[components.bash]
spec = { type = "upstream", upstream-distro = { name = "up" } }
[components.zsh]
spec = { type = "upstream", upstream-distro = { name = "up" } }
[components.own]
spec = { type = "local", path = "own.spec" }
`,
    );
    await write('specs/b/bash/bash.spec', 'Name: bash\n%package devel\n%package -n shells\n');
    await write('git/zsh/zsh.spec', 'Name: zsh\n%package html\n%files\n/usr/share/shared\n');
    await write('own.spec', 'Name: own\nProvides: pkgconfig(own)\n%files\n%{_datadir}/own\n%{_datadir}/shared\n');
    const makersOf = await open();
    expect(await makersOf('zsh')).toEqual(['zsh']);
    expect(await makersOf('bash-devel')).toEqual(['bash']);
    expect(await readdir(root)).not.toContain('cache');
    expect(await makersOf('shells')).toEqual(['bash']);
    expect(await makersOf('pkgconfig(own)')).toEqual(['own']);
    expect(await makersOf('/usr/share/own')).toEqual(['own']);
    // Who knows which of the two is meant.
    expect(await makersOf('/usr/share/shared')).toEqual([]);
    expect(await makersOf('zsh-html')).toEqual(['zsh']);
    expect(await makersOf('bash-doc')).toEqual([]);
  });

  test('a spec that changed is read again, others come from the cache', async () => {
    await write('weir.toml', '[components.a]\nspec = { type = "local", path = "a.spec" }\n');
    await write('a.spec', 'Name: a\nProvides: one\n');
    expect(await (await open())('one')).toEqual(['a']);
    await write('a.spec', 'Name: a\nProvides: two\n');
    await utimes(join(root, 'a.spec'), 1, 1);
    expect(await (await open())('one')).toEqual([]);
    expect(await (await open())('two')).toEqual(['a']);
    await rm(join(root, 'a.spec'));
    expect(await (await open())('two')).toEqual([]);
    await write('a.spec', 'Name: a\nProvides: two\n');
    await writeFile(join(root, 'cache/makers', (await readdir(join(root, 'cache/makers')))[0]!), '{"code": tru');
    expect(await (await open())('two')).toEqual(['a']);
  });
});
