import { describe, expect, test } from 'vitest';
import { written } from '../../../src/rpm/dependencies.ts';
import { type MoreOptions, planMore } from '../../../src/seed/lazy/plan-more.ts';
import type { Mapping } from '../../../src/seed/mapping.ts';
import { type PackagePlan, planSeed, type SeedDeb } from '../../../src/seed/plan.ts';

const mapping: Mapping = {
  defaults: {
    vendor: 'Debian',
    ignore: ['debconf'],
    remove: [],
    'requires-pre': ['filesystem'],
    rename: [{ from: 'lib*-dev', to: 'lib*-devel' }],
  },
  packages: new Map([
    ['filesystem', { version: '1', release: '1' }],
    ['glibc', { from: ['libc6', 'libc-bin'] }],
    ['gcc', { from: ['gcc-[0-9]*', 'gcc'], links: { '/usr/bin/cc': 'gcc' } }],
    ['tool', { from: ['tool', 'tool-data'], provides: ['tool-macros = @'], links: { '/usr/bin/t': 'tool' } }],
  ]),
  roots: new Map(),
  names: new Map([
    ['libz-devel', ['libz-dev', 'libz-tools']],
    ['liby-devel', ['liby-dev']],
  ]),
};

function deb(name: string, fields: Readonly<Record<string, string>> = {}, version = '1.0-1', arch = 'amd64'): SeedDeb {
  const control = { name, version, arch, source: name, sourceVersion: version, conffiles: [], fields };
  return { file: { name, version, arch, sha256: name, path: `/${name}.deb` }, control };
}

const fixedDebs = [deb('libc6'), deb('libc-bin'), deb('gcc-16'), deb('gcc', { provides: 'c-compiler' })];
const fixed = { debs: fixedDebs, plan: planSeed(mapping, fixedDebs) };

function plan(debs: readonly SeedDeb[], more: Partial<MoreOptions> = {}): Map<string, PackagePlan> {
  const options = { mapping, fixed, debs, aliases: [], links: new Map(), ...more };
  return new Map(planMore(options).packages.map((each) => [each.plan.name, each.plan]));
}

const requires = (made: ReadonlyMap<string, PackagePlan>, name: string): string[] =>
  made.get(name)!.dependencies.requires.map(written);

describe('planMore', () => {
  test('names: rules that name the package hold; a pattern of the fixed seed does not', () => {
    const made = plan([deb('tool'), deb('tool-data', {}, '9-1'), deb('gcc-15'), deb('libx-dev')]);
    expect([...made.keys()]).toEqual(['gcc-15', 'libx-devel', 'tool']);
    expect(made.get('tool')).toMatchObject({ evr: { version: '1.0', release: '1' } });
    expect(made.get('tool')!.dependencies.provides.map(written)).toEqual(['tool-data = 9-1', 'tool-macros = 1.0-1']);
  });

  test('a name that the table gives to several packages is none of one alone', () => {
    const aliases = [{ capability: 'libz-devel', debs: ['libz-dev', 'libz-tools'] }];
    const made = plan([deb('libz-dev'), deb('libz-tools'), deb('liby-dev')], { aliases });
    expect([...made.keys()]).toEqual(['liby-devel', 'libz-dev', 'libz-devel', 'libz-tools']);
    expect(requires(made, 'libz-devel')).toEqual(['libz-dev', 'libz-tools']);
  });

  test('a path that a rule of the fixed seed adds stays its own', () => {
    expect(plan([deb('app')]).get('app')!.defaultRemove).toEqual(['/usr/bin/cc']);
  });

  test("dependencies on the fixed seed have its names, others Debian's; ignored ones are dropped", () => {
    const depends = 'libc6 (>= 1.0), gcc | clang, libx-dev (>= 1), debconf, libnone | libgone';
    const made = plan([deb('app', { depends }), deb('libx-dev')]);
    expect(requires(made, 'app')).toEqual(['filesystem', 'glibc >= 1.0-0', 'gcc', 'libx-dev >= 1-0']);
    expect(made.get('app')!.dependencies.recommends.map(written)).toEqual(['(libnone or libgone)']);
    expect(made.get('libx-devel')!.dependencies.provides.map(written)).toEqual(['libx-dev = 1.0-1']);
  });

  test('a package is the same whatever else there is', () => {
    const app = deb('app', { depends: 'liba | libb', conflicts: 'libb, gcc', breaks: 'other' });
    const alone = plan([app, deb('liba')]);
    const among = plan([app, deb('liba'), deb('libb'), deb('other')]);
    expect(among.get('app')).toEqual(alone.get('app'));
    expect(alone.get('app')!.dependencies.conflicts.map(written)).toEqual(['gcc']);
  });

  test('an alias is empty, provides the capability and requires what it stands for', () => {
    const made = plan([deb('libx-dev', {}, '2:3.1-4')], {
      aliases: [
        { capability: 'x-devel', debs: ['libx-dev', 'gcc'] },
        { capability: 'x-devel', debs: ['libx-dev'], epoch: 9 },
        { capability: 'cmake(x)', debs: ['libx-dev'] },
        { capability: '/bin/x', debs: ['libx-dev'] },
      ],
    });
    expect(requires(made, 'x-devel')).toEqual(['gcc', 'libx-devel']);
    expect(made.get('x-devel')).toMatchObject({
      evr: { epoch: 2, version: '3.1', release: '4' },
      arch: 'noarch',
      debs: [],
    });
    const provides = [...made].flatMap(([name, { dependencies }]) =>
      name.startsWith('seed-provides-') ? dependencies.provides.map((each) => `${name}: ${written(each)}`) : [],
    );
    expect(provides).toEqual([
      'seed-provides-bin-x-libx-dev: /bin/x',
      'seed-provides-cmake-x-libx-dev: cmake(x) = 2:3.1-4',
      'seed-provides-x-devel-libx-dev-epoch-9: x-devel = 9:3.1-4',
    ]);
  });

  test("links of maintainer scripts join the rule's, which win", () => {
    const made = plan([deb('tool'), deb('lua5')], {
      links: new Map([
        ['tool', { '/usr/bin/t': 'other', '/usr/bin/u': 'tool' }],
        ['lua5', { '/usr/bin/lua': 'lua5' }],
      ]),
    });
    expect(made.get('tool')!.rule.links).toEqual({ '/usr/bin/t': 'tool', '/usr/bin/u': 'tool' });
    expect(made.get('lua5')!.rule.links).toEqual({ '/usr/bin/lua': 'lua5' });
  });
});
