// Changelog entries as rpmautospec makes them from commits (https://fedora-infra.github.io/rpmautospec-docs/), so that a
// spec with %autochangelog is rendered the same by everyone. Behaviour after rpmautospec 0.8.

/** One entry of `%changelog`. */
export interface ChangelogEntry {
  /** In seconds since 1970. */
  readonly time: number;
  /** `Name <address>`. */
  readonly author: string;
  /** `[epoch:]version[-release]`, if known. */
  readonly evr?: string;
  /** Without bullets and line breaks; percent signs are already doubled. */
  readonly items: readonly string[];
}

/** Escapes text that must not expand: percent signs are doubled. */
export function withoutMacros(text: string): string {
  return text.replaceAll('%', '%%');
}

const ellipsis = /^(?:\.{3,}|…+)\s*(.*)$/s;

/**
 * The changelog items of a commit message: its subject; lines that begin with an ellipsis continue the subject, a list of `-`
 * bullets gives further items, and any other text ends the list.
 */
export function changelogItems(message: string): string[] {
  const lines = message.split('\n').map((line) => withoutMacros(line).trim());
  let at = lines.findIndex((line) => line !== '');
  if (at < 0) return [''];
  const items: string[][] = [[]];
  // A skipped bullet also skips its continuation if it was the only item.
  lines[at] = lines[at]!.replace(/^-\s*/, '');
  for (; at < lines.length && lines[at] !== ''; at++) items[0]!.push(lines[at]!);
  while (at < lines.length && lines[at] === '') at++;
  const more = ellipsis.exec(lines[at] ?? '')?.[1];
  if (more !== undefined) {
    items[0]!.push(more);
    for (at++; at < lines.length && lines[at] !== '' && !lines[at]!.startsWith('-'); at++) items[0]!.push(lines[at]!);
  } else if (at < lines.length && !lines[at]!.startsWith('-')) {
    at = lines.length;
  }
  for (; at < lines.length && lines[at] !== ''; at++) {
    const line = lines[at]!;
    if (line.startsWith('-')) items.push([line.replace(/^-\s*/, '')]);
    else items.at(-1)!.push(line);
  }
  return items.map((words) => words.join(' '));
}

/** Directives to rpmautospec in a commit message, in lines such as `[skip changelog]` and `[bump release: 5]`. */
export interface MagicComments {
  readonly skipChangelog: boolean;
  /** The release number is at least this one. */
  readonly bumpRelease: number;
}

export function magicComments(message: string): MagicComments {
  let skipChangelog = false;
  let bumpRelease = 0;
  for (const line of message.split('\n')) {
    for (const part of /^\s*\[(.*)\]\s*$/.exec(line)?.[1]?.split(',') ?? []) {
      if (/^\s*skip\s+changelog\s*/.test(part)) skipChangelog = true;
      bumpRelease = Math.max(bumpRelease, Number(/^\s*bump\s+release\s*(?::\s*)?(\d+)/.exec(part)?.[1] ?? 0));
    }
  }
  return { skipChangelog, bumpRelease };
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The date of a changelog entry, in UTC. */
export function changelogDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  const day = String(date.getUTCDate()).padStart(2, '0');
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${date.getUTCFullYear()}`;
}

/** The day in an entry's header, in seconds since 1970; undefined if the line is not such a header. */
export function entryTime(header: string): number | undefined {
  const [, month, day, year] = /^\*\s+\w{3}\s+(\w{3})\s+(\d{1,2})\s+(\d{4})\b/.exec(header) ?? [];
  const index = months.indexOf(month ?? '');
  return index < 0 ? undefined : Date.UTC(Number(year), index, Number(day)) / 1000;
}

/** An entry as written in the spec, without a trailing line feed. */
export function formatEntry({ time, author, evr, items }: ChangelogEntry): string {
  const header = `* ${changelogDate(time)} ${author}${evr === undefined ? '' : ` - ${evr}`}`;
  return [header, ...items.flatMap((item) => wrap(`- ${item}`))].join('\n');
}

const width = 75;
const letter = '[\\p{L}\\p{M}_]';
const word = '[\\p{L}\\p{M}\\p{N}_]';
const punctuated = `(?:${word}|[!"'&.,?])`;
/** Places where a line may break: at blanks, after a hyphen in a word, around a dash of two or more hyphens. */
const pieces = new RegExp(
  `([\\t\\n\\v\\f\\r ]+|(?<=${punctuated})-{2,}(?=${word})|[^\\t\\n\\v\\f\\r ]+?(?:` +
    `-(?:(?<=${letter}{2}-)|(?<=${letter}-${letter}-))(?=${letter}-?${letter})` +
    `|(?=[\\t\\n\\v\\f\\r ]|$)` +
    `|(?<=${punctuated})(?=-{2,}${word})))`,
  'u',
);

/**
 * Wraps a text into lines of at most 75 characters, with all but the first indented by two blanks, like Python's textwrap,
 * which rpmautospec uses; a word longer than a line is cut.
 */
function wrap(text: string): string[] {
  const chunks = withoutTabs(text)
    .replace(/[\n\v\f\r]/g, ' ')
    .split(pieces)
    .filter((chunk) => chunk !== '')
    .map((chunk) => [...chunk])
    .reverse();
  const lines: string[] = [];
  while (chunks.length > 0) {
    const indent = lines.length === 0 ? '' : '  ';
    const room = width - indent.length;
    if (lines.length > 0 && isBlank(chunks.at(-1)!)) chunks.pop();
    const line: string[][] = [];
    let length = 0;
    while (chunks.length > 0 && length + chunks.at(-1)!.length <= room) {
      length += chunks.at(-1)!.length;
      line.push(chunks.pop()!);
    }
    const next = chunks.at(-1);
    if (next !== undefined && next.length > room) {
      const cut = cutAt(next, room - length);
      line.push(next.slice(0, cut));
      chunks[chunks.length - 1] = next.slice(cut);
    }
    if (line.length > 0 && isBlank(line.at(-1)!)) line.pop();
    if (line.length > 0) lines.push(indent + line.flat().join(''));
  }
  return lines;
}

/** Expands each tab to blanks up to the next multiple of eight columns. */
function withoutTabs(text: string): string {
  let column = 0;
  return [...text]
    .map((character) => {
      const made = character === '\t' ? ' '.repeat(8 - (column % 8)) : character;
      column += character === '\t' ? made.length : 1;
      return made;
    })
    .join('');
}

function isBlank(chunk: readonly string[]): boolean {
  return chunk.every((character) => character.trim() === '');
}

/** After the last hyphen that fits, if anything but hyphens precedes it; else at the end of the line. */
function cutAt(chunk: readonly string[], room: number): number {
  if (room < 1) return 0;
  const hyphen = chunk.slice(0, room).lastIndexOf('-');
  return hyphen > 0 && chunk.slice(0, hyphen).some((character) => character !== '-') ? hyphen + 1 : room;
}
