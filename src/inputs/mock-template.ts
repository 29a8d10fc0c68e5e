import { isMocksOwn } from './mock-defaults.ts';
import { evaluate, isText, isTrue, isUnset, kindOf, type Names, textOf, type Value } from './mock-evaluate.ts';
import {
  type Expression,
  expectOperator,
  peek,
  place,
  type Reader,
  readConditions,
  readExpressions,
  readerOf,
  take,
  takeName,
  takeOperator,
  unexpected,
} from './mock-expression.ts';
import {
  type Budget,
  type FilePosition,
  join,
  maxDepth,
  mockError,
  positionIn,
  type Source,
  slice,
  sourceOf,
  type Text,
  textAt,
} from './mock-text.ts';
import { jinjaTokens } from './mock-tokens.ts';

/*
 * The part of Jinja that mock configurations use: {{ … }}, if, for, set, macro, comments, and - to strip white space.
 * https://jinja.palletsprojects.com/templates/
 */

type Node = { readonly position: FilePosition } & (
  | { readonly type: 'data'; readonly text: Text }
  | { readonly type: 'output'; readonly value: Expression }
  | { readonly type: 'if'; readonly branches: readonly (readonly [Expression | undefined, readonly Node[]])[] }
  | {
      readonly type: 'for';
      readonly name: string;
      readonly list: Expression;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly type: 'set'; readonly name: string; readonly value: Expression }
  | {
      readonly type: 'macro';
      readonly name: string;
      readonly parameters: readonly string[];
      readonly body: readonly Node[];
    }
);

/** Variables of a template: its own, then those of the enclosing scopes. */
interface Frame {
  readonly own: Map<string, Value>;
  readonly outer?: Frame;
}

/** mock gives up after this number of rounds, too. */
const maxRounds = 5;

/**
 * Expands the templates in a string repeatedly until it no longer changes (a fixed point), as mock does. Variables are the options in
 * unexpanded form.
 */
