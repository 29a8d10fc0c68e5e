import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeirError } from '../../src/base/errors.ts';
import { parseXml, printXml, type XmlElement } from '../../src/kiwi/xml.ts';

const parse = (text: string): XmlElement => parseXml('a.kiwi', Buffer.from(text));

function errorOf(text: string | Buffer): WeirError {
  try {
    parseXml('a.kiwi', Buffer.from(text));
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('places', () => {
  test('are those of the tag and of each attribute', () => {
    const root = parse(
      '<?xml version="1.0"?>\n<!-- <b c="1"> -->\n<a  b="b" c = "b b"\n   bc="ä">\r\n  <b x="1"/>text</a>',
    );
    const at = ({ line, column }: { line: number; column: number }) => `${line}:${column}`;
    expect(at(root.place)).toBe('3:1');
    expect([...root.attributes].map(([name, { value, place }]) => [name, value, at(place)])).toEqual([
      ['b', 'b', '3:5'],
      ['c', 'b b', '3:11'],
      ['bc', 'ä', '4:4'],
    ]);
    expect(at(root.children[0]!.place)).toBe('5:3');
    expect(at(root.children[0]!.attributes.get('x')!.place)).toBe('5:6');
    expect(root.text).toBe('text');
  });
});

describe('errors', () => {
  test.each([
    ['<a>\n  <b></a>', /unexpected close tag|mismatch/i, '2:9'],
    ['<a>&nbsp;</a>', /entity/i, '1:9'],
    ['<!DOCTYPE a []>\n<a/>', /document type/, '1:1'],
    ['', /document must contain a root element/i, '1:1'],
    ['<a b="1" b="2"/>', /duplicate/i, '1:16'],
    ['<?xml version="1.0" encoding="latin1"?><a/>', /encoding latin1/, '1:1'],
  ])('%j', (text, says, place) => {
    const error = errorOf(text);
    expect(error.message).toMatch(says);
    expect(error.message).not.toMatch(/^\d|a\.kiwi/);
    expect({ code: error.code, exit: error.exit }).toEqual({ code: 'xml-syntax', exit: 2 });
    expect(`${error.where?.line}:${error.where?.column}`).toBe(place);
  });

  test('a file that is not UTF-8', () => {
    const error = errorOf(Buffer.from([...Buffer.from('<a>\n '), 0xff, ...Buffer.from('</a>')]));
    expect(error.message).toMatch(/UTF-8/);
    expect(error.where).toEqual({ file: 'a.kiwi', line: 2, column: 2 });
  });

  test('more elements in each other than anybody writes', () => {
    expect(errorOf('<a>'.repeat(101)).message).toMatch(/more than 100 elements/);
  });
});

test('what is printed reads as the same elements', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,5}$/);
  const value = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD]/g, ''));
  const { element } = fc.letrec<{ element: Plain }>((tie) => ({
    element: fc.record({
      name,
      attributes: fc.dictionary(name, value, { maxKeys: 3, noNullPrototype: true }),
      text: value.map((text) => text.replace(/\s+/g, ' ').trim()),
      children: fc.oneof({ maxDepth: 3 }, fc.constant([]), fc.array(tie('element'), { maxLength: 3 })),
    }),
  }));
  fc.assert(
    fc.property(element, (plain) => {
      expect(plainOf(parse(printXml(elementOf(plain))))).toEqual(plain);
    }),
    { numRuns: 200 },
  );
});

interface Plain {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly Plain[];
}

const place = { file: 'a.kiwi', line: 1, column: 1 };

function elementOf({ name, attributes, text, children }: Plain): XmlElement {
  const placed = Object.entries(attributes).map(([key, value]) => [key, { value, place }] as const);
  return { name, attributes: new Map(placed), text, children: children.map(elementOf), place };
}

function plainOf({ name, attributes, text, children }: XmlElement): Plain {
  return {
    name,
    attributes: Object.fromEntries([...attributes].map(([key, { value }]) => [key, value])),
    text,
    children: children.map(plainOf),
  };
}
