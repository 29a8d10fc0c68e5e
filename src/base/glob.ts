import { WeirError } from './errors.ts';

// The dialect of doublestar (https://github.com/bmatcuk/doublestar#patterns), which azldev uses: `*` and `?` match within one
// path component, `**` as a whole component matches any number of folders, `[a-z]` matches one character and `[!a-z]` or
// `[^a-z]` any other, `{a,b}` matches one of its alternatives, and a backslash escapes the next character. Names that begin
// with a dot are not special. A pattern without wildcards is the name of one file.

/** Whether a `/`-separated name matches. */
export type Matcher = (name: string) => boolean;

/**
 * Compiles a glob. Matching is linear in the length of the name for every pattern, because all states are tracked at once.
 * @throws WeirError `invalid-glob`
 */
export function compileGlob(glob: string): Matcher {
  const { start, rest } = splitGlob(glob);
  if (rest === undefined) return (name) => name === start;
  return matcherOf([...Array.from(start, literal), ...tokensOf(rest)]);
}

/** Compiles one component of a glob, without slashes. Here a backslash always escapes the next character. */
export function compilePart(part: string): Matcher {
  return matcherOf(tokensOf(part));
}

function matcherOf(tokens: readonly Token[]): Matcher {
  const start = literalStart(tokens);
  const machine = build(tokens);
  return (name) => name.startsWith(start) && run(machine, name);
}

/** A glob, split before the first path component with a wildcard. */
export interface SplitGlob {
  /** A literal name; it ends in a slash if there is a rest. */
  readonly start: string;
  /** Undefined if the pattern has no wildcards and thus names one file. */
  readonly rest: string | undefined;
}

/**
 * Splits a glob before its first wildcard. In the literal start a backslash escapes a wildcard or a bracket; any other backslash
 * is part of the name, as in the names of systemd units (`x\x2dy.mount`).
 * @throws WeirError `invalid-glob`
 */
