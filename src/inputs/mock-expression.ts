import { type FilePosition, join, maxDepth, mockError, positionIn, type Source, type Text } from './mock-text.ts';
import type { Token } from './mock-tokens.ts';

/** An expression as a syntax tree. Every node has its position. */
export type Expression = { readonly position: FilePosition } & (
  | { readonly type: 'text'; readonly text: Text }
  | { readonly type: 'plain'; readonly value: null | boolean | number }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'list'; readonly items: readonly Expression[] }
  | { readonly type: 'dictionary'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly type: 'item'; readonly of: Expression; readonly key: Expression }
  | { readonly type: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly type: 'call'; readonly of: Expression; readonly values: readonly Expression[] }
  | { readonly type: 'filter'; readonly name: string; readonly of: Expression; readonly values: readonly Expression[] }
  | { readonly type: 'test'; readonly name: string; readonly of: Expression; readonly expected: boolean }
  | { readonly type: 'not' | 'negative'; readonly of: Expression }
  | { readonly type: 'and' | 'or'; readonly items: readonly Expression[] }
  /** `a + b ~ c`, left-associative. */
  | { readonly type: 'chain'; readonly first: Expression; readonly rest: readonly Operation[] }
  /** `a < b <= c`: each operand is compared with the previous one. */
  | { readonly type: 'comparison'; readonly first: Expression; readonly rest: readonly Operation[] }
  | { readonly type: 'choice'; readonly when: Expression; readonly chosen: Expression; readonly otherwise?: Expression }
);

export interface Operation {
  readonly operator: string;
  readonly right: Expression;
}

/** Tokens with the position of the next token to read. */
export interface Reader {
  readonly source: Source;
  readonly tokens: readonly Token[];
  readonly language: 'python' | 'jinja';
  next: number;
  depth: number;
}

export function readerOf(source: Source, tokens: readonly Token[], language: Reader['language']): Reader {
  return { source, tokens, language, next: 0, depth: 0 };
}

export function peek(reader: Reader, ahead = 0): Token {
  return reader.tokens[Math.min(reader.next + ahead, reader.tokens.length - 1)]!;
}

export function take(reader: Reader): Token {
  const token = peek(reader);
  reader.next++;
  return token;
}

export function place(reader: Reader, token: Token = peek(reader)): FilePosition {
  return positionIn(reader.source, token.start);
}

function isOperator(token: Token, ...words: readonly string[]): boolean {
  return token.type === 'operator' && words.includes(token.word);
}

export function takeOperator(reader: Reader, word: string): boolean {
  if (!isOperator(peek(reader), word)) return false;
  reader.next++;
  return true;
}

export function takeName(reader: Reader, word: string): boolean {
  const token = peek(reader);
  if (token.type !== 'name' || token.word !== word) return false;
  reader.next++;
  return true;
}

export function expectOperator(reader: Reader, word: string): void {
  if (!takeOperator(reader, word)) throw unexpected(reader, `"${word}"`);
}

/** The error for the next token. */
export function unexpected(reader: Reader, wanted?: string): Error {
  const token = peek(reader);
  const shown = shownToken(reader, token);
  return mockError(place(reader), wanted === undefined ? `unexpected ${shown}` : `expected ${wanted}, found ${shown}`);
}

function shownToken({ language }: Reader, token: Token): string {
  if (token.type === 'end') return language === 'python' ? 'the end of the file' : 'the end of the tag';
  if (token.type === 'newline') return 'the end of the line';
  if (token.type === 'text') return 'a string';
  return `"${token.word}"`;
}

/** An expression; a comma makes it a list (`1, 2`), with or without brackets. */
export function readExpressions(reader: Reader): Expression {
  return readList(reader, readExpression);
}

/** Reads an expression without Python's `a if b else c`: after `if`, `elif` and `in` of a Jinja statement. */
export function readConditions(reader: Reader): Expression {
  return readList(reader, readOr);
}

function readList(reader: Reader, read: (reader: Reader) => Expression): Expression {
  const position = place(reader);
  const first = read(reader);
  if (!isOperator(peek(reader), ',')) return first;
  const items = [first];
  while (takeOperator(reader, ',')) {
    if (!startsExpression(peek(reader))) break;
    items.push(read(reader));
  }
  return { type: 'list', items, position };
}

