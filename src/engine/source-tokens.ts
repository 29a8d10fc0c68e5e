/** The code of a source file, and its imports. */
export interface SourceTokens {
  /** Its tokens without comments, formatting and type declarations; anything ambiguous is kept. */
  readonly code: string;
  /** Modules and files that the code refers to: `import`, `export … from`, `import('…')`, `require('…')`, `new URL('…', import.meta.url)`. */
  readonly imports: readonly string[];
  /** Whether the code also imports modules whose names are computed at run time. */
  readonly computed: boolean;
}

interface Token {
  readonly text: string;
  readonly kind: 'word' | 'string' | 'other' | 'mark';
  /** Whether there is a line break between the previous token and this one. */
  readonly newline: boolean;
  /** Whether it is the bracket that closes the condition of an `if` or a loop: the next statement belongs to it. */
  readonly condition: boolean;
}

/**
 * Tokenises a TypeScript module by ECMAScript's lexical grammar, with TypeScript's postfix `!`.
 * @returns undefined if a slash could be a division or a regular expression, or if the text is not valid source
 */
export function readSource(text: string): SourceTokens | undefined {
  const tokens = tokenize(text);
  if (tokens === undefined || text.includes('\0')) return undefined;
  const code = withoutTypes(tokens);
  return { code: printed(code), ...importsOf(code) };
}

const longWord = /(?:[\p{ID_Continue}$#\u200c\u200d]|\\u[\da-f]{4}|\\u\{[\da-f]+\})+/iuy;
const shortWord = /[\w$#@]+(?![\\\u0080-\uffff])/y;
const number = /(?:0[xob][\da-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[+-]?\d[\d_]*)?)n?/iy;
const single = /'(?:[^'\\\n\r]|\\(?:\r\n|.))*'/sy;
const double = /"(?:[^"\\\n\r]|\\(?:\r\n|.))*"/sy;
const regex = /\/(?:[^/\\[\n\r]|\\[^\n\r]|\[(?:[^\]\\\n\r]|\\[^\n\r])*\])+\/[\w$]*/y;
const spaces = /[\s\ufeff]+/y;
const lineComment = /\/\/[^\n\r\u2028\u2029]*/y;
const blockComment = /\/\*.*?\*\//sy;
/** Up to a substitution or the end of the template. */
const template = /(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)/sy;
const mark =
  />>>=|\.\.\.|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?!\d)|\+\+|--|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|<<|>>|\*\*|[{}()[\];,<>+\-*/%&|^!~?:=.]/y;

/** Words that precede an operand; after any other word a slash divides. */
const beforeOperand = new Set(
  'return typeof instanceof in new delete void throw case do else await yield default extends'.split(' '),
);
/** Words that are operators after an operand, otherwise names. */
const eitherWord = new Set(['of', 'as', 'satisfies', 'is', 'keyof']);
const lineBreak = /[\n\r\u2028\u2029]/;

type Slash = 'regex' | 'division' | 'either';

