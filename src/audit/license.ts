import { fixupSpdxId, isSupportedSpdxId } from '@cyclonedx/cyclonedx-library/SPDX';
import { sha256 } from '../base/digest.ts';

/** The licence of a header, in the form that both document formats need. */
export interface License {
  /** The header's text. */
  readonly text: string;
  /** A valid SPDX expression: every operand is a listed identifier or a `LicenseRef-`. */
  readonly expression: string;
  /** Whether `text` is a valid expression; if not, `expression` is one reference for the whole text. */
  readonly parsed: boolean;
  /** Each `LicenseRef-` of the expression with its text. */
  readonly references: ReadonlyMap<string, string>;
}

/**
 * The licence as an SPDX expression (SPDX 2.3, annex D). Listed identifiers keep the list's spelling; unlisted names become
 * references. Lower-case operators, as in older Fedora packages, count as operators.
 * @returns undefined if the header has none
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

/** Whether the text is a single identifier of the SPDX list. */
export function isListed(expression: string): boolean {
  return isSupportedSpdxId(expression);
}

type Refer = (words: string) => string;

/** @returns undefined for an invalid expression */
function parse(text: string, refer: Refer): string | undefined {
  const tokens = text.replaceAll(/[()]/g, ' $& ').trim().split(/\s+/);
  let at = 0;
  const operator = (): string | undefined => {
    const word = tokens[at];
    return word !== undefined && /^(?:and|or|with)$/i.test(word) ? word.toUpperCase() : undefined;
  };

  // A chain of AND and OR stays flat, as written: AND binds tighter in the output, too.
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

/** An identifier of the list, optionally with a `+` for "or later". */
function listedLicense(word: string): string | undefined {
  const listed = listedId(word);
  if (listed !== undefined || !word.endsWith('+')) return listed;
  const base = listedId(word.slice(0, -1));
  return base === undefined ? undefined : `${base}+`;
}

function listedId(word: string): string | undefined {
  const id = fixupSpdxId(word);
  // The library looks identifiers up in a plain object, which also has `constructor`.
  return isSupportedSpdxId(id) ? id : undefined;
}

/** An existing reference stays. Other text is reduced to the allowed characters, with a digest of the whole. */
function referenceId(words: string): string {
  if (/^LicenseRef-[A-Za-z0-9.-]+$/.test(words)) return words;
  const plain = words.replaceAll(/[^A-Za-z0-9.-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return plain === words && plain.length <= 40
    ? `LicenseRef-${plain}`
    : `LicenseRef-${[plain.slice(0, 40), sha256(words).slice(0, 8)].filter((part) => part !== '').join('-')}`;
}