export function expand(text: Text, options: ReadonlyMap<string, Value>, budget: Budget): Text {
  let value = text;
  for (let round = 0; round < maxRounds; round++) {
    if (!/\{[{%#]/.test(value.text)) return value;
    const next = render(sourceOf(value), options, budget);
    if (next.text === value.text) return next;
    value = next;
  }
  if (!/\{[{%#]/.test(value.text)) return value;
  const { marks } = sourceOf(text);
  const message = `the template still changes after ${maxRounds} rounds of expansion`;
  throw mockError(marks[0]!.position, message, 'look for options that name each other in a circle');
}

function render(source: Source, options: ReadonlyMap<string, Value>, budget: Budget): Text {
  const parser: Parser = { source, at: 0, strip: false, depth: 0 };
  const { nodes, end } = readNodes(parser, []);
  if (end !== undefined) throw mockError(end.position, `unexpected {% ${end.word} %}`, 'nothing is open here');
  const output: Output = { text: textAt('', positionIn(source, 0)), budget };
  renderNodes(nodes, { own: new Map(), outer: { own: new Map([...globals, ...options]) } }, output);
  return output.text;
}

const globals: readonly (readonly [string, Value])[] = [
  [
    'range',
    {
      kind: 'callable',
      call: (values, position) => {
        const numbers = values.map((value) => {
          if (typeof value === 'number') return value;
          throw mockError(position, `range() of ${kindOf(value)}`, 'give it one or two whole numbers');
        });
        const [first = 0, second] = numbers;
        const [start, end] = second === undefined ? [0, first] : [first, second];
        if (numbers.length < 1 || numbers.length > 2 || end - start > 10_000) {
          throw mockError(position, 'unsupported range()', 'give it one or two whole numbers, at most 10000 apart');
        }
        return Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
      },
    },
  ],
];

interface Parser {
  readonly source: Source;
  at: number;
  /** Whether the previous tag ended with `-`, which strips the white space after it. */
  strip: boolean;
  depth: number;
}

/** The tag that ended a node list: its keyword, and a reader positioned after the keyword. */
interface End {
  readonly word: string;
  readonly reader: Reader;
  readonly position: FilePosition;
}

/** Reads nodes up to a statement with one of these keywords, or to the end of the text if no keywords are given. */
function readNodes(parser: Parser, words: readonly string[]): { readonly nodes: Node[]; readonly end?: End } {
  const { source } = parser;
  const nodes: Node[] = [];
  const opening = /\{[{%#]/g;
  for (;;) {
    opening.lastIndex = parser.at;
    const found = opening.exec(source.text);
    const end = found?.index ?? source.text.length;
    const minus = found !== null && source.text[end + 2] === '-';
    addData(parser, nodes, end, minus);
    if (found === null) return { nodes };
    const position = positionIn(source, end);
    const sign = minus || source.text[end + 2] === '+' ? 1 : 0;
    if (found[0] === '{#') {
      skipComment(parser, end, position);
      continue;
    }
    const output = found[0] === '{{';
    const tokens = jinjaTokens(source, end + 2 + sign, output ? '}}' : '%}');
    const last = tokens.at(-1)!;
    parser.at = last.end;
    parser.strip = last.word === '-';
    const reader = readerOf(source, tokens, 'jinja');
    if (output) {
      nodes.push({ type: 'output', value: readExpressions(reader), position });
      ended(reader);
      continue;
    }
    if (peek(reader).type !== 'name') throw unexpected(reader, 'a Jinja statement');
    const { word } = take(reader);
    if (words.includes(word) || word.startsWith('end') || word.startsWith('el')) {
      return { nodes, end: { word, reader, position } };
    }
    nodes.push(readBlock(parser, word, reader, position));
  }
}

function addData(parser: Parser, nodes: Node[], end: number, stripEnd: boolean): void {
  const { text } = parser.source;
  let from = parser.at;
  let to = end;
  if (parser.strip) while (from < to && /\s/.test(text[from]!)) from++;
  if (stripEnd) while (to > from && /\s/.test(text[to - 1]!)) to--;
  parser.at = end;
  parser.strip = false;
  if (from === to) return;
  const data = slice(parser.source, from, to);
  nodes.push({ type: 'data', text: data, position: positionIn(parser.source, from) });
}

function skipComment(parser: Parser, start: number, position: FilePosition): void {
  const close = parser.source.text.indexOf('#}', start + 2);
  if (close < 0) throw mockError(position, 'the comment has no #}', 'close it');
  parser.strip = parser.source.text[close - 1] === '-';
  parser.at = close + 2;
}

function ended(reader: Reader): void {
  if (peek(reader).type !== 'end') throw unexpected(reader, 'the end of the tag');
}

function readBlock(parser: Parser, word: string, reader: Reader, position: FilePosition): Node {
  if (++parser.depth > maxDepth) throw mockError(position, `nested more than ${maxDepth} levels deep`);
  const node = blockOf(parser, word, reader, position);
  parser.depth--;
  return node;
}

function blockOf(parser: Parser, word: string, reader: Reader, position: FilePosition): Node {
  if (word === 'set') {
    const name = newName(reader);
    expectOperator(reader, '=');
    const value = readExpressions(reader);
    ended(reader);
    return { type: 'set', name, value, position };
  }
  if (word === 'if') return readIf(parser, reader, position);
  if (word === 'for') {
    const name = newName(reader);
    if (!takeName(reader, 'in')) throw unexpected(reader, '"in"');
    const list = readConditions(reader);
    if (peek(reader).word === 'if')
      throw mockError(place(reader), 'unsupported: a loop with a condition', 'use {% if %} inside');
    ended(reader);
    let { nodes: body, end } = readNodes(parser, ['else', 'endfor']);
    const loop = body;
    let otherwise: Node[] = [];
    if (end?.word === 'else') {
      ended(end.reader);
      ({ nodes: otherwise, end } = readNodes(parser, ['endfor']));
    }
    closed(end, 'for', position);
    return { type: 'for', name, list, body: loop, otherwise, position };
  }
  if (word === 'macro') {
    const name = newName(reader);
    const parameters = readParameters(reader);
    ended(reader);
    const { nodes: body, end } = readNodes(parser, ['endmacro']);
    closed(end, 'macro', position);
    return { type: 'macro', name, parameters, body, position };
  }
  throw mockError(position, `unsupported Jinja statement: ${word}`, 'use: if, for, set or macro');
}

function newName(reader: Reader): string {
  if (peek(reader).type !== 'name') throw unexpected(reader, 'a name');
  return take(reader).word;
}

function readParameters(reader: Reader): string[] {
  const parameters: string[] = [];
  expectOperator(reader, '(');
  while (!takeOperator(reader, ')')) {
    parameters.push(newName(reader));
    if (takeOperator(reader, ',')) continue;
    expectOperator(reader, ')');
    break;
  }
  return parameters;
}

function readIf(parser: Parser, reader: Reader, position: FilePosition): Node {
  const branches: [Expression | undefined, readonly Node[]][] = [];
  let when: Expression | undefined = readConditions(reader);
  ended(reader);
  for (;;) {
    const { nodes, end } = readNodes(parser, when === undefined ? ['endif'] : ['elif', 'else', 'endif']);
    branches.push([when, nodes]);
    if (end === undefined || end.word === 'endif' || when === undefined) {
      closed(end, 'if', position);
      return { type: 'if', branches, position };
    }
    if (end.word !== 'else' && end.word !== 'elif') closed(end, 'if', position);
    when = end.word === 'elif' ? readConditions(end.reader) : undefined;
    ended(end.reader);
  }
}

function closed(end: End | undefined, word: string, position: FilePosition): void {
  if (end === undefined) throw mockError(position, `{% ${word} %} has no {% end${word} %}`, 'close it');
  if (end.word !== `end${word}`) {
    const hint = `the open block is {% ${word} %} on line ${position.line}`;
    throw mockError(end.position, `unexpected {% ${end.word} %}`, hint);
  }
  // Jinja allows {% endmacro name %}.
  if (word === 'macro' && peek(end.reader).type === 'name') end.reader.next++;
  ended(end.reader);
}

interface Output {
  text: Text;
  readonly budget: Budget;
}

function renderNodes(nodes: readonly Node[], frame: Frame, output: Output): void {
  const names: Names = {
    budget: output.budget,
    lenient: true,
    keyOf: (_, key) => key,
    valueOf: (name, position) => {
      for (let at: Frame | undefined = frame; at !== undefined; at = at.outer) {
        const found = at.own.get(name);
        if (found !== undefined) return found;
      }
      if (isMocksOwn(name))
        throw mockError(position, `${name} is known to mock alone`, 'set the option, or leave it out');
      return { kind: 'unset', name };
    },
  };
  for (const node of nodes) {
    output.budget.enter(node.position);
    renderNode(node, frame, names, output);
    output.budget.leave();
  }
}

function renderNode(node: Node, frame: Frame, names: Names, output: Output): void {
  const { position } = node;
  switch (node.type) {
    case 'data':
      write(output, node.text, position);
      return;
    case 'output':
      write(output, textAt(textOf(evaluate(node.value, names), position).text, position), position);
      return;
    case 'set':
      frame.own.set(node.name, evaluate(node.value, names));
      return;
    case 'if': {
      const branch = node.branches.find(([when]) => when === undefined || isTrue(evaluate(when, names)));
      if (branch !== undefined) renderNodes(branch[1], frame, output);
      return;
    }
    case 'for': {
      const items = itemsOf(evaluate(node.list, names), position);
      for (const item of items) renderNodes(node.body, { own: new Map([[node.name, item]]), outer: frame }, output);
      if (items.length === 0) renderNodes(node.otherwise, frame, output);
      return;
    }
    case 'macro': {
      const call = (values: readonly Value[], at: FilePosition): Value => {
        if (values.length > node.parameters.length) {
          throw mockError(
            at,
            `${node.name}() takes ${node.parameters.length} values, not ${values.length}`,
            'pass fewer values',
          );
        }
        const own = new Map<string, Value>();
        for (const [index, name] of node.parameters.entries()) own.set(name, values[index] ?? { kind: 'unset', name });
        const inner: Output = { text: textAt('', at), budget: output.budget };
        renderNodes(node.body, { own, outer: frame }, inner);
        return inner.text;
      };
      frame.own.set(node.name, { kind: 'callable', call });
    }
  }
}

function write(output: Output, text: Text, position: FilePosition): void {
  output.budget.spend(position, text.text.length);
  output.text = join(output.text, text);
}

function itemsOf(value: Value, position: FilePosition): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value.keys()].map((key) => textAt(key, position));
  if (isUnset(value)) return [];
  if (isText(value)) return [...value.text].map((char) => textAt(char, position));
  throw mockError(position, `cannot loop over ${kindOf(value)}`, 'give it a list');
}
