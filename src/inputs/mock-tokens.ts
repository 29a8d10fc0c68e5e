import { type Mark, mockError, positionIn, type Source, slice, type Text } from './mock-text.ts';

/** A token of Python, or of an expression in a Jinja template. */
export interface Token {
  readonly type: 'name' | 'number' | 'text' | 'operator' | 'newline' | 'end';
  /** The token's text: a name, digits or an operator. */
  readonly word: string;
  /** The decoded string. */
  readonly text?: Text;
  /** Position in the source. */
  readonly start: number;
  readonly end: number;
}

const name = /[\p{L}_][\p{L}\p{N}_]*/uy;
const number = /0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*/y;
const operator = /\*\*=?|\/\/=?|<<|>>|->|:=|[-+*/%@&|^=!<>]=|[-+*/%@&|^~=<>()[\]{},:.;!]/y;
const stringStart = /([A-Za-z]{0,2})("""|'''|"|')/y;

/** Python's tokens: `newline` ends a statement, also at `;`. Line ends inside brackets and after a backslash are left out. */
export function pythonTokens(source: Source): Token[] {
  const { text } = source;
  const tokens: Token[] = [];
  let depth = 0;
  let at = 0;
  const add = (type: Token['type'], word: string, end: number): void => {
    tokens.push({ type, word, start: at, end });
    at = end;
  };
  while (at < text.length) {
    const char = text[at]!;
    if (char === '\n') {
      if (depth === 0) add('newline', '', at + 1);
      else at++;
    } else if (char === ' ' || char === '\t' || char === '\f') at++;
    else if (char === '#') at = lineEnd(text, at);
    else if (char === '\\' && text[at + 1] === '\n') {
      at += 2;
      if (at >= text.length)
        throw mockError(positionIn(source, at - 2), 'the file ends after a backslash', 'remove it');
    } else {
      const token = tokenAt(source, at, true);
      if (token.type === 'operator') {
        if ('([{'.includes(token.word)) depth++;
        else if (')]}'.includes(token.word)) depth = Math.max(0, depth - 1);
      }
      tokens.push(token.word === ';' ? { ...token, type: 'newline' } : token);
      at = token.end;
    }
  }
  add('newline', '', at);
  add('end', '', at);
  return tokens;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

/**
 * The tokens of a Jinja expression or statement.
 * @param closing `}}` or `%}`, with an optional `-` or `+` before it
 * @returns the tokens, the last one of type `end`: it spans the closing characters
 */
export function jinjaTokens(source: Source, start: number, closing: '}}' | '%}'): Token[] {
  const { text } = source;
  const tokens: Token[] = [];
  let depth = 0;
  let at = start;
  for (;;) {
    while (at < text.length && /\s/.test(text[at]!)) at++;
    if (at >= text.length) throw mockError(positionIn(source, start), `the template has no ${closing}`, 'close it');
    const sign = text[at] === '-' || text[at] === '+' ? 1 : 0;
    if (depth === 0 && text.startsWith(closing, at + sign)) {
      tokens.push({ type: 'end', word: text.slice(at, at + sign), start: at, end: at + sign + 2 });
      return tokens;
    }
    const token = tokenAt(source, at, false);
    if (token.type === 'operator') {
      if ('([{'.includes(token.word)) depth++;
      else if (')]}'.includes(token.word)) depth--;
    }
    tokens.push(token);
    at = token.end;
  }
}

function tokenAt(source: Source, start: number, python: boolean): Token {
  const { text } = source;
  stringStart.lastIndex = start;
  const string = stringStart.exec(text);
  if (string !== null) return stringToken(source, start, string[1]!, string[2]!, python);
  for (const [type, pattern] of [
    ['name', name],
    ['number', number],
    ['operator', operator],
  ] as const) {
    pattern.lastIndex = start;
    const word = pattern.exec(text)?.[0];
    if (word === undefined) continue;
    const end = start + word.length;
    if (type === 'number' && /[\p{L}\p{N}_.]/u.test(text[end] ?? '')) {
      throw mockError(
        positionIn(source, start),
        `unsupported number: ${/[^\s,)\]}]{1,40}/.exec(text.slice(start, start + 80))?.[0]}`,
      );
    }
    return { type, word, start, end };
  }
  const char = String.fromCodePoint(text.codePointAt(start)!);
  throw mockError(positionIn(source, start), `unexpected character ${JSON.stringify(char)}`);
}

const stringEndPatterns = new Map<string, RegExp>();

/** Finds the quotes that end a string, escapes, and line ends where the string may have none. */
function stringEnds(quotes: string, oneLine: boolean): RegExp {
  const pattern = String.raw`\\[\s\S]|${quotes}${oneLine ? String.raw`|\n` : ''}`;
  const known = stringEndPatterns.get(pattern) ?? new RegExp(pattern, 'g');
  stringEndPatterns.set(pattern, known);
  return known;
}

function stringToken(source: Source, start: number, prefix: string, quote: string, python: boolean): Token {
  const { text } = source;
  const kind = prefix.toLowerCase();
  const fail = (what: string): never => {
    throw mockError(positionIn(source, start), what);
  };
  if (kind.includes('f')) fail('unsupported: f-string');
  if (kind.includes('b')) fail('unsupported: bytes literal');
  if (!['', 'r', 'u'].includes(kind) || (!python && kind !== '')) fail(`unexpected string after "${prefix}"`);
  // Jinja has no """: there two quotes are an empty string.
  const mark = python ? quote : quote[0]!;
  const first = start + prefix.length + mark.length;
  const special = stringEnds(mark, python && mark.length === 1);
  special.lastIndex = first;
  let escapes = false;
  for (let found = special.exec(text); found !== null; found = special.exec(text)) {
    const [what] = found;
    if (what === '\n') break;
    if (what !== mark) {
      escapes = true;
      continue;
    }
    const inside = slice(source, first, found.index);
    if (python) refuseInclude(source, first, inside.text);
    const decoded = escapes && kind !== 'r' ? unescaped(source, first, found.index) : inside;
    return { type: 'text', word: '', text: decoded, start, end: special.lastIndex };
  }
  return fail('the string has no end');
}

