import { join } from 'node:path';
import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { loadConfiguration, loadProject } from '../../src/project/load.ts';
import type { Project } from '../../src/project/model/project.ts';
import { componentOfKey, componentTables, keysOf, partAt, resolvedTables } from '../../src/project/resolve.ts';
import { printPart, printTables } from '../../src/project/toml.ts';
import { leaves, plain, single, type Traced, table } from '../../src/project/trace.ts';
import { distros, folder } from './fixture.ts';

const files = {
  'weir.toml': `
includes = ["a.toml", "b.toml"]
${distros}
[resources.rpm-repos.r]
base-uri = "https://example.org/r/"
gpg-key = "keys/r.asc"
[default-component-config]
overlay-files = ["o/*.toml"]
[default-component-config.build]
with = ["all"]
defines = { a = "1", b = "1" }
hints.expensive = true
[component-groups.g]
components = ["curl"]
default-component-config.build.with = ["group"]
default-component-config.publish.rpm-channel = "of-the-group"
[release]
version = "1"
snapshot = "2026-01-02"
[images.i]
definition = { type = "weir", kind = "disk", packages = ["bash", "vim"], disk.size = "3GiB", kernel.command-line = ["quiet"] }
[images.j.definition]
type = "weir"
kind = "disk"
extends = "i"
format = ["vhd"]
packages = ["cloud-init"]
exclude-packages = ["vim"]
disk.root-label = "j"
kernel.command-line = ["console=ttyS0"]
`,
  'a.toml': `
[components.curl]
build = { with = ["own"], without = ["x"], defines = { b = "" }, hints.expensive = false }
publish.rpm-channel = "own"
[[components.curl.overlays]]
type = "spec-search-replace"
description = "It says \\"no\\", and\\ttabs"
regex = '\\s+"(a|b)'
replacement = """
two
lines"""
[[components.curl.overlays]]
type = "patch-add"
description = "Fix"
source = "fix.patch"
metadata = { category = "upstream-backport", upstream-status = "upstreamed", commits = [{ url = "https://example.org/1" }] }
[[components.curl.source-files]]
filename = "x.tar"
origin = { type = "download", uri = "https://example.org/x.tar" }
[components."python3.12"]
spec = { type = "local", path = "python/python3.12.spec" }
[project]
default-author-email = "a@example.org"
`,
  'b.toml': `
[components.curl]
build.with = ["more"]
spec = { upstream-distro.version = "44" }
[project]
default-author-email = "b@example.org"
`,
  'o/1.toml': `
[metadata]
category = "weir-pruning"
upstream-status = "unknown"
[[overlays]]
type = "file-add"
description = "From a file"
file = "f"
source = "f.txt"
`,
};

const load = (dir: string) => loadConfiguration(dir, { env: {} });

/** A project without what says where it was written. */
function meaning(project: Project): unknown {
  const skipped = [
    'origin',
    'alsoIn',
    'groups',
    'files',
    'configFiles',
    'specs',
    'excludedPaths',
    'root',
    'file',
    'signs',
  ];
  return JSON.parse(
    JSON.stringify(project, (key, value: unknown) =>
      skipped.includes(key) ? undefined : value instanceof Map ? Object.fromEntries(value) : value,
    ).replaceAll(project.root, ''),
  );
}

/**
 * Resolved tables as a project that can be loaded. What a component has inherited, such as a snapshot, may not all stand
 * in its own table, so each has a group of its own with everything in it.
 */
function loadable(tables: Record<string, unknown>): string {
  const components = tables.components as Record<string, unknown>;
  const groups = Object.entries(components).map(([name, config]) => [
    `of ${name}`,
    { components: [name], 'default-component-config': config },
  ]);
  return stringify({
    ...tables,
    components: Object.fromEntries(Object.keys(components).map((name) => [name, {}])),
    'component-groups': Object.fromEntries(groups),
  });
}