function startsExpression(token: Token): boolean {
  if (token.type === 'operator') return ['(', '[', '{', '-', '+'].includes(token.word);
  return token.type !== 'newline' && token.type !== 'end';
}

/** One expression. Syntax outside the supported subset is an error at its token. */
export function readExpression(reader: Reader): Expression {
  if (++reader.depth > maxDepth) throw mockError(place(reader), `nested more than ${maxDepth} levels deep`);
  let result = readOr(reader);
  const position = place(reader);
  if (takeName(reader, 'if')) {
    const when = readOr(reader);
    if (takeName(reader, 'else'))
      result = { type: 'choice', when, chosen: result, otherwise: readExpression(reader), position };
    else if (reader.language === 'jinja') result = { type: 'choice', when, chosen: result, position };
    else throw unexpected(reader, '"else"');
  }
  reader.depth--;
  return result;
}

function readOr(reader: Reader): Expression {
  return readRow(reader, 'or', (inner) => readRow(inner, 'and', readNot));
}

function readRow(reader: Reader, word: 'and' | 'or', read: (reader: Reader) => Expression): Expression {
  const position = place(reader);
  const items = [read(reader)];
  while (takeName(reader, word)) items.push(read(reader));
  return items.length === 1 ? items[0]! : { type: word, items, position };
}

function readNot(reader: Reader): Expression {
  const position = place(reader);
  let turns = 0;
  while (takeName(reader, 'not')) turns++;
  const value = readComparison(reader);
  if (turns === 0) return value;
  const not: Expression = { type: 'not', of: value, position };
  return turns % 2 === 1 ? not : { type: 'not', of: not, position };
}

function readComparison(reader: Reader): Expression {
  const position = place(reader);
  const first = readSum(reader);
  const rest: Operation[] = [];
  for (;;) {
    const token = peek(reader);
    let operator: string | undefined;
    if (isOperator(token, '==', '!=', '<', '<=', '>', '>=')) operator = take(reader).word;
    else if (takeName(reader, 'in')) operator = 'in';
    else if (token.type === 'name' && token.word === 'not' && peek(reader, 1).word === 'in') {
      reader.next += 2;
      operator = 'not in';
    }
    if (operator === undefined) break;
    rest.push({ operator, right: readSum(reader) });
  }
  return rest.length === 0 ? first : { type: 'comparison', first, rest, position };
}

function readSum(reader: Reader): Expression {
  return readChain(reader, ['+', '-'], (inner) =>
    // Jinja's ~ joins texts; its precedence is between + and *.
    inner.language === 'jinja' ? readChain(inner, ['~'], readProduct) : readProduct(inner),
  );
}

function readProduct(reader: Reader): Expression {
  return readChain(reader, ['*'], readSigned);
}

function readChain(reader: Reader, operators: readonly string[], read: (reader: Reader) => Expression): Expression {
  const position = place(reader);
  const first = read(reader);
  const rest: Operation[] = [];
  while (isOperator(peek(reader), ...operators)) {
    const operator = take(reader).word;
    rest.push({ operator, right: read(reader) });
  }
  return rest.length === 0 ? first : { type: 'chain', first, rest, position };
}

function readSigned(reader: Reader): Expression {
  const position = place(reader);
  let negative = false;
  while (isOperator(peek(reader), '-', '+')) negative = (take(reader).word === '-') !== negative;
  const value = readPostfix(reader);
  return negative ? { type: 'negative', of: value, position } : value;
}

/** How many `[…]`, `.name`, `(…)` and filters follow one another. They nest, to the left. */
const maxPostfix = 50;

