import { shownLine, shownText } from '../../base/foreign-text.ts';
import type { Description } from './feed-entry.ts';

/** Limits of what is taken from a feed into a record, in characters or elements. */
const longestTitle = 200;
const longestText = 4000;
const mostReferences = 20;

/** The first UTF-16 units of a text; a pair of surrogates is never cut. The rest is well-formed Unicode. */
function beginning(text: string, most: number): string {
  const whole = text.toWellFormed();
  return whole.slice(0, /[\ud800-\udbff]/.test(whole[most - 1] ?? '') ? most - 1 : most);
}

/** The beginning of a text from a feed, in one line as it may be shown; empty if it is blank. */
export function lineOf(text: string, most: number): string {
  return shownLine(beginning(text, most));
}

/**
 * The title and the description of a vulnerability, as a record can hold them. Blank ones count as missing: then the title is the
 * first sentence of the description, or else the name.
 */
export function textsOf(
  name: string,
  heading: string | undefined,
  details: string | undefined,
): Pick<Description, 'title' | 'description'> {
  const description = details === undefined ? '' : proseOf(details);
  const title = titleOf(heading ?? '') || firstSentence(details ?? '') || titleOf(name);
  return { title, ...(description === '' ? {} : { description }) };
}

function titleOf(text: string): string {
  const line = lineOf(text, 4 * longestTitle);
  if (line.length <= longestTitle) return line;
  const space = line.lastIndexOf(' ', longestTitle);
  return `${space > 0 ? line.slice(0, space).trimEnd() : beginning(line, longestTitle)} …`;
}

function firstSentence(text: string): string {
  const line = lineOf(text, 4 * longestTitle);
  const end = /[.!?](?= [A-Z])/.exec(line);
  return titleOf((end === null ? line : line.slice(0, end.index)).replace(/\.$/, ''));
}

function proseOf(text: string): string {
  const prose = shownText(beginning(text, longestText).replace(/\r\n?/g, '\n'));
  if (prose.trim() === '') return '';
  return text.length <= longestText ? prose : `${prose} …`;
}

/** Names of query parameters that a login or a signature has. */
const secretParameter =
  /(^|[^a-z])(key|sig|auth)($|[^a-z])|(api|access|private)[_-]?key|token|signature|passw(or)?d|secret|credential/i;

/** A web address without user, password and parameters of its query that look like keys: records are public. */
function publicAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const secrets = [...url.searchParams.keys()].filter((name) => secretParameter.test(name));
  if (url.username === '' && url.password === '' && secrets.length === 0) return text;
  url.username = '';
  url.password = '';
  for (const name of secrets) url.searchParams.delete(name);
  return url.href;
}

/** Web addresses without repetitions and secrets; others are left out. */
export function webAddresses(texts: Iterable<string>): string[] {
  const found = new Set<string>();
  for (const text of texts) {
    if (found.size >= mostReferences) break;
    if (!/^https?:\/\/[^\s"<>/\p{Cc}\p{Cs}][^\s"<>\p{Cc}\p{Cs}]{0,2000}$/u.test(text)) continue;
    const address = publicAddress(text);
    if (address !== undefined) found.add(address);
  }
  return [...found];
}