describe('the resolved configuration', () => {
  it('loads to the same project again', async () => {
    const configuration = await load(folder(files));
    const tables = plain(resolvedTables(configuration)) as Record<string, unknown>;
    const again = await loadProject(folder({ 'weir.toml': loadable(tables) }), { env: {} });
    expect(meaning(again)).toEqual(meaning(configuration.project));
  });

  it('prints as equivalent TOML, with and without origins', async () => {
    const configuration = await load(folder(files));
    const tables = resolvedTables(configuration);
    for (const origins of [false, true]) {
      const text = printTables(tables, { origins, root: configuration.project.root });
      expect(parse(text)).toEqual(plain(tables));
    }
  });

  it('names the source of each value, and what it overrides', async () => {
    const configuration = await load(folder(files));
    const { project } = configuration;
    const tables = resolvedTables(configuration, [project.components.get('curl')!]);
    expect([...tables.entries.keys()]).toEqual(['components']);
    expect(printTables(tables, { origins: true, root: project.root })).toMatchInlineSnapshot(`
      "[components.curl.spec]
      type = "upstream"  # weir.toml:9 [distros.ours.versions.1.default-component-config]

      [components.curl.spec.upstream-distro]
      name = "fedora"  # weir.toml:9 [distros.ours.versions.1.default-component-config]
      version = "44"  # b.toml:4 [components.curl]
      snapshot = "2026-01-02T00:00:00Z"  # weir.toml:9 [distros.ours.versions.1.default-component-config]

      [components.curl.build]
      with = [
        "all",  # weir.toml:22 [default-component-config]
        "group",  # weir.toml:27 [component-groups.g.default-component-config]
        "own",  # a.toml:3 [components.curl]
        "more",  # b.toml:3 [components.curl]
      ]
      without = [
        "x",  # a.toml:3 [components.curl]
      ]

      [components.curl.build.defines]
      a = "1"  # weir.toml:23 [default-component-config]
      b = ""  # a.toml:3 [components.curl], over "1" (weir.toml:23 [default-component-config])

      [components.curl.build.hints]
      expensive = true  # weir.toml:24 [default-component-config]

      [components.curl.publish]
      rpm-channel = "own"  # a.toml:4 [components.curl], over "of-the-group" (weir.toml:28 [component-groups.g.default-component-config])

      [[components.curl.source-files]]  # a.toml:18 [components.curl]
      filename = "x.tar"
      origin = { type = "download", uri = "https://example.org/x.tar" }

      [[components.curl.overlays]]  # a.toml:5
      description = "It says \\"no\\", and\\ttabs"
      type = "spec-search-replace"
      regex = "\\\\s+\\"(a|b)"
      replacement = "two\\nlines"

      [[components.curl.overlays]]  # a.toml:12
      description = "Fix"
      type = "patch-add"
      source = "fix.patch"
      file = "fix.patch"
      metadata = { category = "upstream-backport", upstream-status = "upstreamed", commits = [{ url = "https://example.org/1" }] }

      [[components.curl.overlays]]  # o/1.toml:5
      description = "From a file"
      type = "file-add"
      file = "f"
      source = "o/f.txt"
      metadata = { category = "weir-pruning", upstream-status = "unknown" }"
    `);
  });

  it('contains built-in values and those of the default version', async () => {
    const { project, collected } = await load(
      folder({ 'azldev.toml': `${distros}[components.a]\n`, '.azldev-version': 'v0.4.1\n' }),
    );
    const tables = resolvedTables({ project, collected });
    const said = (key: string): unknown => [...leaves(partAt(tables, key).value)][0]?.said.at(-1);
    expect(said('project.log-dir')).toEqual({
      value: 'build/logs',
      by: { file: 'built in', line: 0, table: ['project'] },
    });
    expect(said('components.a.spec.upstream-distro.version')).toEqual({
      value: '43',
      by: { file: join(project.root, 'azldev.toml'), line: 9, table: ['distros', 'fedora'] },
    });
  });

  it('contains each image merged with what it extends, with the source of each value', async () => {
    const { project, collected } = await load(folder(files));
    const { value } = partAt(resolvedTables({ project, collected }), 'images.j.definition');
    expect(plain(value)).toEqual({
      type: 'weir',
      kind: 'disk',
      format: ['vhd'],
      packages: ['bash', 'cloud-init'],
      'exclude-packages': ['vim'],
      disk: { size: '3GiB', 'root-label': 'j' },
      kernel: { 'command-line': ['quiet', 'console=ttyS0'] },
    });
    const said = [...leaves(value)].map(({ path, said: all }) => [path.join('.'), all.at(-1)!.by.table[1]]);
    expect(Object.fromEntries(said)).toMatchObject({
      'packages.0': 'i',
      'packages.1': 'j',
      'disk.size': 'i',
      'disk.root-label': 'j',
      'kernel.command-line.0': 'i',
      'kernel.command-line.1': 'j',
    });
  });

  it('lists the tables of a component, the strongest last', async () => {
    const configuration = await load(folder(files));
    const tables = componentTables(configuration, configuration.project.components.get('curl')!);
    expect(tables.map(({ table: { level }, source, says }) => [level, source.line, keysOf(says).length])).toEqual([
      ['version', 8, 3],
      ['default', 19, 5],
      ['group', 27, 2],
      ['component', 2, expect.any(Number)],
      ['component', 2, 2],
    ]);
  });
});

