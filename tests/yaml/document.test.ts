import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseYaml, type YamlDocument } from '../../src/yaml/document.ts';
import { checkedYaml } from '../../src/yaml/schema.ts';
import { failure } from '../base/failure.ts';

const errors = { code: 'bad-file', hint: 'see the manual' };
const read = (text: string, mostAliases = 2, mostBytes = 1000): YamlDocument =>
  parseYaml(text, 'a.yaml', errors, { mostAliases, mostBytes });
const at = (line: number, column: number) => ({ file: 'a.yaml', line, column });

describe('a YAML file', () => {
  test('has the places of its values and keys', () => {
    const { value, placeOf, placeOfKey } = read('a:\n- b: 1\n  c: [x,  y]\n"d e": {}\n7: z\n');
    expect(value).toEqual({ a: [{ b: 1, c: ['x', 'y'] }], 'd e': {}, 7: 'z' });
    expect(placeOf(['a', 0, 'c', 1])).toEqual(at(3, 11));
    expect(placeOf(['a', 0, 'missing', 1])).toEqual(at(2, 3));
    expect(placeOfKey([], 'd e')).toEqual(at(4, 1));
    expect(placeOfKey(['a', 0], 'c')).toEqual(at(3, 3));
    expect(placeOfKey([], '7')).toEqual(at(5, 1));
  });

  test('with a table as a key prints no warning', async () => {
    const warnings: string[] = [];
    const note = (warning: Error): unknown => warnings.push(warning.message);
    process.on('warning', note);
    expect(read('{ a: b }: c\n').value).toEqual({ '{ a: b }': 'c' });
    await new Promise((done) => setTimeout(done, 0));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  test('may be empty', () => {
    const { value, placeOf } = read('');
    expect(value).toBe(null);
    expect(placeOf(['a'])).toEqual(at(1, 1));
  });

  test.each([
    ['no YAML', 'a: [\n', 'invalid YAML', at(2, 1)],
    ['a key twice', 'a: 1\nb: 2\na: 3\n', 'invalid YAML', at(3, 1)],
    ['two documents', 'a: 1\n---\nb: 2\n', 'invalid YAML', at(2, 1)],
    ['many aliases', 'a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n', 'too many aliases', { file: 'a.yaml' }],
    ['much text', `a: ${'ä'.repeat(500)}`, 'too large', { file: 'a.yaml' }],
  ])('with %s is refused', async (_what, text, said, where) => {
    const error = await failure(Promise.resolve().then(() => read(text)));
    expect(error).toMatchObject({ code: 'bad-file', exit: 2 });
    expect(error.where).toEqual(where);
    expect(error.message).toContain(said);
    // The caret and the line that the parser appends are not for one line.
    expect(error.message).not.toContain('\n');
  });
});

describe('a schema', () => {
  const schema = z.strictObject({
    name: z.string().optional(),
    list: z.array(z.strictObject({ size: z.int() })).optional(),
  });
  const check = (text: string) =>
    failure(Promise.resolve().then(() => checkedYaml(read(text), schema, { old: 'use name' })));

  test('gives the value, and an empty table for an empty file', () => {
    expect(checkedYaml(read('name: a\n'), schema)).toEqual({ name: 'a' });
    expect(checkedYaml(read('# nothing\n'), schema)).toEqual({});
  });

  test('reports all that does not fit, with places and hints', async () => {
    const error = await check('name: 1\nlist:\n- sise: 2\n  size: x\nold: 1\n');
    expect([error, ...error.others].map(({ where, message, hint }) => [where?.line, message, hint])).toEqual([
      [1, 'name: Invalid input: expected string, received number', 'see the manual'],
      [4, 'list[0].size: Invalid input: expected number, received string', 'see the manual'],
      [3, 'unknown key "list[0].sise"', 'did you mean size?'],
      [5, 'Weir does not support "old"', 'use name'],
    ]);
  });
});
