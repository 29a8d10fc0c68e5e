import { RE2JS } from 're2js';
import { WeirError } from '../base/errors.ts';
import { asStored, decodeBytes, type Encoding } from '../spec/lines.ts';

/** A search and replace with an RE2 pattern and a literal replacement. */
export type Replacer = (text: string) => string;

/**
 * Compiles an RE2 pattern (https://github.com/google/re2/wiki/Syntax): linear time in the text, no lookaround and no
 * backreferences. `^` and `$` are the ends of the whole text without `(?m)`. `$1` in the replacement is plain text.
 * @param encoding of the texts: in one that is held byte by byte, UTF-8 sequences are characters, and any other byte is
 *   U+FFFD, as in Go's regexp
 * @throws WeirError `bad-regex`
 */
export function compileReplacer(regex: string, replacement: string, encoding: Encoding = 'utf-8'): Replacer {
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
  const replaced = asStored(replacement, encoding);
  return (text) => {
    const bytes = encoding === 'latin1' && /[\x80-\xff]/.test(text) ? decodeBytes(text) : undefined;
    const matcher = pattern.matcher(bytes?.text ?? text);
    const at = (index: number): number => bytes?.at[index] ?? index;
    let result = '';
    let end = 0;
    let taken = 0;
    while (matcher.find()) {
      const start = matcher.start();
      // As in Go's regexp, which azldev uses: an empty match directly after another match does not count.
      if (matcher.end() === start && start === end && start > 0) continue;
      result += text.slice(taken, at(start)) + replaced;
      end = matcher.end();
      taken = at(end);
    }
    return end === 0 && result === '' ? text : result + text.slice(taken);
  };
}

function whatIsMissing(regex: string): string {
  if (/\(\?<?[=!]/.test(regex))
    return 'RE2 has no lookaround: match the text around too, and repeat it in the replacement';
  if (/\\[1-9]|\\k<|\(\?P=/.test(regex)) return 'RE2 has no backreferences: write out what the group matches';
  if (/\(\?>|[*+?}]\+/.test(regex)) return 'RE2 has no atomic groups and no possessive quantifiers: use plain ones';
  return 'see https://github.com/google/re2/wiki/Syntax';
}

/** A pattern's literal text, for finding similar lines. */
export function patternWords(regex: string): string {
  return regex
    .replace(/\\[pP]\{[^}]*\}|\\[pP].|\[\^?\]?[^\]]*\]|\(\?(?:P?<\w+>|[imsU-]*[:)])/g, ' ')
    .replace(/\\([dDsSwWbBAzntrfvQE])/g, ' ')
    .replace(/\\(.)/g, '$1')
    .replace(/[.^$*+?()|]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
