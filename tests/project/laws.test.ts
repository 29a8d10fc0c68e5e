import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { collect } from '../../src/project/collect.ts';
import { componentsOf } from '../../src/project/component.ts';
import { originOf, parseDocument } from '../../src/project/document.ts';
import { emptyLayer, type Layer, layerOf, mergeLayers } from '../../src/project/layer.ts';
import { isZero, override } from '../../src/project/merge.ts';
import { lineIndex, locate } from '../../src/project/place.ts';
import { Problems } from '../../src/project/problems.ts';
import type { RawComponent } from '../../src/project/schema/component.ts';
import { fileSchema } from '../../src/project/schema/file.ts';

const word = fc.constantFrom('a', 'b', 'c');
const words = fc.array(word, { maxLength: 3 });
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

const anywhere = parseDocument('/nowhere/weir.toml', '', fileSchema);
const layer: fc.Arbitrary<Layer> = rawComponent.map((raw) => layerOf(anywhere, [], raw, undefined));

/** What can be seen of a layer, with "not said" and "empty" made one. */
function seen(one: Layer): unknown {
  const { build } = one;
  return {
    ...one,
    build: {
      ...override({}, build),
      with: build.with ?? [],
      without: build.without ?? [],
      defines: build.defines ?? {},
      undefines: build.undefines ?? [],
    },
  };
}

describe('merging components', () => {
  it('does not depend on how the levels are bracketed', () => {
    fc.assert(
      fc.property(layer, layer, layer, (a, b, c) => {
        expect(seen(mergeLayers(mergeLayers(a, b), c))).toEqual(seen(mergeLayers(a, mergeLayers(b, c))));
      }),
    );
  });

  it('with nothing changes nothing', () => {
    fc.assert(
      fc.property(layer, (a) => {
        expect(mergeLayers(a, emptyLayer)).toBe(a);
        expect(mergeLayers(emptyLayer, a)).toBe(a);
      }),
    );
  });

  it('keeps every element of lists, in order, and every define of the later', () => {
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

describe('overriding', () => {
  const value: fc.Arbitrary<unknown> = fc.oneof(fc.boolean(), fc.constantFrom('', 'x', 'y'), words);
  const table = fc.dictionary(word, fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: maybe(word) }));

  it('never makes a set value unset, and takes every set value of the later', () => {
    fc.assert(
      fc.property(table, table, (base, next) => {
        const merged = override(base, next);
        for (const [key, set] of Object.entries(base)) if (!isZero(set)) expect(isZero(merged[key])).toBe(false);
        for (const [key, set] of Object.entries(next)) if (!isZero(set)) expect(merged[key]).toEqual(set);
      }),
    );
  });

  it('does not depend on bracketing, and twice is once', () => {
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

  it('are those that the parser with positions finds', () => {
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

  it('loads, or ends in an error that says where', () => {
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

  it('that is a tree of any values does too', () => {
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

  it('nested beyond reason is refused', () => {
    expect(attempt(`includes = ${'['.repeat(20_000)}`)).toBe('toml-syntax');
    expect(attempt(`components = ${'{a='.repeat(900)}1${'}'.repeat(900)}`)).not.toBe('loads');
  });
});
