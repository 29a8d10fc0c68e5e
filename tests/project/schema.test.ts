import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { projectJsonSchema } from '../../src/project/schema/file.ts';

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
  const validate = new Ajv2020({ strict: false }).compile(schema);

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

  it('says of every key what it is', () => {
    const silent = [...properties(schema, '')]
      .filter(([path, property]) => property.description === undefined && !/\.(type|kind|url|publish)$/.test(path))
      .map(([path]) => path);
    expect(silent).toEqual([]);
  });
});
