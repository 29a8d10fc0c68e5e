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
      hint: whatIsMissing(regex),
      exit: 2,
      cause: error,
    });
  }
  return (text) => {
    const matcher = pattern.matcher(text);
    let result = '';
    let end = 0;
    while (matcher.find()) {
      const start = matcher.start();
      // As Go's regexp, which azldev uses: an empty match right behind another one is none.
      if (matcher.end() === start && start === end && start > 0) continue;
      result += text.slice(end, start) + replacement;
      end = matcher.end();
    }
    return end === 0 && result === '' ? text : result + text.slice(end);
  };
}

function whatIsMissing(regex: string): string {
  if (/\(\?<?[=!]/.test(regex))
    return 'RE2 has no look-around: match what is around too, and put it into the replacement';
  if (/\\[1-9]|\\k<|\(\?P=/.test(regex)) return 'RE2 has no back-references: write out what the group matches';
  if (/\(\?>|[*+?}]\+/.test(regex)) return 'RE2 has no atomic groups and no possessive quantifiers, and needs none';
  return 'the syntax is that of https://github.com/google/re2/wiki/Syntax';
}

/** The text of a pattern without its operators, to look for what the author may have meant. */
export function patternWords(regex: string): string {
  return regex
    .replace(/\\[pP]\{[^}]*\}|\\[pP].|\[\^?\]?[^\]]*\]|\(\?(?:P?<\w+>|[imsU-]*[:)])/g, ' ')
    .replace(/\\([dDsSwWbBAzntrfvQE])/g, ' ')
    .replace(/\\(.)/g, '$1')
    .replace(/[.^$*+?()|]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
