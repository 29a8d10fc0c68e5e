import { relative } from 'node:path';
import { builtIn } from './defaults.ts';
import type { Scalar, Source, Traced, TracedTable, TracedValue } from './trace.ts';

export interface PrintOptions {
  /** Whether a comment names the source of each value. */
  readonly origins: boolean;
  /** The folder that file names are relative to. */
  readonly root: string;
}

/** Resolved tables as TOML. */
export function printTables(tables: TracedTable, options: PrintOptions, path: readonly string[] = []): string {
  const lines: string[] = [];
  writeTable(lines, path, tables, options);
  return lines.join('\n').replace(/^\n+/, '');
}

/** A value of any kind as TOML, under its key. */
export function printPart(path: readonly string[], value: Traced, options: PrintOptions): string {
  const ofTables = value.kind === 'list' && value.items.some((item) => item.kind === 'table');
  if (value.kind === 'table') return printTables(value, options, path);
  const lines: string[] = [];
  if (ofTables) writeList(lines, path, value.items as TracedTable[], options);
  else writeValue(lines, path.map(keyText).join('.'), value, options);
  return lines.join('\n').replace(/^\n+/, '');
}

function writeTable(lines: string[], path: readonly string[], of: TracedTable, options: PrintOptions): void {
  const entries = [...of.entries];
  const isTable = ([, value]: readonly [string, Traced]): boolean => value.kind === 'table';
  const isTables = ([, value]: readonly [string, Traced]): boolean =>
    value.kind === 'list' && value.items.length > 0 && value.items.every((item) => item.kind === 'table');
  const values = entries.filter((entry) => !isTable(entry) && !isTables(entry));
  if (path.length > 0 && (values.length > 0 || entries.length === 0))
    lines.push('', `[${path.map(keyText).join('.')}]`);
  for (const [key, value] of values) writeValue(lines, keyText(key), value, options);
  for (const [key, value] of entries.filter(isTable)) writeTable(lines, [...path, key], value as TracedTable, options);
  for (const [key, value] of entries.filter(isTables)) {
    if (value.kind === 'list') writeList(lines, [...path, key], value.items as TracedTable[], options);
  }
}

/** An array of tables; everything in it has one source, that of the table. */
function writeList(
  lines: string[],
  path: readonly string[],
  items: readonly TracedTable[],
  options: PrintOptions,
): void {
  for (const item of items) {
    lines.push('', `[[${path.map(keyText).join('.')}]]${options.origins ? comment(firstSource(item), options) : ''}`);
    for (const [key, value] of item.entries) writeValue(lines, keyText(key), value, { ...options, origins: false });
  }
}

function writeValue(lines: string[], key: string, value: Traced, options: PrintOptions): void {
  if (value.kind === 'list' && value.items.length > 0) {
    const one = `${key} = ${inline(value)}`;
    if (!options.origins && one.length <= 100) {
      lines.push(one);
      return;
    }
    lines.push(`${key} = [`);
    for (const item of value.items) lines.push(`  ${inline(item)},${options.origins ? said(item, options) : ''}`);
    lines.push(']');
    return;
  }
  lines.push(`${key} = ${inline(value)}${options.origins ? said(value, options) : ''}`);
}

/** The source of a value, and the values that it overrides. */
function said(value: Traced, options: PrintOptions): string {
  if (value.kind !== 'value') return comment(firstSource(value), options);
  const before = value.said.slice(0, -1).map((one) => `${scalar(one.value)} (${placeOf(one.by, options)})`);
  return `${comment(value.said.at(-1)?.by, options)}${before.length === 0 ? '' : `, over ${before.reverse().join(', ')}`}`;
}

function comment(source: Source | undefined, options: PrintOptions): string {
  return source === undefined ? '' : `  # ${placeOf(source, options)}`;
}

/** `file:line [table]`, the file relative to the project's folder if it is inside. */
export function placeOf({ file, line, table }: Source, { root }: Pick<PrintOptions, 'root'>): string {
  if (file === builtIn) return builtIn;
  const path = file.startsWith(`${root}/`) ? relative(root, file) : file;
  return table.length === 0 ? `${path}:${line}` : `${path}:${line} [${tableText(table)}]`;
}

/** A table's name as its header has it. */
export function tableText(table: readonly (string | number)[]): string {
  return table
    .filter((part) => typeof part === 'string')
    .map(keyText)
    .join('.');
}

function firstSource(value: Traced): Source | undefined {
  if (value.kind === 'value') return (value as TracedValue).said.at(-1)?.by;
  const inner = value.kind === 'list' ? value.items : [...value.entries.values()];
  for (const one of inner) {
    const found = firstSource(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inline(value: Traced): string {
  if (value.kind === 'value') return scalar(value.value);
  if (value.kind === 'list') return `[${value.items.map(inline).join(', ')}]`;
  if (value.entries.size === 0) return '{}';
  return `{ ${[...value.entries].map(([key, inner]) => `${keyText(key)} = ${inline(inner)}`).join(', ')} }`;
}

function scalar(value: Scalar): string {
  return typeof value === 'string' ? quotedText(value) : String(value);
}

/** A text as TOML writes it, in quotes. */
export function quotedText(text: string): string {
  // JSON's escapes are valid in TOML; the one character that JSON leaves unescaped and TOML rejects is DEL.
  return JSON.stringify(text).replaceAll('\x7F', '\\u007F');
}

/** A key as TOML writes it: bare, or in quotes. */
export function keyText(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quotedText(key);
}
