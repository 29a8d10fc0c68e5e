import { relative, sep } from 'node:path';
import type { ImageSetup, SetupFile, SetupUser, WeirImage } from '../project/model/image.ts';
import { keyText, quotedText } from '../project/toml.ts';
import type { KiwiAsWeir } from './weir-image.ts';

/**
 * An image of Weir's as TOML: `[images.NAME]` with its definition. Loaded from a file in `dir`, it gives the same definition.
 * @param dir folder that paths are relative to
 * @param comments lines above it
 */
export function printImage(
  name: string,
  { definition, differences }: KiwiAsWeir,
  dir: string,
  comments: readonly string[],
): string {
  const table = `images.${keyText(name)}.definition`;
  const lines = [...comments, ...differences.map((each) => `Differs from KIWI's: ${each}.`)].map(commentOf);
  lines.push(...(lines.length === 0 ? [] : ['']), `[${table}]`, ...settings(common(definition)));
  const tables: [string, Readonly<Record<string, unknown>>][] = [];
  if (definition.kind === 'disk') {
    const { size, espSize, rootFs, rootLabel, bootTimeout, espMount, ownBootLoader } = definition.disk;
    tables.push([
      'disk',
      {
        size: bytes(size),
        'esp-size': bytes(espSize),
        'root-fs': rootFs,
        'root-label': rootLabel,
        'boot-timeout': bootTimeout,
        'boot-loader': ownBootLoader === true ? 'image' : undefined,
        'esp-mount': espMount,
      },
    ]);
    tables.push(['kernel', { 'command-line': definition.kernel.commandLine }]);
  }
  if (definition.kind === 'container') tables.push(['container', { ...definition.container }]);
  if (definition.setup !== undefined) {
    tables.push(['setup', setupTable(definition.setup, dir)]);
    tables.push(['setup.environment', definition.setup.environment]);
  }
  for (const [key, values] of tables) {
    const written = settings(values);
    if (written.length > 0) lines.push('', `[${table}.${key}]`, ...written);
  }
  return `${lines.join('\n')}\n`;
}

/** A comment is one line, and TOML has no control characters in it. */
function commentOf(text: string): string {
  return `# ${text.replace(/\p{Cc}/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}`;
}

function common(definition: WeirImage): Record<string, unknown> {
  const { maxSize } = definition;
  return {
    type: definition.type,
    kind: definition.kind,
    format: definition.formats,
    packages: definition.packages,
    'exclude-packages': definition.excludePackages,
    'weak-dependencies': definition.weakDependencies,
    selinux: definition.kind === 'disk' ? definition.selinux : undefined,
    'max-size': maxSize === undefined ? undefined : bytes(maxSize),
  };
}

function setupTable(setup: ImageSetup, dir: string): Record<string, unknown> {
  const path = (file: string): string => relative(dir, file).split(sep).join('/');
  const file = ({ from, content, to, mode }: SetupFile): Record<string, unknown> => ({
    from: from === undefined ? undefined : path(from),
    to,
    mode: mode === undefined ? undefined : mode.toString(8).padStart(4, '0'),
    content,
  });
  const user = ({ name, id, passwordHash, fullName, home, shell, groups }: SetupUser): Record<string, unknown> => ({
    ...{ name, id, 'password-hash': passwordHash, 'full-name': fullName, home, shell, groups },
  });
  return {
    locale: setup.locale,
    keymap: setup.keymap,
    timezone: setup.timezone,
    'exclude-docs': setup.excludeDocs ? true : undefined,
    languages: setup.languages,
    overlays: setup.overlays.map(({ from }) => path(from)),
    files: setup.files.map(file),
    users: setup.users.map(user),
    scripts: setup.scripts.map(({ path: to, optional, remove }) => ({
      path: to,
      optional: optional ? true : undefined,
      remove: remove ? true : undefined,
    })),
    temporary: setup.temporary,
  };
}

/** A size in the largest unit that gives a whole number. */
function bytes(size: number): string {
  for (const [unit, length] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
  ] as const) {
    if (size % length === 0) return `${size / length}${unit}`;
  }
  return `${size / 2 ** 10}KiB`;
}

/** `key = value` for each value that says something. */
function settings(table: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(table)
    .filter(([, value]) => value !== undefined && !isEmpty(value))
    .map(([key, value]) => `${keyText(key)} = ${valueText(value, '')}`);
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

const widest = 140;

function valueText(value: unknown, indent: string): string {
  if (typeof value === 'string') return textOf(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (!Array.isArray(value)) {
    const pairs = Object.entries(value).filter(([, inner]) => inner !== undefined && !isEmpty(inner));
    return `{ ${pairs.map(([key, inner]) => `${keyText(key)} = ${valueText(inner, indent)}`).join(', ')} }`;
  }
  const items = value.map((item) => valueText(item, `${indent}  `));
  const inline = `[${items.join(', ')}]`;
  if (inline.length <= widest - 20 && !inline.includes('\n')) return inline;
  const isSimple = value.every((item) => typeof item === 'string' && !item.includes('\n'));
  const rows = isSimple ? filled(items) : items;
  return `[\n${rows.map((row) => `${indent}  ${row},\n`).join('')}${indent}]`;
}

/** Items in rows that are not too wide. */
function filled(items: readonly string[]): string[] {
  const rows: string[] = [];
  for (const item of items) {
    const last = rows.at(-1);
    if (last !== undefined && last.length + item.length < widest - 10) rows[rows.length - 1] = `${last}, ${item}`;
    else rows.push(item);
  }
  return rows;
}

/** A text of several lines in triple quotes, so that it can be read. */
function textOf(text: string): string {
  if (!text.includes('\n')) return quotedText(text);
  if (!/'''|'$|[^\P{Cc}\t\n]|\p{Cs}/u.test(text)) return `'''\n${text}'''`;
  const lines = text.split('\n').map((line) => quotedText(line).slice(1, -1));
  return `"""\n${lines.join('\n')}"""`;
}
