import { describe, expect, it } from 'vitest';
import { nameFitter } from '../../src/spec/names.ts';
import { parseSpec } from '../../src/spec/parse.ts';
import { tags } from '../../src/spec/query.ts';

/** Sections that macros make, as `line macro: header`, with a `?` where they may not be made. */
function made(...lines: string[]): string[] {
  return parseSpec(lines.join('\n')).sections.flatMap(({ maker, header, name, wholeName, package: packageName }) =>
    maker === undefined
      ? []
      : [
          `${header + 1} ${maker.macro}${maker.certain ? '' : '?'}: ${name} ${wholeName ? '-n ' : ''}${packageName}`.trim(),
        ],
  );
}

describe('sections that macros of the system make', () => {
  it.each<[string, string[]]>([
    ['%gopkg', ['%gopkg: %package -n *-devel', '%gopkg: %description -n *-devel']],
    ['%gopkgfiles', ['%gopkgfiles: %files -n *-devel']],
    ['%fontpkg -a', ['%fontpkg: %package -n *-fonts', '%fontpkg: %description -n *-fonts']],
    ['%fontfiles -z 2', ['%fontfiles: %files -n *-fonts']],
    ['%_font_pkg -n mono -f x.conf *.ttf', ['%_font_pkg: %files -n *-mono-fonts']],
    [
      '%fontmetapkg -n x-all -z 1,2',
      ['%fontmetapkg: %package -n x-all', '%fontmetapkg: %description -n x-all', '%fontmetapkg: %files -n x-all'],
    ],
    [
      '%{?javadoc_package}',
      [
        '%javadoc_package?: %package javadoc',
        '%javadoc_package?: %description javadoc',
        '%javadoc_package?: %files javadoc',
      ],
    ],
    [
      '%pyproject_extras_subpkg -n python3-x a,b',
      ['a', 'b'].flatMap((extra) =>
        ['package', 'description', 'files'].map((name) => `%pyproject_extras_subpkg: %${name} -n python3-x+${extra}`),
      ),
    ],
    [
      '%{pyproject_extras_subpkg -F -n python3-x all}',
      ['package', 'description'].map((name) => `%pyproject_extras_subpkg: %${name} -n python3-x+all`),
    ],
    [
      '%{?python_extras_subpkg:%python_extras_subpkg -n python3-x -i %{python3_sitelib}/*.egg-info toml}',
      ['package', 'description', 'files'].map((name) => `%python_extras_subpkg?: %${name} -n python3-x+toml`),
    ],
    [
      '%ldconfig_scriptlets -n libx',
      ['%ldconfig_scriptlets?: %post -n libx', '%ldconfig_scriptlets?: %postun -n libx'],
    ],
    ['%ldconfig_post libs', ['%ldconfig_post?: %post libs']],
    [
      '%{?mingw32_debug_package}',
      ['package', 'description', 'files'].map((name) => `%mingw32_debug_package?: %${name} -n mingw32-*-debuginfo`),
    ],
    ['%ghc_devel_package', ['%ghc_devel_package: %package -n ghc-*-devel']],
  ])('%s', (call, expected) => {
    expect(made('Name: a', '%description', call, '', '%build')).toEqual(expected.map((one) => `3 ${one}`));
  });

  it('are named by what the spec sets before', () => {
    const all = made('Name: a', '%global lpeg lpeg-1.0.4', '%ghc_lib_subpackage -l MIT %{lpeg}', '%prep');
    expect(all).toHaveLength(12);
    expect(all).toContain('3 %ghc_lib_subpackage: %package -n ghc-lpeg');
    expect(all).toContain('3 %ghc_lib_subpackage: %files -n ghc-lpeg-prof');
  });

  it('are none in a changelog, a comment, a definition or behind a backslash', () => {
    expect(
      made('# %gopkg', '%dnl %gopkg', '%global x %gopkg', 'Summary: a \\', '%gopkg', '%changelog', '%gopkg is used'),
    ).toEqual([]);
  });
});

describe('sections that macros of the spec make', () => {
  it('with options, parameters and macros of their own', () => {
    const spec = [
      '%define data(c:n:s) \\',
      '%define code %{-c:%{-c*}}%{!-c:%{error:no code}} \\',
      '%package data-%{code}\\',
      'Summary: %{-n*}\\',
      '%description data-%{code}\\',
      'Data%{-s: of S}.\\',
      '%files data-%{code}\\',
      '/usr/share/%{code}',
      '%data -c ar -n Argentina',
      '%data -n %{quote:New Zealand} -c nz',
    ];
    expect(made(...spec)).toEqual(
      [
        [9, 'ar'],
        [10, 'nz'],
      ].flatMap(([line, code]) =>
        ['%package', '%description', '%files'].map((name) => `${line} %data: ${name} data-${code}`),
      ),
    );
  });

  it('through other macros, %{expand:} and conditions', () => {
    const spec = [
      '%define devel() \\',
      '%package %{?1:%{1}-}devel\\',
      '%{nil}',
      '%define variant(m) \\',
      '%package %{?1:%{1}-}core\\',
      '%if %{-m:1}%{!-m:0}\\',
      '%{expand:%%devel %{?1:%{1}}}\\',
      '%endif\\',
      '%{expand:%%post %{?1:%{1}-}core}\\',
      '%{nil}',
      '%variant',
      '%variant -m rt',
    ];
    expect(made(...spec)).toEqual([
      '11 %variant?: %package core',
      '11 %variant?: %package devel',
      '11 %variant?: %post core',
      '12 %variant?: %package rt-core',
      '12 %variant?: %package rt-devel',
      '12 %variant?: %post rt-core',
    ]);
  });

  it('are only those of macros that make some', () => {
    expect(made('%define list() \\', '/usr/bin/%1\\', '%doc x', '%files', '%list a', '%{list b}')).toEqual([]);
  });

  it('stay unnamed where a name is made by a program', () => {
    expect(made('%define f(o:) \\', '%package -n x-%(echo %{*} | tr A-Z a-z)-fonts', '%f Big Name')).toEqual([
      '3 %f: %package -n x-%(echo Big Name | tr A-Z a-z)-fonts',
    ]);
  });

  it('are told even where the macro is set in one branch only', () => {
    expect(made('%if 0', '%define p() %package x', '%else', '%define p() %{nil}', '%endif', '%p')).toEqual([
      '6 %p?: %package x',
    ]);
  });
});

