import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

const project = {
  'azldev.toml': `[components.a]
spec = { type = "local", path = "a.spec" }
packages.a-libs.publish.rpm-channel = "base"
[package-groups.g]
packages = ["a-doc"]
default-package-config.publish.rpm-channel = "sdk"
`,
  'map.json': '[{ "packageName": "a-doc", "sourcePackageName": "a" }]',
};
const doc = { package: 'a-doc', type: 'rpm', packageGroups: ['g'], componentGroups: [], channel: 'sdk' };
const libs = {
  package: 'a-libs',
  type: 'rpm',
  component: 'a',
  packageGroups: [],
  componentGroups: [],
  channel: 'base',
};
const dir = folder(project);
const list = (...words: string[]) => weir(['-C', dir, 'package', 'list', ...words]);
const rows = (...words: string[]) => JSON.parse(list('--json', ...words).stdout) as unknown;

describe('weir package list in a project of azldev', () => {
  it('lists what the project names', () => {
    expect(rows()).toEqual([doc, libs]);
    expect(rows('-a')).toEqual([doc, libs]);
    expect(rows('--channel', 'base')).toEqual([libs]);
    expect(list().stdout).toMatchInlineSnapshot(`
      "PACKAGE  TYPE  CHANNEL  COMPONENT  PACKAGE GROUP  COMPONENT GROUPS
      a-doc    rpm   sdk      -          g              -
      a-libs   rpm   base     a          -              -
      "
    `);
  });

  it('says which channels there are if none of the packages is in the one asked for', () => {
    expect(list('--channel', 'bsae')).toEqual({
      code: 0,
      stdout: 'no packages\n',
      stderr: 'hint: no package is in the channel bsae; those listed are in base, sdk\n',
    });
  });

  it('looks up names, and the sources and packages of a map', () => {
    expect(rows('a-libs', '-p', 'nobody')).toEqual([
      libs,
      { package: 'nobody', type: 'rpm', packageGroups: [], componentGroups: [] },
    ]);
    expect(rows('--rpm-file', `${dir}/map.json`)).toEqual([
      { package: 'a', type: 'srpm', component: 'a', packageGroups: [], componentGroups: [] },
      { ...doc, component: 'a' },
    ]);
  });

  it.each([
    [['--rpm-file', 'x', '-a'], '--rpm-file excludes'],
    [['--synthesize-debug-packages'], 'needs names or --all'],
    [['--own', 'a'], '--own'],
  ])('refuses %j', (words, said) => {
    expect(list(...words)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(said) });
  });
});