/** mock replaces such a line with the file's content even inside a string, which its author hardly intended. */
function refuseInclude(source: Source, start: number, text: string): void {
  const line = /\n[ \t]*include\(.*\)/.exec(text);
  if (line === null) return;
  throw mockError(
    positionIn(source, start + line.index + 1),
    'unsupported: include(...) inside a string',
    'move it outside',
  );
}

const escapeSequence = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g;
const plainEscapes: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Python's escapes. An unknown one stays as it is, backslash included. */
function unescaped(source: Source, start: number, end: number): Text {
  const raw = slice(source, start, end);
  let text = '';
  let copied = 0;
  const marks: Mark[] = [];
  const inner: Source = { text: raw.text, marks: 'marks' in raw.origin ? raw.origin.marks : [] };
  let nextMark = 0;
  const copy = (to: number): void => {
    marks.push({ at: text.length, position: positionIn(inner, copied) });
    while (nextMark < inner.marks.length && inner.marks[nextMark]!.at <= copied) nextMark++;
    for (; nextMark < inner.marks.length && inner.marks[nextMark]!.at < to; nextMark++) {
      const { at, position } = inner.marks[nextMark]!;
      marks.push({ at: text.length + at - copied, position });
    }
    text += raw.text.slice(copied, to);
  };
  for (const match of raw.text.matchAll(escapeSequence)) {
    const [whole, x, u, U, octal, char] = match;
    const code = octal === undefined ? Number.parseInt(x ?? u ?? U ?? '', 16) : Number.parseInt(octal, 8);
    const where = positionIn(inner, match.index);
    if (Number.isNaN(code) && /[xuUN]/.test(char!)) throw mockError(where, `invalid escape ${whole} in the string`);
    if (code > 0x10ffff) throw mockError(where, `invalid escape ${whole} in the string`);
    copy(match.index);
    marks.push({ at: text.length, position: where });
    text += Number.isNaN(code) ? (plainEscapes[char!] ?? whole) : String.fromCodePoint(code);
    copied = match.index + whole.length;
  }
  copy(raw.text.length);
  return { kind: 'text', text, origin: { marks } };
}
