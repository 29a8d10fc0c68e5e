import { codeSpan, htmlText } from '../base/markdown.ts';
import { plural } from '../base/plural.ts';
import type { ComponentStatus } from './status-model.ts';
import type { LeftComponent, UpstreamUpdate } from './update.ts';
import { betweenLines, changeWords, commitWords, findingWords } from './words.ts';

/** GitHub rejects the text of a pull request above 65,536 characters; some room is left for the author's words. */
const mostCharacters = 60_000;

/** An update as the Markdown text of a pull request: the most important first, cut where it would get too long. */
export function updateMarkdown(update: UpstreamUpdate, limit = mostCharacters): string {
  const { moved, left, failed, warnings, current, skipped, to } = update;
  const page = new Page(limit);
  page.add('# Update from upstream', '');
  const until = to === undefined ? '' : ` (state of ${to})`;
  const others = [`${current} are current`, ...(skipped === 0 ? [] : [`${skipped} have no upstream`])].join(', ');
  const news = left.length - failed;
  const stay = news === 0 ? '' : `${plural(news, 'component')} with news could not be moved. `;
  const unread = failed === 0 ? '' : `${plural(failed, 'component')} could not be compared with upstream. `;
  page.add(
    `${plural(moved.length, 'component')} moved to newer commits of upstream${until}. ${stay}${unread}${others}.`,
    '',
  );
  for (const warning of warnings) page.add(`> ${codeSpan(warning)}`, '');
  page.rows('## CVE numbers', ['CVE', 'Component', 'Named by'], cveRows(moved));
  page.rows(
    '## Left as they were',
    ['Component', 'Reason'],
    left.map((one) => [codeSpan(one.component, true), codeSpan(reasonWords(one), true)]),
  );
  page.list(
    '## Overlays to look at',
    moved.flatMap(({ component, overlays }) =>
      overlays.map((finding) => `- ${codeSpan(component)}: ${codeSpan(findingWords(finding))}`),
    ),
  );
  page.rows('## Moved', ['Component', 'Version', 'Commits', 'CVE'], moved.map(movedRow));
  page.list('## Details', moved.map(details));
  return page.text();
}

/** With the overlay that is the reason, but without files of this machine. */
function reasonWords({ component, reason, error, status }: LeftComponent): string {
  const overlay = error?.where?.overlay === undefined ? '' : `overlay ${error.where.overlay}: `;
  const words = overlay + [reason, ...(error?.details ?? [])].join('; ');
  const { upstream } = status;
  const local = upstream === undefined || upstream.includes('://') ? undefined : upstream;
  return (local === undefined ? words : words.replaceAll(local, `the dist-git of ${component}`)).slice(0, 400);
}

function cveRows(moved: readonly ComponentStatus[]): string[][] {
  return moved.flatMap(({ component, between }) =>
    (between?.cves ?? []).map(({ id, in: places }) => [id, codeSpan(component, true), places.join(', ')]),
  );
}

function movedRow({ component, between }: ComponentStatus): string[] {
  const version = between?.spec?.version;
  return [
    codeSpan(component, true),
    version === undefined ? '' : codeSpan(changeWords(version), true),
    String(between?.commits.length ?? 0),
    String(between?.cves.length || ''),
  ];
}

/** One component, folded. */
function details({ component, upstream, pinned, newest, between }: ComponentStatus): string {
  const version = between?.spec?.version;
  const commits = between?.commits ?? [];
  const words = [...(version === undefined ? [] : [changeWords(version)]), plural(commits.length, 'commit')].join(', ');
  const lines =
    between === undefined
      ? []
      : betweenLines(between).map(({ label, text }) => `- ${label}: ${codeSpan(text.slice(0, mostInLine))}`);
  // A folder of this machine means nothing to the reader.
  const source = upstream === undefined || !upstream.includes('://') ? '' : `${codeSpan(upstream)}: `;
  return [
    `<details><summary>${htmlText(component)}: ${htmlText(words)}</summary>`,
    '',
    `${source}${codeSpan(pinned?.commit ?? '')} → ${codeSpan(newest?.commit ?? '')}`,
    '',
    ...lines.slice(0, mostLines),
    ...(lines.length > mostLines ? [`- ${plural(lines.length - mostLines, 'more change')}`] : []),
    ...commits.slice(0, mostCommits).map((commit) => `- ${codeSpan(commitWords(commit).slice(0, mostInLine))}`),
    ...(commits.length > mostCommits ? [`- ${plural(commits.length - mostCommits, 'earlier commit')}`] : []),
    '',
    '</details>',
  ].join('\n');
}

const mostCommits = 30;
const mostLines = 60;
/** Characters of a value: one macro may be a whole program. */
const mostInLine = 300;

/** Lines up to a number of characters. */
class Page {
  readonly #lines: string[] = [];
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  add(...lines: readonly string[]): void {
    this.#lines.push(...lines);
    this.#left -= sizeOf(lines);
  }

  /** A section with a table; nothing without rows. */
  rows(heading: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    this.#section([heading, '', line(columns), line(columns.map(() => '---'))], rows.map(line));
  }

  /** A section with items; nothing without any. */
  list(heading: string, items: readonly string[]): void {
    this.#section([heading, ''], items);
  }

  #section(head: readonly string[], items: readonly string[]): void {
    if (items.length === 0) return;
    const rest = (count: number): string => `${count} more: see the JSON output of the command.`;
    const room = this.#left - sizeOf(head) - rest(items.length).length - 3;
    let used = 0;
    // One that is too large hides none of the others.
    const shown = items.filter((item) => {
      if (used + item.length + 1 > room) return false;
      used += item.length + 1;
      return true;
    });
    if (shown.length === 0) {
      // Without room for a heading and one item, a word about them is enough.
      if (this.#left > 200) this.add(`${head[0]!.replace(/^#+ /, '')}: ${rest(items.length)}`, '');
      return;
    }
    this.add(...head, ...shown, '');
    if (shown.length < items.length) this.add(rest(items.length - shown.length), '');
  }

  text(): string {
    return `${this.#lines.join('\n').trimEnd()}\n`;
  }
}

function sizeOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
