import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { type Collected, collect } from '../../src/project/collect.ts';
import { componentsOf } from '../../src/project/component.ts';
import type { ConfigDocument } from '../../src/project/include.ts';
import { componentKeys, fileKeys } from '../../src/project/keys.ts';
import { emptyLayer, type Layer, layerOf, mergeLayers } from '../../src/project/layer.ts';
import { isZero, merge } from '../../src/project/merge.ts';
import type { Project } from '../../src/project/model/project.ts';
import type { RawComponent } from '../../src/project/schema/component.ts';
import { fileSchema } from '../../src/project/schema/file.ts';
import { emptyTable, mergeTraced, plain, type Traced, trace } from '../../src/project/trace.ts';
import { originOf, parseDocument } from '../../src/toml/document.ts';
import { lineIndex, locate } from '../../src/toml/place.ts';
import { Problems } from '../../src/toml/problems.ts';
import { load } from './fixture.ts';

const word = fc.constantFrom('a', 'b', 'c');
const words = fc.array(word, { maxLength: 3 });
type Generated<A> = A extends fc.Arbitrary<infer T> ? T : never;
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const rawComponent: fc.Arbitrary<RawComponent> = fc.record(
  {
    build: fc.record(
      {
        with: words,
        without: words,
        undefines: words,
        defines: fc.dictionary(word, fc.constantFrom('', '1', '2')),
        'emit-upstream-provenance': fc.boolean(),
        hints: fc.record({ expensive: fc.boolean() }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    ),
    release: fc.record({ calculation: fc.constantFrom('' as const, 'auto' as const, 'manual' as const) }),
    render: fc.record({ 'skip-file-filter': fc.boolean() }),
    'overlay-files': words,
    overlays: fc.array(
      word.map((tag) => ({ type: 'spec-remove-tag' as const, tag, description: tag })),
      { maxLength: 2 },
    ),
    packages: fc.dictionary(word, fc.record({ publish: fc.record({ 'rpm-channel': word }) })),
    publish: fc.record({ 'rpm-channel': word, 'srpm-channel': fc.constantFrom('', 'x') }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

/** Keys without rules. */
const plainKeys = fileKeys.at('release');

const anywhere = parseDocument('/nowhere/weir.toml', '', fileSchema);
const layer: fc.Arbitrary<Layer> = rawComponent.map((raw) => layerOf(anywhere, [], raw, undefined));

/** What can be seen of a layer, with "not said" and "empty" made one. */
function seen(one: Layer): unknown {
  const { build } = one;
  return {
    ...one,
    build: {
      ...merge<object>({}, build, plainKeys),
      with: build.with ?? [],
      without: build.without ?? [],
      defines: build.defines ?? {},
      undefines: build.undefines ?? [],
    },
  };
}

describe('merging components', () => {
  it('is associative', () => {
    fc.assert(
      fc.property(layer, layer, layer, (a, b, c) => {
        expect(seen(mergeLayers(mergeLayers(a, b), c))).toEqual(seen(mergeLayers(a, mergeLayers(b, c))));
      }),
    );
  });

  it('changes nothing when one side is empty', () => {
    fc.assert(
      fc.property(layer, (a) => {
        expect(mergeLayers(a, emptyLayer)).toBe(a);
        expect(mergeLayers(emptyLayer, a)).toBe(a);
      }),
    );
  });

  it('keeps all list elements in order, and the later defines', () => {
    fc.assert(
      fc.property(layer, layer, (a, b) => {
        const merged = mergeLayers(a, b);
        expect(merged.build.with ?? []).toEqual([...(a.build.with ?? []), ...(b.build.with ?? [])]);
        expect(merged.overlays).toEqual([...a.overlays, ...b.overlays]);
        expect(merged.build.defines ?? {}).toMatchObject(b.build.defines ?? {});
        expect(merged.packages).toMatchObject(b.packages);
        expect(merged.overlayFiles).toEqual(b.overlayFiles ?? a.overlayFiles);
      }),
    );
  });
});

describe('merging tables with the source of each value', () => {
  const traced = (raw: RawComponent): Traced => trace('/nowhere', anywhere, ['components', 'x'], raw);

  it('gives the same values as merging them alone', () => {
    fc.assert(
      fc.property(fc.array(rawComponent, { minLength: 1, maxLength: 4 }), (all) => {
        const merged = all.reduce<RawComponent>((base, next) => merge(base, next, componentKeys) ?? {}, {});
        const explained = all.reduce<Traced>(
          (base, next) => mergeTraced(base, traced(next), componentKeys) ?? base,
          emptyTable,
        );
        const kept = (value: unknown): unknown => merge<unknown>(undefined, value, componentKeys) ?? {};
        expect(kept(plain(explained))).toEqual(kept(merged));
      }),
    );
  });
});

describe('merging files', () => {
  const part = fc.record(
    {
      project: fc.record({ description: fc.constantFrom('', 'x', 'y'), 'log-dir': fc.constantFrom('', 'l') }),
      distros: fc.dictionary(
        word,
        fc.record(
          {
            description: fc.constantFrom('', 'd', 'e'),
            repos: fc.array(
              word.map((uri) => ({ 'base-uri': uri })),
              { maxLength: 2 },
            ),
            versions: fc.dictionary(word, fc.record({ 'release-ver': word }, { requiredKeys: [] }), { maxKeys: 2 }),
          },
          { requiredKeys: [] },
        ),
        { maxKeys: 2 },
      ),
      components: fc.dictionary(word, rawComponent, { maxKeys: 2 }),
      'default-component-config': rawComponent,
      'default-package-config': fc.record({
        publish: fc.record({ 'rpm-channel': word, channel: word }, { requiredKeys: [] }),
      }),
      resources: fc.record({
        'rpm-repos': fc.dictionary(
          word,
          fc.oneof(
            word.map((name) => ({ 'base-uri': `https://${name}/`, 'disable-gpg-check': true })),
            word.map((name) => ({ metalink: `https://${name}/`, 'gpg-key': 'https://k/' })),
          ),
        ),
      }),
    },
    { requiredKeys: [] },
  );
  const document = (data: Generated<typeof part>, index: number): ConfigDocument => ({
    ...parseDocument(`/p/${index}.toml`, '', fileSchema),
    data: fileSchema.parse(data),
    read: { path: `/p/${index}.toml`, from: 'root' },
  });
  const parts = fc.array(part, { minLength: 1, maxLength: 4 });
  const collected = (list: readonly Generated<typeof part>[]): Collected => collect(list.map(document));

  it('takes a value from the last file that sets it', () => {
    fc.assert(
      fc.property(parts, (list) => {
        const { project, distros, repos } = collected(list);
        const last = (pick: (one: (typeof list)[number]) => string | undefined): string | undefined =>
          list.map(pick).findLast((text) => text !== undefined && text !== '');
        expect(project.description || undefined).toBe(last((one) => one.project?.description));
        for (const name of ['a', 'b', 'c']) {
          const of = (one: (typeof list)[number]) => one.distros?.[name];
          expect(distros.get(name)?.raw.description || undefined).toBe(last((one) => of(one)?.description));
          const repositories = list.map((one) => of(one)?.repos ?? []).findLast((uris) => uris.length > 0);
          expect(distros.get(name)?.raw.repos ?? []).toEqual(repositories ?? []);
          for (const version of ['a', 'b', 'c']) {
            const whole = list.findLast((one) => of(one)?.versions?.[version] !== undefined);
            expect(distros.get(name)?.versions.get(version)?.raw).toEqual(whole && of(whole)?.versions?.[version]);
          }
          const repo = list.findLast((one) => one.resources?.['rpm-repos'][name] !== undefined);
          expect(repos.get(name)?.raw).toEqual(repo?.resources?.['rpm-repos'][name]);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('appends the lists of components, in file order', () => {
    fc.assert(
      fc.property(parts, (list) => {
        const { components, defaults } = collected(list);
        const all = (of: (one: (typeof list)[number]) => RawComponent | undefined): readonly string[] =>
          list.flatMap((one) => of(one)?.build?.with ?? []);
        expect(defaults.build.with ?? []).toEqual(all((one) => one['default-component-config']));
        for (const [name, { layer: own, documents }] of components) {
          expect(own.build.with ?? []).toEqual(all((one) => one.components?.[name]));
          expect(documents.map(({ path }) => path)).toEqual(
            list.flatMap((one, index) => (one.components?.[name] === undefined ? [] : [`/p/${index}.toml`])),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  it('changes only lists if a file is read twice', () => {
    fc.assert(
      fc.property(parts, (list) => {
        const once = collected(list);
        const twice = collected([...list, ...list.slice(-1)]);
        expect(twice.project).toEqual(once.project);
        expect(twice.defaultPackage).toEqual(once.defaultPackage);
        const distro = (of: Collected): unknown => [...of.distros].map(([name, { raw }]) => [name, raw]);
        expect(distro(twice)).toEqual(distro(once));
      }),
      { numRuns: 100 },
    );
  });

  it('depends on the order of files, not on which file includes them', async () => {
    const toml = fc.array(fc.tuple(word, fc.constantFrom('', 'x', 'y')), { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(toml, fc.array(fc.boolean(), { maxLength: 5 }), async (contents, nested) => {
        const text = ([name, value]: readonly [string, string]): string =>
          `[project]\ndescription = "${value}"\n[components.${name}]\nbuild = { with = ["w${value}"], defines = { d = "${value}" } }\n`;
        const names = contents.map((_, index) => `${index}.toml`);
        const flat = Object.fromEntries(contents.map((one, index) => [names[index]!, text(one)]));
        // The same files, some of them included by the one before instead of by the root.
        const deep = { ...flat };
        const roots = [names[0]!];
        for (const [index, name] of names.entries()) {
          if (index === 0) continue;
          if (nested[index - 1] === true)
            deep[names[index - 1]!] = `includes = ["${name}"]\n${deep[names[index - 1]!]}`;
          else roots.push(name);
        }
        const quoted = (list: readonly string[]): string => list.map((name) => `"${name}"`).join(', ');
        const one = await load({ 'weir.toml': `includes = [${quoted(names)}]\n`, ...flat });
        const other = await load({ 'weir.toml': `includes = [${quoted(roots)}]\n`, ...deep });
        const shown = ({ project, components }: Project): unknown => [
          project.description,
          [...components.values()].map(({ name, build }) => [name, build]),
        ];
        expect(shown(other)).toEqual(shown(one));
      }),
      { numRuns: 40 },
    );
  });
});

describe('overriding', () => {
  const override = (base: object, next: object): Record<string, unknown> => ({ ...merge(base, next, plainKeys) });
  const value: fc.Arbitrary<unknown> = fc.oneof(fc.boolean(), fc.constantFrom('', 'x', 'y'), words);
  const table = fc.dictionary(word, fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: maybe(word) }));

  it('never unsets a value, and takes every later value that is set', () => {
    fc.assert(
      fc.property(table, table, (base, next) => {
        const merged = override(base, next);
        for (const [key, set] of Object.entries(base)) if (!isZero(set)) expect(isZero(merged[key])).toBe(false);
        for (const [key, set] of Object.entries(next)) if (!isZero(set)) expect(merged[key]).toEqual(set);
      }),
    );
  });

  it('is associative and idempotent', () => {
    const nested = fc.dictionary(word, table);
    fc.assert(
      fc.property(nested, nested, nested, (a, b, c) => {
        const all = (one: object): unknown => JSON.parse(JSON.stringify(override({}, one)));
        expect(all(override(override(a, b), c))).toEqual(all(override(a, override(b, c))));
        expect(override(override(a, b), b)).toEqual(override(a, b));
      }),
    );
  });
});

describe('lines of tables', () => {
  const key = fc.constantFrom('a', 'b.c', 'x-y', '"q.r"', "'s t'", 'd . e');
  const value = fc.constantFrom(
    '1',
    '"text"',
    '[1, 2]',
    '{ k = 1 }',
    '"""\nline\n"""',
    '[\n{ k = 1 },\n{ k = [1,\n2] }\n]',
  );
  const line = fc.oneof(
    fc.tuple(fc.constantFrom('[', '[['), key).map(([open, name]) => `${open}${name}${open === '[' ? ']' : ']]'}`),
    fc.tuple(key, value).map(([name, content]) => `  ${name} = ${content}`),
    fc.constantFrom('', '# [comment]', '  # a = 1'),
  );

  it.each([
    ['a table', '[components.x]\n', 1],
    ['a quoted key', '\n[components."x"]\n', 2],
    ['a table within', '\n[components.x.build]\n[components.x]\n', 2],
    ['an inline table', '[components]\ny = {}\nx = {}\n', 3],
    ['a dotted key', 'components.y = {}\ncomponents.x.build = {}\n', 2],
    ['the only way left', 'components = { y = {}, x = {} }\n', 1],
  ])('a component is found in %s', (_name, text, line) => {
    const document = parseDocument('/nowhere/weir.toml', text, fileSchema);
    expect(originOf(document, ['components', 'x'])).toEqual({ file: '/nowhere/weir.toml', line });
  });

  const one = 'type = "file-remove", file = "f", description = "d"';
  it.each([
    ['tables', '[components.x]\n[[components.x.overlays]]\n[components.x.build]\n[[components.x.overlays]]\n', [2, 4]],
    ['an array of lines', `components.x.overlays = [\n  # [x]\n  { ${one} },\n\n  { ${one} }, # ]\n]\n`, [3, 5]],
    ['an array that begins at once', `[components.x]\noverlays = [{ ${one} },\n{ ${one} }]\n`, [2, 3]],
    ['one line', `[components.x]\noverlays = [{ ${one} }, { ${one} }]\n`, [2, 2]],
    [
      'lines with arrays in them',
      `[components.x]\noverlays = [\n{ lines = ["[a]"] },\n{ lines = [\n"[b]", "{ c" ] },\n]\n`,
      [3, 4],
    ],
  ])('overlays are found in %s', (_name, text, lines) => {
    const source = {
      path: '/nowhere/weir.toml',
      dir: '/nowhere',
      text,
      data: {},
      lines: lineIndex(text),
      reasons: 'required',
    } as const;
    expect(lines.map((_, index) => originOf(source, ['components', 'x', 'overlays', index]).line)).toEqual(lines);
  });

  it('equal those of the parser with positions', () => {
    let compared = 0;
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const text = lines.join('\n');
        const index = lineIndex(text);
        for (const path of [
          ['a'],
          ['a', 0],
          ['b', 'c'],
          ['b', 'c', 1],
          ['q.r'],
          ['s t', 0],
          ['x-y', 'a'],
          ['d', 'e'],
        ]) {
          const found = index(path);
          // Undefined where the text is no TOML, as when a table is there twice.
          const exact = locate(text, path)?.line;
          if (found === undefined || exact === undefined) continue;
          compared++;
          expect(exact).toBe(found);
        }
      }),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(50);
  });
});

const sample = `
includes = []
[project]
description = "d"
default-distro = { name = "ours" }
[distros.ours]
default-version = "1"
[distros.ours.versions.1.default-component-config]
spec = { type = "upstream", upstream-distro = { name = "fedora", snapshot = "2026-01-02" } }
[distros.fedora]
default-version = "43"
repos = [{ base-uri = "https://example.org/" }]
[distros.fedora.versions.43]
[components.bash]
build = { with = ["a"], check = { skip = true, skip_reason = "r" } }
[[components.bash.overlays]]
type = "spec-search-replace"
description = "why"
regex = "a(b)"
replacement = '''
c'''
metadata = { category = "azl-pruning", upstream-status = "unknown" }
[[components.bash.source-files]]
filename = "a.tar"
origin = { type = "download", uri = "https://example.org/a" }
[component-groups.g]
components = ["bash"]
[package-groups.p]
packages = ["bash", "zsh"]
[images.i]
definition = { type = "weir", kind = "disk", packages = ["bash"], disk = { size = "2GiB" } }
[release]
version = "4.0"
snapshot = "2026-11-21"
channels = [{ name = "base" }]
[lifecycle]
id = "w"
name = "W"
`;

describe('any text', () => {
  const at = fc.nat({ max: sample.length });
  const junk = fc.oneof(
    fc.constantFrom(
      '"',
      "'",
      '"""',
      '[',
      ']',
      '[[',
      '{',
      '}',
      '=',
      '.',
      ',',
      '\n',
      '#',
      '\0',
      '\uFEFF',
      '\\',
      '1',
      '-',
    ),
    fc.constantFrom(
      '2026-01-01',
      'true',
      'inf',
      'nan',
      '99999999999999999999',
      '__proto__',
      'constructor',
      '..',
      '(?=',
    ),
    fc.string({ maxLength: 6, unit: 'binary' }),
  );
  const edit = fc.record({ from: at, length: fc.nat({ max: 12 }), insert: fc.array(junk, { maxLength: 2 }) });
  const edits = fc.array(edit, { minLength: 1, maxLength: 4 });

  const mutated = (changes: { from: number; length: number; insert: string[] }[]): string =>
    changes.reduce(
      (text, { from, length, insert }) => text.slice(0, from) + insert.join('') + text.slice(from + length),
      sample,
    );

  const attempt = (text: string): 'loads' | string => {
    try {
      const document = parseDocument('/nowhere/weir.toml', text, fileSchema);
      const problems = new Problems();
      componentsOf(collect([{ ...document, read: { path: document.path, from: 'root' } }]), problems);
      problems.throwIfAny();
      return 'loads';
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      expect(error.exit).toBe(2);
      expect(error.where?.file).toBe('/nowhere/weir.toml');
      return error.code;
    }
  };

  it('loads, or fails with a place', () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(edits, (changes) => {
        outcomes.add(attempt(mutated(changes)));
      }),
      { numRuns: 600 },
    );
    // The mutations must reach past the parser, or this test looks at nothing of ours.
    expect(attempt(sample)).toBe('loads');
    expect(outcomes.size).toBeGreaterThan(3);
  });

  it('loads or fails with a place for any tree of values', () => {
    const toml = (value: unknown): string =>
      Array.isArray(value)
        ? `[${value.map(toml).join(', ')}]`
        : typeof value === 'object' && value !== null
          ? `{ ${Object.entries(value)
              .map(([name, inner]) => `${JSON.stringify(name)} = ${toml(inner)}`)
              .join(', ')} }`
          : JSON.stringify(value);
    const keys = fc.constantFrom(
      'components',
      'images',
      'spec',
      'overlays',
      'definition',
      'type',
      'name',
      'distros',
      'versions',
      'build',
      'x',
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.boolean(),
        fc.integer(),
        fc.constantFrom('', 'local', 'weir', 'spec-add-tag'),
        fc.array(tie('node'), { maxLength: 2 }),
        fc.dictionary(keys, tie('node'), { maxKeys: 3 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(keys, tree, { maxKeys: 4 }), (root) => {
        attempt(
          Object.entries(root)
            .map(([name, inner]) => `${name} = ${toml(inner)}`)
            .join('\n'),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('is rejected if nested too deeply', () => {
    expect(attempt(`includes = ${'['.repeat(20_000)}`)).toBe('toml-syntax');
    expect(attempt(`components = ${'{a='.repeat(900)}1${'}'.repeat(900)}`)).not.toBe('loads');
  });
});
