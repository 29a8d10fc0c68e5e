import { relative } from 'node:path';
import { expect, it } from 'vitest';
import { checkSpecification } from '../../src/component/specification.ts';
import { loadConfiguration } from '../../src/project/load.ts';
import { distros, folder } from '../project/fixture.ts';

const root = 'spec-version = "0.1"\n';

async function differences(files: Readonly<Record<string, string>>): Promise<{ found: string[]; unchecked: number }> {
  const dir = folder(files);
  const report = await checkSpecification(await loadConfiguration(dir, { env: {} }));
  const found = report.differences.map(({ code, message, where }) => {
    expect(where?.column).toBeGreaterThan(0);
    return `${relative(dir, where?.file ?? '')}:${where?.line} ${code} ${message}`;
  });
  return { found, unchecked: report.unchecked };
}

const local = '[components.c]\nspec = { type = "local", path = "c.spec" }\n';

it('looks at the specs of the project', async () => {
  const spec = `Name: c
Release: 1.2%{?dist}
%package devel
%package -n devel
%package devel
%post -p /sbin/ldconfig
%post -n c
%triggerin -- other
%define a \\
  b
%global g \\
  b
%define c d
`;
  const { found } = await differences({
    'azldev.toml': `${root}${local}release.calculation = "static"\n`,
    'c.spec': spec,
  });
  expect(found).toEqual([
    'c.spec:2 release release.calculation = "static" needs Release: N%{?dist}, not 1.2%{?dist}',
    'c.spec:5 spec-grammar a second %package devel: the first is in line 3',
    'c.spec:6 spec-grammar %post has the option -p, which the specification does not read',
    'c.spec:8 spec-grammar %triggerin has a condition, which the specification does not read',
    'c.spec:9 spec-grammar a %define of several lines, which the specification does not read',
  ]);
});

it('applies overlays to them as the specification does', async () => {
  const overlays = `overlays = [
  { type = "spec-add-tag", tag = "Requires", value = "b" },
  { type = "spec-add-tag", tag = "License", value = "MIT" },
  { type = "spec-update-tag", tag = "URL", value = "x" },
]
`;
  const { found } = await differences({
    'azldev.toml': root + local + overlays,
    'c.spec': 'Name: c\nRelease: 1%{?dist}\nRequires: a\n',
  });
  expect(found).toEqual([
    'azldev.toml:5 overlay-cardinality the main package has a Requires tag, and spec-add-tag adds one where there is none',
    'azldev.toml:7 overlay-no-match the main package has no tag URL',
  ]);
});

it('looks at the files that overlays add', async () => {
  const names = ['good', 'crlf', 'open', 'double', 'empty'];
  const overlays = names.map((name) => `{ type = "file-add", file = "${name}", source = "${name}" }`);
  const { found } = await differences({
    'azldev.toml': `${root}${local.replace('c.spec', 'c/c.spec')}overlays = [${overlays.join(', ')}]\n`,
    'c/c.spec': 'Name: c\n',
    good: 'a\n',
    crlf: 'a\nb\r\n',
    open: 'a\nb',
    double: 'a\n\n',
    empty: '',
  });
  expect(found).toEqual([
    'crlf:2 file the line ends in CR LF, not in LF',
    'double:2 file the file must end in one newline',
    'open:2 file the file must end in one newline',
  ]);
});

it('counts the specs that it cannot see', async () => {
  const { unchecked } = await differences({ 'azldev.toml': `${distros}[components.a]\n[components.b]\n` });
  expect(unchecked).toBe(2);
});

it('needs the spec, and the folder of a file that an overlay adds', async () => {
  const overlay = `[[components.c.overlays]]
type = "file-add"
description = "d"
file = "a/b"
source = "s.txt"
`;
  const files = { 'azldev.toml': `${root}${local}${overlay}`, 's.txt': 'x\n' };
  expect((await differences(files)).found).toEqual([
    expect.stringMatching(/^azldev\.toml:2 no-spec the spec .*c\.spec/),
  ]);
  const whole = { ...files, 'c.spec': 'Name: c\n' };
  expect((await differences(whole)).found).toEqual([expect.stringMatching(/^azldev\.toml:4 file the folder of a\/b /)]);
  expect((await differences({ ...whole, 'a/x': '' })).found).toEqual([]);
});
