import { RE2JS } from 're2js';
import { WeirError } from '../base/errors.ts';

/** A search and replace with an RE2 pattern and a literal replacement. */
export type Replacer = (text: string) => string;

/**
 * Compiles an RE2 pattern (https://github.com/google/re2/wiki/Syntax): time linear in the text, no look-around and no
 * back-references. `^` and `$` are the ends of the whole text without `(?m)`. `$1` in the replacement is plain text.
 * @throws WeirError `bad-regex`
 */
export function compileReplacer(regex: string, replacement: string): Replacer {
  let pattern: ReturnType<typeof RE2JS.compile>;
  try {
    pattern = RE2JS.compile(regex);
  } catch (error) {
    throw new WeirError('bad-regex', `the regular expression ${JSON.stringify(regex)} is not valid RE2`, {
      details: error instanceof Error ? [error.message] : [],
      hint: 'RE2 has no look-around and no back-references',
      exit: 2,
      cause: error,
    });
  }
  const literal = RE2JS.quoteReplacement(replacement);
  return (text) => pattern.matcher(text).replaceAll(literal);
}

/** The text of a pattern without its operators, to look for what the author may have meant. */
export function patternWords(regex: string): string {
  return regex
    .replace(/\\[pP]\{[^}]*\}|\\[pP].|\[\^?\]?[^\]]*\]|\(\?[^)]*[:>)]/g, ' ')
    .replace(/\\([dDsSwWbBAzntrfvQE])/g, ' ')
    .replace(/\\(.)/g, '$1')
    .replace(/[.^$*+?()|]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