function readPostfix(reader: Reader): Expression {
  let value = readAtom(reader);
  for (let count = 0; ; count++) {
    const position = place(reader);
    const jinja = reader.language === 'jinja';
    if (count > maxPostfix) throw mockError(position, `nested more than ${maxPostfix} levels deep`);
    if (takeOperator(reader, '[')) {
      const key = readExpression(reader);
      expectOperator(reader, ']');
      value = { type: 'item', of: value, key, position };
    } else if (takeOperator(reader, '(')) value = { type: 'call', of: value, values: readValues(reader), position };
    else if (jinja && takeOperator(reader, '.')) {
      if (peek(reader).type !== 'name') throw unexpected(reader, 'a name');
      value = { type: 'attribute', of: value, name: take(reader).word, position };
    } else if (jinja && takeOperator(reader, '|')) {
      if (peek(reader).type !== 'name') throw unexpected(reader, 'the name of a filter');
      const name = take(reader).word;
      value = {
        type: 'filter',
        name,
        of: value,
        values: takeOperator(reader, '(') ? readValues(reader) : [],
        position,
      };
    } else if (jinja && takeName(reader, 'is')) {
      const expected = !takeName(reader, 'not');
      if (peek(reader).type !== 'name') throw unexpected(reader, 'the name of a test');
      value = { type: 'test', name: take(reader).word, of: value, expected, position };
    } else return value;
  }
}

function readValues(reader: Reader): Expression[] {
  const values: Expression[] = [];
  while (!takeOperator(reader, ')')) {
    values.push(readExpression(reader));
    if (takeOperator(reader, ',')) continue;
    expectOperator(reader, ')');
    break;
  }
  return values;
}

const plain = new Map<string, null | boolean>([
  ['None', null],
  ['True', true],
  ['False', false],
]);
const plainInJinja = new Map<string, null | boolean>([...plain, ['none', null], ['true', true], ['false', false]]);
const keywords = ['lambda', 'await', 'yield', 'not', 'if', 'else', 'for', 'in', 'is', 'and', 'or'];

function readAtom(reader: Reader): Expression {
  const position = place(reader);
  const token = peek(reader);
  if (token.type === 'text') {
    let text = take(reader).text!;
    while (peek(reader).type === 'text') text = join(text, take(reader).text!);
    return { type: 'text', text, position };
  }
  if (token.type === 'number') return { type: 'plain', value: numberOf(reader, take(reader)), position };
  if (token.type === 'name' && !keywords.includes(token.word)) {
    reader.next++;
    const value = (reader.language === 'python' ? plain : plainInJinja).get(token.word);
    return value === undefined ? { type: 'name', name: token.word, position } : { type: 'plain', value, position };
  }
  if (token.type === 'name') throw mockError(position, `unsupported: "${token.word}" here`);
  if (takeOperator(reader, '(')) return readGroup(reader, ')', position);
  if (takeOperator(reader, '[')) return readGroup(reader, ']', position);
  if (takeOperator(reader, '{')) return readDictionary(reader, position);
  throw unexpected(reader, 'a value');
}

function numberOf(reader: Reader, token: Token): number {
  const digits = token.word.replaceAll('_', '');
  const number = Number(digits);
  if (!Number.isSafeInteger(number) || /^0\d*[1-9]/.test(digits)) {
    throw mockError(place(reader, token), `invalid number: ${token.word.slice(0, 40)}`, 'use a decimal whole number');
  }
  return number;
}

function readGroup(reader: Reader, closing: ')' | ']', position: FilePosition): Expression {
  const items: Expression[] = [];
  let commas = 0;
  while (!takeOperator(reader, closing)) {
    if (items.length > 0 && commas < items.length) throw groupError(reader, closing);
    items.push(readExpression(reader));
    if (takeOperator(reader, ',')) commas++;
  }
  // (a) is a itself, (a,) and () are tuples.
  return closing === ')' && items.length === 1 && commas === 0 ? items[0]! : { type: 'list', items, position };
}

function groupError(reader: Reader, closing: string): Error {
  const { word } = peek(reader);
  if (word === 'for' || word === 'async') return mockError(place(reader), 'unsupported: comprehension');
  return unexpected(reader, `"," or "${closing}"`);
}

function readDictionary(reader: Reader, position: FilePosition): Expression {
  const entries: [Expression, Expression][] = [];
  while (!takeOperator(reader, '}')) {
    if (isOperator(peek(reader), '*', '**')) throw mockError(place(reader), 'unsupported: unpacking with * or **');
    const key = readExpression(reader);
    expectOperator(reader, ':');
    entries.push([key, readExpression(reader)]);
    if (takeOperator(reader, ',')) continue;
    if (!isOperator(peek(reader), '}')) throw groupError(reader, '}');
  }
  return { type: 'dictionary', entries, position };
}
