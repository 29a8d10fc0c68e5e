import { argumentWords } from './header.ts';

/** A call of a parametric macro: its options with their arguments, and the other words. */
export interface Call {
  /** By letter; an option without argument has `''`. */
  readonly options: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

/** Values of macros by name. */
export interface MacroValues {
  get(name: string): string | undefined;
}

/** How much text the expansions of one spec may still produce, in characters: macros can multiply. */
export interface Budget {
  left: number;
}

/** Parses a call's words by the option letters of the definition, as getopt does: `n:c` is `-n WORD` and `-c`. */
export function parseCall(text: string, letters: string): Call {
  const options = new Map<string, string>();
  const words: string[] = [];
  const given = argumentWords(text).map((word) => /^%\{quote:(.*)\}$/s.exec(word)?.[1] ?? word);
  for (let index = 0; index < given.length; index++) {
    const word = given[index]!;
    if (letters === '-' || !/^-./.test(word) || word === '--') {
      if (word !== '--') words.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const place = letters.indexOf(letter);
      if (place < 0 || letters[place + 1] !== ':') {
        options.set(letter, '');
        continue;
      }
      options.set(letter, at + 1 < word.length ? word.slice(at + 1) : (given[++index] ?? ''));
      break;
    }
  }
  return { options, words };
}

/**
 * Expands what is known from the text: the parameters of a call, and macros with a plain value. All else stays.
 * This is not a macro expander, which is rpm's job; it is enough to find the packages that a macro of the spec is about.
 */
export function expandCall(
  text: string,
  call: Call | undefined,
  values: MacroValues,
  budget: Budget,
  depth = 8,
): string {
  let result = '';
  let index = 0;
  while (index < text.length) {
    const percent = text.indexOf('%', index);
    if (percent < 0 || depth === 0 || budget.left <= 0) break;
    result += text.slice(index, percent);
    if (text[percent + 1] === '%') {
      result += '%';
      index = percent + 2;
      continue;
    }
    let inner: string;
    if (text[percent + 1] === '{') {
      const close = closingBrace(text, percent + 1);
      if (close < 0) {
        index = percent;
        break;
      }
      inner = text.slice(percent + 2, close);
      index = close + 1;
    } else {
      inner = /^(?:\d|\*\*?|#|[?!]*[A-Za-z_]\w*)/.exec(text.slice(percent + 1, percent + 100))?.[0] ?? '';
      index = percent + 1 + inner.length;
      if (inner === '') result += '%';
    }
    const value = inner === '' ? '' : expandOne(inner, call, values, budget, depth - 1);
    result += value ?? text.slice(percent, index);
  }
  result += text.slice(index);
  budget.left -= result.length;
  return result;
}

const innerPattern = /^([?!]*)(-[A-Za-z]|\d+|\*\*?|#|[A-Za-z_]\w*)(\*?)(?:(:)(.*))?$/s;

/** The value of the text between `%{` and `}`; undefined if unknown. */
function expandOne(
  inner: string,
  call: Call | undefined,
  values: MacroValues,
  budget: Budget,
  depth: number,
): string | undefined {
  const match = innerPattern.exec(inner);
  if (match === null) return undefined;
  const [, marks, name, star, colon, body] = match;
  const expand = (part: string): string => expandCall(part, call, values, budget, depth);
  if (marks === '' && colon !== undefined) {
    if (name === 'expand') return expandCall(expand(body!), call, values, budget, depth);
    // It stays: the words of a call are split after the expansion.
    if (name === 'quote') return `%{quote:${expand(body!)}}`;
  }
  if (name === 'nil') return '';
  const parameter = /^[-\d*#]/.test(name!);
  if (parameter && call === undefined) return undefined;
  const value = parameter ? parameterValue(name!, star === '*', call!) : values.get(name!);
  // A macro that the spec does not define may be a system macro.
  if (value === undefined && !parameter) return undefined;
  const wanted = (marks!.split('!').length - 1) % 2 === 0;
  if (colon !== undefined) return (value !== undefined) === wanted ? expand(body!) : '';
  if (value === undefined || !wanted) return '';
  return parameter ? value : expand(value);
}

function parameterValue(name: string, star: boolean, call: Call): string | undefined {
  if (name.startsWith('-')) {
    const value = call.options.get(name[1]!);
    return value === undefined || star ? value : `${name} ${value}`.trim();
  }
  if (name === '#') return String(call.words.length);
  if (name.startsWith('*')) return call.words.join(' ');
  return name === '0' ? '' : call.words[Number(name) - 1];
}

/** Index of the brace that closes the one at `open`; -1 if there is none. */
export function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    if (text[index] === '{') depth++;
    else if (text[index] === '}' && --depth === 0) return index;
  }
  return -1;
}