function tokenize(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  /** For each open bracket whether it opens a condition (`if (…)`) or a template's substitution. */
  const open: ('condition' | 'substitution' | 'plain')[] = [];
  let at = text.startsWith('#!') ? text.search(/\n|$/) : 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return undefined;
    const from = at;
    at = pattern.lastIndex;
    return text.slice(from, at);
  };
  let newline = false;
  /** What a slash would mean at this point: `either` if only a full parser could tell. */
  let slash = 'regex' as Slash;
  const put = (token: string | undefined, kind: Token['kind'], then: Slash): boolean => {
    if (token === undefined) return false;
    tokens.push({ text: token, kind, newline, condition: token === ')' && then === 'regex' });
    newline = false;
    slash = then;
    return true;
  };
  while (at < text.length) {
    const first = text[at]!;
    const next = text[at + 1] ?? '';
    const blank =
      first === '/' && next === '/'
        ? take(lineComment)
        : first === '/' && next === '*'
          ? take(blockComment)
          : first <= ' ' || first > '~'
            ? take(spaces)
            : undefined;
    if (blank !== undefined) {
      newline ||= lineBreak.test(blank);
      continue;
    }
    if (first === "'" || first === '"') {
      if (!put(take(first === '"' ? double : single), 'string', 'division')) return undefined;
    } else if (first === '`' || (first === '}' && open.at(-1) === 'substitution')) {
      if (first === '}') open.pop();
      at++;
      const part = take(template);
      if (part === undefined) return undefined;
      if (part.endsWith('{')) open.push('substitution');
      put(first + part, 'other', part.endsWith('{') ? 'regex' : 'division');
    } else if ((first >= '0' && first <= '9') || (first === '.' && next >= '0' && next <= '9')) {
      if (!put(take(number), 'other', 'division')) return undefined;
    } else if (first === '/' && slash === 'either') {
      return undefined;
    } else if (first === '/' && slash === 'regex') {
      if (!put(take(regex), 'other', 'division')) return undefined;
    } else {
      const sign = take(mark);
      if (sign === undefined) {
        const name = take(shortWord) ?? take(longWord);
        if (!put(name, 'word', afterWord(name ?? '', tokens.at(-1), slash, newline))) return undefined;
      } else if (sign === ')' || sign === ']' || sign === '}') {
        const closed = open.pop();
        if (closed === undefined) return undefined;
        put(sign, 'mark', sign === '}' ? 'either' : closed === 'condition' ? 'regex' : 'division');
      } else if (sign === '!') {
        put(sign, 'mark', newline && slash === 'division' ? 'either' : slash);
      } else {
        if (sign === '(') open.push(opensCondition(tokens) ? 'condition' : 'plain');
        else if (sign === '[' || sign === '{') open.push('plain');
        put(sign, 'mark', ['++', '--', '>', '>>', '>>>'].includes(sign) ? 'either' : 'regex');
      }
    }
  }
  return open.length === 0 ? tokens : undefined;
}

function afterWord(name: string, before: Token | undefined, slash: Slash, newline: boolean): Slash {
  if (before?.text === '.' || before?.text === '?.') return 'division';
  if (beforeOperand.has(name)) return 'regex';
  if (!eitherWord.has(name) || before === undefined || !endsOperand(before)) return 'division';
  return newline || (before.kind === 'mark' && slash === 'regex') ? 'either' : 'regex';
}

function opensCondition(tokens: readonly Token[]): boolean {
  const [before, last] = tokens.slice(-2).map((token) => token.text);
  const name = last ?? before ?? '';
  if (last !== undefined && before === '.') return false;
  return ['if', 'while', 'for', 'with'].includes(name) || (name === 'await' && before === 'for');
}

/** Drops what type stripping erases as a whole: `import type`, `interface`, `type X = …`, `type` names in import lists. */
function withoutTypes(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  for (let at = 0; at < tokens.length; ) {
    const start = kept.length === 0 || [';', '}'].includes(kept.at(-1)!.text);
    const end = start ? typesEnd(tokens, at) : at;
    if (end > at) {
      at = end;
      continue;
    }
    const token = tokens[at]!;
    kept.push(token);
    at++;
    if (!start || (token.text !== 'import' && token.text !== 'export')) continue;
    if (token.text === 'import' && isMark(tokens[at], '(', '.')) continue;
    if (token.text === 'export' && !isMark(tokens[at], '{', '*')) continue;
    // The clause of an import or export, up to its semicolon.
    for (; at < tokens.length && !isMark(tokens[at], ';'); ) {
      const next = tokens[at + 1];
      if (
        isMark(tokens[at - 1], '{', ',') &&
        tokens[at]!.text === 'type' &&
        next?.kind === 'word' &&
        next.text !== 'as'
      ) {
        while (at < tokens.length && !isMark(tokens[at], ',', '}')) at++;
        if (isMark(tokens[at], ',')) at++;
      } else kept.push(tokens[at++]!);
    }
  }
  return kept;
}

/** Index after a type-only statement that begins at `at`; `at` if there is none. */
function typesEnd(tokens: readonly Token[], at: number): number {
  const text = (offset: number): string => tokens[at + offset]?.text ?? '';
  if (text(0) === 'import' && text(1) === 'type' && (isMark(tokens[at + 2], '{', '*') || text(3) === 'from'))
    return statementEnd(tokens, at + 2, at);
  if (text(0) === 'export' && text(1) === 'type' && isMark(tokens[at + 2], '{', '*'))
    return statementEnd(tokens, at + 2, at);
  const declared = text(0) === 'export' ? 1 : 0;
  const named = tokens[at + declared + 1]?.kind === 'word' && !tokens[at + declared + 1]!.newline;
  if (!named) return at;
  const after = at + declared + 2;
  if (text(declared) === 'type' && isMark(tokens[after], '=', '<')) return statementEnd(tokens, after, at);
  if (text(declared) !== 'interface') return at;
  for (let each = after; each < tokens.length; each++) {
    if (isMark(tokens[each], ';')) return at;
    if (isMark(tokens[each], '{')) return closing(tokens, each) + 1;
  }
  return at;
}

