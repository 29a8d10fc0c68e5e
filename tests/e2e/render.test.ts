import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installRoot } from '../../src/base/paths.ts';
import { runOk } from '../../src/base/process.ts';
import { shared, weir } from './weir.ts';

const spec = (major: number): string => `%global numbers %{lua: print("${major}", "2")}
Name: lua-version
Epoch: 1
Version: %(echo '%{numbers}' | tr '\\t' '.')
Release: %autorelease
Summary: x
License: MIT

%description
x

%prep

%changelog
%autochangelog
`;

/** More than twelve components are rendered on threads, which have no tools. */
it('runs rpm for versions that cannot be read from the text of a spec', async () => {
  const top = join(shared.work, 'render-versions');
  const git = (...args: string[]) => runOk(['git', '-C', join(top, 'git/lua-version'), ...args]);
  await mkdir(join(top, 'project/plain'), { recursive: true });
  await mkdir(join(top, 'git/lua-version'), { recursive: true });
  await copyFile(join(installRoot, 'toolbox.lock'), join(top, 'project/toolbox.lock'));
  await git('init', '-q', '-b', 'f1');
  const commit = async (message: string, text: string): Promise<void> => {
    await writeFile(join(top, 'git/lua-version/lua-version.spec'), text);
    await git('add', '-A');
    await git('-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-q', '-m', message);
  };
  await commit('First', spec(1));
  await commit('Second', spec(2));
  await commit('Third', `${spec(2)}# more\n`);
  const plain = Array.from({ length: 14 }, (_, index) => `plain-${index}`);
  for (const name of plain) {
    const text = `Name: ${name}\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\n%description\nx\n`;
    await writeFile(join(top, `project/plain/${name}.spec`), text);
  }
  await writeFile(
    join(top, 'project/weir.toml'),
    `[distros.up]
default-version = "1"
dist-git-base-uri = "${join(top, 'git')}/$pkg"
[distros.up.versions.1]
dist-git-branch = "f1"
[components.lua-version]
spec = { type = "upstream", upstream-distro = { name = "up" } }
${plain.map((name) => `[components.${name}]\nspec = { type = "local", path = "plain/${name}.spec" }\n`).join('')}`,
  );
  const rendered = await weir(['-C', join(top, 'project'), 'component', 'render', '-a']);
  expect(rendered.code, rendered.stderr).toBe(0);
  const text = await readFile(join(top, 'project/specs/l/lua-version/lua-version.spec'), 'utf8');
  expect(text).toContain('%[2 + %{?-b*}');
  expect(text.match(/^\* .* - (\S+)$/gm)?.map((line) => line.split(' ').at(-1))).toEqual([
    '1:2.2-2',
    '1:2.2-1',
    '1:1.2-1',
  ]);
});
