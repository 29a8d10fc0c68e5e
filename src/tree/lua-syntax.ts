/*
 * The syntax of Lua 5.4, which rpm runs: https://www.lua.org/manual/5.4/manual.html#9. A script is only parsed, never run.
 */

export interface LuaToken {
  readonly type: 'name' | 'keyword' | 'string' | 'number' | 'operator' | 'end';
  /** A string's contents with its escapes as they are written. */
  readonly text: string;
  /** Line in the script, from 1. */
  readonly line: number;
}

/** A syntax error, thrown and caught in this module; `message` names the line. */
class LuaError extends Error {}

const keywords = new Set(
  'and break do else elseif end false for function goto if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
);

const tokenAt =
  /(?<space>\s+)|--(?:\[(?<comment>=*)\[|[^\n]*)|\[(?<long>=*)\[|(?<name>[A-Za-z_]\w*)|(?<number>0[xX][\da-fA-F]*(?:\.[\da-fA-F]*)?(?:[pP][+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<string>"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*')|(?<operator>\.\.\.|\.\.|==|~=|<=|>=|<<|>>|\/\/|::|[-+*/%^#&~|<>=(){}[\];:,.])/y;

/** The tokens of a script, and what is wrong with its syntax: `unexpected "=" in line 3`. */
export function readLua(script: string): { readonly tokens: readonly LuaToken[]; readonly problem?: string } {
  const tokens: LuaToken[] = [];
  try {
    readTokens(script, tokens);
    checkBlock({ tokens, at: 0, depth: 0 });
  } catch (error) {
    if (error instanceof LuaError) return { tokens, problem: error.message };
    throw error;
  }
  return { tokens };
}

function readTokens(script: string, tokens: LuaToken[]): void {
  let at = script.startsWith('#') ? Math.max(0, script.indexOf('\n')) : 0;
  let line = 1;
  const advance = (end: number): void => {
    line += script.slice(at, end).split('\n').length - 1;
    at = end;
  };
  while (at < script.length) {
    tokenAt.lastIndex = at;
    const match = tokenAt.exec(script);
    if (match === null) throw new LuaError(`unexpected ${JSON.stringify(script[at])} in line ${line}`);
    const { comment, long, space, name, number, string, operator } = match.groups!;
    const level = comment ?? long;
    if (level !== undefined) {
      const begin = at + match[0].length;
      const end = script.indexOf(`]${level}]`, begin);
      if (end < 0) throw new LuaError(`unfinished ${comment === undefined ? 'string' : 'comment'} in line ${line}`);
      if (comment === undefined) tokens.push({ type: 'string', text: script.slice(begin, end), line });
      advance(end + level.length + 2);
      continue;
    }
    if (name !== undefined) tokens.push({ type: keywords.has(name) ? 'keyword' : 'name', text: name, line });
    else if (number !== undefined) tokens.push({ type: 'number', text: number, line });
    else if (string !== undefined) tokens.push({ type: 'string', text: string.slice(1, -1), line });
    else if (operator !== undefined) tokens.push({ type: 'operator', text: operator, line });
    else if (space === undefined && !match[0].startsWith('--')) throw new LuaError(`unexpected text in line ${line}`);
    advance(at + match[0].length);
    if (number !== undefined && /\w/.test(script[at] ?? '')) throw new LuaError(`malformed number in line ${line}`);
  }
  tokens.push({ type: 'end', text: '', line });
}

interface Parser {
  readonly tokens: readonly LuaToken[];
  at: number;
  depth: number;
}

/** Lua's own limit (LUAI_MAXCCALLS). */
const deepest = 200;

function checkBlock(parser: Parser): void {
  readBlock(parser);
  if (peek(parser).type !== 'end') throw unexpected(parser);
}

const peek = (parser: Parser): LuaToken => parser.tokens[parser.at]!;

function unexpected(parser: Parser): LuaError {
  const { type, text, line } = peek(parser);
  return new LuaError(`unexpected ${type === 'end' ? 'end of the script' : JSON.stringify(text)} in line ${line}`);
}

/** Whether the next token is this keyword or operator. */
function is(parser: Parser, text: string): boolean {
  const token = peek(parser);
  return (token.type === 'keyword' || token.type === 'operator') && token.text === text;
}

function takeIf(parser: Parser, text: string): boolean {
  if (!is(parser, text)) return false;
  parser.at++;
  return true;
}

function expect(parser: Parser, text: string): void {
  if (!takeIf(parser, text)) throw unexpected(parser);
}

function expectName(parser: Parser): void {
  if (peek(parser).type !== 'name') throw unexpected(parser);
  parser.at++;
}

function nested(parser: Parser, read: () => void): void {
  if (++parser.depth > deepest) throw new LuaError(`nested too deeply in line ${peek(parser).line}`);
  read();
  parser.depth--;
}

function readBlock(parser: Parser): void {
  nested(parser, () => {
    for (;;) {
      if (peek(parser).type === 'end' || ['end', 'else', 'elseif', 'until'].some((word) => is(parser, word))) return;
      if (takeIf(parser, 'return')) {
        const done = () =>
          peek(parser).type === 'end' || [';', 'end', 'else', 'elseif', 'until'].some((word) => is(parser, word));
        if (!done()) readList(parser);
        takeIf(parser, ';');
        return;
      }
      readStatement(parser);
    }
  });
}

function readStatement(parser: Parser): void {
  if (takeIf(parser, ';') || takeIf(parser, 'break')) return;
  if (takeIf(parser, '::')) {
    expectName(parser);
    expect(parser, '::');
  } else if (takeIf(parser, 'goto')) expectName(parser);
  else if (takeIf(parser, 'do')) readBody(parser);
  else if (takeIf(parser, 'while')) {
    readExpression(parser);
    expect(parser, 'do');
    readBody(parser);
  } else if (takeIf(parser, 'repeat')) {
    readBlock(parser);
    expect(parser, 'until');
    readExpression(parser);
  } else if (takeIf(parser, 'if')) readIf(parser);
  else if (takeIf(parser, 'for')) readFor(parser);
  else if (takeIf(parser, 'function')) {
    expectName(parser);
    while (takeIf(parser, '.')) expectName(parser);
    if (takeIf(parser, ':')) expectName(parser);
    readFunction(parser);
  } else if (takeIf(parser, 'local')) readLocal(parser);
  else {
    let last = readSuffixed(parser);
    if (last === 'call' && !is(parser, '=') && !is(parser, ',')) return;
    while (last === 'variable' && takeIf(parser, ',')) last = readSuffixed(parser);
    if (last !== 'variable') throw unexpected(parser);
    expect(parser, '=');
    readList(parser);
  }
}

/** A block and its `end`. */
function readBody(parser: Parser): void {
  readBlock(parser);
  expect(parser, 'end');
}

function readIf(parser: Parser): void {
  do {
    readExpression(parser);
    expect(parser, 'then');
    readBlock(parser);
  } while (takeIf(parser, 'elseif'));
  if (takeIf(parser, 'else')) readBlock(parser);
  expect(parser, 'end');
}

function readFor(parser: Parser): void {
  expectName(parser);
  if (takeIf(parser, '=')) {
    readExpression(parser);
    expect(parser, ',');
    readExpression(parser);
    if (takeIf(parser, ',')) readExpression(parser);
  } else {
    while (takeIf(parser, ',')) expectName(parser);
    expect(parser, 'in');
    readList(parser);
  }
  expect(parser, 'do');
  readBody(parser);
}

function readLocal(parser: Parser): void {
  if (takeIf(parser, 'function')) {
    expectName(parser);
    readFunction(parser);
    return;
  }
  do {
    expectName(parser);
    if (takeIf(parser, '<')) {
      expectName(parser);
      expect(parser, '>');
    }
  } while (takeIf(parser, ','));
  if (takeIf(parser, '=')) readList(parser);
}

function readFunction(parser: Parser): void {
  expect(parser, '(');
  if (!takeIf(parser, ')')) {
    do {
      if (takeIf(parser, '...')) break;
      expectName(parser);
    } while (takeIf(parser, ','));
    expect(parser, ')');
  }
  readBody(parser);
}

function readList(parser: Parser): void {
  do readExpression(parser);
  while (takeIf(parser, ','));
}

const unary = ['not', '#', '-', '~'];
const binary = new Set('+ - * / // % ^ .. == ~= < <= > >= and or & | ~ << >>'.split(' '));

function readExpression(parser: Parser): void {
  nested(parser, () => {
    for (;;) {
      while (unary.some((operator) => takeIf(parser, operator)));
      readSimple(parser);
      const { type, text } = peek(parser);
      if ((type !== 'operator' && type !== 'keyword') || !binary.has(text)) return;
      parser.at++;
    }
  });
}

function readSimple(parser: Parser): void {
  const { type } = peek(parser);
  if (type === 'string' || type === 'number') parser.at++;
  else if (['nil', 'true', 'false', '...'].some((word) => takeIf(parser, word))) return;
  else if (takeIf(parser, 'function')) readFunction(parser);
  else if (is(parser, '{')) readTable(parser);
  else readSuffixed(parser);
}

function readTable(parser: Parser): void {
  expect(parser, '{');
  while (!takeIf(parser, '}')) {
    const next = parser.tokens[parser.at + 1];
    if (takeIf(parser, '[')) {
      readExpression(parser);
      expect(parser, ']');
      expect(parser, '=');
    } else if (peek(parser).type === 'name' && next?.type === 'operator' && next.text === '=') parser.at += 2;
    readExpression(parser);
    if (!takeIf(parser, ',') && !takeIf(parser, ';')) {
      expect(parser, '}');
      return;
    }
  }
}

/** A name or a bracketed expression with its fields, indexes and calls. @returns the kind of expression, by its last part */
function readSuffixed(parser: Parser): 'variable' | 'call' | 'value' {
  let last: 'variable' | 'call' | 'value' = 'variable';
  if (takeIf(parser, '(')) {
    readExpression(parser);
    expect(parser, ')');
    last = 'value';
  } else expectName(parser);
  for (;;) {
    if (takeIf(parser, '.')) {
      expectName(parser);
      last = 'variable';
    } else if (takeIf(parser, '[')) {
      readExpression(parser);
      expect(parser, ']');
      last = 'variable';
    } else {
      const method = takeIf(parser, ':');
      if (method) expectName(parser);
      if (peek(parser).type === 'string') parser.at++;
      else if (is(parser, '{')) readTable(parser);
      else if (takeIf(parser, '(')) {
        if (!takeIf(parser, ')')) {
          readList(parser);
          expect(parser, ')');
        }
      } else if (method) throw unexpected(parser);
      else return last;
      last = 'call';
    }
  }
}
