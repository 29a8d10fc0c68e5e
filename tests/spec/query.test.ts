import { expect, it } from 'vitest';
import { parseSpec } from '../../src/spec/parse.ts';
import {
  buildRequires,
  expandPlain,
  fileNameOf,
  patches,
  plainMacros,
  requirements,
  sources,
  tags,
  tagValue,
} from '../../src/spec/query.ts';

const spec = parseSpec(`%global commit abc
%global short %(c=%{commit}; echo \${c:0:7})
Name:           demo
Version: 1.2
Source:  https://example.org/%{name}-%{version}.tar.gz
Source5: b.conf
Source: c.conf
%if 0
patch3: one.patch
%endif
Patch: two.patch
Requires(post): systemd
Summary(de): Hallo
BuildRequires: gcc, make >= 4  pkgconfig(zlib)
BuildRequires: (foo or (bar and baz)), \\
  %{?with_x:one two}, %{name}-libs%{?_isa} = %{version}
%package devel
Name: nope
Patch9: x.patch
%patchlist
# no
three.patch
`);

it('finds tags by name and package, ignoring case', () => {
  expect(tags(spec, { name: 'REQUIRES(post)' }).map((tag) => [tag.name, tag.qualifier, tag.value])).toEqual([
    ['Requires(post)', 'post', 'systemd'],
  ]);
  expect(tags(spec, { name: 'requires' })).toEqual([]);
  expect(tags(spec, { package: 'devel' }).map((tag) => tag.name)).toEqual(['Name', 'Patch9']);
  expect(tagValue(spec, 'name')).toBe('demo');
  expect(tagValue(spec, 'Name', 'other')).toBeUndefined();
});

it('joins a tag that spans two lines', () => {
  const tag = tags(spec, { name: 'BuildRequires' })[1]!;
  expect(tag.end - tag.line).toBe(2);
  expect(tag.value).toBe('(foo or (bar and baz)), %{?with_x:one two}, %{name}-libs%{?_isa} = %{version}');
});

it('numbers patches and sources as rpm does', () => {
  expect(patches(spec).map((patch) => [patch.number, patch.value, patch.inList])).toEqual([
    [3, 'one.patch', false],
    [4, 'two.patch', false],
    [9, 'x.patch', false],
    [10, 'three.patch', true],
  ]);
  expect(sources(spec).map((source) => source.number)).toEqual([0, 5, 6]);
});

it('splits requirements and keeps versions, rich ones and macros whole', () => {
  expect(buildRequires(spec)).toEqual([
    'gcc',
    'make >= 4',
    'pkgconfig(zlib)',
    '(foo or (bar and baz))',
    '%{?with_x:one two}',
    '%{name}-libs%{?_isa} = %{version}',
  ]);
  expect(requirements('')).toEqual([]);
  expect(requirements('%{?a:b-%{?a} c} (x(y) < 3 with (z or w)), %{py3_dist p} >= 1 (open')).toEqual([
    '%{?a:b-%{?a} c}',
    '(x(y) < 3 with (z or w))',
    '%{py3_dist p} >= 1',
    '(open',
  ]);
});

it('expands known macros', () => {
  const macros = plainMacros(spec);
  expect(expandPlain('%{name}-%version%{?release}-%{commit}-%%-%{?x}', macros)).toBe(
    'demo-1.2%{?release}-abc-%%-%{?x}',
  );
  expect(fileNameOf('https://example.org/x/y.tgz#/z.tgz')).toBe('z.tgz');
});

it('stops at macros that refer to each other', () => {
  const macros = new Map([
    ['a', '%b%b%b%b%b%b%b%b%b%b'],
    ['b', '%a%a%a%a%a%a%a%a%a%a'],
  ]);
  expect(expandPlain('%a', macros).length).toBeLessThan(100_000);
});