export function splitGlob(glob: string): SplitGlob {
  tokensOf(glob);
  const wildcard = /^(?:[^\\*?[{]|\\.)*/su.exec(glob)![0].length;
  const from = wildcard === glob.length ? glob.length : glob.lastIndexOf('/', wildcard) + 1;
  const start = glob.slice(0, from).replace(/\\([*?[\]{}])/g, '$1');
  return { start, rest: from === glob.length ? undefined : glob.slice(from) };
}

/** Why a glob is invalid; undefined if it is valid. */
export function globError(glob: string): string | undefined {
  try {
    tokensOf(glob);
    return undefined;
  } catch (error) {
    if (error instanceof WeirError) return error.message;
    throw error;
  }
}

function invalid(glob: string, what: string): WeirError {
  return new WeirError('invalid-glob', `invalid glob "${glob}": ${what}`, {
    hint: 'escape a literal bracket with a backslash',
    exit: 2,
  });
}

/** Limits: the longest possible path, and a nesting of braces beyond any real use. */
const mostChars = 4096;
const mostDepth = 100;

type Range = readonly [from: number, to: number];

type Token =
  | { readonly kind: 'char'; readonly code: number }
  | { readonly kind: 'any' }
  | { readonly kind: 'class'; readonly not: boolean; readonly ranges: readonly Range[] }
  /** `stars` is exactly `**`; three or more stars mean the same as one. */
  | { readonly kind: 'star' | 'stars' }
  | { readonly kind: 'braces'; readonly alternatives: readonly (readonly Token[])[] };

function tokensOf(glob: string): Token[] {
  const chars = Array.from(glob, (char) => char.codePointAt(0)!);
  const code = (char: string): number => char.charCodeAt(0);
  if (chars.length > mostChars) throw invalid(`${glob.slice(0, 60)}…`, `more than ${mostChars} characters`);
  const [backslash, open, close, opening, closing, comma] = [...'\\[]{},'].map(code);
  let at = 0;

  const charClass = (): Token => {
    at++;
    const not = chars[at] === code('!') || chars[at] === code('^');
    if (not) at++;
    if (chars[at] === close) throw invalid(glob, '[] is empty');
    const one = (): number => {
      if (chars[at] === backslash) at++;
      const found = chars[at++];
      if (found === undefined) throw invalid(glob, 'unclosed "["');
      return found;
    };
    const ranges: Range[] = [];
    while (chars[at] !== close) {
      const from = one();
      const isRange = chars[at] === code('-') && at + 1 < chars.length && chars[at + 1] !== close;
      if (isRange) at++;
      const to = isRange ? one() : from;
      if (to < from) throw invalid(glob, 'a range in [ ] is in the wrong order');
      ranges.push([from, to]);
    }
    at++;
    return { kind: 'class', not, ranges };
  };

  const outer: { readonly alternatives: Token[][]; readonly before: Token[] }[] = [];
  let tokens: Token[] = [];
  while (at < chars.length) {
    const char = chars[at]!;
    if (char === backslash) {
      const next = chars[at + 1];
      if (next === undefined) throw invalid(glob, 'trailing backslash');
      tokens.push({ kind: 'char', code: next });
      at += 2;
    } else if (char === code('*')) {
      let count = 0;
      for (; chars[at] === code('*'); at++) count++;
      tokens.push({ kind: count === 2 ? 'stars' : 'star' });
    } else if (char === open) {
      tokens.push(charClass());
    } else if (char === opening) {
      outer.push({ alternatives: [], before: tokens });
      if (outer.length > mostDepth) throw invalid(glob, `braces are nested more than ${mostDepth} deep`);
      tokens = [];
      at++;
    } else if (char === closing) {
      const braces = outer.pop();
      if (braces === undefined) throw invalid(glob, 'unmatched "}"');
      tokens = [...braces.before, { kind: 'braces', alternatives: [...braces.alternatives, tokens] }];
      at++;
    } else if (char === comma && outer.length > 0) {
      outer.at(-1)!.alternatives.push(tokens);
      tokens = [];
      at++;
    } else {
      tokens.push(char === code('?') ? { kind: 'any' } : { kind: 'char', code: char });
      at++;
    }
  }
  if (outer.length > 0) throw invalid(glob, 'unclosed "{"');
  return tokens;
}

function literal(char: string): Token {
  return { kind: 'char', code: char.codePointAt(0)! };
}

/** The literal prefix of every match. */
function literalStart(tokens: readonly Token[]): string {
  let start = '';
  for (const token of tokens) {
    if (token.kind !== 'char') break;
    start += String.fromCodePoint(token.code);
  }
  // `a/**` matches `a` too.
  return start.replace(/\/$/, '');
}

const slash = 0x2f;

/**
 * A state of the machine; `next` are its successors.
 * For `stars` the successors are resolved in advance: `ends` if the pattern can end there, `folders` for a slash that can come
 * next, `others` for anything else.
 */
interface State {
  readonly id: number;
  readonly kind: 'char' | 'any' | 'class' | 'star' | 'stars' | 'rest' | 'folders' | 'end';
  readonly code: number;
  readonly not: boolean;
  readonly ranges: readonly Range[];
  readonly next: readonly State[];
  readonly ends: boolean;
  /** Any number of folders, then the successors of the slash. */
  readonly folders: State | undefined;
  readonly others: State | undefined;
  /** Any text up to the end. */
  readonly rest: State | undefined;
}

interface Machine {
  readonly start: readonly State[];
  readonly size: number;
}

function build(tokens: readonly Token[]): Machine {
  let size = 0;
  const made = (kind: State['kind'], next: readonly State[], more: Partial<State> = {}): State => ({
    id: size++,
    kind,
    code: -1,
    not: false,
    ranges: [],
    next,
    ends: false,
    folders: undefined,
    others: undefined,
    rest: undefined,
    ...more,
  });
  const end = made('end', []);

  /** The state for a token, given the states that follow it. */
  const stateOf = (token: Exclude<Token, { kind: 'braces' }>, next: readonly State[]): State => {
    if (token.kind === 'char') {
      // A trailing `/**` also matches nothing.
      const ends = token.code === slash && next.some((one) => one.kind === 'stars' && one.ends);
      return made('char', next, { code: token.code, ends });
    }
    if (token.kind === 'class') return made('class', next, { not: token.not, ranges: token.ranges });
    if (token.kind !== 'stars') return made(token.kind, next);
    const ends = next.includes(end);
    const behind = next.filter((one) => one.code === slash).flatMap((one) => one.next);
    const others = next.filter((one) => one.code !== slash && one !== end);
    return made('stars', next, {
      ends,
      rest: ends ? made('rest', []) : undefined,
      folders: behind.length > 0 ? made('folders', unique(behind)) : undefined,
      others: others.length > 0 ? made('star', others) : undefined,
    });
  };

  const sequence = (all: readonly Token[], after: readonly State[]): readonly State[] => {
    let next = after;
    for (const token of all.toReversed()) {
      next =
        token.kind === 'braces'
          ? unique(token.alternatives.flatMap((one) => sequence(one, next)))
          : [stateOf(token, next)];
    }
    return next;
  };
  return { start: sequence(tokens, [end]), size };
}

function unique(states: readonly State[]): readonly State[] {
  return [...new Set(states)];
}

function run({ start, size }: Machine, name: string): boolean {
  // A state can be entered in two ways: right after a slash or the start of the pattern, or otherwise.
  const entered = new Int32Array(2 * size).fill(-1);
  let current: State[] = [];
  let following: State[] = [];
  let accepts = false;

  const enter = (state: State, atStart: boolean, round: number, into: State[]): void => {
    const key = 2 * state.id + (atStart ? 1 : 0);
    if (entered[key] === round) return;
    entered[key] = round;
    if (state.kind === 'end') {
      accepts = true;
    } else if (state.kind === 'stars' && atStart) {
      for (const one of [state.rest, state.folders, state.others]) if (one !== undefined) enter(one, true, round, into);
    } else {
      into.push(state);
      if (state.kind === 'rest' || state.ends) accepts = true;
      if (state.kind === 'folders') for (const one of state.next) enter(one, true, round, into);
      else if (state.kind === 'star' || state.kind === 'stars') {
        for (const one of state.next) enter(one, false, round, into);
      }
    }
  };

  for (const state of start) enter(state, true, 0, current);
  let round = 0;
  for (const char of name) {
    const code = char.codePointAt(0)!;
    round++;
    accepts = false;
    following.length = 0;
    for (const state of current) {
      switch (state.kind) {
        case 'char':
          if (code === state.code) for (const one of state.next) enter(one, code === slash, round, following);
          break;
        case 'any':
          if (code !== slash) for (const one of state.next) enter(one, false, round, following);
          break;
        case 'class':
          if (code !== slash && state.ranges.some(([from, to]) => from <= code && code <= to) !== state.not) {
            for (const one of state.next) enter(one, false, round, following);
          }
          break;
        case 'star':
        case 'stars':
          if (code !== slash) enter(state, false, round, following);
          break;
        case 'rest':
          enter(state, false, round, following);
          break;
        case 'folders':
          stay(state, entered, round, following);
          if (code === slash) for (const one of state.next) enter(one, true, round, following);
          break;
      }
    }
    if (following.length === 0 && !accepts) return false;
    [current, following] = [following, current];
  }
  return accepts;
}

/** Stays in the middle of a folder's name, where no successor can start. */
function stay(state: State, entered: Int32Array, round: number, into: State[]): void {
  const key = 2 * state.id;
  if (entered[key] === round) return;
  entered[key] = round;
  into.push(state);
}

/** The glob that matches exactly this name, which may contain slashes. */
export function escapeGlob(name: string): string {
  return /[*?[\]{}]/.test(name) ? name.replace(/[*?[\]{}\\]/g, '\\$&') : name;
}