/** Index after a statement's semicolon. Returns `otherwise` if the semicolon may be missing, so that code is never mistaken for a type and dropped. */
function statementEnd(tokens: readonly Token[], from: number, otherwise: number): number {
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (isMark(token, ';')) return at + 1;
    if (at > from && token.newline && endsOperand(tokens[at - 1]!) && startsOperand(token)) return otherwise;
    if (isMark(token, '(', '[', '{')) at = closing(tokens, at);
    else if (isMark(token, ')', ']', '}')) return otherwise;
  }
  return otherwise;
}

/** The bracket that closes the one at `from`; brackets are known to be balanced. */
function closing(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    if (isMark(tokens[at], '(', '[', '{')) depth++;
    else if (isMark(tokens[at], ')', ']', '}') && --depth === 0) return at;
  }
  return tokens.length;
}

function isMark(token: Token | undefined, ...texts: readonly string[]): boolean {
  return token?.kind === 'mark' && texts.includes(token.text);
}

const endings = new Set([')', ']', '}', '++', '--', '!', '>', '>>', '>>>']);
const starts = new Set(['(', '[', '{', '++', '--', '+', '-', '!', '~', '/', '/=', '<', '<<', '@', '*', '...']);

/** Whether a statement may end after this token. */
function endsOperand(token: Token): boolean {
  if (token.condition || (token.kind === 'word' && (token.text === 'else' || token.text === 'do'))) return false;
  return token.kind !== 'mark' || endings.has(token.text);
}

/** Whether a statement may begin with this token. */
function startsOperand(token: Token): boolean {
  return token.kind !== 'mark' || starts.has(token.text);
}

/**
 * The tokens as one text. A line break is kept where it may end a statement. A trailing comma in a list and the last semicolon
 * in a block are dropped, because formatters add and remove them with line breaks.
 */
function printed(tokens: readonly Token[]): string {
  const parts: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const [before, after] = [tokens[index - 1], tokens[index + 1]];
    if (isMark(token, ',') && isMark(after, ')', ']', '}') && !isMark(before, ',', '(', '[', '{')) continue;
    if (isMark(token, ';') && isMark(after, '}') && before !== undefined && endsOperand(before)) continue;
    if (token.newline && before !== undefined && endsOperand(before) && startsOperand(token)) parts.push('\n');
    parts.push(token.text);
  }
  return parts.join('\0');
}

function importsOf(tokens: readonly Token[]): Pick<SourceTokens, 'imports' | 'computed'> {
  const imports = new Set<string>();
  let computed = false;
  const stringAt = (at: number): string | undefined => {
    const token = tokens[at];
    // Module names contain no escapes; one that does is reported as computed.
    return token?.kind === 'string' && !token.text.includes('\\') ? token.text.slice(1, -1) : undefined;
  };
  const add = (at: number): void => {
    const name = stringAt(at);
    if (name === undefined) computed = true;
    else imports.add(name);
  };
  for (const [at, token] of tokens.entries()) {
    const next = tokens[at + 1];
    if (token.kind !== 'word' || isMark(tokens[at - 1], '.', '?.')) continue;
    if (token.text === 'import' && isMark(next, '(')) add(at + 2);
    else if (token.text === 'require' && isMark(next, '(')) add(at + 2);
    else if ((token.text === 'import' || token.text === 'from') && next?.kind === 'string') add(at + 1);
    if (!isMetaUrl(tokens, at)) continue;
    // new URL('…', import.meta.url)
    if (isMark(tokens[at - 1], ',') && isMark(tokens[at - 3], '(') && tokens[at - 4]?.text === 'URL') add(at - 2);
    // createRequire(import.meta.url)('…')
    if (isMark(tokens[at - 1], '(') && tokens[at - 2]?.text === 'createRequire' && isMark(tokens[at + 6], '('))
      add(at + 7);
  }
  return { imports: [...imports].sort(), computed };
}

function isMetaUrl(tokens: readonly Token[], at: number): boolean {
  return ['import', '.', 'meta', '.', 'url'].every((text, offset) => tokens[at + offset]?.text === text);
}