describe('a key', () => {
  const at = async (key: string): Promise<unknown> => {
    const configuration = await load(folder(files));
    return plain(partAt(resolvedTables(configuration), key).value);
  };

  it.each([
    ['release.version', '1'],
    ['components.curl.build.with', ['all', 'group', 'own', 'more']],
    ['components.curl.build.defines.a', '1'],
    ['components.python3.12.spec.type', 'local'],
    ['components."python3.12".spec.type', 'local'],
    ["components.'python3.12'.spec.path", 'python/python3.12.spec'],
    ['images.i.definition.disk.size', '3GiB'],
  ])('%s', async (key, value) => {
    expect(await at(key)).toEqual(value);
  });

  it.each([
    ['componets', 'the resolved configuration has no "componets"', /mean components\?/],
    ['components.crl', 'components has no "crl"', /mean curl\?/],
    ['components.curl.build.wiht', 'components.curl.build has no "wiht"', /mean with\?/],
    ['release.version.x', 'release.version has no "x"', /weir config resolve/],
  ])('%s does not exist', async (key, message, hint) => {
    await expect(at(key)).rejects.toMatchObject({
      code: 'unknown-key',
      exit: 2,
      message,
      hint: expect.stringMatching(hint),
    });
  });

  it('reports its component', async () => {
    const { project } = await load(folder(files));
    const of = (key: string): string | undefined => componentOfKey(project, key)?.name;
    expect(of('components.curl.spec')).toBe('curl');
    expect(of('components.python3.12')).toBe('python3.12');
    expect(of('components."python3.12".spec')).toBe('python3.12');
    expect(of('components')).toBeUndefined();
    expect(of('release.components.curl')).toBeUndefined();
  });
});

describe('the printer', () => {
  const by = { file: '/p/a.toml', line: 3, table: ['t'] };
  const key = fc.oneof(fc.constantFrom('a', 'b-c', 'd e', '"', '.', ''), fc.string({ maxLength: 4 }));
  const scalar = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.boolean(), fc.integer({ min: -9, max: 9 }));
  const tree = fc.letrec<{ any: Traced; table: Traced }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      scalar.map((value): Traced => single(value, by)),
      fc.array(tie('any'), { maxLength: 3 }).map((items): Traced => ({ kind: 'list', items })),
      tie('table'),
    ),
    table: fc.dictionary(key, tie('any'), { maxKeys: 4 }).map((entries): Traced => table(Object.entries(entries))),
  }));

  it('prints any tables so that they parse to the same', () => {
    // Copied by hand: V8's JSON.parse takes the key `"` for `\\` once an object with that key was there.
    const untouched = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(untouched);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, untouched(inner)]));
    };
    fc.assert(
      fc.property(tree.table, fc.boolean(), (tables, origins) => {
        fc.pre(tables.kind === 'table' && !JSON.stringify(plain(tables)).includes('__proto__'));
        const text = printTables(tables as Extract<Traced, { kind: 'table' }>, { origins, root: '/p' });
        expect(untouched(parse(text))).toEqual(untouched(plain(tables)));
      }),
      { numRuns: 300 },
    );
  });

  it('prints a part under its full key', () => {
    const print = { origins: false, root: '/p' };
    expect(printPart(['a', 'b c'], single('x', by), print)).toBe('a."b c" = "x"');
    expect(printPart(['a'], { kind: 'list', items: [table([['k', single(1, by)]])] }, print)).toBe('[[a]]\nk = 1');
    expect(printPart(['a', 'b'], table([['k', single(true, by)]]), print)).toBe('[a.b]\nk = true');
  });
});
