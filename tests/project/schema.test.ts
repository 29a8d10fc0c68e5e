import { Ajv } from 'ajv';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { overlayFileJsonSchema, projectJsonSchema } from '../../src/project/schema/file.ts';

const schema = projectJsonSchema();

/** Every property of a JSON Schema with its path. */
function* properties(
  node: unknown,
  path: string,
): Generator<readonly [path: string, property: Record<string, unknown>]> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties') {
      for (const [name, property] of Object.entries(value as Record<string, Record<string, unknown>>)) {
        yield [`${path}.${name}`, property];
        yield* properties(property, `${path}.${name}`);
      }
    } else yield* properties(value, path);
  }
}

describe('the JSON Schema', () => {
  const validate = new Ajv({ strict: false }).compile(schema);

  it.each([
    ['', true],
    ['[components.a]\nspec = { type = "local", path = "a.spec" }', true],
    ['[components.a]\nspek = 1', false],
    ['[images.a.definition]\ntype = "weir"\nkind = "disk"\npackages = ["a"]', true],
    ['[images.a.definition]\ntype = "weir"\nkind = "dsk"\npackages = ["a"]', false],
    ['[release]\nsnapshot = "yesterday"', false],
  ])('judges as the loader does: %j', (toml, good) => {
    expect(validate(parse(toml))).toBe(good);
  });

  it('is a draft that editors support, and accepts the files of azldev', () => {
    expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
    expect(validate(parse('"$schema" = "https://example.org/azldev.schema.json"\n'))).toBe(true);
    // Patterns are read by other engines as well: nothing but what ECMAScript with the flag "u" and Rust both know.
    for (const [path, { pattern }] of properties(schema, '')) {
      if (typeof pattern !== 'string') continue;
      expect(() => new RegExp(pattern, 'u'), path).not.toThrow();
      expect(pattern, path).not.toMatch(/\\[0-9]|\(\?<[=!]|\\x/);
    }
  });

  it('of overlay files agrees with the loader', () => {
    const file = new Ajv({ strict: false }).compile(overlayFileJsonSchema());
    const metadata = '[metadata]\ncategory = "azl-pruning"\nupstream-status = "unknown"\n';
    const overlay = '[[overlays]]\ntype = "file-remove"\nfile = "x"\n';
    expect(
      [metadata + overlay, metadata, overlay, `x = 1\n${metadata}${overlay}`].map((toml) => file(parse(toml))),
    ).toEqual([true, false, false, false]);
  });

  it('describes every key', () => {
    const silent = [...properties(schema, '')]
      .filter(([path, property]) => property.description === undefined && !/\.(type|kind|url|publish)$/.test(path))
      .map(([path]) => path);
    expect(silent).toEqual([]);
  });
});
