import { describe, expect, it } from 'vitest';
import { parseSpec } from '../../src/spec/parse.ts';
import { cveMentions } from '../../src/upstream/cve.ts';
import { compareSpecs } from '../../src/upstream/spec-changes.ts';

const head = 'Name: x\nVersion: 1\nRelease: 1%{?dist}\n';
const compare = (before: string, after: string) => compareSpecs(parseSpec(before), parseSpec(after));

describe('comparing specs', () => {
  it('finds nothing in equal ones, nor in other text', () => {
    const nothing = {
      patches: { added: [], removed: [], changed: [] },
      sources: { added: [], removed: [], changed: [] },
    };
    expect(compare(head, head)).toEqual({ ...nothing, macros: [], changelog: [] });
    expect(compare(head, `${head}\n# %global x 1\n%description\nText.\n`)).toEqual({
      ...nothing,
      macros: [],
      changelog: [],
    });
  });

  it('expands the version and the release as far as the text allows', () => {
    const spec = (major: number, number: string) =>
      `%global major ${major}\nEpoch: 1\nName: x\nVersion: %{major}.2\nRelease: ${number}%{?dist}\n`;
    expect(compare(spec(3, '%autorelease -b 3'), spec(4, '2'))).toMatchObject({
      version: { before: '1:3.2', after: '1:4.2' },
      release: { before: '%autorelease -b 3', after: '2' },
      macros: [{ name: 'major', before: ['%global major 3'], after: ['%global major 4'] }],
    });
    expect(compare('Name: x\n', head)).toMatchObject({ version: { after: '1' }, release: { after: '1' } });
  });

  it('shows that a version from the shell changed', () => {
    const spec = (value: string) => `%global v ${value}\nName: x\nVersion: %(date -d %{v} +%%Y)\n`;
    expect(compare(spec('20200101'), spec('20210101'))).toMatchObject({
      version: { before: '%(date -d 20200101 +%%Y)', after: '%(date -d 20210101 +%%Y)' },
    });
  });

  it('names files by expanded names, unless a macro is uncertain', () => {
    const spec = (version: string, more = '') =>
      `Name: x\nVersion: ${version}\n${more}Source0: https://e.org/%{name}-%{version}.tar.gz\nPatch: p%{major}.patch\n%patchlist\nlisted.patch\n`;
    expect(compare(spec('1', '%global major 1\n'), spec('2', '%global major 2\n'))).toMatchObject({
      sources: { added: ['x-2.tar.gz'], removed: ['x-1.tar.gz'] },
      patches: { added: ['p2.patch'], removed: ['p1.patch'] },
    });
    const either = '%if 0%{?rhel}\n%global major 1\n%else\n%global major 2\n%endif\n';
    expect(compare(spec('1', '%global major 1\n'), spec('1', either))).toMatchObject({
      patches: { added: ['p%{major}.patch'], removed: ['p1.patch'] },
    });
  });

  it('keeps a name that the shell makes as it is written', () => {
    const spec = (version: string) =>
      `Name: x\nVersion: ${version}\n%define file %(v=%{version}; echo \${v//./})\nSource0: https://e.org/x%{file}.zip\n`;
    const { sources } = compare(spec('1.0'), 'Name: x\nVersion: 1.0\n');
    expect(sources.removed).toEqual(['x%{file}.zip']);
  });

  it('takes renumbered patches and moved macros for the same', () => {
    const before = `${head}%global a 1\n%global b 1\nPatch1: a.patch\nPatch2: b.patch\n`;
    const after = `${head}%global b 1\nPatch10: b.patch\n%global a 1\nPatch11: a.patch\n`;
    const { patches, macros } = compare(before, after);
    expect({ patches, macros }).toEqual({ patches: { added: [], removed: [], changed: [] }, macros: [] });
  });

  it('reads guarded, conditional and long definitions, and build conditionals', () => {
    const before = `%{!?x:%global x 1}\n%if 1\n%global y 1\n%else\n%global y 2\n%endif\n%define long() a \\\n  b\n%bcond_with z\n${head}`;
    const after = `%{!?x:%global x 2}\n%if 1\n%global y 1\n%else\n%global y 3\n%endif\n%define long() a \\\n  c\n%bcond_without z\n${head}`;
    expect(compare(before, after).macros).toEqual([
      { name: 'x', before: ['%{!?x:%global x 1}'], after: ['%{!?x:%global x 2}'] },
      { name: 'y', before: ['%global y 1', '%global y 2'], after: ['%global y 1', '%global y 3'] },
      { name: 'long', before: ['%define long() a \\\n  b'], after: ['%define long() a \\\n  c'] },
      { name: 'bcond z', before: ['%bcond_with z'], after: ['%bcond_without z'] },
    ]);
  });

  it('keeps macros that a changelog quotes out, and tells its new lines', () => {
    const log = '%changelog\n* Mon Jan 06 2020 A <a@e.org>\n- one\n';
    const { macros, changelog } = compare(`${head}${log}`, `${head}${log}- %%global x\n%global y 1\n- one\n`);
    expect(macros).toEqual([]);
    expect(changelog).toEqual(['- %%global x', '%global y 1', '- one']);
  });
});

describe('CVE numbers', () => {
  it('are found in any case, once each, in order', () => {
    const found = cveMentions({
      message: ['Fix cve-2021-44228, CVE-2021-4104 (CVE-2019-1)', 'CVE-2021-44228'],
      changelog: ['- CVE-2021-44228 CVE-99-1234 xCVE-2020-1111 CVE-2020-12345678'],
      patch: ['CVE-2020-7777.patch'],
    });
    expect(found).toEqual([
      { id: 'CVE-2020-7777', in: ['patch'] },
      { id: 'CVE-2020-12345678', in: ['changelog'] },
      { id: 'CVE-2021-4104', in: ['message'] },
      { id: 'CVE-2021-44228', in: ['message', 'changelog'] },
    ]);
  });
});
