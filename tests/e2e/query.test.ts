import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { installRoot } from '../../src/base/paths.ts';
import type { QueriedComponent } from '../../src/component/query.ts';
import { shared, weir } from './weir.ts';

const spec = `%global major 3
%bcond docs 1
%gometa -f
Name: demo
Epoch: 2
Version: %{major}.1
Release: 4%{?dist}
Summary: Demo of %{site_name}
License: MIT
URL: https://example.org/%{name}
Source0: https://example.org/%{name}-%{version}.tar.gz
Source3: more.macros
Patch5: %{name}-fix.patch
BuildRequires: gcc, make >= 4
BuildRequires: %{py3_dist wheel}
%{load:%{SOURCE3}}
%if %{with docs}
%package docs
Summary: Docs
BuildArch: noarch
Requires(post): %{name}%{?_isa} = %{epoch}:%{version}-%{release}
Requires: (foo if bar)
Recommends: %{from_file}
%description docs
x
%files docs
%endif
%package -n never
Summary: Has no files
%description -n never
x
%description
x
%pyproject_extras_subpkg -n demo extra
%files
`;

let dir: string;

beforeAll(async () => {
  // A project without a release: what works is the toolbox's own rpm.
  dir = join(shared.work, 'query', 'project');
  await mkdir(join(dir, 'demo'), { recursive: true });
  await mkdir(join(dir, 'broken'), { recursive: true });
  await copyFile(join(installRoot, 'toolbox.lock'), join(dir, '..', 'toolbox.lock'));
  await writeFile(join(dir, 'demo/demo.spec'), spec);
  await writeFile(join(dir, 'demo/more.macros'), '%from_file told\n');
  await writeFile(join(dir, 'demo/demo-fix.patch'), 'x\n');
  await writeFile(
    join(dir, 'broken/broken.spec'),
    'Name: broken\nVersion: 1\nRelease: 1\n%if 1\n%package x\nRequires: demo\n',
  );
  await writeFile(join(dir, 'macros.dist'), '%dist .d9\n%site_name here\n');
  await writeFile(
    join(dir, 'weir.toml'),
    `[toolbox]
allow-expired = true
[components.demo]
spec = { type = "local", path = "demo/demo.spec" }
build = { without = ["nothing"] }
overlays = [{ type = "spec-add-tag", tag = "Requires", value = "ours", description = "Ours" }]
[components.broken]
spec = { type = "local", path = "broken/broken.spec" }
`,
  );
});

async function query(...argv: string[]): Promise<{ code: number; found: QueriedComponent[]; stderr: string }> {
  const { code, stdout, stderr } = await weir(['-C', dir, 'component', 'query', ...argv, '--json']);
  return { code, found: JSON.parse(stdout) as QueriedComponent[], stderr };
}

describe('weir component query', () => {
  it('prints rpm’s view of the spec with overlays', async () => {
    const { code, found, stderr } = await query('demo', '--macros', join(dir, 'macros.dist'));
    expect(code, stderr).toBe(0);
    const [demo] = found;
    expect(demo).toMatchObject({
      ...{ component: 'demo', by: 'rpm', name: 'demo', epoch: '2', version: '3.1', release: '4.d9' },
      ...{ summary: 'Demo of here', license: 'MIT', url: 'https://example.org/demo' },
      sources: [
        { number: 0, url: 'https://example.org/demo-3.1.tar.gz' },
        { number: 3, url: 'more.macros' },
        { number: 9999, url: 'demo.weir.macros' },
      ],
      patches: [{ number: 5, url: 'demo-fix.patch' }],
      buildRequires: ['%{py3_dist}', 'gcc', 'make >= 4'],
      unknown: ['gometa', 'py3_dist', 'pyproject_extras_subpkg'],
      unset: [],
    });
    expect(demo!.packages.map(({ nevra }) => nevra)).toEqual(['demo-2:3.1-4.d9.x86_64', 'demo-docs-2:3.1-4.d9.noarch']);
    const [main, docs] = demo!.packages;
    expect(main!.requires).toEqual([{ name: 'ours', types: ['manual'] }]);
    expect(main!.provides).toContain('demo = 2:3.1-4.d9');
    expect(docs!.requires).toEqual([
      { name: '(foo if bar)', types: ['manual'] },
      { name: 'demo(x86-64) = 2:3.1-4.d9', types: ['post'] },
    ]);
    expect(docs!.recommends).toEqual(['told']);
    expect(demo!.macroMade).toEqual([
      {
        macro: '%pyproject_extras_subpkg',
        line: expect.any(Number) as number,
        sections: ['%package -n demo+extra', '%description -n demo+extra', '%files -n demo+extra'],
      },
    ]);
  });

  it('leaves undefined macros visible', async () => {
    const { found } = await query('demo');
    expect(found[0]).toMatchObject({ release: '4', summary: 'Demo of %{site_name}', unset: ['dist'] });
    expect(found[0]!.unknown).toContain('site_name');
  });

  it('falls back to the text if rpm cannot parse the spec, with the reason', async () => {
    const { code, found, stderr } = await query('-a');
    expect(code, stderr).toBe(0);
    expect(found.map(({ component, by }) => [component, by])).toEqual([
      ['broken', 'text'],
      ['demo', 'rpm'],
    ]);
    const [broken] = found;
    expect(broken!.packages.map(({ nevra }) => nevra)).toEqual(['broken-1-1', 'broken-x-1-1']);
    expect(broken!.packages[1]!.requires).toEqual([{ name: 'demo', types: ['manual'] }]);
    expect(broken!.messages).toEqual(['line 7: %if without %endif']);
    expect(stderr).toContain('rpm cannot parse the spec');
  });

  it('prints a table of packages, or all details of one component', async () => {
    const { stdout } = await weir(['-C', dir, 'component', 'query', '-a']);
    expect(stdout).toMatch(/^COMPONENT +PACKAGE +VERSION +ARCH +NOTE\nbroken +broken +1-1 +text only\n/);
    expect(stdout).toMatch(/\ndemo +demo-docs +2:3\.1-4 +noarch +\d+ unknown macros\n/);
    const one = await weir(['-C', dir, 'component', 'query', 'demo']);
    expect(one.stdout).toMatch(/^component +demo\nsource +demo-2:3\.1-4\.src\n/);
    expect(one.stdout).toContain('made by macros line');
  });

  it('prints the rendered spec', async () => {
    const { stdout } = await weir(['-C', dir, 'component', 'query', 'demo', '--spec']);
    const json = await weir(['-C', dir, 'component', 'query', 'demo', '--spec', '--json']);
    expect(stdout).toContain('\nRequires: ours\n');
    expect(stdout).toContain('\nSource9999: demo.weir.macros\n');
    expect(JSON.parse(json.stdout)).toEqual({ component: 'demo', spec: stdout });
  });
});
