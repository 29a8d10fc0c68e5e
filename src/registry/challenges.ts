/** One way in that a server offers: a scheme in lower case with its parameters. */
export interface Challenge {
  readonly scheme: string;
  /** By name in lower case. Of two with the same name the first counts, unless it is empty. */
  readonly parameters: ReadonlyMap<string, string>;
}

const space = /[ \t]*/y;
const between = /[ \t,]*/y;
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const equals = /[ \t]*=[ \t]*/y;
const quoted = /"((?:[^"\\]|\\.)*)"/y;
/** What some write where a quoted string would be needed, such as an address. */
const bare = /[^\s,"]*/y;
/** One value instead of parameters, as Negotiate has it: to the end of its list element. */
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

/**
 * The challenges in a WWW-Authenticate, in their order. Several headers are one, joined by commas, as `fetch` gives them. The
 * commas between challenges and those between a challenge's parameters are told apart as RFC 9110, 11.6.1 has it: a word that
 * `=` follows is a parameter. What is neither is passed over.
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
      // A quoted string that nobody closes goes to the end.
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
