import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JsonParts, type JsonPiece, JsonPieces } from '../../../src/advisory/match/json-pieces.ts';

/** The pieces of a text that arrives in chunks of some size. */
function pieces(text: string | Uint8Array, parts: JsonParts, size = 1 << 20): JsonPiece[] {
  const bytes = Buffer.from(text);
  const reader = new JsonPieces('feed.json', parts);
  const found: JsonPiece[] = [];
  for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)));
  found.push(...reader.end());
  return found;
}

const values = (text: string, parts: JsonParts, size?: number): unknown[] =>
  pieces(text, parts, size).map(({ value }) => value);

describe('JSON in pieces', () => {
  it.each<[string, JsonParts, string, unknown[]]>([
    ['values, one a line', 'values', '{"a":1}\n{"a":2}\n', [{ a: 1 }, { a: 2 }]],
    ['a value alone', 'values', ' [1, 2] ', [[1, 2]]],
    ['bare values', 'values', '1 true "x" null', [1, true, 'x', null]],
    ['elements', 'elements', '[1,{"a":"]"},[2]]', [1, { a: ']' }, [2]]],
    ['no elements', 'elements', ' [ ] ', []],
    ['members', 'members', '{"a":1,"b\\n":{"c":{}}}', [1, { c: {} }]],
    ['arrays of a name', { arrays: ['v'] }, '{"x":[1],"v":[2,3],"y":{"v":[4]},"v":[5],"z":"}"}', [2, 3, 5]],
    ['escapes', 'values', '["\\"", "\\\\"] ["\\\\\\""]', [['"', '\\'], ['\\"']]],
  ])('gives %s, whatever the size of chunks', (_what, parts, text, expected) => {
    for (let size = 1; size <= text.length + 1; size++) expect(values(text, parts, size)).toEqual(expected);
  });

  it('names members, and says where each begins', () => {
    const text = '{\n  "a/b": 1,\n  "c": {\n    "d": 2 },\n "e~": []}';
    expect(pieces(text, 'members', 3)).toEqual([
      { key: 'a/b', pointer: '/a~1b', line: 2, value: 1 },
      { key: 'c', pointer: '/c', line: 3, value: { d: 2 } },
      { key: 'e~', pointer: '/e~0', line: 5, value: [] },
    ]);
    expect(pieces('{"v":\n[1,\n2]}', { arrays: ['v'] })).toEqual([
      { key: undefined, pointer: '/v/0', line: 2, value: 1 },
      { key: undefined, pointer: '/v/1', line: 3, value: 2 },
    ]);
  });

  it('skips a byte order mark', () => {
    expect(values('\ufeff[1]', 'elements', 4)).toEqual([1]);
  });

  it('gives what JSON.parse gives', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(0, 1),
        (all, size, indent) => {
          const expected = JSON.parse(JSON.stringify(all)) as unknown[];
          expect(values(JSON.stringify(all, null, indent), 'elements', size)).toEqual(expected);
          const lines = all.map((each) => JSON.stringify(each, null, indent)).join('\n');
          if (all.length > 0) expect(values(lines, 'values', size)).toEqual(expected);
          const named = Object.fromEntries(all.map((each, index) => [`k${index}`, each]));
          expect(values(JSON.stringify(named), 'members', size)).toEqual(all.length === 0 ? [] : expected);
        },
      ),
    );
  });

  it('accepts no text that JSON.parse rejects', () => {
    const text = fc.string({
      unit: fc.constantFrom('[', ']', '{', '}', '"', ',', ':', '1', 'a', ' ', '\\', '\n'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 5 }), (inner, size) => {
        const whole = `[${inner}`;
        let isJson = true;
        try {
          JSON.parse(whole);
        } catch {
          isJson = false;
        }
        if (isJson) expect(values(whole, 'elements', size)).toEqual(JSON.parse(whole));
        else expect(() => values(whole, 'elements', size)).toThrow(expect.objectContaining({ code: 'bad-feed' }));
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, JsonParts, string, RegExp, number]>([
    ['that ends early', 'elements', '[1,\n2', /ends too early/, 2],
    ['that ends in a piece', 'elements', '[\n{"a":', /ends too early/, 2],
    ['that ends in a text', 'values', '"abc', /ends too early/, 1],
    ['that is empty', 'values', ' \n ', /the file is empty/, 2],
    ['without a comma', 'elements', '[1\n2]', /expected ',' or ']', found "2"/, 2],
    ['with a wrong bracket', 'elements', '[1}', /expected ',' or ']', found "}"/, 1],
    ['without a colon', 'members', '{"a" 1}', /expected ':', found "1"/, 1],
    ['without a name', 'members', '{1:2}', /expected the name of a member, found "1"/, 1],
    ['with more after its end', 'elements', '[1]\n[2]', /expected the end of the file/, 2],
    ['with a fault in a piece', 'elements', '[{\n"a":1,\n"b":x}]', /Unexpected token 'x'/, 3],
    ['with a bad word', 'elements', '[\ntrux]', /Unexpected token/, 2],
    ['that is nested too deep', 'values', '['.repeat(300), /deeper than 200/, 1],
  ])('a text %s is an error with its line', (_what, parts, text, message, line) => {
    for (const size of [1, 1000]) {
      expect(() => pieces(text, parts, size)).toThrow(
        expect.objectContaining({
          code: 'bad-feed',
          message: expect.stringMatching(message),
          where: { file: 'feed.json', line },
        }),
      );
    }
  });

  it('keeps no more of one value than the limit', () => {
    const reader = new JsonPieces('feed.json', 'values');
    const chunk = Buffer.alloc(1 << 20, 'x');
    const push = (): void => {
      [...reader.push(Buffer.from('"'))];
      for (let turn = 0; turn < 65; turn++) [...reader.push(chunk)];
    };
    expect(push).toThrow(/more than 67108864 bytes/);
  });
});
