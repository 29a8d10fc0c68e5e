import { fixupSpdxId, isSupportedSpdxId } from '@cyclonedx/cyclonedx-library/SPDX';
import { sha256 } from '../base/digest.ts';

/** What a header says of the licence, as both kinds of document need it. */
export interface License {
  /** The header's own words. */
  readonly text: string;
  /** A valid SPDX expression: every operand is a listed identifier or a `LicenseRef-`. */
  readonly expression: string;
  /** Whether `text` could be read as an expression; if not, `expression` is one reference that stands for all of it. */
  readonly parsed: boolean;
  /** Each `LicenseRef-` in the expression with the words it stands for. */
  readonly references: ReadonlyMap<string, string>;
}

/**
 * The licence as an SPDX expression (SPDX 2.3, annex D). Listed identifiers stay, in the list's own spelling; names that the
 * list does not have become references. Lower-case operators, which Fedora's older packages have, count as operators.
 * @returns undefined where the header says nothing
 */
export function licenseOf(text: string): License | undefined {
  const said = text.trim();
  if (said === '') return undefined;
  const references = new Map<string, string>();
  const refer = (words: string): string => {
    const id = referenceId(words);
    references.set(id, words);
    return id;
  };
  const expression = parse(said, refer);
  if (expression !== undefined) return { text: said, expression, parsed: true, references };
  references.clear();
  return { text: said, expression: refer(said), parsed: false, references };
}

/** Whether the text is one identifier of the SPDX list and nothing else. */
export function isListed(expression: string): boolean {
  return isSupportedSpdxId(expression);
}

type Refer = (words: string) => string;

/** @returns undefined where the text is no expression */
function parse(text: string, refer: Refer): string | undefined {
  const tokens = text.replaceAll(/[()]/g, ' $& ').trim().split(/\s+/);
  let at = 0;
  const operator = (): string | undefined => {
    const word = tokens[at];
    return word !== undefined && /^(?:and|or|with)$/i.test(word) ? word.toUpperCase() : undefined;
  };

  // A chain of AND and OR is kept flat as it was written: AND binds tighter, which the text goes on saying by itself.
  const chain = (): string | undefined => {
    const parts: string[] = [];
    for (;;) {
      const part = operand();
      if (part === undefined) return undefined;
      parts.push(part);
      const next = operator();
      if (next !== 'AND' && next !== 'OR') return parts.join(' ');
      parts.push(next);
      at++;
    }
  };

  const operand = (): string | undefined => {
    const word = tokens[at];
    if (word === undefined || word === ')' || operator() !== undefined) return undefined;
    at++;
    if (word === '(') {
      const inner = chain();
      if (inner === undefined || tokens[at] !== ')') return undefined;
      at++;
      return `(${inner})`;
    }
    if (operator() !== 'WITH') return listedLicense(word) ?? refer(word);
    at++;
    const exception = tokens[at];
    if (exception === undefined || /^[()]$/.test(exception) || operator() !== undefined) return undefined;
    at++;
    const license = listedLicense(word);
    const listed = listedId(exception);
    if (license === undefined || listed === undefined) return refer(`${word} WITH ${exception}`);
    return `${license} WITH ${listed}`;
  };

  const expression = chain();
  return at === tokens.length ? expression : undefined;
}

/** An identifier of the list, perhaps with the `+` that means "or later". */
function listedLicense(word: string): string | undefined {
  const listed = listedId(word);
  if (listed !== undefined || !word.endsWith('+')) return listed;
  const base = listedId(word.slice(0, -1));
  return base === undefined ? undefined : `${base}+`;
}

function listedId(word: string): string | undefined {
  const id = fixupSpdxId(word);
  // The library looks it up in a plain object, which also knows `constructor`.
  return isSupportedSpdxId(id) ? id : undefined;
}

/** Words that were a reference before stay one; others get the part that may stand in one, and a digest of the whole. */
function referenceId(words: string): string {
  if (/^LicenseRef-[A-Za-z0-9.-]+$/.test(words)) return words;
  const plain = words.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return plain === words && plain.length <= 40
    ? `LicenseRef-${plain}`
    : `LicenseRef-${[plain.slice(0, 40), sha256(words).slice(0, 8)].filter((part) => part !== '').join('-')}`;
}