describe('sections that are made in place', () => {
  it('in a condition, in %{expand:} and by Lua', () => {
    const spec = [
      '%{?fedora:%package one}',
      'Summary: 1',
      '%{expand:%%package -n two}',
      '%{!?rhel: %files one}',
      '%{lua:',
      '-- %package no',
      'print("%package three\\n")',
      'for _, l in ipairs(langs) do print(rpm.expand([[',
      '%package langpack-]]..l..[[',
      '%files -n ]] .. name .. " -f list\\n" .. [[',
      ']])) end}',
      '%build',
    ];
    expect(made(...spec)).toEqual([
      '1 %{?fedora:…}?: %package one',
      '3 %{expand:…}: %package -n two',
      '4 %{!?rhel:…}?: %files one',
      '5 %{lua:…}?: %package three',
      '5 %{lua:…}?: %package langpack-*',
      '5 %{lua:…}?: %files -n *',
    ]);
  });

  it('take the tags that follow', () => {
    const spec = parseSpec(
      [
        '%global target() \\',
        '%package std-%1',
        'Name: a',
        '%description',
        '%target arm',
        'Requires: b',
        '%target x86',
        'BuildArch: noarch',
      ].join('\n'),
    );
    expect(tags(spec).map((tag) => [tag.package, tag.name])).toEqual([
      ['', 'Name'],
      ['std-arm', 'Requires'],
      ['std-x86', 'BuildArch'],
    ]);
  });

  it('are sections of the model too, tiling the file with the others', () => {
    const spec = parseSpec(['Name: a', '%gopkg', '', '%files', 'x', '%gopkgfiles', 'y'].join('\n'));
    expect(spec.sections.map(({ name, start, end, maker }) => [name, start, end, maker?.macro])).toEqual([
      ['%package', 0, 1, undefined],
      ['%package', 2, 2, '%gopkg'],
      ['%description', 2, 3, '%gopkg'],
      ['%files', 4, 5, undefined],
      ['%files', 6, 7, '%gopkgfiles'],
    ]);
  });
});

it('what macros expand to is bounded, however they multiply', () => {
  const macros = Array.from(
    { length: 30 },
    (_, index) => `%define m${index + 1}() \\\n%m${index} a%*\\\n%m${index} b%*\n`,
  );
  const spec = parseSpec(`%define m0() %package p%*\n${macros.join('')}${'%m30\n'.repeat(2000)}`);
  expect(spec.sections.length).toBeGreaterThan(2000);
  expect(spec.sections.length).toBeLessThan(500_000);
});

describe('the name of a package', () => {
  const spec = parseSpec('Name: main\n%global x lib\n');
  const fits = nameFitter(spec);
  const section = (packageName: string, wholeName: boolean) =>
    ({ name: '%files', key: '%files', arguments: '', package: packageName, wholeName }) as const;

  it.each<[string, boolean, string, string | undefined]>([
    ['devel', false, 'devel', 'exact'],
    ['devel', false, 'main-devel', 'exact'],
    ['main-devel', true, 'devel', 'exact'],
    ['%{name}-devel', true, 'main-devel', 'exact'],
    ['lib', false, '%{x}', 'exact'],
    ['devel', false, 'devel2', undefined],
    ['', false, '', 'exact'],
    ['main', true, '', 'exact'],
    ['', false, 'devel', undefined],
    ['*-devel', true, 'devel', 'like'],
    ['*-devel', true, 'golang-x-devel', 'like'],
    ['*-devel', true, 'docs', undefined],
    ['python%{pyver}-x+%{extra}', true, 'python3-x+all', 'like'],
    ['python%{pyver}-x+%{extra}', true, 'python3-y+all', undefined],
    ['a-%(echo %{b})-c', true, 'a-q-c', 'like'],
    ['a*a', true, 'a', undefined],
    ['*', true, 'whatever', 'any'],
  ])('%s (whole: %s) and %s', (own, whole, asked, expected) => {
    expect(fits(section(own, whole), asked)).toBe(expected);
  });
});
