import { shownLine } from './foreign-text.ts';

/** A text in one line, in which a table's column marks, HTML and escapes of Markdown mean nothing. */
export function tableCell(text: string): string {
  return shownLine(text).replace(/[|\\<]/g, '\\$&');
}

/**
 * A text as a code span in one line: foreign text in it is no markup, and names no people or issues.
 * @param inTable whether it stands in a table, where a column mark counts even in code
 */
export function codeSpan(text: string, inTable = false): string {
  const line = shownLine(text);
  if (line === '') return '';
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${inTable ? line.replaceAll('|', '\\|') : line}${pad}${fence}`;
}

/** A text inside an HTML element. */
export function htmlText(text: string): string {
  return shownLine(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
