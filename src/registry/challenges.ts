/** One challenge of a server: a scheme in lower case with its parameters. */
export interface Challenge {
  readonly scheme: string;
  /** Keyed by name in lower case. Of duplicates the first non-empty value wins. */
  readonly parameters: ReadonlyMap<string, string>;
}

const space = /[ \t]*/y;
const between = /[ \t,]*/y;
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const equals = /[ \t]*=[ \t]*/y;
const quoted = /"((?:[^"\\]|\\.)*)"/y;
/** An unquoted value where the grammar requires a quoted string, such as a URL. Some servers send these. */
const bare = /[^\s,"]*/y;
/** A single value instead of parameters, as Negotiate sends it: runs to the end of its list element. */
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/**
 * Parses a WWW-Authenticate value into challenges, in order. `fetch` joins several headers with commas. RFC 9110, 11.6.1
 * tells the commas between challenges from those between parameters: a word followed by `=` is a parameter. Anything else
 * is skipped.
 */
export function parseChallenges(text: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    take(between);
    const word = take(token)?.[0].toLowerCase();
    if (word === undefined) {
      // An unterminated quoted string runs to the end.
      if (text[at] !== '"') at++;
      else if (take(quoted) === null) at = text.length;
      continue;
    }
    if (take(equals) !== null) {
      const value = take(quoted)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? take(bare)![0];
      const parameters = found.at(-1)?.parameters;
      if ((parameters?.get(word) ?? '') === '') parameters?.set(word, value);
      continue;
    }
    found.push({ scheme: word, parameters: new Map() });
    take(space);
    take(token68);
  }
  return found;
}
