import { WeirError } from '../base/errors.ts';

/** What the braces of a glob may multiply to. */
const mostAlternatives = 1000;

/**
 * Compiles a glob on names with `/` between their parts, as azldev's overlays have them: `*` and `?` stay within a part,
 * `**` as a whole part is any number of parts, `[a-z]` and `[!a-z]` (or `[^a-z]`) are one character, `{a,b}` is one of its
 * alternatives, and a backslash takes the next character as it is. Names that begin with a dot are like any other.
 * @throws WeirError `bad-glob` where a bracket is not closed
 */
export function compileGlob(glob: string): RegExp {
  const sources = alternatives(glob, glob).map((one) => translate(glob, one));
  return new RegExp(`^(?:${sources.join('|')})$`, 'su');
}

function bad(glob: string, what: string): WeirError {
  return new WeirError('bad-glob', `${JSON.stringify(glob)} is no glob: ${what}`, {
    hint: 'put a backslash before a bracket that is meant as itself',
    exit: 2,
  });
}

/** The globs without braces that one with braces stands for. */
function alternatives(text: string, glob: string): string[] {
  let starts = [''];
  let rest = text;
  for (;;) {
    const [before, inside, after] = firstBraces(rest, glob);
    if (inside === undefined) return starts.map((start) => start + before);
    const parts = inside.flatMap((part) => alternatives(part, glob));
    if (starts.length * parts.length > mostAlternatives) {
      throw bad(glob, `it has more than ${mostAlternatives} alternatives`);
    }
    starts = starts.flatMap((start) => parts.map((part) => start + before + part));
    rest = after;
  }
}

/** What stands before the first pair of braces, between its commas, and behind it. */
function firstBraces(text: string, glob: string): [before: string, inside: string[] | undefined, after: string] {
  let depth = 0;
  let open = 0;
  let from = 0;
  const inside: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') {
      at++;
    } else if (char === '[') {
      at = classEnd(text, at, glob);
    } else if (char === '{') {
      depth++;
      if (depth === 1) [open, from] = [at, at + 1];
    } else if (char === '}' && depth === 0) {
      throw bad(glob, 'a } closes nothing');
    } else if (depth === 1 && (char === ',' || char === '}')) {
      inside.push(text.slice(from, at));
      from = at + 1;
      if (char === '}') return [text.slice(0, open), inside, text.slice(at + 1)];
    } else if (char === '}') {
      depth--;
    }
  }
  if (depth > 0) throw bad(glob, 'a { is not closed');
  return [text, undefined, ''];
}

/** Where the `]` stands that closes the class opened at `open`. */
function classEnd(text: string, open: number, glob: string): number {
  let at = open + 1;
  if (text[at] === '!' || text[at] === '^') at++;
  for (let first = true; at < text.length; at++, first = false) {
    if (text[at] === '\\') at++;
    else if (text[at] === ']' && !first) return at;
  }
  throw bad(glob, 'a [ is not closed');
}

function translate(glob: string, part: string): string {
  let source = '';
  for (let at = 0; at < part.length; ) {
    const char = String.fromCodePoint(part.codePointAt(at)!);
    const stars = char === '*' ? /^\*+/.exec(part.slice(at))![0].length : 0;
    if (stars > 0) {
      const whole = stars === 2 && (at === 0 || part[at - 1] === '/');
      const next = part[at + stars];
      if (whole && next === '/') source += '(?:[^/]*/)*';
      else if (!whole || next !== undefined) source += '[^/]*';
      // A trailing ** is also no part at all, and then the slash before it is none.
      else source = at === 0 ? '.*' : `${source.slice(0, -1)}(?:/.*)?`;
      at += whole && next === '/' ? 3 : stars;
    } else if (char === '?') {
      source += '[^/]';
      at++;
    } else if (char === '[') {
      const end = classEnd(part, at, glob);
      source += characterClass(glob, part.slice(at + 1, end));
      at = end + 1;
    } else if (char === '\\') {
      if (at + 1 >= part.length) throw bad(glob, 'it ends with a backslash');
      const next = String.fromCodePoint(part.codePointAt(at + 1)!);
      source += literal(next);
      at += 1 + next.length;
    } else {
      source += literal(char);
      at += char.length;
    }
  }
  return source;
}

function literal(char: string): string {
  return /[\\^$.*+?()[\]{}|-]/.test(char) ? `\\u{${char.codePointAt(0)!.toString(16)}}` : char;
}

function characterClass(glob: string, inside: string): string {
  const not = /^[!^]/.test(inside);
  const chars = [...inside].slice(not ? 1 : 0);
  let source = '';
  for (let index = 0; index < chars.length; index++) {
    if (chars[index] === '-' && index > 0 && index < chars.length - 1) {
      source += '-';
      continue;
    }
    if (chars[index] === '\\') index++;
    source += `\\u{${chars[index]!.codePointAt(0)!.toString(16)}}`;
  }
  try {
    new RegExp(`[${source}]`, 'u');
  } catch {
    throw bad(glob, 'a range in [ ] is the wrong way round');
  }
  return not ? `[^/${source}]` : `(?!/)[${source}]`;
}
